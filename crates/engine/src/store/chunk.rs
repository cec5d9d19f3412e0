//! Table `chunks`: the rows that are searched, each with its vector.

use futures_util::TryStreamExt as _;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

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

/// Which parts of a row to read besides its key.
#[allow(clippy::struct_excessive_bools, reason = "any of them with any other")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parts {
    pub(crate) id: bool,
    pub(crate) file_name: bool,
    pub(crate) content: bool,
    pub(crate) loader_metadata: bool,
    pub(crate) metadata: bool,
}

/// A row with the parts that were asked for.
pub(crate) struct PartsRow {
    pub(crate) key: u64,
    pub(crate) id: Option<String>,
    pub(crate) file_name: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) loader_metadata: Option<String>,
    pub(crate) metadata: Option<String>,
    /// Whether it belongs to a document.
    pub(crate) of_document: bool,
}

macro_rules! select_parts {
    ($rest:literal) => {
        concat!(
            "SELECT c.key, CASE WHEN ?2 THEN c.id END, CASE WHEN ?3 THEN d.file_name END,
                 CASE WHEN ?4 THEN c.content END, CASE WHEN ?5 THEN c.loader_metadata END,
                 CASE WHEN ?6 THEN c.metadata END, c.document_id IS NOT NULL
             FROM chunks c LEFT JOIN documents d ON d.id = c.document_id
             WHERE c.collection_id = ?1 AND ",
            $rest
        )
    };
}

/// Parts of up to `limit` rows of a collection whose keys are above `after`, by key.
pub(crate) async fn parts_after(
    connection: &mut SqliteConnection,
    collection_id: i64,
    parts: Parts,
    after: u64,
    limit: usize,
) -> Result<Vec<PartsRow>, EngineError> {
    let query = sqlx::query(select_parts!("c.key > ?7 ORDER BY c.key LIMIT ?8"));
    let rows = bind_parts(query, collection_id, parts)
        .bind(super::signed(after))
        .bind(super::signed(limit as u64))
        .fetch_all(connection)
        .await?;
    rows.iter().map(parts_row).collect()
}

/// Parts of those rows of a collection that have these keys, by key; keys that are gone are left
/// out.
pub(crate) async fn parts_of(
    connection: &mut SqliteConnection,
    collection_id: i64,
    parts: Parts,
    keys: &[u64],
) -> Result<Vec<PartsRow>, EngineError> {
    let query = sqlx::query(select_parts!(
        "c.key IN (SELECT value FROM json_each(?7)) ORDER BY c.key"
    ));
    let rows = bind_parts(query, collection_id, parts)
        .bind(key_list(keys))
        .fetch_all(connection)
        .await?;
    rows.iter().map(parts_row).collect()
}

type PartsQuery<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind_parts(query: PartsQuery<'_>, collection_id: i64, parts: Parts) -> PartsQuery<'_> {
    query
        .bind(collection_id)
        .bind(parts.id)
        .bind(parts.file_name)
        .bind(parts.content)
        .bind(parts.loader_metadata)
        .bind(parts.metadata)
}

fn parts_row(row: &SqliteRow) -> Result<PartsRow, EngineError> {
    Ok(PartsRow {
        key: super::unsigned(row.try_get(0)?),
        id: row.try_get(1)?,
        file_name: row.try_get(2)?,
        content: row.try_get(3)?,
        loader_metadata: row.try_get(4)?,
        metadata: row.try_get(5)?,
        of_document: row.try_get(6)?,
    })
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
pub(super) fn key_list(keys: &[u64]) -> String {
    serde_json::Value::from(keys.to_vec()).to_string()
}

pub(super) fn to_bytes(vector: &[f32]) -> Vec<u8> {
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
