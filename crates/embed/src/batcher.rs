//! Two threads serve a model: one answers queries, texts and pictures in the order in which they came, the other ingests.
//!
//! Both have all cores. While a query is at work it holds the gate behind which ingestion computes, so that ingestion stops
//! within a fraction of a millisecond, in the middle of a layer, and goes on when the query is answered; its threads have a
//! lower priority, too, so that whatever else a query needs finds a core. Ingestion is fed in
//! small batches, pictures before texts. Requests whose caller has gone are dropped unseen. A panic in the model is an error
//! to the callers whose inputs caused it; the thread goes on.
//!
//! The lines have no bound of their own: a caller waits for its answer, so their length is bounded by how many requests
//! the engine admits.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use lookalike_kernels::{Machine, step_back};
use tokio::sync::oneshot;

use crate::encoder::{Encoder, PreparedImage, TextEmbedding};
use crate::error::{EmbedError, LoadError};
use crate::machines::Machines;

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
    /// Inputs that go to the model at once.
    pub(crate) max_inputs: usize,
    /// How long a batch of ingestion that is not full waits for more.
    pub(crate) ingest_wait: Duration,
}

type Reply<T> = oneshot::Sender<Result<T, EmbedError>>;

/// Handle to a model's threads; dropping the last one ends them.
pub(crate) struct Batcher {
    shared: Arc<Shared>,
}

struct Shared {
    lines: Mutex<Lines>,
    /// For each thread: its lines have changed.
    wake_query: Condvar,
    wake_ingest: Condvar,
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

/// Names of the threads.
const QUERY_THREAD: &str = "model";
const INGEST_THREAD: &str = "model-ingest";

impl Batcher {
    pub(crate) fn start(
        encoder: &Arc<dyn Encoder>,
        machines: &Arc<Machines>,
        limits: BatchLimits,
    ) -> Result<Self, LoadError> {
        let batcher = Self {
            shared: Arc::new(Shared {
                lines: Mutex::default(),
                wake_query: Condvar::new(),
                wake_ingest: Condvar::new(),
            }),
        };
        for (name, role) in [
            (QUERY_THREAD, Priority::Query),
            (INGEST_THREAD, Priority::Ingest),
        ] {
            let worker = Worker {
                shared: Arc::clone(&batcher.shared),
                encoder: Arc::clone(encoder),
                machines: Arc::clone(machines),
                limits,
                role,
            };
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || worker.run())
                .map_err(LoadError::Thread)?;
        }
        Ok(batcher)
    }

    pub(crate) async fn text(&self, text: String) -> Result<TextEmbedding, EmbedError> {
        let (reply, answer) = oneshot::channel();
        self.shared.lock().push_text(text, reply);
        self.shared.wake(Priority::Query).notify_one();
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
        self.shared.wake(Priority::Ingest).notify_one();
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
        self.shared.wake(priority).notify_one();
        answer.await.unwrap_or(Err(EmbedError::Closed))
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake_query.notify_one();
        self.shared.wake_ingest.notify_one();
    }
}

impl Shared {
    fn wake(&self, role: Priority) -> &Condvar {
        match role {
            Priority::Query => &self.wake_query,
            Priority::Ingest => &self.wake_ingest,
        }
    }

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

    fn idle(&self, role: Priority) -> bool {
        match role {
            Priority::Query => self.texts.is_empty() && self.queries.is_empty(),
            Priority::Ingest => self.ingest.is_empty() && self.documents.is_empty(),
        }
    }

    /// What is to be ingested would not fill a batch.
    fn may_wait(&self, max_inputs: usize) -> bool {
        let waiting = waiting(&self.ingest) + waiting(&self.documents);
        waiting > 0 && waiting < max_inputs && !self.closed
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

/// What a thread does next.
enum Work {
    Texts(Vec<TextRequest>),
    Images(Vec<Portion<PreparedImage, Vec<f32>>>),
    Documents(Vec<Portion<String, TextEmbedding>>),
    Stop,
}

/// As much of a request as fits into the batch.
struct Portion<I, O> {
    request: Request<I, O>,
    inputs: Vec<I>,
}

/// One of the two threads.
struct Worker {
    shared: Arc<Shared>,
    encoder: Arc<dyn Encoder>,
    machines: Arc<Machines>,
    limits: BatchLimits,
    role: Priority,
}

impl Worker {
    fn run(&self) {
        if self.role == Priority::Ingest {
            step_back();
        }
        loop {
            match self.next() {
                Work::Texts(requests) => self.answer_texts(requests),
                Work::Images(portions) => {
                    let embed = |images: &[PreparedImage]| self.embed_images(images);
                    self.answer(portions, embed, |lines| lines.line(self.role));
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
        let max_inputs = self.limits.max_inputs;
        let wake = self.shared.wake(self.role);
        let mut lines = self.shared.lock();
        loop {
            lines.drop_abandoned();
            if !lines.idle(self.role) {
                break;
            }
            if lines.closed {
                return Work::Stop;
            }
            lines = wake.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
        match self.role {
            Priority::Query if lines.text_is_next() => {
                let count = max_inputs.min(lines.texts.len());
                Work::Texts(lines.texts.drain(..count).collect())
            }
            Priority::Query => Work::Images(take(&mut lines.queries, max_inputs)),
            Priority::Ingest => {
                let more = |lines: &mut Lines| lines.may_wait(max_inputs);
                let waited = wake.wait_timeout_while(lines, self.limits.ingest_wait, more);
                let mut lines = waited.unwrap_or_else(PoisonError::into_inner).0;
                if lines.ingest.is_empty() {
                    Work::Documents(take(&mut lines.documents, max_inputs))
                } else {
                    Work::Images(take(&mut lines.ingest, max_inputs))
                }
            }
        }
    }

    /// Runs the model with this thread's machine; a query stops what is being ingested meanwhile.
    fn compute<T>(
        &self,
        inputs: usize,
        run: impl FnOnce(&dyn Encoder, &Machine) -> Result<Vec<T>, EmbedError>,
    ) -> Result<Vec<T>, EmbedError> {
        let (machine, _held) = match self.role {
            Priority::Query => (&self.machines.query, Some(self.machines.gate.hold())),
            Priority::Ingest => (&self.machines.ingest, None),
        };
        shielded(inputs, || run(&*self.encoder, machine))
    }

    fn answer_texts(&self, requests: Vec<TextRequest>) {
        let texts: Vec<&str> = requests
            .iter()
            .map(|request| request.text.as_str())
            .collect();
        let answers = self.compute(texts.len(), |encoder, machine| {
            encoder.embed_texts(machine, &texts)
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
        let answers = self.compute(1, |encoder, machine| encoder.embed_texts(machine, &[text]))?;
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
        self.compute(images.len(), |encoder, machine| {
            encoder.embed_images(machine, images)
        })
    }

    fn embed_documents(&self, texts: &[String]) -> Result<Vec<TextEmbedding>, EmbedError> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.compute(texts.len(), |encoder, machine| {
            encoder.embed_texts(machine, &texts)
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
        .unwrap_or_else(|panic| Err(EmbedError::Panicked(panic_text(&*panic))))?;
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

/// What a panic says.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
