//! The engine itself: opened once, shared by everyone, shut down in order.
//!
//! What it does is in the modules by subject, as methods of [`Engine`] for callers and of
//! [`Inner`] among themselves.

use std::sync::Arc;

use lookalike_embed::Models;
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock,
    config::{DataLocation, EngineConfig, Stage},
    cpu::Cpu,
    data_folder::DataFolder,
    error::EngineError,
    fetch::Fetcher,
    housekeeping,
    jobs::{running::Running, worker},
    loading,
    name::JobId,
    objects::Objects,
    password::Passwords,
    resident::Residents,
    store::{self, Store},
};

/// The handle that callers share. When the last one is dropped without [`Engine::shutdown`], work
/// stops where it is, as in a crash: nothing accepted is lost.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
    _stop_on_drop: Arc<StopOnDrop>,
}

/// What handles, workers and the housekeeper share.
pub(crate) struct Inner {
    pub(crate) config: EngineConfig,
    pub(crate) models: Models,
    pub(crate) store: Store,
    pub(crate) objects: Arc<Objects>,
    pub(crate) passwords: Passwords,
    pub(crate) cpu: Cpu,
    pub(crate) fetcher: Fetcher,
    pub(crate) residents: Residents,
    pub(crate) running: Running,
    /// Permits to query.
    pub(crate) queries: Semaphore,
    /// Names this run of the server in claims on jobs.
    pub(crate) run: String,
    /// No new work is begun.
    pub(crate) stop: CancellationToken,
    /// Work at hand is put down.
    interrupt: CancellationToken,
    tasks: TaskTracker,
    workers_wake: watch::Sender<u64>,
    housekeeper_wake: watch::Sender<u64>,
    opening: watch::Receiver<Opening>,
    /// Held until everything above is gone.
    _folder: Option<DataFolder>,
}

/// How far the start has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Opening {
    /// Requests are answered, only slower.
    Loading,
    /// Every collection is in memory.
    Ready,
    /// And so is what searches by text look in.
    Warm,
}

struct StopOnDrop {
    stop: CancellationToken,
    interrupt: CancellationToken,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.stop.cancel();
        self.interrupt.cancel();
    }
}

impl Engine {
    /// Opens the data, starts the workers and begins to load collections; [`Engine::wait_ready`]
    /// tells when that is done. Must be called within a tokio runtime.
    pub async fn open(config: EngineConfig, models: Models) -> Result<Self, EngineError> {
        let (engine, opening) = Self::assemble(config, models).await?;
        engine.start(opening);
        Ok(engine)
    }

    /// Opens the data and does nothing by itself: no jobs, no housekeeping, no loading ahead. For
    /// work on the data that jobs would disturb.
    pub async fn open_idle(config: EngineConfig, models: Models) -> Result<Self, EngineError> {
        let (engine, _) = Self::assemble(config, models).await?;
        engine.inner.tasks.close();
        Ok(engine)
    }

    /// The engine before it begins to work, and what tells the others how far it is.
    async fn assemble(
        config: EngineConfig,
        models: Models,
    ) -> Result<(Self, watch::Sender<Opening>), EngineError> {
        let for_disk = config.clone();
        let (folder, objects) = tokio::task::spawn_blocking(move || open_disk_blocking(&for_disk))
            .await
            .map_err(EngineError::internal)??;
        let database = folder.as_ref().map(DataFolder::database);
        let store = Store::open(database.as_deref(), config.synchronous, config.readers).await?;
        objects.set_used_bytes(store::object::total_bytes(&mut *store.reader().await?).await?);
        let mut transaction = store.begin().await?;
        store::job::confirm_all_cancelled(&mut transaction, clock::now()).await?;
        transaction.commit().await?;

        let stop = CancellationToken::new();
        let interrupt = CancellationToken::new();
        let cpu = Cpu::new(Arc::clone(models.gate()));
        let (opening_sender, opening) = watch::channel(Opening::Loading);
        let inner = Arc::new(Inner {
            models,
            store,
            objects,
            passwords: Passwords::new(config.passwords, cpu.clone())?,
            cpu,
            fetcher: Fetcher::new(config.fetch.clone()),
            residents: Residents::new(folder.as_ref().map(DataFolder::indexes)),
            running: Running::new(interrupt.clone()),
            queries: Semaphore::new(config.limits.max_concurrent_queries),
            run: uuid::Uuid::new_v4().to_string(),
            stop: stop.clone(),
            interrupt: interrupt.clone(),
            tasks: TaskTracker::new(),
            workers_wake: watch::Sender::new(0),
            housekeeper_wake: watch::Sender::new(0),
            opening,
            config,
            _folder: folder,
        });
        let engine = Self {
            inner,
            _stop_on_drop: Arc::new(StopOnDrop { stop, interrupt }),
        };
        Ok((engine, opening_sender))
    }

