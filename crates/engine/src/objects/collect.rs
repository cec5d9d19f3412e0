//! Removing originals that nothing refers to.
//!
//! Called by the housekeeping task, at the start for what a crash left and then at intervals.

use std::{collections::HashSet, io, path::Path, sync::Arc, sync::PoisonError};

use fs_err as fs;

use super::{Objects, Place, address};
use crate::{
    error::EngineError,
    name::ObjectId,
    store::{Store, object},
};

impl Objects {
    /// Removes every object whose row nothing refers to, and its row. Returns how many.
    pub(crate) async fn collect_unreferenced(
        self: &Arc<Self>,
        store: &Store,
    ) -> Result<usize, EngineError> {
        let candidates = object::unreferenced(&mut *store.reader().await?).await?;
        let mut removed = 0;
        for (id, size) in candidates {
            let _closed = self.door.write().await;
            if self.is_pinned(&id) {
                continue;
            }
            let mut transaction = store.begin().await?;
            // Checked again: a row may have come to refer to it since.
            if !object::delete_unreferenced(&mut transaction, &id).await? {
                continue;
            }
            transaction.commit().await?;
            self.remove(id).await?;
            self.release(size);
            removed += 1;
        }
        Ok(removed)
    }

    /// Removes objects that this run put in their place for something that came to nothing: a failed
    /// job, a fetched archive. Returns how many.
    pub(crate) async fn collect_loose(
        self: &Arc<Self>,
        store: &Store,
    ) -> Result<usize, EngineError> {
        let candidates: Vec<(ObjectId, u64)> = self
            .lock_loose()
            .iter()
            .map(|(id, size)| (*id, *size))
            .collect();
        let mut removed = 0;
        for (id, size) in candidates {
            let _closed = self.door.write().await;
            if self.is_pinned(&id) {
                continue;
            }
            if object::find(&mut *store.reader().await?, &id)
                .await?
                .is_none()
            {
                self.remove(id).await?;
                self.release(size);
                removed += 1;
            }
            self.lock_loose().remove(&id);
        }
        Ok(removed)
    }

    /// Removes files that have no row: a crash came between the file and the row. Only bytes that
    /// this run did not count are found here, so the count of used bytes stays as it is.
    pub(crate) async fn collect_orphans(
        self: &Arc<Self>,
        store: &Store,
    ) -> Result<usize, EngineError> {
        let Place::Folder { root, .. } = &self.place else {
            return Ok(0);
        };
        let root = root.clone();
        let files = tokio::task::spawn_blocking(move || files_blocking(&root))
            .await
            .map_err(EngineError::internal)?
            .map_err(EngineError::internal)?;
        let known: HashSet<ObjectId> = object::all_ids(&mut *store.reader().await?)
            .await?
            .into_iter()
            .collect();
        let mut removed = 0;
        for id in files.into_iter().filter(|id| !known.contains(id)) {
            let _closed = self.door.write().await;
            let has_row = object::find(&mut *store.reader().await?, &id)
                .await?
                .is_some();
            if has_row || self.is_pinned(&id) {
                continue;
            }
            self.remove(id).await?;
            removed += 1;
        }
        Ok(removed)
    }

    async fn remove(self: &Arc<Self>, id: ObjectId) -> Result<(), EngineError> {
        match &self.place {
            Place::Memory(objects) => {
                objects
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&id);
                Ok(())
            }
            Place::Folder { root, .. } => {
                let address = address(root, &id);
                tokio::task::spawn_blocking(move || match fs::remove_file(address) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    other => other,
                })
                .await
                .map_err(EngineError::internal)?
                .map_err(EngineError::internal)
            }
        }
    }
}

/// The ids of all files that have an address.
fn files_blocking(root: &Path) -> io::Result<Vec<ObjectId>> {
    let mut ids = Vec::new();
    for folder in fs::read_dir(root)? {
        let folder = folder?.path();
        if !folder.is_dir() || folder.ends_with("tmp") {
            continue;
        }
        for file in fs::read_dir(folder)? {
            if let Some(id) = file?
                .file_name()
                .to_str()
                .and_then(|name| ObjectId::parse(name).ok())
            {
                ids.push(id);
            }
        }
    }
    Ok(ids)
}
