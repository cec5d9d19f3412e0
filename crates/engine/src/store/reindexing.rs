//! Table `reindexed_vectors`: what a change of encoder has made so far.

use sqlx::{Row, SqliteConnection};

use super::{chunk::to_bytes, collection, object};
use crate::{error::EngineError, name::ObjectId, store::collection::CollectionRow};

/// A row whose vector is to be made anew.
pub(crate) struct PendingRow {
    pub(crate) key: i64,
    /// Of its row; empty when it is a picture.
    pub(crate) content: String,
    /// The file it belongs to and that file's original, if any.
    pub(crate) original: Option<(String, ObjectId)>,
}

/// Collections whose vectors were made by an encoder, by id.
pub(crate) async fn collections(
    connection: &mut SqliteConnection,
) -> Result<Vec<CollectionRow>, EngineError> {
    let ids: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM collections WHERE kind = 'document' ORDER BY id")
            .fetch_all(&mut *connection)
            .await?;
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        rows.extend(collection::find_by_id(&mut *connection, id).await?);
    }
    Ok(rows)
}

/// Forgets what was made by other encoders than `fingerprint`.
pub(crate) async fn forget_others(
    connection: &mut SqliteConnection,
    collection_id: i64,
    fingerprint: &str,
) -> Result<(), EngineError> {
    sqlx::query(
        "DELETE FROM reindexed_vectors WHERE collection_id = ? AND encoder_fingerprint <> ?",
    )
    .bind(collection_id)
    .bind(fingerprint)
    .execute(connection)
    .await?;
    Ok(())
}

/// How many rows of a collection are done, and how many there are.
pub(crate) async fn count(
    connection: &mut SqliteConnection,
    collection_id: i64,
) -> Result<(u64, u64), EngineError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM reindexed_vectors WHERE collection_id = ?1),
             (SELECT count(*) FROM chunks WHERE collection_id = ?1)",
    )
    .bind(collection_id)
    .fetch_one(connection)
    .await?;
    Ok((
        super::unsigned(row.try_get(0)?),
        super::unsigned(row.try_get(1)?),
    ))
}

/// Up to `limit` rows that are not done, by key.
pub(crate) async fn pending(
    connection: &mut SqliteConnection,
    collection_id: i64,
    limit: usize,
) -> Result<Vec<PendingRow>, EngineError> {
    let rows = sqlx::query(
        "SELECT c.key, c.content, d.file_name, d.sha256
         FROM chunks c LEFT JOIN documents d ON d.id = c.document_id
         WHERE c.collection_id = ?
             AND NOT EXISTS (SELECT 1 FROM reindexed_vectors r WHERE r.key = c.key)
         ORDER BY c.key LIMIT ?",
    )
    .bind(collection_id)
    .bind(super::signed(limit as u64))
    .fetch_all(connection)
    .await?;
    let mut pending = Vec::with_capacity(rows.len());
    for row in &rows {
        let file_name: Option<String> = row.try_get(2)?;
        let original = file_name
            .map(|name| Ok::<_, EngineError>((name, object::id_at(row, 3)?)))
            .transpose()?;
        pending.push(PendingRow {
            key: row.try_get(0)?,
            content: row.try_get(1)?,
            original,
        });
    }
    Ok(pending)
}

/// Keeps the new vector of a row.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    (collection_id, key): (i64, i64),
    fingerprint: &str,
    vector: &[f32],
) -> Result<(), EngineError> {
    sqlx::query(
        "INSERT INTO reindexed_vectors (key, collection_id, encoder_fingerprint, vector)
         VALUES (?, ?, ?, ?)",
    )
    .bind(key)
    .bind(collection_id)
    .bind(fingerprint)
    .bind(to_bytes(vector))
    .execute(connection)
    .await?;
    Ok(())
}

/// Puts the new vectors of a collection, one for each of its rows, in place of the old ones.
pub(crate) async fn exchange(
    connection: &mut SqliteConnection,
    collection_id: i64,
    (encoder_name, encoder_fingerprint): (&str, &str),
) -> Result<(), EngineError> {
    sqlx::query(
        "UPDATE chunks SET vector = r.vector FROM reindexed_vectors r
         WHERE r.key = chunks.key AND chunks.collection_id = ?",
    )
    .bind(collection_id)
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE collections SET encoder_name = ?, encoder_fingerprint = ? WHERE id = ?")
        .bind(encoder_name)
        .bind(encoder_fingerprint)
        .bind(collection_id)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM reindexed_vectors WHERE collection_id = ?")
        .bind(collection_id)
        .execute(connection)
        .await?;
    Ok(())
}
