//! One thread owns a model; requests wait in four lines: texts, query pictures, ingested pictures, ingested texts.
//!
//! Queries, texts and pictures in the order in which they came, overtake ingestion, which is fed to the model in small batches
//! so that a query never waits for more than one of them. Requests whose caller has gone are dropped unseen. A panic in the model is an error to the callers whose inputs
//! caused it; the thread goes on.
//!
//! The lines have no bound of their own: a caller waits for its answer, so their length is bounded by how many requests
//! the engine admits.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use lookalike_kernels::Machine;
use tokio::sync::oneshot;

use crate::encoder::{Encoder, PreparedImage, TextEmbedding};
use crate::error::{EmbedError, LoadError};

/// Who waits for a picture's vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A person: goes first.
    Query,
    /// An upload job: takes what is left.
    Ingest,
}

/// How work is cut for the model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    /// Inputs that go to the model at once; a query waits for at most this many that came after it.
    pub(crate) max_inputs: usize,
    /// How long a batch of ingestion that is not full waits for more.
    pub(crate) ingest_wait: Duration,
}

type Reply<T> = oneshot::Sender<Result<T, EmbedError>>;

/// Handle to a model's thread; dropping the last one ends the thread.
pub(crate) struct Batcher {
    shared: Arc<Shared>,
}

struct Shared {
    lines: Mutex<Lines>,
    wake: Condvar,
}

#[derive(Default)]
struct Lines {
    texts: VecDeque<TextRequest>,
    queries: VecDeque<ImageRequest>,
    ingest: VecDeque<ImageRequest>,
    documents: VecDeque<DocumentRequest>,
    /// Number of the next request: tells whether a text or a picture came first.
    next_number: u64,
    closed: bool,
}

struct TextRequest {
    number: u64,
    text: String,
    reply: Reply<TextEmbedding>,
}

/// A request larger than a batch stays in line with what it already has.
struct Request<I, O> {
    number: u64,
    waiting: VecDeque<I>,
    done: Vec<O>,
    reply: Reply<Vec<O>>,
}

type ImageRequest = Request<PreparedImage, Vec<f32>>;
type DocumentRequest = Request<String, TextEmbedding>;

impl Batcher {
    pub(crate) fn start(
        encoder: Arc<dyn Encoder>,
        machine: Arc<Machine>,
        limits: BatchLimits,
    ) -> Result<Self, LoadError> {
        let shared = Arc::new(Shared {
            lines: Mutex::default(),
            wake: Condvar::new(),
        });
        let worker = Worker {
            shared: Arc::clone(&shared),
            encoder,
            machine,
            limits,
        };
        thread::Builder::new()
            .name("model".to_owned())
            .spawn(move || worker.run())
            .map_err(LoadError::Thread)?;
        Ok(Self { shared })
    }

    pub(crate) async fn text(&self, text: String) -> Result<TextEmbedding, EmbedError> {
        let (reply, answer) = oneshot::channel();
        self.shared.lock().push_text(text, reply);
        self.shared.wake.notify_one();
        answer.await.unwrap_or(Err(EmbedError::Closed))
    }

