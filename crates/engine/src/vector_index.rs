//! `CreateVectorIndex` and `DeleteVectorIndex`: checked, written down and carried out. Without an
//! index every search is exact, as in the database (semantics.md, "Searching without an index").

use std::sync::Arc;

use lookalike_index::Metric;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::{
    access::ManagerAccess,
    clock,
    collection::{CollectionKind, metric_name},
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    index_options::{self, IndexOptions},
    name::{CollectionName, NamespaceName},
    store::{self, collection::CollectionRow},
};

/// The two kinds of index a collection can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IndexKind {
    /// Over the vectors.
    #[default]
    Dense,
    /// Over sparse vectors.
    Sparse,
}

impl IndexKind {
    /// Reads a `Type` field.
    pub fn from_name(name: &str) -> Result<Self, EngineError> {
        match name {
            "Dense" => Ok(Self::Dense),
            "Sparse" => Ok(Self::Sparse),
            other => Err(EngineError::invalid(
                "Type",
                format!("'{other}' is not an index type; valid are Dense, Sparse"),
            )),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Dense => "Dense",
            Self::Sparse => "Sparse",
        }
    }
}

/// An index to be made.
#[derive(Debug, Clone)]
pub struct NewVectorIndex {
    /// Where the collection is.
    pub namespace: NamespaceName,
    /// The collection.
    pub collection: CollectionName,
    /// Which kind.
    pub kind: IndexKind,
    /// Must be the collection's; needed for a dense index.
    pub dimension: Option<u32>,
    /// The collection's when absent; a sparse index knows the inner product only. That of a document
    /// collection stays what it was made with.
    pub metric: Option<Metric>,
    /// The rest.
    pub options: IndexOptions,
}

/// What is written down; `null` in its place once an index was struck out.
#[derive(Serialize, Deserialize)]
struct StoredIndex {
    metric: Option<String>,
    options: IndexOptions,
}

impl Engine {
    /// Makes an index. A document collection has one from the start, and nothing public says
    /// what a second one of its kind does: the newest counts, so that set-up scripts can be repeated.
    /// In a vector collection its dimension and metric become the collection's own.
    pub async fn create_vector_index(
        &self,
        access: &ManagerAccess,
        new: &NewVectorIndex,
    ) -> Result<(), EngineError> {
        let instance = self.inner.check_manager(access).await?;
        let options = new.options.checked()?;
        if new.kind == IndexKind::Sparse && new.metric.is_some_and(|m| m != Metric::InnerProduct) {
            return Err(EngineError::invalid(
                "Metrics",
                "a sparse index supports ip only",
            ));
        }
        let stored = StoredIndex {
            metric: new.metric.map(metric_name).map(str::to_owned),
            options,
        };
        let mut row = self
            .inner
            .find_in(instance.id, &new.namespace, &new.collection)
            .await?;
        let mut metric = None;
        if new.kind == IndexKind::Sparse && !row.collection.has_sparse_vectors() {
            return Err(EngineError::invalid(
                "Type",
                format!(
                    "there are no sparse vectors to index: collection '{}' was made without \
                     SupportSparse",
                    new.collection
                ),
            ));
        }
        if new.kind == IndexKind::Dense {
            if row.collection.dimension == 0
                && let Some(dimension) = new.dimension
            {
                row = self.inner.settle_dimension(&row, dimension).await?;
            }
            check_dimension(new.dimension, row.collection.dimension)?;
            metric = (new.metric).filter(|_| row.collection.kind == CollectionKind::Vector);
        }
        let (inner, kind) = (Arc::clone(&self.inner), new.kind);
        let change = IndexChange {
            kind,
            stored: Some(stored),
            metric,
        };
        self.inner
            .to_the_end(async move { inner.write_index(&row, change).await })
            .await
    }

    /// Strikes an index out, be it the collection's own: every search is exact from then on. A
    /// repeat succeeds.
    pub async fn delete_vector_index(
        &self,
        access: &ManagerAccess,
        namespace: &NamespaceName,
        collection: &CollectionName,
        kind: IndexKind,
    ) -> Result<(), EngineError> {
        let instance = self.inner.check_manager(access).await?;
        let row = self
            .inner
            .find_in(instance.id, namespace, collection)
            .await?;
        let inner = Arc::clone(&self.inner);
        let change = IndexChange {
            kind,
            stored: None,
            metric: None,
        };
        self.inner
            .to_the_end(async move { inner.write_index(&row, change).await })
            .await
    }
}

