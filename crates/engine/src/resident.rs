//! Collections in memory: the vectors that are searched, one index a collection.
//!
//! Queries, jobs and deletions come here. The index is derived from the database: loaded when a
//! collection is first used (all of them right after the start), and changed only together with it.
//!
//! Invariant: whoever changes rows holds the collection's lock for change from before the commit
//! until the index shows what was committed, and a query holds it shared from its search until the
//! found rows are read. So a query sees all of a job or nothing of it. Both take their connection
//! first, so that in memory, where there is only one, nobody waits for the other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use lookalike_embed::{ModelError, Models, ServedModel};
use lookalike_index::VectorIndex;
use tokio::sync::{OnceCell, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::{
    error::EngineError,
    store::{self, Store, collection::CollectionRow},
};

/// A collection's vectors.
pub(crate) struct Resident {
    index: Arc<RwLock<VectorIndex>>,
}

impl Resident {
    /// For searching; held until the rows of the hits are read.
    pub(crate) async fn lock_for_search(&self) -> OwnedRwLockReadGuard<VectorIndex> {
        Arc::clone(&self.index).read_owned().await
    }

    /// For making a change visible; taken when the transaction is ready to be committed.
    pub(crate) async fn lock_for_change(&self) -> OwnedRwLockWriteGuard<VectorIndex> {
        Arc::clone(&self.index).write_owned().await
    }
}

/// A collection's place, filled once by whoever is first.
type Slot = Arc<OnceCell<Arc<Resident>>>;

/// All collections in memory, by id.
#[derive(Default)]
pub(crate) struct Residents {
    slots: Mutex<HashMap<i64, Slot>>,
}

impl Residents {
    /// The vectors of a collection, loaded when nobody has yet.
    pub(crate) async fn get(
        &self,
        store: &Store,
        row: &CollectionRow,
    ) -> Result<Arc<Resident>, EngineError> {
        let slot = Arc::clone(self.lock().entry(row.id).or_default());
        slot.get_or_try_init(|| load(store, row)).await.cloned()
    }

    /// Lets go of collections that were deleted.
    pub(crate) fn forget(&self, ids: impl IntoIterator<Item = i64>) {
        let mut slots = self.lock();
        for id in ids {
            slots.remove(&id);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i64, Slot>> {
        // The map is whole between any two statements, whoever panicked.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the vectors of a collection.
async fn load(store: &Store, row: &CollectionRow) -> Result<Arc<Resident>, EngineError> {
    let collection = &row.collection;
    let index = VectorIndex::new(collection.dimension as usize, collection.metric)
        .map_err(EngineError::internal)?;
    let mut connection = store.reader().await?;
    store::chunk::each_vector(&mut connection, row.id, |key, vector| {
        index.insert(key, vector).map_err(EngineError::internal)
    })
    .await?;
    tracing::debug!(collection = %collection.name, vectors = index.len(), "vectors loaded");
    Ok(Arc::new(Resident {
        index: Arc::new(RwLock::new(index)),
    }))
}

/// The model of the API's name, with the request field that is wrong.
pub(crate) fn resolve_model(
    models: &Models,
    model: &str,
    dimension: Option<u32>,
) -> Result<ServedModel, EngineError> {
    models
        .resolve(model, dimension)
        .map_err(|error| match &error {
            ModelError::Unknown { .. } | ModelError::TextModel { .. } => {
                EngineError::invalid("EmbeddingModel", error.to_string())
            }
            ModelError::Dimension { .. } | ModelError::TooSmallForStandIn { .. } => {
                EngineError::invalid("Dimension", error.to_string())
            }
            ModelError::WrongWeights { .. } | ModelError::Load { .. } => EngineError::Unavailable {
                reason: error.to_string(),
            },
        })
}

/// The model that made a collection's vectors, or why there is none: vectors of another encoder
/// are never mixed in and never compared.
pub(crate) fn model_of(models: &Models, row: &CollectionRow) -> Result<ServedModel, EngineError> {
    let collection = &row.collection;
    let model = models
        .resolve(&collection.embedding_model, Some(collection.dimension))
        .map_err(|error| EngineError::Unavailable {
            reason: error.to_string(),
        })?;
    if model.fingerprint() == collection.encoder_fingerprint {
        return Ok(model);
    }
    Err(EngineError::Conflict {
        reason: format!(
            "the vectors of collection '{}' were made by the encoder '{}', but '{}' is now served \
             by '{}', whose vectors cannot be compared with them; start the server with the same \
             --model as when the collection was created, or delete the collection and create it \
             anew",
            collection.name,
            collection.encoder_name,
            collection.embedding_model,
            model.encoder().name
        ),
    })
}