    /// Texts that are ingested.
    pub(crate) async fn document_texts(
        &self,
        texts: Vec<String>,
    ) -> Result<Vec<TextEmbedding>, EmbedError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        self.shared.lock().push_documents(texts, reply);
        self.shared.wake.notify_one();
        answer.await.unwrap_or(Err(EmbedError::Closed))
    }

    pub(crate) async fn images(
        &self,
        images: Vec<PreparedImage>,
        priority: Priority,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        self.shared.lock().push_images(images, priority, reply);
        self.shared.wake.notify_one();
        answer.await.unwrap_or(Err(EmbedError::Closed))
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        // Nothing panics while the lock is held, and a half-made change to a queue does not exist.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn line(&mut self, priority: Priority) -> &mut VecDeque<ImageRequest> {
        match priority {
            Priority::Query => &mut self.queries,
            Priority::Ingest => &mut self.ingest,
        }
    }

    fn push_text(&mut self, text: String, reply: Reply<TextEmbedding>) {
        let number = self.number();
        self.texts.push_back(TextRequest {
            number,
            text,
            reply,
        });
    }

    fn push_documents(&mut self, texts: Vec<String>, reply: Reply<Vec<TextEmbedding>>) {
        let request = Request {
            number: self.number(),
            done: Vec::with_capacity(texts.len()),
            waiting: texts.into(),
            reply,
        };
        self.documents.push_back(request);
    }

    fn push_images(
        &mut self,
        images: Vec<PreparedImage>,
        priority: Priority,
        reply: Reply<Vec<Vec<f32>>>,
    ) {
        let request = Request {
            number: self.number(),
            done: Vec::with_capacity(images.len()),
            waiting: images.into(),
            reply,
        };
        self.line(priority).push_back(request);
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Whether the oldest query is a text.
    fn text_is_next(&self) -> bool {
        match (self.texts.front(), self.queries.front()) {
            (Some(text), Some(picture)) => text.number < picture.number,
            (text, _) => text.is_some(),
        }
    }

    fn idle(&self) -> bool {
        self.texts.is_empty()
            && self.queries.is_empty()
            && self.ingest.is_empty()
            && self.documents.is_empty()
    }

    /// Only ingestion is waiting, and it would not fill a batch.
    fn may_wait(&self, max_inputs: usize) -> bool {
        let waiting = waiting(&self.ingest) + waiting(&self.documents);
        self.texts.is_empty()
            && self.queries.is_empty()
            && waiting > 0
            && waiting < max_inputs
            && !self.closed
    }

    fn drop_abandoned(&mut self) {
        self.texts.retain(|request| !request.reply.is_closed());
        self.queries.retain(|request| !request.reply.is_closed());
        self.ingest.retain(|request| !request.reply.is_closed());
        self.documents.retain(|request| !request.reply.is_closed());
    }
}

/// Inputs in a line.
fn waiting<I, O>(line: &VecDeque<Request<I, O>>) -> usize {
    line.iter().map(|request| request.waiting.len()).sum()
}

/// What the thread does next.
enum Work {
    Texts(Vec<TextRequest>),
    Images(Priority, Vec<Portion<PreparedImage, Vec<f32>>>),
    Documents(Vec<Portion<String, TextEmbedding>>),
    Stop,
}

/// As much of a request as fits into the batch.
struct Portion<I, O> {
    request: Request<I, O>,
    inputs: Vec<I>,
}

struct Worker {
    shared: Arc<Shared>,
    encoder: Arc<dyn Encoder>,
    machine: Arc<Machine>,
    limits: BatchLimits,
}

impl Worker {
    fn run(&self) {
        loop {
            match self.next() {
                Work::Texts(requests) => self.answer_texts(requests),
                Work::Images(priority, portions) => {
                    let embed = |images: &[PreparedImage]| self.embed_images(images);
                    self.answer(portions, embed, |lines| lines.line(priority));
                }
                Work::Documents(portions) => {
                    let embed = |texts: &[String]| self.embed_documents(texts);
                    self.answer(portions, embed, |lines| &mut lines.documents);
                }
                Work::Stop => return,
            }
        }
    }

