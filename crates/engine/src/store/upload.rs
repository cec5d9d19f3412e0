//! Table `uploads`: what came by the object form, by key, until it expires.

use sqlx::SqliteConnection;

use super::object;
use crate::{
    error::EngineError,
    name::{ObjectId, ObjectKey},
};

/// Binds a key to an object; a key that is there already is bound anew.
pub(crate) async fn upsert(
    connection: &mut SqliteConnection,
    key: &ObjectKey,
    id: &ObjectId,
    now: i64,
    expires_at: i64,
) -> Result<(), EngineError> {
    sqlx::query(
        "INSERT INTO uploads (object_key, sha256, created_at, expires_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (object_key) DO UPDATE SET sha256 = excluded.sha256,
             created_at = excluded.created_at, expires_at = excluded.expires_at",
    )
    .bind(key.as_str())
    .bind(id.as_bytes().as_slice())
    .bind(now)
    .bind(expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// The object of a key.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    key: &ObjectKey,
) -> Result<Option<ObjectId>, EngineError> {
    sqlx::query("SELECT sha256 FROM uploads WHERE object_key = ?")
        .bind(key.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| object::id_at(&row, 0))
        .transpose()
}

/// Forgets the uploads whose time is over.
pub(crate) async fn delete_expired(
    connection: &mut SqliteConnection,
    now: i64,
) -> Result<u64, EngineError> {
    let done = sqlx::query("DELETE FROM uploads WHERE expires_at <= ?")
        .bind(now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
