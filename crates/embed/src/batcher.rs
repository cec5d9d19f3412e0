//! One thread of a model answers queries, texts and pictures in the order in which they came, on all cores. The others, one for
//! each core, ingest small batches, pictures before texts, each on its own core: threads that share the layers of one batch wait for
//! each other, and for whatever else their cores do, some hundred times a batch. A picture that comes alone has all cores.
//!
//! While a query is at work it holds the gate behind which ingestion computes, so that ingestion stops
//! within a fraction of a millisecond, in the middle of a layer, and goes on when the query is answered; its threads have a
//! lower priority, too, so that whatever else a query needs finds a core.
//! Requests whose caller has gone are dropped unseen. A panic in the model is an error
//! to the callers whose inputs caused it; the thread goes on.
//!
//! The lines have no bound of their own: a caller waits for its answer, so their length is bounded by how many requests
//! the engine admits.

mod lines;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use lookalike_kernels::{Machine, step_back};
use tokio::sync::oneshot;

use self::lines::{Lines, Place, Portion, TextRequest, Work, take};
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
        let lanes = machines.ingest.pool.threads();
        batcher.shared.lock().lanes = lanes;
        let ingesting = std::iter::repeat_n((INGEST_THREAD, Priority::Ingest), lanes);
        for (name, role) in ingesting.chain([(QUERY_THREAD, Priority::Query)]) {
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
        self.shared.wake_ingest.notify_all();
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

/// One of the threads.
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
                Work::Images(portions, place) => {
                    answer(portions, |images| self.embed_images(images, place));
                }
                Work::Documents(portions, place) => {
                    answer(portions, |texts| self.embed_documents(texts, place));
                }
                Work::Stop => return,
            }
            if self.role == Priority::Ingest {
                self.shared.lock().ingesting -= 1;
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
            Priority::Query => Work::Images(take(&mut lines.queries, max_inputs), Place::Pool),
            Priority::Ingest => {
                let more = |lines: &mut Lines| lines.may_wait(max_inputs);
                let waited = wake.wait_timeout_while(lines, self.limits.ingest_wait, more);
                let mut lines = waited.unwrap_or_else(PoisonError::into_inner).0;
                let work = lines.take_to_ingest(max_inputs);
                if !lines.idle(self.role) {
                    wake.notify_one();
                }
                work
            }
        }
    }

    /// Runs the model; a query stops what is being ingested meanwhile.
    fn compute<T>(
        &self,
        inputs: usize,
        place: Place,
        run: impl FnOnce(&dyn Encoder, &Machine) -> Result<Vec<T>, EmbedError>,
    ) -> Result<Vec<T>, EmbedError> {
        let (machine, _held) = match (self.role, place) {
            (Priority::Query, _) => (&self.machines.query, Some(self.machines.gate.hold())),
            (Priority::Ingest, Place::Pool) => (&self.machines.ingest, None),
            (Priority::Ingest, Place::Lane) => (&self.machines.lane, None),
        };
        shielded(inputs, || run(&*self.encoder, machine))
    }

    fn answer_texts(&self, requests: Vec<TextRequest>) {
        let texts: Vec<&str> = requests
            .iter()
            .map(|request| request.text.as_str())
            .collect();
        let answers = self.compute(texts.len(), Place::Pool, |encoder, machine| {
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
        let answers = self.compute(1, Place::Pool, |encoder, machine| {
            encoder.embed_texts(machine, &[text])
        })?;
        answers.into_iter().next().ok_or(EmbedError::Closed)
    }

    fn embed_images(
        &self,
        images: &[PreparedImage],
        place: Place,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.compute(images.len(), place, |encoder, machine| {
            encoder.embed_images(machine, images)
        })
    }

    fn embed_documents(
        &self,
        texts: &[String],
        place: Place,
    ) -> Result<Vec<TextEmbedding>, EmbedError> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.compute(texts.len(), place, |encoder, machine| {
            encoder.embed_texts(machine, &texts)
        })
    }
}

fn answer<I: Clone, O>(
    portions: Vec<Portion<I, O>>,
    embed: impl Fn(&[I]) -> Result<Vec<O>, EmbedError>,
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
                portion.answer.take(portion.first, Ok(own));
            }
        }
        // Somebody's input broke the batch: each request is tried alone, so that only the culprit pays.
        Err(_) if portions.len() > 1 => {
            for portion in portions {
                let own = embed(&portion.inputs);
                portion.answer.take(portion.first, own);
            }
        }
        Err(error) => {
            for portion in portions {
                portion.answer.take(portion.first, Err(error.clone()));
            }
        }
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

/// What a panic says.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
