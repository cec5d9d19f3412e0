//! Collections in memory: the vectors that are searched, one index a collection.
//!
//! Queries, jobs and deletions come here. The index is derived from the database: found in its
//! folder or made anew when a collection is first used (all of them right after the start), and
//! changed only together with the database.
//!
//! Invariants: whoever changes rows holds the collection's lock for change from before the commit
//! until the index shows what was committed, and a query holds it shared from its search until the
//! found rows are read. So a query sees all of a job or nothing of it. Both take their connection
//! first, so that in memory, where there is only one, nobody waits for the other. And the index
//! never has a change that the database has not: a folder is trusted by its generation alone.

mod load;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use lookalike_embed::{ModelError, Models, ServedModel};
use lookalike_index::{Change, IndexError, Options, SparseIndex, TextIndex, VectorIndex};
use sqlx::{Sqlite, Transaction};
use tokio::sync::{OnceCell, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::{
    columns::ColumnCache,
    error::EngineError,
    lookup::Lookup,
    store::{self, Store, collection::CollectionRow},
};

/// A collection's vectors.
pub(crate) struct Resident {
    collection_id: i64,
    /// Where the index is kept; `None` in memory.
    folder: Option<PathBuf>,
    index: Arc<RwLock<VectorIndex>>,
    columns: Arc<ColumnCache>,
    lookups: Arc<Lookups>,
}

/// What text and sparse vectors are searched in.
#[derive(Default)]
pub(crate) struct Lookups {
    pub(crate) texts: Lookup<TextIndex>,
    pub(crate) sparse: Lookup<SparseIndex>,
}

impl Resident {
    /// For searching; held until the rows of the hits are read.
    pub(crate) async fn lock_for_search(&self) -> OwnedRwLockReadGuard<VectorIndex> {
        Arc::clone(&self.index).read_owned().await
    }

    /// What filters and orders read; see there what to hold.
    pub(crate) fn columns(&self) -> &ColumnCache {
        &self.columns
    }

    /// What full text and sparse vectors are searched in; see there what to hold.
    pub(crate) fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// For making changes; taken when the transaction is ready to be committed.
    pub(crate) async fn lock_for_change<'a>(&self) -> Changing<'a> {
        Changing {
            collection_id: self.collection_id,
            index: Arc::clone(&self.index).write_owned().await,
            columns: Arc::clone(&self.columns),
            lookups: Arc::clone(&self.lookups),
            changes: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Commits a transaction that asks for another kind of index, and begins to make it. Searches
    /// are exact until it is made. A metric that some vector does not suit is refused. Never in a
    /// task that may be dropped.
    pub(crate) async fn remake(
        &self,
        transaction: Transaction<'static, Sqlite>,
        options: Options,
    ) -> Result<(), EngineError> {
        let mut index = Arc::clone(&self.index).write_owned().await;
        if options.metric != index.metric() {
            let wanted = options.clone();
            let check = move || load::check_blocking(&index, wanted).map(|()| index);
            index = tokio::task::spawn_blocking(check)
                .await
                .map_err(EngineError::internal)??;
        }
        transaction.commit().await?;
        let folder = self.folder.clone();
        let work = move || load::remake_blocking(&mut index, folder.as_deref(), options);
        tokio::task::spawn_blocking(work)
            .await
            .map_err(EngineError::internal)?
    }
}

/// Changes of a collection's vectors that go with a transaction. Nothing is changed before
/// [`Changing::commit`]; dropped without it, nothing is changed at all.
pub(crate) struct Changing<'a> {
    collection_id: i64,
    index: OwnedRwLockWriteGuard<VectorIndex>,
    columns: Arc<ColumnCache>,
    lookups: Arc<Lookups>,
    changes: Vec<Change<'a>>,
    touched: Vec<u64>,
}

impl<'a> Changing<'a> {
    /// Stores a vector under a key, in place of the key's former one. A vector that the index
    /// would refuse is refused now.
    pub(crate) fn insert(&mut self, key: u64, vector: &'a [f32]) -> Result<(), IndexError> {
        self.index.check(vector)?;
        self.changes.push(Change::Insert { key, vector });
        self.touched.push(key);
        Ok(())
    }

    /// Says that something of a row besides its vector changes.
    pub(crate) fn touch(&mut self, key: u64) {
        self.touched.push(key);
    }

    /// Forgets a key, if it is there.
    pub(crate) fn remove(&mut self, key: u64) {
        self.changes.push(Change::Remove { key });
        self.touched.push(key);
    }

    /// Commits the transaction that changes the rows, then shows the changes to queries, all at
    /// once; `committed` is called between the two. Never in a task that may be dropped.
    pub(crate) async fn commit(
        self,
        mut transaction: Transaction<'static, Sqlite>,
        committed: impl FnOnce(),
    ) -> Result<(), EngineError> {
        let generation =
            store::vector_generation::find(&mut transaction, self.collection_id).await?;
        self.lookups.texts.touch(&self.touched);
        self.lookups.sparse.touch(&self.touched);
        self.columns.touch(self.touched);
        transaction.commit().await?;
        committed();
        self.index
            .commit(generation, &self.changes)
            .map_err(EngineError::internal)
    }
}

/// A collection's place, filled once by whoever is first.
type Slot = Arc<OnceCell<Arc<Resident>>>;

/// All collections in memory, by id.
pub(crate) struct Residents {
    slots: Mutex<HashMap<i64, Slot>>,
    /// Holds a folder a collection; `None` in memory.
    folder: Option<PathBuf>,
}

impl Residents {
    /// None yet; indexes are kept in `folder`, if there is one.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            slots: Mutex::default(),
            folder,
        }
    }

    /// The vectors of a collection, loaded when nobody has yet.
    pub(crate) async fn get(
        &self,
        store: &Store,
        row: &CollectionRow,
    ) -> Result<Arc<Resident>, EngineError> {
        let slot = Arc::clone(self.lock().entry(row.id).or_default());
        let load = async || {
            let folder = self.folder_of(row.id);
            let index = load::load(store, row, folder.as_deref()).await?;
            Ok(Arc::new(Resident {
                collection_id: row.id,
                folder,
                index: Arc::new(RwLock::new(index)),
                columns: Arc::default(),
                lookups: Arc::default(),
            }))
        };
        slot.get_or_try_init(load).await.cloned()
    }

    /// Lets go of collections that were deleted.
    pub(crate) fn forget(&self, ids: impl IntoIterator<Item = i64>) {
        for id in ids {
            let slot = self.lock().remove(&id);
            let folder = self.folder_of(id);
            // The index may have to wait for what it is doing in the background.
            drop(tokio::task::spawn_blocking(move || {
                drop(slot);
                if let Some(folder) = folder {
                    load::remove_folder_blocking(&folder);
                }
            }));
        }
    }

    /// Deletes the folders of indexes whose collections are gone.
    pub(crate) async fn sweep(&self, rows: &[CollectionRow]) -> Result<(), EngineError> {
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        let known: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
        tokio::task::spawn_blocking(move || load::sweep_blocking(&folder, &known))
            .await
            .map_err(EngineError::internal)?
            .map_err(EngineError::internal)
    }

    fn folder_of(&self, id: i64) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(id.to_string()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i64, Slot>> {
        // The map is whole between any two statements, whoever panicked.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The model of the API's name, with the request field that is wrong.
pub(crate) fn resolve_model(
    models: &Models,
    model: &str,
    dimension: Option<u32>,
) -> Result<ServedModel, EngineError> {
    models
        .resolve(model, dimension)
        .map_err(|error| model_error("EmbeddingModel", &error))
}

/// The same for an operation that takes text models only, and calls the field `Model`.
pub(crate) fn text_model(
    models: &Models,
    model: &str,
    dimension: Option<u32>,
) -> Result<ServedModel, EngineError> {
    models
        .resolve_text(model, dimension)
        .map_err(|error| model_error("Model", &error))
}

fn model_error(field: &'static str, error: &ModelError) -> EngineError {
    match error {
        ModelError::Unknown { .. } | ModelError::ImageModel { .. } => {
            EngineError::invalid(field, error.to_string())
        }
        ModelError::Dimension { .. } | ModelError::TooSmallForStandIn { .. } => {
            EngineError::invalid("Dimension", error.to_string())
        }
        ModelError::WrongWeights { .. } | ModelError::Device(_) | ModelError::Load { .. } => {
            EngineError::Unavailable {
                reason: error.to_string(),
            }
        }
    }
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
             --model and --precision as when the collection was created, or stop it and run \
             `lookalike reindex`, which makes the vectors anew from the stored originals",
            collection.name,
            collection.encoder_name,
            collection.embedding_model,
            model.encoder().name
        ),
    })
}
