//! `CreateVectorIndex` and `DeleteVectorIndex`: checked and written down. Search is exact with or
//! without an index, which the database allows (semantics.md, "Searching without an index").

use lookalike_index::Metric;
use serde::{Deserialize, Serialize};

use crate::{
    access::ManagerAccess,
    clock,
    collection::metric_name,
    engine::Engine,
    error::{EngineError, Subject},
    index_options::IndexOptions,
    name::{CollectionName, NamespaceName},
    store,
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
    /// The collection's when absent; a sparse index knows the inner product only.
    pub metric: Option<Metric>,
    /// The rest.
    pub options: IndexOptions,
}

/// What is written down.
#[derive(Serialize, Deserialize)]
struct StoredIndex {
    metric: Option<String>,
    options: IndexOptions,
}

impl Engine {
    /// Writes an index down. A document collection has one from the start, and nothing public says
    /// what a second one of its kind does: the newest counts, so that set-up scripts can be repeated.
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
        let stored = serde_json::to_string(&stored).map_err(EngineError::internal)?;
        let mut transaction = self.inner.store.begin().await?;
        let namespace = store::namespace::find(&mut transaction, instance.id, &new.namespace)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Namespace, &new.namespace))?;
        let row = store::collection::find(&mut transaction, namespace.id, &new.collection)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, &new.collection))?;
        if new.kind == IndexKind::Dense {
            check_dimension(new.dimension, row.collection.dimension)?;
        }
        store::vector_index::upsert(
            &mut transaction,
            row.id,
            new.kind.as_str(),
            &stored,
            clock::now(),
        )
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Strikes an index out, be it the collection's own; search stays exact. A repeat succeeds.
    pub async fn delete_vector_index(
        &self,
        access: &ManagerAccess,
        namespace: &NamespaceName,
        collection: &CollectionName,
        kind: IndexKind,
    ) -> Result<(), EngineError> {
        let instance = self.inner.check_manager(access).await?;
        let mut transaction = self.inner.store.begin().await?;
        let found = store::namespace::find(&mut transaction, instance.id, namespace)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Namespace, namespace))?;
        let row = store::collection::find(&mut transaction, found.id, collection)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, collection))?;
        store::vector_index::delete(&mut transaction, row.id, kind.as_str()).await?;
        Ok(transaction.commit().await?)
    }
}

fn check_dimension(given: Option<u32>, expected: u32) -> Result<(), EngineError> {
    match given {
        Some(given) if given == expected => Ok(()),
        Some(given) => Err(EngineError::invalid(
            "Dimension",
            format!("the collection's vectors have {expected} dimensions, not {given}"),
        )),
        None => Err(EngineError::invalid(
            "Dimension",
            format!("is needed for a dense index; the collection's vectors have {expected}"),
        )),
    }
}
