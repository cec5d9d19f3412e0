//! Rows that the caller brings or changes: `UpsertCollectionData`, `DeleteCollectionData`,
//! `UpdateCollectionDataMetadata`, and what a job with a file of rows does to each.
//!
//! `check` looks at rows before anything is stored, `write` stores them, `change` removes and changes
//! what a filter or a list of ids names. Invariant: a call changes all it says or nothing.

mod change;
pub(crate) mod check;
pub(crate) mod write;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::change::{DeleteRows, UpdateRows};
use self::check::CheckedRow;
use crate::{
    access::NamespaceAccess, cpu::Lane, engine::Engine, error::EngineError, name::CollectionName,
};

/// Elements of a sparse vector at most (semantics.md, `UpsertCollectionData`).
pub const MAX_SPARSE_ELEMENTS: usize = 4000;

/// A vector of which only some elements are given.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SparseVector {
    /// Where the elements are, each once.
    #[serde(default)]
    pub indices: Vec<u32>,
    /// What they are.
    #[serde(default)]
    pub values: Vec<f32>,
}

/// A row as the caller brings it. The names are those of a file of rows, too.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewRow {
    /// Its id; one is made when it is absent or empty. A row that has it already is changed.
    pub id: Option<String>,
    /// Its vector, of the collection's length.
    #[serde(default)]
    pub vector: Vec<f32>,
    /// Values of declared fields; those of a changed row that are not given stay.
    pub metadata: Option<Map<String, Value>>,
    /// Its sparse vector, in a collection that supports them; stays when not given.
    pub sparse_vector: Option<SparseVector>,
}

/// Rows to be stored.
#[derive(Debug, Clone)]
pub struct UpsertRows {
    /// The vector collection.
    pub collection: CollectionName,
    /// The rows; of two with one id the last counts.
    pub rows: Vec<NewRow>,
}

impl Engine {
    /// Stores rows in a vector collection, all of them or none.
    pub async fn upsert_rows(
        &self,
        access: &NamespaceAccess,
        upsert: UpsertRows,
    ) -> Result<(), EngineError> {
        let inner = &self.inner;
        let mut row = inner
            .open_vector_collection(access, &upsert.collection)
            .await?;
        let Some(first) = upsert.rows.first() else {
            return Err(EngineError::invalid("Rows", "there are none"));
        };
        let first_length = first.vector.len();
        let mut collection = row.collection.clone();
        if collection.dimension == 0 {
            collection.dimension = check::new_dimension(first_length)
                .map_err(|reason| EngineError::invalid("Rows", format!("row 1: {reason}")))?;
        }
        let dimension = collection.dimension;
        let rows = upsert.rows;
        let check = move || {
            rows.into_iter()
                .enumerate()
                .map(|(at, row)| {
                    check::row(row, &collection).map_err(|reason| {
                        EngineError::invalid("Rows", format!("row {}: {reason}", at + 1))
                    })
                })
                .collect::<Result<Vec<CheckedRow>, _>>()
        };
        let rows = inner.cpu.run(Lane::Request, check).await??;
        if row.collection.dimension == 0 {
            row = inner.settle_dimension(&row, dimension).await?;
            if row.collection.dimension != dimension {
                return Err(EngineError::Conflict {
                    reason: format!(
                        "the vectors have {dimension} numbers each, but another request has made \
                         the collection one of {} dimensions meanwhile",
                        row.collection.dimension
                    ),
                });
            }
        }
        let (count, storing) = (rows.len(), Arc::clone(inner));
        inner
            .to_the_end(async move { storing.store_rows(&row, &rows, None).await })
            .await?;
        tracing::debug!(collection = %upsert.collection, rows = count, "rows stored");
        Ok(())
    }
}