    fn next(&self) -> Work {
        let mut lines = self.shared.lock();
        loop {
            lines.drop_abandoned();
            if !lines.idle() {
                break;
            }
            if lines.closed {
                return Work::Stop;
            }
            lines = self
                .shared
                .wake
                .wait(lines)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if lines.may_wait(self.limits.max_inputs) {
            let more = |lines: &mut Lines| lines.may_wait(self.limits.max_inputs);
            let waited = self
                .shared
                .wake
                .wait_timeout_while(lines, self.limits.ingest_wait, more);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }

        if lines.text_is_next() {
            let count = self.limits.max_inputs.min(lines.texts.len());
            return Work::Texts(lines.texts.drain(..count).collect());
        }
        let priority = match (lines.queries.is_empty(), lines.ingest.is_empty()) {
            (false, _) => Priority::Query,
            (true, false) => Priority::Ingest,
            (true, true) => {
                return Work::Documents(take(&mut lines.documents, self.limits.max_inputs));
            }
        };
        Work::Images(priority, take(lines.line(priority), self.limits.max_inputs))
    }

    fn answer_texts(&self, requests: Vec<TextRequest>) {
        let texts: Vec<&str> = requests
            .iter()
            .map(|request| request.text.as_str())
            .collect();
        let answers = shielded(texts.len(), || {
            self.encoder.embed_texts(&self.machine, &texts)
        });
        let answers = match answers {
            Err(_) if texts.len() > 1 => texts.iter().map(|text| self.one_text(text)).collect(),
            Err(error) => vec![Err(error)],
            Ok(answers) => answers.into_iter().map(Ok).collect::<Vec<_>>(),
        };
        for (request, answer) in requests.into_iter().zip(answers) {
            // A caller that left meanwhile is no error.
            let _ = request.reply.send(answer);
        }
    }

    fn one_text(&self, text: &str) -> Result<TextEmbedding, EmbedError> {
        let answers = shielded(1, || self.encoder.embed_texts(&self.machine, &[text]))?;
        answers.into_iter().next().ok_or(EmbedError::Closed)
    }

    fn answer<I: Clone, O>(
        &self,
        portions: Vec<Portion<I, O>>,
        embed: impl Fn(&[I]) -> Result<Vec<O>, EmbedError>,
        line: impl Fn(&mut Lines) -> &mut VecDeque<Request<I, O>>,
    ) {
        let batch: Vec<I> = portions
            .iter()
            .flat_map(|portion| portion.inputs.iter().cloned())
            .collect();
        match embed(&batch) {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for portion in portions {
                    let own = answers.by_ref().take(portion.inputs.len()).collect();
                    self.deliver(portion.request, Ok(own), &line);
                }
            }
            // Somebody's input broke the batch: each request is tried alone, so that only the culprit pays.
            Err(_) if portions.len() > 1 => {
                for portion in portions {
                    let own = embed(&portion.inputs);
                    self.deliver(portion.request, own, &line);
                }
            }
            Err(error) => {
                for portion in portions {
                    self.deliver(portion.request, Err(error.clone()), &line);
                }
            }
        }
    }

    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        shielded(images.len(), || {
            self.encoder.embed_images(&self.machine, images)
        })
    }

    fn embed_documents(&self, texts: &[String]) -> Result<Vec<TextEmbedding>, EmbedError> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        shielded(texts.len(), || {
            self.encoder.embed_texts(&self.machine, &texts)
        })
    }

    /// Answers a request that is finished or failed; puts any other back at the head of its line.
    fn deliver<I, O>(
        &self,
        mut request: Request<I, O>,
        answers: Result<Vec<O>, EmbedError>,
        line: impl Fn(&mut Lines) -> &mut VecDeque<Request<I, O>>,
    ) {
        match answers {
            Ok(answers) => request.done.extend(answers),
            Err(error) => {
                let _ = request.reply.send(Err(error));
                return;
            }
        }
        if request.waiting.is_empty() {
            let _ = request.reply.send(Ok(request.done));
            return;
        }
        line(&mut self.shared.lock()).push_front(request);
    }
}

/// Runs the model; a panic and a wrong number of answers become errors.
fn shielded<T>(
    inputs: usize,
    run: impl FnOnce() -> Result<Vec<T>, EmbedError>,
) -> Result<Vec<T>, EmbedError> {
    // The encoder is shared and never changes while it runs, so a panic leaves nothing half done behind.
    let answers = catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(EmbedError::Panicked(text_of(&*panic))))?;
    if answers.len() == inputs {
        Ok(answers)
    } else {
        Err(EmbedError::Model(format!(
            "{} answers for {inputs} inputs",
            answers.len()
        )))
    }
}

/// Takes up to `max_inputs` inputs off the head of a line.
fn take<I, O>(line: &mut VecDeque<Request<I, O>>, max_inputs: usize) -> Vec<Portion<I, O>> {
    let mut portions = Vec::new();
    let mut room = max_inputs;
    while room > 0
        && let Some(mut request) = line.pop_front()
    {
        let inputs: Vec<_> = request
            .waiting
            .drain(..room.min(request.waiting.len()))
            .collect();
        room -= inputs.len();
        portions.push(Portion { request, inputs });
    }
    portions
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
