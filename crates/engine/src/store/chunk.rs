//! Table `chunks`: the rows that are searched, each with its vector.

use futures_util::TryStreamExt as _;
use sqlx::{Row, SqliteConnection};

use super::object;
use crate::{
    error::EngineError,
    name::{FileName, ObjectId},
};

/// A row to be stored.
pub(crate) struct NewChunk<'a> {
    pub(crate) collection_id: i64,
    /// `None` for a row that came without a file.
    pub(crate) document_id: Option<i64>,
    pub(crate) id: &'a str,
    pub(crate) content: &'a str,
    pub(crate) loader_metadata: &'a str,
    pub(crate) metadata: &'a str,
    pub(crate) vector: &'a [f32],
}

/// A row as a match shows it.
pub(crate) struct ChunkRow {
    pub(crate) key: u64,
    pub(crate) id: String,
    /// The file it belongs to and that file's original, if any.
    pub(crate) file_name: Option<FileName>,
    pub(crate) object: Option<ObjectId>,
    pub(crate) content: String,
    pub(crate) loader_metadata: String,
    pub(crate) metadata: String,
}

/// Adds a row and returns its key.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    chunk: &NewChunk<'_>,
) -> Result<u64, EngineError> {
    let key: i64 = sqlx::query_scalar(
        "INSERT INTO chunks (collection_id, document_id, id, content, loader_metadata, metadata,
             vector)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING key",
    )
    .bind(chunk.collection_id)
    .bind(chunk.document_id)
    .bind(chunk.id)
    .bind(chunk.content)
    .bind(chunk.loader_metadata)
    .bind(chunk.metadata)
    .bind(to_bytes(chunk.vector))
    .fetch_one(connection)
    .await?;
    Ok(super::unsigned(key))
}

/// Removes a document's rows and returns their keys.
pub(crate) async fn delete_of_document(
    connection: &mut SqliteConnection,
    document_id: i64,
) -> Result<Vec<u64>, EngineError> {
    let keys: Vec<i64> =
        sqlx::query_scalar("DELETE FROM chunks WHERE document_id = ? RETURNING key")
            .bind(document_id)
            .fetch_all(connection)
            .await?;
    Ok(keys.into_iter().map(super::unsigned).collect())
}

/// Calls `take` with the key and vector of every row of a collection.
pub(crate) async fn each_vector(
    connection: &mut SqliteConnection,
    collection_id: i64,
    mut take: impl FnMut(u64, &[f32]) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let mut rows =
        sqlx::query("SELECT key, vector FROM chunks WHERE collection_id = ? ORDER BY key")
            .bind(collection_id)
            .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let bytes: &[u8] = row.try_get(1)?;
        take(super::unsigned(row.try_get(0)?), &from_bytes(bytes))?;
    }
    Ok(())
}

/// The rows with these keys, in no particular order; keys that are gone are left out.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    keys: &[u64],
) -> Result<Vec<ChunkRow>, EngineError> {
    let rows = sqlx::query(
        "SELECT c.key, d.sha256, c.id, d.file_name, c.content, c.loader_metadata, c.metadata
         FROM chunks c LEFT JOIN documents d ON d.id = c.document_id
         WHERE c.key IN (SELECT value FROM json_each(?))",
    )
    .bind(key_list(keys))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ChunkRow {
                key: super::unsigned(row.try_get("key")?),
                id: row.try_get("id")?,
                file_name: row
                    .try_get::<Option<String>, _>("file_name")?
                    .map(FileName::new)
                    .transpose()?,
                object: object::optional_id_at(row, 1)?,
                content: row.try_get("content")?,
                loader_metadata: row.try_get("loader_metadata")?,
                metadata: row.try_get("metadata")?,
            })
        })
        .collect()
}

/// The vectors of the rows with these keys.
pub(crate) async fn vectors(
    connection: &mut SqliteConnection,
    keys: &[u64],
) -> Result<Vec<(u64, Vec<f32>)>, EngineError> {
    let rows =
        sqlx::query("SELECT key, vector FROM chunks WHERE key IN (SELECT value FROM json_each(?))")
            .bind(key_list(keys))
            .fetch_all(connection)
            .await?;
    rows.iter()
        .map(|row| {
            let bytes: &[u8] = row.try_get(1)?;
            Ok((super::unsigned(row.try_get(0)?), from_bytes(bytes)))
        })
        .collect()
}

/// Keys as one bound value: a JSON array.
fn key_list(keys: &[u64]) -> String {
    serde_json::Value::from(keys.to_vec()).to_string()
}

fn to_bytes(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().expect("chunks of four")))
        .collect()
}
