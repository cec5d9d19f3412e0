//! What runs beside requests and jobs: loading collections after the start, and letting go of what
//! is no longer needed.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    clock,
    collection::CollectionKind,
    engine::{Engine, Inner},
    error::EngineError,
    resident, store,
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

/// Loads every collection, says so through `ready`, then keeps house until the engine stops.
pub(crate) async fn keep_house(
    inner: Arc<Inner>,
    ready: watch::Sender<bool>,
    mut woken: watch::Receiver<u64>,
) {
    if let Err(error) = load_all(&inner).await {
        // Each collection is loaded again when it is used, and then says what is wrong.
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "collections could not be loaded"
        );
    }
    ready.send_replace(true);
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

async fn load_all(inner: &Inner) -> Result<(), EngineError> {
    let rows = store::collection::list_all(&mut *inner.store.reader().await?).await?;
    inner.residents.sweep(&rows).await?;
    for row in rows {
        if inner.stop.is_cancelled() {
            return Ok(());
        }
        if row.collection.kind == CollectionKind::Document
            && let Err(error) = resident::model_of(&inner.models, &row)
        {
            tracing::warn!(collection = %row.collection.name, reason = %error, "a collection cannot be used");
        }
        // Without a dimension there are no rows yet.
        if row.collection.dimension > 0 {
            inner.residents.get(&inner.store, &row).await?;
        }
    }
    Ok(())
}
