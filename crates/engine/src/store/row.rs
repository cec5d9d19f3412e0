//! Rows of table `chunks` that the caller brought, and changes of any rows by key.

use sqlx::{Row, SqliteConnection};

use super::{
    chunk::{key_list, to_bytes},
    unsigned,
};
use crate::error::EngineError;

/// A row to be stored under an id of its own.
pub(crate) struct OwnRow<'a> {
    pub(crate) collection_id: i64,
    pub(crate) id: &'a str,
    pub(crate) metadata: &'a str,
    pub(crate) vector: &'a [f32],
    pub(crate) sparse: Option<&'a [u8]>,
}

/// Adds a row and returns its key; `None` when its id is taken.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    row: &OwnRow<'_>,
) -> Result<Option<u64>, EngineError> {
    let key: Option<i64> = sqlx::query_scalar(
        "INSERT INTO chunks (collection_id, document_id, id, content, loader_metadata, metadata,
             vector, sparse)
         VALUES (?, NULL, ?, '', '', ?, ?, ?)
         ON CONFLICT (collection_id, id) DO NOTHING RETURNING key",
    )
    .bind(row.collection_id)
    .bind(row.id)
    .bind(row.metadata)
    .bind(to_bytes(row.vector))
    .bind(row.sparse)
    .fetch_optional(connection)
    .await?;
    Ok(key.map(unsigned))
}

/// Puts a row in the place of the one with its id, whose sparse vector stays when there is no new
/// one.
pub(crate) async fn replace(
    connection: &mut SqliteConnection,
    key: u64,
    row: &OwnRow<'_>,
) -> Result<(), EngineError> {
    sqlx::query(
        "UPDATE chunks SET metadata = ?, vector = ?, sparse = coalesce(?, sparse) WHERE key = ?",
    )
    .bind(row.metadata)
    .bind(to_bytes(row.vector))
    .bind(row.sparse)
    .bind(super::signed(key))
    .execute(connection)
    .await?;
    Ok(())
}

/// The key and metadata of the row with an id.
pub(crate) async fn find_by_id(
    connection: &mut SqliteConnection,
    collection_id: i64,
    id: &str,
) -> Result<Option<(u64, String)>, EngineError> {
    let row = sqlx::query("SELECT key, metadata FROM chunks WHERE collection_id = ? AND id = ?")
        .bind(collection_id)
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((unsigned(row.try_get(0)?), row.try_get(1)?)))
        .transpose()
}

/// The keys of the rows with these ids; ids that no row has are left out.
pub(crate) async fn keys_of(
    connection: &mut SqliteConnection,
    collection_id: i64,
    ids: &[String],
) -> Result<Vec<u64>, EngineError> {
    let ids = serde_json::to_string(ids).map_err(EngineError::internal)?;
    let keys: Vec<i64> = sqlx::query_scalar(
        "SELECT key FROM chunks
         WHERE collection_id = ? AND id IN (SELECT value FROM json_each(?)) ORDER BY key",
    )
    .bind(collection_id)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(keys.into_iter().map(unsigned).collect())
}

/// The sparse vectors of those of these rows that have one, as stored.
pub(crate) async fn sparse_of(
    connection: &mut SqliteConnection,
    keys: &[u64],
) -> Result<Vec<(u64, Vec<u8>)>, EngineError> {
    let rows = sqlx::query(
        "SELECT key, sparse FROM chunks
         WHERE key IN (SELECT value FROM json_each(?)) AND sparse IS NOT NULL",
    )
    .bind(key_list(keys))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((unsigned(row.try_get(0)?), row.try_get(1)?)))
        .collect()
}

/// Changes the metadata of a row.
pub(crate) async fn set_metadata(
    connection: &mut SqliteConnection,
    key: u64,
    metadata: &str,
) -> Result<(), EngineError> {
    sqlx::query("UPDATE chunks SET metadata = ? WHERE key = ?")
        .bind(metadata)
        .bind(super::signed(key))
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes rows, and the documents that had no others.
pub(crate) async fn delete(
    connection: &mut SqliteConnection,
    collection_id: i64,
    keys: &[u64],
) -> Result<(), EngineError> {
    let documents: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT document_id FROM chunks
         WHERE collection_id = ?1 AND key IN (SELECT value FROM json_each(?2))
             AND document_id IS NOT NULL",
    )
    .bind(collection_id)
    .bind(key_list(keys))
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM chunks
         WHERE collection_id = ?1 AND key IN (SELECT value FROM json_each(?2))",
    )
    .bind(collection_id)
    .bind(key_list(keys))
    .execute(&mut *connection)
    .await?;
    if documents.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM documents
         WHERE id IN (SELECT value FROM json_each(?))
             AND NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.document_id = documents.id)",
    )
    .bind(serde_json::Value::from(documents).to_string())
    .execute(connection)
    .await?;
    Ok(())
}
