//! Gives a body to the refusals that hyper makes itself.
//!
//! A request whose head hyper cannot take (a target or headers that are too long, a broken request line)
//! never reaches the router: hyper answers it with a bare status and an empty body, and the vendor's SDKs
//! turn an empty body into an opaque parse error (contract, wire rules 10 and 11). The stream under hyper
//! therefore recognises such an answer on its way out and writes the API's JSON error in its place.
//!
//! It cannot be fooled by the bytes of an answer that merely look like one: it looks only while no request is
//! being answered, which the service tells it through [`Turns`], and a turn ends when the answer has been
//! flushed.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::reply;

const IDLE: u8 = 0;
const ANSWERING: u8 = 1;
const WRITTEN: u8 = 2;

/// The stream between the connection and hyper.
pub struct RefusalIo<S> {
    stream: S,
    state: Arc<AtomicU8>,
    /// What is written in place of hyper's own refusal, and how much of it is out.
    replacement: Option<(Bytes, usize)>,
}

/// Hands out a [`Turn`] for each request of the connection.
#[derive(Clone)]
pub struct Turns {
    state: Arc<AtomicU8>,
}

/// One request being answered. Ends when it is dropped, or, once it has been tied to a response, when that is
/// written.
pub struct Turn {
    state: Arc<AtomicU8>,
}

impl Turns {
    /// A request has arrived.
    pub fn begin(&self) -> Turn {
        self.state.store(ANSWERING, Ordering::Release);
        Turn {
            state: self.state.clone(),
        }
    }
}

impl Turn {
    /// Makes the turn last until the body of `response` has been handed over.
    pub fn until_sent(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| Body::new(Tied { body, _turn: self }))
    }
}

/// A body that ends a turn when hyper lets go of it.
struct Tied {
    body: Body,
    _turn: Turn,
}

impl hyper::body::Body for Tied {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.state.store(WRITTEN, Ordering::Release);
    }
}

impl<S> RefusalIo<S> {
    pub fn new(stream: S) -> (Self, Turns) {
        let state = Arc::new(AtomicU8::new(IDLE));
        (
            Self {
                stream,
                state: state.clone(),
                replacement: None,
            },
            Turns { state },
        )
    }
}

impl<S: AsyncWrite + Unpin> RefusalIo<S> {
    fn poll_replacement(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((bytes, written)) = &mut self.replacement {
            if *written == bytes.len() {
                break;
            }
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, &bytes[*written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *written += count;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RefusalIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RefusalIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.state.load(Ordering::Acquire) == IDLE
            && self.replacement.is_none()
            && let Some(refusal) = reply::in_place_of(bytes)
        {
            self.replacement = Some((refusal, 0));
        }
        if self.replacement.is_some() {
            ready!(self.poll_replacement(context))?;
            // Hyper's own bytes count as written: it closes the connection after a refusal.
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.state.load(Ordering::Acquire) == IDLE || self.replacement.is_some() {
            // A refusal of hyper's is one short piece.
            let first = slices
                .iter()
                .find(|slice| !slice.is_empty())
                .map_or(&[][..], |slice| slice);
            return self.poll_write(context, first);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_replacement(context))?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        // Hyper flushes only when its buffer is empty, so the answer that was handed over is out.
        let _ = self
            .state
            .compare_exchange(WRITTEN, IDLE, Ordering::AcqRel, Ordering::Acquire);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
