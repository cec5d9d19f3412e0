//! The one door to work that keeps a thread busy: decoding, hashing passwords, scanning vectors.
//!
//! Async code may block for half a millisecond; whatever may take longer comes through here. Each
//! lane admits as many pieces of work as there are cores, so that ingestion cannot fill the
//! blocking pool before a query gets in. A panic becomes an error of the one who asked.

use std::{num::NonZero, sync::Arc};

use tokio::sync::Semaphore;

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

/// The door.
#[derive(Clone)]
pub(crate) struct Cpu {
    request: Arc<Semaphore>,
    ingest: Arc<Semaphore>,
    storage: Arc<Semaphore>,
    cores: usize,
}

impl Cpu {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            request: Arc::new(Semaphore::new(cores)),
            ingest: Arc::new(Semaphore::new(cores)),
            storage: Arc::new(Semaphore::new(cores)),
            cores,
        }
    }

    /// How many pieces of work a lane does at once.
    pub(crate) fn cores(&self) -> usize {
        self.cores
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
        tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        })
        .await
        .map_err(EngineError::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_frees_its_place() {
        let cpu = Cpu::new();
        for _ in 0..=cpu.cores() {
            let outcome: Result<(), _> = cpu.run(Lane::Ingest, || panic!("a bad picture")).await;
            assert!(matches!(outcome, Err(EngineError::Internal { .. })));
        }
        assert_eq!(cpu.run(Lane::Ingest, || 7).await.unwrap(), 7);
    }
}
