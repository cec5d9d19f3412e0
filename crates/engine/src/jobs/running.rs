//! The jobs at work right now: the only place that knows which are "running".
//!
//! Workers register here; questions about progress and orders to stop come from requests.
//!
//! Invariants: a job is registered within the same closed gate in which it was claimed, and an order
//! to stop passes the gate after its row was changed. So an order finds the job registered, or the
//! worker finds the row changed. A job knows those of its collection that were claimed before it, and ends
//! after them: what is stored has the order of submission.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering},
    },
};

use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use crate::{clock, name::JobId, store::job::ClaimedJob};

/// A job at work.
pub(crate) struct RunningJob {
    seq: i64,
    collection_id: i64,
    /// The next job of the collection may begin.
    open_to_next: AtomicBool,
    /// Those before it in the collection that are at work, by what tells of their end.
    before: Vec<CancellationToken>,
    ended: CancellationToken,
    stop: CancellationToken,
    progress: AtomicU8,
    updated_at: AtomicI64,
}

impl RunningJob {
    /// Told to end as soon as it can.
    pub(crate) fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Lets the next job of the collection begin: most of what this one still does is waiting. False when it might already.
    pub(crate) fn open_to_next(&self) -> bool {
        !self.open_to_next.swap(true, Ordering::Relaxed)
    }

    /// Waits until the jobs before it in the collection have ended.
    pub(crate) async fn turn(&self) {
        for job in &self.before {
            job.cancelled().await;
        }
    }

    /// Per cent; 0 until the source is there.
    pub(crate) fn progress(&self) -> u8 {
        self.progress.load(Ordering::Relaxed)
    }

    /// When the progress last changed.
    pub(crate) fn updated_at(&self) -> i64 {
        self.updated_at.load(Ordering::Relaxed)
    }

    /// Raises the progress; it never falls, and 100 is for the stored success alone.
    pub(crate) fn set_progress(&self, percent: u8) {
        let percent = percent.min(99);
        if self.progress.fetch_max(percent, Ordering::Relaxed) < percent {
            self.updated_at.store(clock::now(), Ordering::Relaxed);
        }
    }
}

/// All jobs at work.
pub(crate) struct Running {
    jobs: Mutex<HashMap<JobId, Arc<RunningJob>>>,
    gate: tokio::sync::Mutex<()>,
    interrupt: CancellationToken,
}

impl Running {
    /// `interrupt` stops them all.
    pub(crate) fn new(interrupt: CancellationToken) -> Self {
        Self {
            jobs: Mutex::default(),
            gate: tokio::sync::Mutex::default(),
            interrupt,
        }
    }

    /// Closes the gate, for claiming a job and registering it.
    pub(crate) async fn close_gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().await
    }

    /// The jobs that the next ones of their collections need not wait for, by their places in the queue.
    pub(crate) fn open(&self, _gate: &MutexGuard<'_, ()>) -> Vec<i64> {
        let jobs = self.lock();
        let open = jobs
            .values()
            .filter(|job| job.open_to_next.load(Ordering::Relaxed));
        open.map(|job| job.seq).collect()
    }

    /// Registers a job that was claimed behind the closed gate.
    pub(crate) fn register(
        &self,
        claimed: &ClaimedJob,
        _gate: &MutexGuard<'_, ()>,
    ) -> Arc<RunningJob> {
        let mut jobs = self.lock();
        let collection = jobs
            .values()
            .filter(|job| job.collection_id == claimed.collection_id);
        let job = Arc::new(RunningJob {
            seq: claimed.seq,
            collection_id: claimed.collection_id,
            open_to_next: AtomicBool::new(false),
            before: collection.map(|job| job.ended.clone()).collect(),
            ended: CancellationToken::new(),
            stop: self.interrupt.child_token(),
            progress: AtomicU8::new(0),
            updated_at: AtomicI64::new(clock::now()),
        });
        jobs.insert(claimed.id.clone(), Arc::clone(&job));
        job
    }

    /// The end of a job's work.
    pub(crate) fn unregister(&self, id: &JobId) {
        if let Some(job) = self.lock().remove(id) {
            job.ended.cancel();
        }
    }

    /// The job, if it is at work.
    pub(crate) fn get(&self, id: &JobId) -> Option<Arc<RunningJob>> {
        self.lock().get(id).cloned()
    }

    /// Orders jobs to stop whose rows say so already.
    pub(crate) async fn stop(&self, ids: &[JobId]) {
        let _gate = self.gate.lock().await;
        let jobs = self.lock();
        for job in ids.iter().filter_map(|id| jobs.get(id)) {
            job.stop.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Arc<RunningJob>>> {
        // The map is whole between any two statements, whoever panicked.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
