//! Table `vector_indexes`: which indexes were asked for, and with what.

use sqlx::SqliteConnection;

use crate::error::EngineError;

/// Writes down what an index is to be, in place of the last one of its kind.
pub(crate) async fn upsert(
    connection: &mut SqliteConnection,
    collection_id: i64,
    kind: &str,
    settings: &str,
    now: i64,
) -> Result<(), EngineError> {
    sqlx::query(
        "INSERT INTO vector_indexes (collection_id, kind, settings, created_at)
         VALUES (?, ?, ?, ?)
         ON CONFLICT (collection_id, kind) DO UPDATE SET settings = excluded.settings,
             created_at = excluded.created_at",
    )
    .bind(collection_id)
    .bind(kind)
    .bind(settings)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// What was last written down of a kind, if anything was.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    collection_id: i64,
    kind: &str,
) -> Result<Option<String>, EngineError> {
    let settings = sqlx::query_scalar(
        "SELECT settings FROM vector_indexes WHERE collection_id = ? AND kind = ?",
    )
    .bind(collection_id)
    .bind(kind)
    .fetch_optional(connection)
    .await?;
    Ok(settings)
}
