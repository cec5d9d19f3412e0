//! What runs beside requests and jobs: letting go of what is no longer needed.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    clock,
    engine::{Engine, Inner, Opening},
    error::EngineError,
    store,
};

/// Between two passes however often one is asked for.
const REST: Duration = Duration::from_secs(1);

/// What a pass let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Uploads whose time was over.
    pub uploads: u64,
    /// Jobs whose collection is long gone.
    pub jobs: u64,
    /// Originals that nothing refers to.
    pub objects: usize,
}

impl Engine {
    /// Lets go of what is no longer needed; done by itself at intervals.
    pub async fn collect_garbage(&self) -> Result<Collected, EngineError> {
        self.inner.collect_garbage(clock::now()).await
    }
}

impl Inner {
    pub(crate) async fn collect_garbage(&self, now: i64) -> Result<Collected, EngineError> {
        let orphaned_before =
            now.saturating_sub(clock::microseconds(self.config.retention.orphaned_jobs));
        let mut transaction = self.store.begin().await?;
        let uploads = store::upload::delete_expired(&mut transaction, now).await?;
        let jobs = store::job::delete_orphans(&mut transaction, orphaned_before).await?;
        transaction.commit().await?;
        let objects = self.objects.collect_unreferenced(&self.store).await?
            + self.objects.collect_loose(&self.store).await?;
        Ok(Collected {
            uploads,
            jobs,
            objects,
        })
    }
}

/// Keeps house from when every collection is loaded until the engine stops.
pub(crate) async fn keep_house(inner: Arc<Inner>, mut woken: watch::Receiver<u64>) {
    inner.wait_for(Opening::Ready).await;
    if let Err(error) = inner.objects.collect_orphans(&inner.store).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "leftovers of the last run stay"
        );
    }
    loop {
        woken.borrow_and_update();
        match inner.collect_garbage(clock::now()).await {
            Ok(collected) if collected == Collected::default() => {}
            Ok(collected) => tracing::info!(?collected, "let go of what is no longer needed"),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "housekeeping failed"
                );
            }
        }
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = tokio::time::sleep(REST) => {}
        }
        tokio::select! {
            () = inner.stop.cancelled() => return,
            changed = woken.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(inner.config.retention.interval) => {}
        }
    }
}
