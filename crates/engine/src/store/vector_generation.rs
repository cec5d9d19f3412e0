//! Table `vector_generations`: how often the vectors of a collection were changed. Triggers count;
//! nobody writes it.

use sqlx::SqliteConnection;

use crate::error::EngineError;

/// The number of the last change; 0 before the first one.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    collection_id: i64,
) -> Result<u64, EngineError> {
    let generation: Option<i64> =
        sqlx::query_scalar("SELECT generation FROM vector_generations WHERE collection_id = ?")
            .bind(collection_id)
            .fetch_optional(connection)
            .await?;
    Ok(generation.map_or(0, super::unsigned))
}
