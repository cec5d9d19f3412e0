//! Table `chunks` as the operations on single chunks see it: found by id, changed in place, listed by file, and read with their
//! neighbours.

use serde_json::Value;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{chunk, signed, unsigned};
use crate::{error::EngineError, name::FileName};

/// A row as a list shows it.
pub(crate) struct ListedRow {
    pub(crate) key: u64,
    pub(crate) id: String,
    pub(crate) file_name: Option<FileName>,
    pub(crate) content: String,
    pub(crate) loader_metadata: String,
    pub(crate) metadata: String,
}

/// What a change puts in place of a row's own.
pub(crate) struct ChunkChange<'a> {
    /// `None` leaves the row with the file it belongs to.
    pub(crate) document_id: Option<i64>,
    pub(crate) content: &'a str,
    /// `None` leaves the row's own.
    pub(crate) metadata: Option<&'a str>,
    pub(crate) vector: &'a [f32],
}

/// The keys of those rows of a collection that have these ids.
pub(crate) async fn keys_of(
    connection: &mut SqliteConnection,
    collection_id: i64,
    ids: &[String],
) -> Result<Vec<u64>, EngineError> {
    let keys: Vec<i64> = sqlx::query_scalar(
        "SELECT key FROM chunks
         WHERE collection_id = ? AND id IN (SELECT value FROM json_each(?)) ORDER BY key",
    )
    .bind(collection_id)
    .bind(Value::from(ids.to_vec()).to_string())
    .fetch_all(connection)
    .await?;
    Ok(keys.into_iter().map(unsigned).collect())
}

/// One more than the highest number that an id of the form `<prefix><number>` has.
pub(crate) async fn next_number(
    connection: &mut SqliteConnection,
    collection_id: i64,
    prefix: &str,
) -> Result<u64, EngineError> {
    let next: i64 = sqlx::query_scalar(
        "SELECT coalesce(max(CAST(substr(id, length(?2) + 1) AS INTEGER)) + 1, 0) FROM chunks
         WHERE collection_id = ?1 AND id >= ?2 AND id < ?2 || ':'",
    )
    .bind(collection_id)
    .bind(prefix)
    .fetch_one(connection)
    .await?;
    Ok(unsigned(next))
}

/// Changes a row.
pub(crate) async fn change(
    connection: &mut SqliteConnection,
    key: u64,
    change: &ChunkChange<'_>,
) -> Result<(), EngineError> {
    sqlx::query(
        "UPDATE chunks SET document_id = coalesce(?1, document_id), content = ?2,
             metadata = coalesce(?3, metadata), vector = ?4 WHERE key = ?5",
    )
    .bind(change.document_id)
    .bind(change.content)
    .bind(change.metadata)
    .bind(chunk::to_bytes(change.vector))
    .bind(signed(key))
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes rows.
pub(crate) async fn delete(
    connection: &mut SqliteConnection,
    keys: &[u64],
) -> Result<(), EngineError> {
    sqlx::query("DELETE FROM chunks WHERE key IN (SELECT value FROM json_each(?))")
        .bind(Value::from(keys.to_vec()).to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Which rows of a collection are listed.
pub(crate) struct ListQuery<'a> {
    pub(crate) collection_id: i64,
    pub(crate) file_name: Option<&'a FileName>,
    /// All when absent.
    pub(crate) keys: Option<&'a [u64]>,
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

macro_rules! listed {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM chunks c LEFT JOIN documents d ON d.id = c.document_id
             WHERE c.collection_id = ?1 AND (?2 IS NULL OR d.file_name = ?2)
                 AND (?3 IS NULL OR c.key IN (SELECT value FROM json_each(?3))) ",
            $rest
        )
    };
}

/// A page of rows by file name and place in the file, those without a file first; and how many there are in all.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    query: &ListQuery<'_>,
) -> Result<(Vec<ListedRow>, u64), EngineError> {
    let file_name = query.file_name.map(FileName::as_str);
    let keys = query
        .keys
        .map(|keys| Value::from(keys.to_vec()).to_string());
    let total: i64 = sqlx::query_scalar(listed!("count(*)", ""))
        .bind(query.collection_id)
        .bind(file_name)
        .bind(&keys)
        .fetch_one(&mut *connection)
        .await?;
    let rows = sqlx::query(listed!(
        "c.key, c.id, d.file_name, c.content, c.loader_metadata, c.metadata",
        "ORDER BY d.file_name, c.key LIMIT ?4 OFFSET ?5"
    ))
    .bind(query.collection_id)
    .bind(file_name)
    .bind(&keys)
    .bind(signed(query.limit))
    .bind(signed(query.offset))
    .fetch_all(connection)
    .await?;
    let rows = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    Ok((rows, unsigned(total)))
}

/// Up to `before` rows of the same file in front of a row, the row itself, and up to `after` behind it, in the file's order. Nothing
/// when the row is gone.
pub(crate) async fn neighbours(
    connection: &mut SqliteConnection,
    collection_id: i64,
    id: &str,
    (before, after): (u32, u32),
) -> Result<Vec<ListedRow>, EngineError> {
    let rows = sqlx::query(
        "WITH found AS (SELECT key, document_id FROM chunks WHERE collection_id = ?1 AND id = ?2),
             near AS (
                 SELECT key FROM found
                 UNION ALL SELECT key FROM (
                     SELECT c.key FROM chunks c, found f
                     WHERE c.document_id = f.document_id AND c.key < f.key
                     ORDER BY c.key DESC LIMIT ?3)
                 UNION ALL SELECT key FROM (
                     SELECT c.key FROM chunks c, found f
                     WHERE c.document_id = f.document_id AND c.key > f.key
                     ORDER BY c.key LIMIT ?4))
         SELECT c.key, c.id, d.file_name, c.content, c.loader_metadata, c.metadata
         FROM near n JOIN chunks c ON c.key = n.key LEFT JOIN documents d ON d.id = c.document_id
         ORDER BY c.key",
    )
    .bind(collection_id)
    .bind(id)
    .bind(before)
    .bind(after)
    .fetch_all(connection)
    .await?;
    rows.iter().map(from_row).collect()
}

/// Content and loader metadata of every row of a document, in order.
pub(crate) async fn of_document(
    connection: &mut SqliteConnection,
    document_id: i64,
) -> Result<Vec<(String, String)>, EngineError> {
    let rows = sqlx::query(
        "SELECT content, loader_metadata FROM chunks WHERE document_id = ? ORDER BY key",
    )
    .bind(document_id)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

fn from_row(row: &SqliteRow) -> Result<ListedRow, EngineError> {
    Ok(ListedRow {
        key: unsigned(row.try_get("key")?),
        id: row.try_get("id")?,
        file_name: row
            .try_get::<Option<String>, _>("file_name")?
            .map(FileName::new)
            .transpose()?,
        content: row.try_get("content")?,
        loader_metadata: row.try_get("loader_metadata")?,
        metadata: row.try_get("metadata")?,
    })
}
