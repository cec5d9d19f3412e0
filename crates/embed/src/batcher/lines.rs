//! Requests in line for a model, and how threads take batches of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Priority;
use crate::encoder::{PreparedImage, TextEmbedding};
use crate::error::EmbedError;

pub(super) type Reply<T> = oneshot::Sender<Result<T, EmbedError>>;
pub(super) type ImageRequest = Request<PreparedImage, Vec<f32>>;
pub(super) type DocumentRequest = Request<String, TextEmbedding>;

#[derive(Default)]
pub(super) struct Lines {
    pub(super) texts: VecDeque<TextRequest>,
    pub(super) queries: VecDeque<ImageRequest>,
    pub(super) ingest: VecDeque<ImageRequest>,
    pub(super) documents: VecDeque<DocumentRequest>,
    /// Threads that ingest, and those of them that are at work.
    pub(super) lanes: usize,
    pub(super) ingesting: usize,
    /// Number of the next request: tells whether a text or a picture came first.
    next_number: u64,
    pub(super) closed: bool,
}

pub(super) struct TextRequest {
    number: u64,
    pub(super) text: String,
    pub(super) reply: Reply<TextEmbedding>,
}

/// A request stays in line until all its inputs are at work, in several batches if it is large.
pub(super) struct Request<I, O> {
    number: u64,
    waiting: VecDeque<I>,
    answer: Arc<Answer<O>>,
}

/// What a request has so far.
pub(super) struct Answer<O>(Mutex<Slots<O>>);

struct Slots<O> {
    /// For each input.
    done: Vec<Option<O>>,
    missing: usize,
    /// `None` when it is sent.
    reply: Option<Reply<Vec<O>>>,
}

impl Lines {
    fn line(&mut self, priority: Priority) -> &mut VecDeque<ImageRequest> {
        match priority {
            Priority::Query => &mut self.queries,
            Priority::Ingest => &mut self.ingest,
        }
    }

    pub(super) fn push_text(&mut self, text: String, reply: Reply<TextEmbedding>) {
        let number = self.number();
        self.texts.push_back(TextRequest {
            number,
            text,
            reply,
        });
    }

    pub(super) fn push_documents(&mut self, texts: Vec<String>, reply: Reply<Vec<TextEmbedding>>) {
        let request = Request::new(self.number(), texts, reply);
        self.documents.push_back(request);
    }

    pub(super) fn push_images(
        &mut self,
        images: Vec<PreparedImage>,
        priority: Priority,
        reply: Reply<Vec<Vec<f32>>>,
    ) {
        let request = Request::new(self.number(), images, reply);
        self.line(priority).push_back(request);
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Whether the oldest query is a text.
    pub(super) fn text_is_next(&self) -> bool {
        match (self.texts.front(), self.queries.front()) {
            (Some(text), Some(picture)) => text.number < picture.number,
            (text, _) => text.is_some(),
        }
    }

    pub(super) fn idle(&self, role: Priority) -> bool {
        match role {
            Priority::Query => self.texts.is_empty() && self.queries.is_empty(),
            Priority::Ingest => self.ingest.is_empty() && self.documents.is_empty(),
        }
    }

    /// Inputs that are to be ingested.
    fn to_ingest(&self) -> usize {
        waiting(&self.ingest) + waiting(&self.documents)
    }

    /// What is to be ingested would not fill a batch.
    pub(super) fn may_wait(&self, max_inputs: usize) -> bool {
        let waiting = self.to_ingest();
        waiting > 0 && waiting < max_inputs && !self.closed
    }

    /// A batch for one of the threads that ingest: its share if others have nothing to do either.
    pub(super) fn take_to_ingest(&mut self, max_inputs: usize) -> Work {
        let idle = self.lanes - self.ingesting;
        let alone = self.ingesting == 0 && self.to_ingest() == 1;
        let place = if alone { Place::Pool } else { Place::Lane };
        self.ingesting += 1;
        if self.ingest.is_empty() {
            let share = waiting(&self.documents).div_ceil(idle).min(max_inputs);
            Work::Documents(take(&mut self.documents, share), place)
        } else {
            let share = waiting(&self.ingest).div_ceil(idle).min(max_inputs);
            Work::Images(take(&mut self.ingest, share), place)
        }
    }

    pub(super) fn drop_abandoned(&mut self) {
        self.texts.retain(|request| !request.reply.is_closed());
        self.queries.retain(|request| !request.answer.is_closed());
        self.ingest.retain(|request| !request.answer.is_closed());
        self.documents.retain(|request| !request.answer.is_closed());
    }
}

/// Inputs in a line.
pub(super) fn waiting<I, O>(line: &VecDeque<Request<I, O>>) -> usize {
    line.iter().map(|request| request.waiting.len()).sum()
}

impl<I, O> Request<I, O> {
    fn new(number: u64, inputs: Vec<I>, reply: Reply<Vec<O>>) -> Self {
        let slots = Slots {
            done: inputs.iter().map(|_| None).collect(),
            missing: inputs.len(),
            reply: Some(reply),
        };
        Self {
            number,
            waiting: inputs.into(),
            answer: Arc::new(Answer(Mutex::new(slots))),
        }
    }
}

impl<O> Answer<O> {
    fn slots(&self) -> MutexGuard<'_, Slots<O>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody waits for it, because the caller has gone or an error was its end.
    fn is_closed(&self) -> bool {
        let slots = self.slots();
        slots.reply.as_ref().is_none_or(Reply::is_closed)
    }

    /// Takes the answers to the inputs from `first` on; sends all when none is missing, and an error at once.
    pub(super) fn take(&self, first: usize, answers: Result<Vec<O>, EmbedError>) {
        let mut slots = self.slots();
        let whole = match answers {
            Ok(answers) => {
                slots.missing -= answers.len();
                for (slot, answer) in slots.done[first..].iter_mut().zip(answers) {
                    *slot = Some(answer);
                }
                if slots.missing > 0 {
                    return;
                }
                Ok(slots.done.drain(..).flatten().collect())
            }
            Err(error) => Err(error),
        };
        if let Some(reply) = slots.reply.take() {
            // A caller that left meanwhile is no error.
            let _ = reply.send(whole);
        }
    }
}

/// What a thread does next.
pub(super) enum Work {
    Texts(Vec<TextRequest>),
    Images(Vec<Portion<PreparedImage, Vec<f32>>>, Place),
    Documents(Vec<Portion<String, TextEmbedding>>, Place),
    Stop,
}

/// Where a batch is computed.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// On all cores.
    Pool,
    /// On the core of the thread.
    Lane,
}

/// As much of a request as fits into the batch.
pub(super) struct Portion<I, O> {
    pub(super) answer: Arc<Answer<O>>,
    /// Place of its first input in the request.
    pub(super) first: usize,
    pub(super) inputs: Vec<I>,
}

/// Takes up to `max_inputs` inputs off the head of a line.
pub(super) fn take<I, O>(
    line: &mut VecDeque<Request<I, O>>,
    max_inputs: usize,
) -> Vec<Portion<I, O>> {
    let mut portions = Vec::new();
    let mut room = max_inputs;
    while room > 0
        && let Some(request) = line.front_mut()
    {
        let before = request.waiting.len();
        let inputs: Vec<_> = request.waiting.drain(..room.min(before)).collect();
        room -= inputs.len();
        portions.push(Portion {
            answer: Arc::clone(&request.answer),
            first: request.answer.slots().done.len() - before,
            inputs,
        });
        if request.waiting.is_empty() {
            line.pop_front();
        }
    }
    portions
}
