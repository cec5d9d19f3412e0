//! Table `vector_indexes`: which indexes were asked for, and with what.

use sqlx::SqliteConnection;

use crate::error::EngineError;

/// Writes an index down in place of the last one of its kind.
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

/// Strikes an index out.
pub(crate) async fn delete(
    connection: &mut SqliteConnection,
    collection_id: i64,
    kind: &str,
) -> Result<(), EngineError> {
    sqlx::query("DELETE FROM vector_indexes WHERE collection_id = ? AND kind = ?")
        .bind(collection_id)
        .bind(kind)
        .execute(connection)
        .await?;
    Ok(())
}
