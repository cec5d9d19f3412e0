//! The hands that do jobs, one at a time each, in the order of submission within a collection.
//!
//! Started by [`crate::Engine::open`]. A worker prepares a job (which can be stopped anywhere), waits for its turn,
//! then ends it by one transaction (which cannot be stopped). The next upload of the collection is prepared while this one's
//! last images are embedded and stored, so that no core is idle in between. Whatever goes wrong, a panic included, becomes
//! that job's end; the worker goes on.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{
    FailureKind, JobFailure, Usage,
    commit::{self, Ending},
    ingest, rows,
    running::RunningJob,
};
use crate::{
    clock,
    config::Stage,
    engine::Inner,
    error::EngineError,
    store::{
        self,
        job::{ClaimedJob, JobKind},
    },
};

/// Rest after the database refused to give out a job.
const AFTER_AN_ERROR: Duration = Duration::from_secs(1);

/// Does jobs until the engine stops. `woken` changes whenever there may be one to do.
pub(crate) async fn work(inner: Arc<Inner>, mut woken: watch::Receiver<u64>) {
    while !inner.stop.is_cancelled() {
        woken.borrow_and_update();
        match claim(&inner).await {
            Ok(Some((job, running))) => {
                do_job(&inner, &job, &running).await;
                inner.running.unregister(&job.id);
                // The next job of the collection may be claimed now, by anyone.
                inner.wake_workers();
            }
            Ok(None) => {
                tokio::select! {
                    () = inner.stop.cancelled() => return,
                    changed = woken.changed() => if changed.is_err() { return },
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no job could be claimed"
                );
                tokio::select! {
                    () = inner.stop.cancelled() => return,
                    () = tokio::time::sleep(AFTER_AN_ERROR) => {}
                }
            }
        }
    }
}

async fn claim(inner: &Inner) -> Result<Option<(ClaimedJob, Arc<RunningJob>)>, EngineError> {
    let gate = inner.running.close_gate().await;
    let open = inner.running.open(&gate);
    let mut transaction = inner.store.begin().await?;
    let job = store::job::claim_next(&mut transaction, &inner.run, &open, clock::now()).await?;
    transaction.commit().await?;
    Ok(job.map(|job| {
        let running = inner.running.register(&job, &gate);
        (job, running)
    }))
}

#[tracing::instrument(name = "job", skip_all, fields(job = %job.id, file_name = %job.file_name, attempt = job.attempts))]
async fn do_job(inner: &Arc<Inner>, job: &ClaimedJob, running: &Arc<RunningJob>) {
    inner.observe(&job.id, Stage::Claimed);
    let mut ending = prepare(inner, job, running).await;
    if ending.is_some() {
        inner.let_next_begin(job, running);
        tokio::select! {
            () = running.turn() => {}
            () = running.stop_token().cancelled() => ending = None,
        }
    }
    let ended = match ending {
        Some(ending) => commit::end(inner, job, ending).await,
        None => commit::stopped(inner, job).await,
    };
    if let Err(error) = ended {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a job could not be ended"
        );
        let failure = failure_of(&error);
        let ending = Ending::Failed {
            failure,
            keep: None,
            usage: Usage::default(),
        };
        if let Err(error) = commit::end(inner, job, ending).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "nor marked as failed"
            );
        }
    }
    if let Err(error) = inner.objects.collect_loose(&inner.store).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "leftovers of a job stay for now"
        );
    }
    inner.observe(&job.id, Stage::Cleaned);
}

/// How the job is to end; `None` when it was told to stop.
async fn prepare(
    inner: &Arc<Inner>,
    job: &ClaimedJob,
    running: &Arc<RunningJob>,
) -> Option<Ending> {
    let max_attempts = inner.config.jobs.max_attempts;
    if job.attempts > max_attempts {
        let failure = JobFailure {
            kind: FailureKind::Internal,
            message: format!(
                "the server ended {max_attempts} times while it worked on this upload, so it is \
                 given up (setting max_attempts)"
            ),
            entries: Vec::new(),
            more: 0,
        };
        return Some(Ending::Failed {
            failure,
            keep: None,
            usage: Usage::default(),
        });
    }
    let (shared, job, told) = (Arc::clone(inner), job.clone(), Arc::clone(running));
    let work = async move {
        match job.kind {
            JobKind::Upload => ingest::prepare(shared, job, told).await,
            // Stores rows as it goes, so nothing before it may be under way.
            JobKind::Rows => {
                told.turn().await;
                rows::prepare(shared, job, told).await
            }
        }
    };
    let work = AbortOnDropHandle::new(tokio::spawn(work));
    let outcome = tokio::select! {
        () = running.stop_token().cancelled() => return None,
        outcome = work => outcome,
    };
    let failure = match outcome {
        Ok(Ok(ending)) => return Some(ending),
        Ok(Err(error)) => failure_of(&error),
        Err(panic) => {
            tracing::error!(error = &panic as &dyn std::error::Error, "a job panicked");
            internal_failure()
        }
    };
    Some(Ending::Failed {
        failure,
        keep: None,
        usage: Usage::default(),
    })
}

impl Inner {
    /// Lets the next upload of the collection begin; it ends after this one. Parts of a file of rows are stored as they come,
    /// so nothing follows it before its end.
    pub(super) fn let_next_begin(&self, job: &ClaimedJob, running: &RunningJob) {
        if job.kind == JobKind::Upload && running.open_to_next() {
            self.wake_workers();
        }
    }
}

/// An error as the end of a job.
fn failure_of(error: &EngineError) -> JobFailure {
    let kind = match error {
        EngineError::Invalid { .. } | EngineError::TooLarge { .. } => FailureKind::Invalid,
        EngineError::Conflict { .. }
        | EngineError::Overloaded { .. }
        | EngineError::Unavailable { .. } => FailureKind::Unavailable,
        EngineError::NotFound { .. } => FailureKind::CollectionNotFound,
        EngineError::AlreadyExists { .. }
        | EngineError::Denied { .. }
        | EngineError::Internal { .. } => {
            tracing::error!(error = error as &dyn std::error::Error, "a job failed");
            return internal_failure();
        }
    };
    JobFailure {
        kind,
        message: error.to_string(),
        entries: Vec::new(),
        more: 0,
    }
}

fn internal_failure() -> JobFailure {
    JobFailure {
        kind: FailureKind::Internal,
        message: "an internal error; the server's log has the cause".to_owned(),
        entries: Vec::new(),
        more: 0,
    }
}
