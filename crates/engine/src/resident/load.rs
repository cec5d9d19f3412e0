//! Where a collection's index comes from: its folder, or else the database.
//!
//! Called when a collection is first used and when another kind of index is asked for. Whatever is
//! wrong with a folder is logged and costs time only: the vectors are read from the database, and
//! searches are exact while the graph is made in the background.

use std::path::Path;

use lookalike_index::{Options, VectorIndex};

use crate::{
    error::EngineError,
    index_options,
    store::{self, Store, collection::CollectionRow},
    vector_index,
};

/// The index of a collection. Nobody changes the collection's rows meanwhile: who does has the
/// index first.
pub(super) async fn load(
    store: &Store,
    row: &CollectionRow,
    folder: Option<&Path>,
) -> Result<VectorIndex, EngineError> {
    let collection = &row.collection;
    let mut connection = store.reader().await?;
    let generation = store::vector_generation::find(&mut connection, row.id).await?;
    let asked_for = vector_index::dense_options(&mut connection, row).await?;
    let options =
        index_options::for_search(asked_for.as_ref(), collection.dimension, collection.metric);
    if let Some(folder) = folder {
        let (folder, options) = (folder.to_owned(), options.clone());
        let look = move || open_blocking(&folder, options, generation);
        let found = tokio::task::spawn_blocking(look)
            .await
            .map_err(EngineError::internal)?;
        if let Some(index) = found {
            tracing::debug!(collection = %collection.name, vectors = index.len(), "index found");
            return Ok(index);
        }
    }
    let index = begin(folder, options)?;
    store::chunk::each_vector(&mut connection, row.id, |key, vector| {
        index.insert(key, vector).map_err(EngineError::internal)
    })
    .await?;
    // Only now is the folder one of this generation.
    index
        .commit(generation, &[])
        .map_err(EngineError::internal)?;
    tracing::debug!(collection = %collection.name, vectors = index.len(), "vectors loaded");
    Ok(index)
}

/// The index in a folder, if it is whole and of a generation.
fn open_blocking(folder: &Path, options: Options, generation: u64) -> Option<VectorIndex> {
    let folder_name = folder.display();
    match VectorIndex::open(folder, options) {
        Ok(Some(index)) if index.generation() == generation => Some(index),
        Ok(Some(index)) => {
            tracing::info!(
                folder = %folder_name, found = index.generation(), wanted = generation,
                "the index lacks changes and is made anew"
            );
            None
        }
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(
                folder = %folder_name, error = &error as &dyn std::error::Error,
                "the index cannot be used and is made anew"
            );
            None
        }
    }
}

/// An empty index in a folder, or in memory. One whose folder cannot be written is kept in memory,
/// too: searching must not depend on it.
fn begin(folder: Option<&Path>, options: Options) -> Result<VectorIndex, EngineError> {
    if let Some(folder) = folder {
        match VectorIndex::create(folder, options.clone()) {
            Ok(index) => return Ok(index),
            Err(error) => tracing::warn!(
                folder = %folder.display(), error = &error as &dyn std::error::Error,
                "the index cannot be kept; the next start will be slower"
            ),
        }
    }
    VectorIndex::with_options(options).map_err(EngineError::internal)
}

/// Whether an index with other options would take all vectors of one.
pub(super) fn check_blocking(index: &VectorIndex, options: Options) -> Result<(), EngineError> {
    let judge = VectorIndex::with_options(options).map_err(EngineError::internal)?;
    for vector in index.keys().iter().filter_map(|key| index.vector(key)) {
        judge
            .check(&vector)
            .map_err(|error| EngineError::invalid("Metrics", error.to_string()))?;
    }
    Ok(())
}

/// Puts an index with other options in the place of one.
pub(super) fn remake_blocking(
    index: &mut VectorIndex,
    folder: Option<&Path>,
    options: Options,
) -> Result<(), EngineError> {
    index.close();
    let fresh = begin(folder, options)?;
    for key in index.keys().iter() {
        if let Some(vector) = index.vector(key) {
            fresh.insert(key, &vector).map_err(EngineError::internal)?;
        }
    }
    fresh
        .commit(index.generation(), &[])
        .map_err(EngineError::internal)?;
    *index = fresh;
    Ok(())
}

/// Deletes an index that nobody needs any more. What cannot be deleted is tried again at the next
/// start.
pub(super) fn remove_folder_blocking(folder: &Path) {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::debug!(%error, "an index that is not needed stays for now");
        }
        Ok(()) | Err(_) => {}
    }
}

/// Deletes all folders but those with a name that is known.
pub(super) fn sweep_blocking(folder: &Path, known: &[String]) -> std::io::Result<()> {
    if !folder.try_exists()? {
        return Ok(());
    }
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !known.iter().any(|known| name == **known) {
            remove_folder_blocking(&entry.path());
        }
    }
    Ok(())
}
