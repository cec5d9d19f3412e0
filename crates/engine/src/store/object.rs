//! Table `objects`: one row a stored original. What refers to one: uploads, documents, and jobs
//! that have not ended (or made a chunk file).

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{signed, unsigned};
use crate::{error::EngineError, name::ObjectId};

/// A row of the table.
pub(crate) struct ObjectRow {
    pub(crate) size: u64,
    pub(crate) content_type: String,
    pub(crate) created_at: i64,
}

/// The type of an original nobody has looked into yet.
pub(crate) const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Nothing refers to the object `o`.
macro_rules! is_unreferenced {
    () => {
        "NOT EXISTS (SELECT 1 FROM uploads u WHERE u.sha256 = o.sha256)
         AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.sha256 = o.sha256)
         AND NOT EXISTS (SELECT 1 FROM jobs s WHERE s.source_sha256 = o.sha256)
         AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.chunk_sha256 = o.sha256)
         AND NOT EXISTS (SELECT 1 FROM jobs p WHERE p.plain_chunk_sha256 = o.sha256)"
    };
}

/// Records an object whose bytes are in place; a known type replaces an unknown one.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    id: &ObjectId,
    size: u64,
    content_type: &str,
    now: i64,
) -> Result<(), EngineError> {
    sqlx::query(
        "INSERT INTO objects (sha256, size, content_type, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (sha256) DO UPDATE SET content_type = excluded.content_type
         WHERE objects.content_type = ?5",
    )
    .bind(id.as_bytes().as_slice())
    .bind(signed(size))
    .bind(content_type)
    .bind(now)
    .bind(UNKNOWN_TYPE)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    id: &ObjectId,
) -> Result<Option<ObjectRow>, EngineError> {
    let row = sqlx::query("SELECT size, content_type, created_at FROM objects WHERE sha256 = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(ObjectRow {
            size: unsigned(row.try_get(0)?),
            content_type: row.try_get(1)?,
            created_at: row.try_get(2)?,
        })
    })
    .transpose()
}

/// Bytes of all objects together.
pub(crate) async fn total_bytes(connection: &mut SqliteConnection) -> Result<u64, EngineError> {
    let total: i64 = sqlx::query_scalar("SELECT coalesce(sum(size), 0) FROM objects")
        .fetch_one(connection)
        .await?;
    Ok(unsigned(total))
}

pub(crate) async fn all_ids(
    connection: &mut SqliteConnection,
) -> Result<Vec<ObjectId>, EngineError> {
    let rows = sqlx::query("SELECT sha256 FROM objects")
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| id_at(row, 0)).collect()
}

/// Objects that could be collected, with their sizes.
pub(crate) async fn unreferenced(
    connection: &mut SqliteConnection,
) -> Result<Vec<(ObjectId, u64)>, EngineError> {
    let rows = sqlx::query(concat!(
        "SELECT o.sha256, o.size FROM objects o WHERE ",
        is_unreferenced!()
    ))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((id_at(row, 0)?, unsigned(row.try_get(1)?))))
        .collect()
}

/// Deletes the row unless something refers to it; true when it is gone.
pub(crate) async fn delete_unreferenced(
    connection: &mut SqliteConnection,
    id: &ObjectId,
) -> Result<bool, EngineError> {
    let done = sqlx::query(concat!(
        "DELETE FROM objects AS o WHERE o.sha256 = ? AND ",
        is_unreferenced!()
    ))
    .bind(id.as_bytes().as_slice())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The digest in a column.
pub(super) fn id_at(row: &SqliteRow, column: usize) -> Result<ObjectId, EngineError> {
    let bytes: &[u8] = row.try_get(column)?;
    digest(bytes)
}

/// The digest in a column that may be NULL.
pub(super) fn optional_id_at(
    row: &SqliteRow,
    column: usize,
) -> Result<Option<ObjectId>, EngineError> {
    let bytes: Option<&[u8]> = row.try_get(column)?;
    bytes.map(digest).transpose()
}

fn digest(bytes: &[u8]) -> Result<ObjectId, EngineError> {
    bytes
        .try_into()
        .map(ObjectId::from_bytes)
        .map_err(|_| EngineError::internal("a digest in the database is not 32 bytes long"))
}