impl Inner {
    async fn find_in(
        &self,
        instance_id: i64,
        namespace: &NamespaceName,
        collection: &CollectionName,
    ) -> Result<CollectionRow, EngineError> {
        let mut connection = self.store.reader().await?;
        let found = store::namespace::find(&mut connection, instance_id, namespace)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Namespace, namespace))?;
        store::collection::find(&mut connection, found.id, collection)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, collection))
    }

    /// Writes down what an index is to be, and lets the index in memory become that.
    async fn write_index(
        &self,
        row: &CollectionRow,
        change: IndexChange,
    ) -> Result<(), EngineError> {
        if row.collection.dimension == 0 {
            // There are no vectors, and nothing says how long they will be.
            let mut transaction = self.store.begin().await?;
            change.write(&mut transaction, row).await?;
            return Ok(transaction.commit().await?);
        }
        let resident = self.residents.get(&self.store, row).await?;
        let mut transaction = self.store.begin().await?;
        let found = store::collection::find_by_id(&mut transaction, row.id)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, &row.collection.name))?;
        let before = (
            dense_options(&mut transaction, row).await?,
            found.collection.metric,
        );
        change.write(&mut transaction, row).await?;
        let after = (
            dense_options(&mut transaction, row).await?,
            change.metric.unwrap_or(found.collection.metric),
        );
        if before == after {
            return Ok(transaction.commit().await?);
        }
        let dimension = row.collection.dimension;
        let options = index_options::for_search(after.0.as_ref(), dimension, after.1);
        resident.remake(transaction, options).await
    }
}

/// What is to be written down of an index.
struct IndexChange {
    kind: IndexKind,
    /// `None` strikes it out.
    stored: Option<StoredIndex>,
    /// What the vectors of the collection are compared by from then on.
    metric: Option<Metric>,
}

impl IndexChange {
    async fn write(
        &self,
        connection: &mut SqliteConnection,
        row: &CollectionRow,
    ) -> Result<(), EngineError> {
        let settings = serde_json::to_string(&self.stored).map_err(EngineError::internal)?;
        let kind = self.kind.as_str();
        store::vector_index::upsert(connection, row.id, kind, &settings, clock::now()).await?;
        if let Some(metric) = self.metric {
            store::collection::set_metric(connection, row.id, metric).await?;
        }
        Ok(())
    }
}

/// Strikes out the dense index of a collection that was made without one.
pub(crate) async fn strike_out(
    connection: &mut SqliteConnection,
    collection_id: i64,
    now: i64,
) -> Result<(), EngineError> {
    let kind = IndexKind::Dense.as_str();
    store::vector_index::upsert(connection, collection_id, kind, "null", now).await
}

/// What the index over a collection's vectors is to be: as asked for last, or else as the
/// collection was made. `None` if it was struck out.
pub(crate) async fn dense_options(
    connection: &mut SqliteConnection,
    row: &CollectionRow,
) -> Result<Option<IndexOptions>, EngineError> {
    let kind = IndexKind::Dense.as_str();
    let Some(settings) = store::vector_index::find(connection, row.id, kind).await? else {
        return Ok(Some(row.collection.settings.index.clone()));
    };
    let stored: Option<StoredIndex> =
        serde_json::from_str(&settings).map_err(EngineError::internal)?;
    Ok(stored.map(|stored| stored.options))
}

fn check_dimension(given: Option<u32>, expected: u32) -> Result<(), EngineError> {
    match given {
        Some(given) if given == expected => Ok(()),
        Some(given) => Err(EngineError::invalid(
            "Dimension",
            format!("the collection's vectors have {expected} dimensions, not {given}"),
        )),
        None if expected == 0 => Err(EngineError::invalid(
            "Dimension",
            "is needed for a dense index; nothing has said yet how long the vectors are",
        )),
        None => Err(EngineError::invalid(
            "Dimension",
            format!("is needed for a dense index; the collection's vectors have {expected}"),
        )),
    }
}
