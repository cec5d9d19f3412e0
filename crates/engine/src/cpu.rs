//! The one door to work that keeps a thread busy: decoding, hashing passwords, scanning vectors.
//!
//! Async code may block for half a millisecond; whatever may take longer comes through here. Each
//! lane admits as many pieces of work as there are cores, so that ingestion cannot fill the
//! blocking pool before a query gets in. Jobs run on threads of their own, which step back behind those that answer
//! somebody, and stop while the models' gate is held. A panic becomes an error of the one who asked.

use std::{
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use lookalike_embed::{Gate, panic_text, step_back_behind};
use tokio::sync::{Semaphore, oneshot};

use crate::error::EngineError;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A caller who waits for the answer.
    Request,
    /// A job.
    Ingest,
    /// A job that writes files: it waits for the disk more than it computes.
    Storage,
}

/// Files that are written at once for each core, and at least. One that is being flushed holds no bytes any more, and has to
/// wait while the disk is busy with an archive that is uploaded meanwhile.
const STORING_A_CORE: usize = 4;
const STORING_AT_LEAST: usize = 32;

/// The door.
#[derive(Clone)]
pub(crate) struct Cpu {
    request: Arc<Semaphore>,
    ingest: Arc<Semaphore>,
    storage: Arc<Semaphore>,
    cores: usize,
    storing: usize,
    /// What jobs stop for.
    gate: Arc<Gate>,
}

impl Cpu {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let storing = STORING_AT_LEAST.max(STORING_A_CORE * cores);
        Self {
            request: Arc::new(Semaphore::new(cores)),
            ingest: Arc::new(Semaphore::new(cores)),
            storage: Arc::new(Semaphore::new(storing)),
            cores,
            storing,
            gate,
        }
    }

    /// How many pieces of computing a lane does at once.
    pub(crate) fn cores(&self) -> usize {
        self.cores
    }

    /// How many pieces of a job are worth having under way: as many as are computed and stored at once.
    pub(crate) fn ingest_width(&self) -> usize {
        self.cores + self.storing
    }

    /// Runs `work` on a thread that may block. Work that has begun is finished even when the
    /// caller has gone; its place is taken until then.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let places = match lane {
            Lane::Request => &self.request,
            Lane::Ingest => &self.ingest,
            Lane::Storage => &self.storage,
        };
        let place = Arc::clone(places)
            .acquire_owned()
            .await
            .expect("the lanes are never closed");
        let work = move || {
            let _place = place;
            work()
        };
        if lane == Lane::Request {
            return tokio::task::spawn_blocking(work)
                .await
                .map_err(EngineError::internal);
        }
        self.in_background(work)
            .await
            .map_err(EngineError::internal)?
    }

    /// Runs a job's `work` on a thread of its own, which begins at once. Starting one takes some 50 microseconds; what is
    /// worth a thread takes milliseconds.
    pub(crate) fn in_background<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Background<T> {
        let (sender, receiver) = oneshot::channel();
        let gate = Arc::clone(&self.gate);
        let run = move || {
            step_back_behind(gate);
            let outcome = catch_unwind(AssertUnwindSafe(work));
            // Nobody waits any more for a job that was stopped.
            drop(sender.send(outcome.map_err(|panic| {
                EngineError::internal(format!("panicked: {}", panic_text(&*panic)))
            })));
        };
        if let Err(error) = thread::Builder::new().name("job".to_owned()).spawn(run) {
            tracing::error!(%error, "no thread for a job");
        }
        receiver
    }
}

/// What will come of work in the background.
pub(crate) type Background<T> = oneshot::Receiver<Result<T, EngineError>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_frees_its_place() {
        let cpu = Cpu::new(Arc::default());
        for _ in 0..=cpu.ingest_width() {
            for lane in [Lane::Request, Lane::Ingest, Lane::Storage] {
                let outcome: Result<(), _> = cpu.run(lane, || panic!("a bad picture")).await;
                assert!(matches!(outcome, Err(EngineError::Internal { .. })));
            }
        }
        assert_eq!(cpu.run(Lane::Ingest, || 7).await.unwrap(), 7);
    }
}