    fn start(&self, opening: watch::Sender<Opening>) {
        let inner = &self.inner;
        for _ in 0..inner.config.jobs.workers.max(1) {
            let woken = inner.workers_wake.subscribe();
            inner.tasks.spawn(worker::work(Arc::clone(inner), woken));
        }
        let woken = inner.housekeeper_wake.subscribe();
        (inner.tasks).spawn(housekeeping::keep_house(Arc::clone(inner), woken));
        inner.tasks.spawn(loading::load(Arc::clone(inner), opening));
        inner.tasks.close();
    }

    /// Whether every collection is in memory. Requests are answered before, only slower.
    pub fn is_ready(&self) -> bool {
        *self.inner.opening.borrow() >= Opening::Ready
    }

    /// Waits until [`Engine::is_ready`].
    pub async fn wait_ready(&self) {
        self.inner.wait_for(Opening::Ready).await;
    }

    /// Waits until the texts of the collections are in memory, too: a search by text that comes
    /// before waits for those of its collection.
    pub async fn wait_warm(&self) {
        self.inner.wait_for(Opening::Warm).await;
    }

    /// Stops: no new job is begun, running ones get `drain_timeout` to end and are put back after
    /// it, then the database is closed. Requests that come later fail.
    pub async fn shutdown(&self) {
        let inner = &self.inner;
        inner.stop.cancel();
        let drain_timeout = inner.config.jobs.drain_timeout;
        if tokio::time::timeout(drain_timeout, inner.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                ?drain_timeout,
                "jobs did not end in time; they will run again"
            );
            inner.interrupt.cancel();
            inner.tasks.wait().await;
        }
        inner.store.close().await;
    }
}

impl Inner {
    /// Waits until the start has come so far.
    pub(crate) async fn wait_for(&self, stage: Opening) {
        let mut opening = self.opening.clone();
        // The sender is gone only when the engine was stopped.
        drop(opening.wait_for(|reached| *reached >= stage).await);
    }

    /// Tells the test that watches, if any.
    pub(crate) fn observe(&self, job: &JobId, stage: Stage) {
        if let Some(observer) = &self.config.on_stage {
            observer(job, stage);
        }
    }

    /// Does `work` to its end even when the caller goes away, as handlers do when their client
    /// hangs up: a change and what must follow it are not torn apart.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
    ) -> Result<T, EngineError> {
        self.tasks
            .spawn(work)
            .await
            .map_err(EngineError::internal)?
    }

    /// There may be a job to do.
    pub(crate) fn wake_workers(&self) {
        self.workers_wake.send_modify(|count| *count += 1);
    }

    /// There may be something to let go of.
    pub(crate) fn wake_housekeeper(&self) {
        self.housekeeper_wake.send_modify(|count| *count += 1);
    }
}

fn open_disk_blocking(
    config: &EngineConfig,
) -> Result<(Option<DataFolder>, Arc<Objects>), EngineError> {
    let folder = match &config.data {
        DataLocation::Memory => None,
        DataLocation::Folder(path) => Some(DataFolder::open_blocking(path)?),
    };
    let max_bytes = config.limits.max_stored_bytes;
    let objects =
        Objects::open_blocking(&config.data, config.synchronous, max_bytes).map_err(|error| {
            EngineError::Unavailable {
                reason: format!("the data folder cannot be used: {error}"),
            }
        })?;
    Ok((folder, objects))
}
