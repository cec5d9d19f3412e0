//! Table `grants`: which other namespaces a collection was opened to.

use sqlx::SqliteConnection;

use crate::{error::EngineError, vector_collection::Grant};

/// Puts a grant in the place of the last one, or takes it back.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    collection_id: i64,
    namespace_id: i64,
    grant: Grant,
) -> Result<(), EngineError> {
    let kind = match grant {
        Grant::ReadWrite => "rw",
        Grant::ReadOnly => "ro",
        Grant::Nothing => {
            sqlx::query("DELETE FROM grants WHERE collection_id = ? AND namespace_id = ?")
                .bind(collection_id)
                .bind(namespace_id)
                .execute(connection)
                .await?;
            return Ok(());
        }
    };
    sqlx::query(
        "INSERT INTO grants (collection_id, namespace_id, kind) VALUES (?, ?, ?)
         ON CONFLICT (collection_id, namespace_id) DO UPDATE SET kind = excluded.kind",
    )
    .bind(collection_id)
    .bind(namespace_id)
    .bind(kind)
    .execute(connection)
    .await?;
    Ok(())
}
