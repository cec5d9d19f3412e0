//! The chunks of a collection one by one: listed, deleted, and (in `upsert`) written by the caller (semantics.md,
//! `ListChunks` / `DeleteChunks` / `UpsertChunks`).
//!
//! Invariant, as everywhere: rows and the index in memory change together.

mod upsert;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use self::upsert::{TextChunk, UpsertChunks, Upserted};
use crate::{
    access::NamespaceAccess,
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    name::{CollectionName, FileName},
    store::{
        self,
        collection::CollectionRow,
        text_chunk::{ListQuery, ListedRow},
    },
};

/// What `PageSize` may be; the first when absent.
pub const PAGE_SIZES: [i64; 3] = [20, 50, 100];

/// Which chunks are wanted.
#[derive(Debug, Clone)]
pub struct ListChunks {
    /// The collection.
    pub collection: CollectionName,
    /// Only those of this document.
    pub file_name: Option<FileName>,
    /// Only those that meet this condition; empty is none.
    pub filter: String,
    /// Whether each comes with its vector.
    pub include_vector: bool,
    /// 1 when absent.
    pub page_number: Option<i64>,
    /// One of [`PAGE_SIZES`].
    pub page_size: Option<i64>,
}

/// A chunk as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedChunk {
    /// Its id.
    pub id: String,
    /// Its document; `None` for one that came without.
    pub file_name: Option<FileName>,
    /// Its text; empty for an image.
    pub content: String,
    /// JSON of whatever loaded it.
    pub loader_metadata: String,
    /// As stored: typed values.
    pub metadata: Map<String, Value>,
    /// Only when asked for.
    pub vector: Option<Vec<f32>>,
}

/// A page of chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkPage {
    /// By file name and place in the file; those without a file come first.
    pub chunks: Vec<ListedChunk>,
    /// Which page it is.
    pub page_number: u64,
    /// Chunks on all pages.
    pub total: u64,
}

impl Engine {
    /// A page of the chunks of a document collection.
    pub async fn list_chunks(
        &self,
        access: &NamespaceAccess,
        list: &ListChunks,
    ) -> Result<ChunkPage, EngineError> {
        let inner = &self.inner;
        let row = inner
            .open_document_collection(access, &list.collection)
            .await?;
        let (page_number, page_size) = page(list)?;
        let conditions = inner.conditions(&row.collection, &list.filter, "")?;
        let resident = inner.residents.get(&inner.store, &row).await?;
        let mut connection = inner.store.reader().await?;
        // No job commits between the filter, the list and the vectors.
        let _unchanged = resident.lock_for_search().await;
        if let Some(file_name) = &list.file_name {
            store::document::find(&mut connection, row.id, file_name)
                .await?
                .ok_or_else(|| EngineError::not_found(Subject::File, file_name))?;
        }
        let allowed = inner
            .allowed(&mut connection, &row, &resident, &conditions)
            .await?;
        let keys: Option<Vec<u64>> = allowed.map(|keys| keys.iter().collect());
        let query = ListQuery {
            collection_id: row.id,
            file_name: list.file_name.as_ref(),
            keys: keys.as_deref(),
            offset: (page_number - 1).saturating_mul(page_size),
            limit: page_size,
        };
        let (rows, total) = store::text_chunk::list(&mut connection, &query).await?;
        let mut vectors = Vec::new();
        if list.include_vector {
            let keys: Vec<u64> = rows.iter().map(|row| row.key).collect();
            vectors = store::chunk::vectors(&mut connection, &keys).await?;
        }
        let chunks = rows
            .into_iter()
            .map(|row| shown(row, &mut vectors))
            .collect::<Result<_, _>>()?;
        Ok(ChunkPage {
            chunks,
            page_number,
            total,
        })
    }

    /// Removes chunks by id; ids that are not there are no error. A document that loses its last
    /// chunk stays until it is deleted itself.
    pub async fn delete_chunks(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        ids: &[String],
    ) -> Result<(), EngineError> {
        let inner = &self.inner;
        let row = inner.open_document_collection(access, collection).await?;
        if ids.is_empty() {
            return Err(EngineError::invalid("ChunkIds", "is empty"));
        }
        let (deleting, ids) = (Arc::clone(inner), ids.to_vec());
        let deleted = inner
            .to_the_end(async move { deleting.delete_chunks(&row, &ids).await })
            .await?;
        tracing::info!(%collection, deleted, "chunks deleted");
        Ok(())
    }
}

impl Inner {
    async fn delete_chunks(
        &self,
        row: &CollectionRow,
        ids: &[String],
    ) -> Result<usize, EngineError> {
        let resident = self.residents.get(&self.store, row).await?;
        let mut transaction = self.store.begin().await?;
        let keys = store::text_chunk::keys_of(&mut transaction, row.id, ids).await?;
        store::text_chunk::delete(&mut transaction, &keys).await?;
        let mut index = resident.lock_for_change().await;
        for key in &keys {
            index.remove(*key);
        }
        index.commit(transaction, || {}).await?;
        Ok(keys.len())
    }
}

fn page(list: &ListChunks) -> Result<(u64, u64), EngineError> {
    let size = list.page_size.unwrap_or(PAGE_SIZES[0]);
    if !PAGE_SIZES.contains(&size) {
        return Err(EngineError::invalid(
            "PageSize",
            format!("{size} is not 20, 50 or 100"),
        ));
    }
    let number = list.page_number.unwrap_or(1);
    if !(1..=i64::from(i32::MAX)).contains(&number) {
        return Err(EngineError::invalid(
            "PageNumber",
            format!("{number} is outside the range 1 to {}", i32::MAX),
        ));
    }
    Ok((number.unsigned_abs(), size.unsigned_abs()))
}

fn shown(row: ListedRow, vectors: &mut [(u64, Vec<f32>)]) -> Result<ListedChunk, EngineError> {
    let vector = vectors.iter_mut().find(|(key, _)| *key == row.key);
    Ok(ListedChunk {
        vector: vector.map(|(_, vector)| std::mem::take(vector)),
        id: row.id,
        file_name: row.file_name,
        content: row.content,
        loader_metadata: row.loader_metadata,
        metadata: serde_json::from_str(&row.metadata).map_err(EngineError::internal)?,
    })
}
