//! Table `documents`: the files of a collection by name.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{object, signed, unsigned};
use crate::{
    document::Document,
    error::EngineError,
    name::{FileName, ObjectId},
};

/// A document as a job stores it.
pub(crate) struct NewDocument<'a> {
    pub(crate) file_name: &'a FileName,
    pub(crate) object: ObjectId,
    pub(crate) md5: [u8; 16],
    pub(crate) size: u64,
    /// The API's names of what read and split a text; `None` for anything else.
    pub(crate) loader: Option<&'a str>,
    pub(crate) splitter: Option<&'a str>,
    pub(crate) now: i64,
}

/// Stores a document under its name; one that was there keeps its id and counts one version up.
pub(crate) async fn upsert(
    connection: &mut SqliteConnection,
    collection_id: i64,
    document: &NewDocument<'_>,
) -> Result<i64, EngineError> {
    Ok(sqlx::query_scalar(
        "INSERT INTO documents (collection_id, file_name, sha256, md5, size, version, modified_at,
             loader, splitter)
         VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?)
         ON CONFLICT (collection_id, file_name) DO UPDATE SET sha256 = excluded.sha256,
             md5 = excluded.md5, size = excluded.size, version = documents.version + 1,
             modified_at = excluded.modified_at, loader = excluded.loader,
             splitter = excluded.splitter
         RETURNING id",
    )
    .bind(collection_id)
    .bind(document.file_name.as_str())
    .bind(document.object.as_bytes().as_slice())
    .bind(document.md5.as_slice())
    .bind(signed(document.size))
    .bind(document.now)
    .bind(document.loader)
    .bind(document.splitter)
    .fetch_one(connection)
    .await?)
}

/// A document with its id.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    collection_id: i64,
    file_name: &FileName,
) -> Result<Option<(i64, Document)>, EngineError> {
    sqlx::query(
        "SELECT d.id, d.file_name, d.sha256, d.md5, d.size, d.version, d.modified_at, d.loader,
             d.splitter,
             (SELECT count(*) FROM chunks c WHERE c.document_id = d.id) AS chunks
         FROM documents d WHERE d.collection_id = ? AND d.file_name = ?",
    )
    .bind(collection_id)
    .bind(file_name.as_str())
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(|row| Ok((row.try_get("id")?, from_row(row)?)))
    .transpose()
}

/// Up to `limit` file names after `after`, in order.
pub(crate) async fn names_after(
    connection: &mut SqliteConnection,
    collection_id: i64,
    after: Option<&str>,
    limit: Option<u32>,
) -> Result<Vec<String>, EngineError> {
    Ok(sqlx::query_scalar(
        "SELECT file_name FROM documents WHERE collection_id = ?1 AND (?2 IS NULL OR file_name > ?2)
         ORDER BY file_name LIMIT ?3",
    )
    .bind(collection_id)
    .bind(after)
    // SQLite's "no limit" is a negative one.
    .bind(limit.map_or(-1, i64::from))
    .fetch_all(connection)
    .await?)
}

/// Removes a document with its chunks.
pub(crate) async fn delete(connection: &mut SqliteConnection, id: i64) -> Result<(), EngineError> {
    sqlx::query("DELETE FROM documents WHERE id = ?")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

fn from_row(row: &SqliteRow) -> Result<Document, EngineError> {
    let md5: &[u8] = row.try_get("md5")?;
    Ok(Document {
        file_name: FileName::new(row.try_get::<String, _>("file_name")?)?,
        object: object::id_at(row, 2)?,
        md5: md5
            .try_into()
            .map_err(|_| EngineError::internal("an MD5 in the database is not 16 bytes long"))?,
        size: unsigned(row.try_get("size")?),
        version: unsigned(row.try_get("version")?),
        modified: crate::clock::timestamp(row.try_get("modified_at")?),
        chunks: unsigned(row.try_get("chunks")?),
        loader: row.try_get("loader")?,
        splitter: row.try_get("splitter")?,
    })
}
