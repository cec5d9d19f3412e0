//! The listening socket: HTTP and HTTPS on one port, told apart by the first byte.
//!
//! Called by `serve` and `demo`. Each connection is a task of its own, so a slow handshake never holds up the
//! others; every phase has a time limit and the number of connections is bounded. The invariant: whatever a
//! client sends that looks like HTTP/1.1 is answered in the vendor's shape, also where hyper alone would
//! answer with an empty body (`refusal`).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::authority::{Authority, AuthorityError};
use super::refusal::RefusalIo;

/// First byte of a TLS handshake record (RFC 8446, section 5.1); no HTTP method starts with it.
const TLS_HANDSHAKE: u8 = 0x16;
/// Longest request target that the HTTP stack takes (`http::Uri` counts in 16 bits and keeps one value back).
/// The vendor's SDKs send vectors in the URL, 47 kB for 2048 dimensions.
pub const MAX_TARGET_BYTES: usize = 65_534;
/// Request line and headers together.
const MAX_HEAD_BYTES: usize = MAX_TARGET_BYTES + 64 * 1024;
/// What is read and thrown away after a refusal, so that the client gets to read the answer before the
/// connection is reset.
const MAX_LINGER_BYTES: usize = 1 << 20;
const LINGER: Duration = Duration::from_secs(2);

/// How one connection reached the server. Handlers find it in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The client's address.
    pub peer: SocketAddr,
    /// The server's own address as this client reached it.
    pub local: SocketAddr,
    /// Whether it came over TLS.
    pub encrypted: bool,
}

/// Limits of the listener; see `config::Limits` for what each stops.
#[derive(Debug, Clone, Copy)]
pub struct ListenerLimits {
    pub max_connections: u32,
    pub handshake_timeout: Duration,
    pub header_timeout: Duration,
    pub write_timeout: Duration,
}

/// Accepts connections until `stop` is cancelled, then lets the ones in progress finish their request.
/// Returns when the last one is done; the caller bounds how long it waits.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    authority: Arc<Authority>,
    limits: ListenerLimits,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(limits.max_connections as usize));
    let connections = TaskTracker::new();
    let server = Arc::new(Server {
        router,
        authority,
        limits,
        stop: stop.clone(),
    });
    loop {
        let permit = tokio::select! {
            permit = permits.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let server = server.clone();
                connections.spawn(async move {
                    if let Err(error) = server.connection(stream, peer).await {
                        tracing::debug!(%peer, %error, "connection ended early");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors and the like: nothing is wrong with the socket, so wait a moment
                // instead of spinning.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

struct Server {
    router: Router,
    authority: Arc<Authority>,
    limits: ListenerLimits,
    stop: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no complete handshake in time")]
    HandshakeTimeout(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Certificate(#[from] AuthorityError),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

impl Server {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr) -> Result<(), ConnectionError> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let mut first = [0];
        let received = tokio::select! {
            received = timeout(self.limits.handshake_timeout, stream.peek(&mut first)) => received??,
            () = self.stop.cancelled() => return Ok(()),
        };
        if received == 0 {
            return Ok(());
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write_timeout));
        let stream = Box::pin(stream);
        if first[0] == TLS_HANDSHAKE {
            let stream =
                timeout(self.limits.handshake_timeout, self.handshake(stream, local)).await??;
            self.http(
                stream,
                Arrival {
                    peer,
                    local,
                    encrypted: true,
                },
            )
            .await
        } else {
            self.http(
                stream,
                Arrival {
                    peer,
                    local,
                    encrypted: false,
                },
            )
            .await
        }
    }

    async fn handshake<S>(
        &self,
        stream: S,
        local: SocketAddr,
    ) -> Result<TlsStream<S>, ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = self
            .authority
            .server_config(start.client_hello().server_name(), local.ip())?;
        Ok(start.into_stream(config).await?)
    }

    async fn http<S>(&self, stream: S, arrival: Arrival) -> Result<(), ConnectionError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (io, turn) = RefusalIo::new(stream);
        let service = hyper::service::service_fn(|request: Request<Incoming>| {
            let turn = turn.begin();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(arrival);
            let router = self.router.clone();
            Box::pin(async move {
                let response = router
                    .oneshot(request)
                    .await
                    .unwrap_or_else(|never: Infallible| match never {});
                Ok::<_, Infallible>(turn.until_sent(response))
            })
        });
        let mut connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(io), service);
        let mut stopping = pin!(self.stop.cancelled());
        let mut stopped = false;
        let outcome = std::future::poll_fn(|context| {
            if !stopped && stopping.as_mut().poll(context).is_ready() {
                stopped = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            connection.poll_without_shutdown(context)
        })
        .await;
        let mut stream = connection.into_parts().io.into_inner();
        // The peer may be gone already; then there is nothing left to close politely.
        let _ = timeout(LINGER, close(&mut stream)).await;
        outcome.map_err(ConnectionError::from)
    }
}

/// Ends our side, then reads what the client is still sending. Closing a socket with unread bytes in it
/// resets the connection, and the client would lose the answer to a request that was refused before its end.
async fn close(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.shutdown().await?;
    let mut bytes = vec![0; 16 * 1024];
    let mut left = MAX_LINGER_BYTES;
    while left > 0 {
        let read = stream.read(&mut bytes).await?;
        if read == 0 {
            break;
        }
        left = left.saturating_sub(read);
    }
    Ok(())
}
