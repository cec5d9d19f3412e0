//! Tables `scalar_indexes` and `index_jobs`: indexes on metadata fields, and the jobs that made them.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::{
    error::EngineError,
    name::{ColumnName, IndexName, JobId},
    scalar_index::{IndexMethod, ScalarIndex},
};

/// Adds an index; false when its name is taken in that collection.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    collection_id: i64,
    index: &ScalarIndex,
    now: i64,
) -> Result<bool, EngineError> {
    let done = sqlx::query(
        "INSERT INTO scalar_indexes (collection_id, name, field, method, options, created_at)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (collection_id, name) DO NOTHING",
    )
    .bind(collection_id)
    .bind(index.name.as_str())
    .bind(index.field.as_str())
    .bind(index.method.as_str())
    .bind(&index.options)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The indexes of a collection by name.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    collection_id: i64,
) -> Result<Vec<ScalarIndex>, EngineError> {
    let rows = sqlx::query(
        "SELECT name, field, method, options FROM scalar_indexes WHERE collection_id = ?
         ORDER BY name",
    )
    .bind(collection_id)
    .fetch_all(connection)
    .await?;
    rows.iter().map(from_row).collect()
}

/// Removes an index; false when there was none of that name.
pub(crate) async fn delete(
    connection: &mut SqliteConnection,
    collection_id: i64,
    name: &IndexName,
) -> Result<bool, EngineError> {
    let done = sqlx::query("DELETE FROM scalar_indexes WHERE collection_id = ? AND name = ?")
        .bind(collection_id)
        .bind(name.as_str())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Follows a field that was renamed.
pub(crate) async fn rename_field(
    connection: &mut SqliteConnection,
    collection_id: i64,
    from: &str,
    to: &str,
) -> Result<(), EngineError> {
    sqlx::query("UPDATE scalar_indexes SET field = ? WHERE collection_id = ? AND field = ?")
        .bind(to)
        .bind(collection_id)
        .bind(from)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes down the job that made an index.
pub(crate) async fn insert_job(
    connection: &mut SqliteConnection,
    collection_id: i64,
    id: &JobId,
    now: i64,
) -> Result<(), EngineError> {
    sqlx::query("INSERT INTO index_jobs (id, collection_id, created_at) VALUES (?, ?, ?)")
        .bind(id.as_str())
        .bind(collection_id)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(())
}

/// When a job of a collection made its index.
pub(crate) async fn find_job(
    connection: &mut SqliteConnection,
    collection_id: i64,
    id: &JobId,
) -> Result<Option<i64>, EngineError> {
    Ok(
        sqlx::query_scalar("SELECT created_at FROM index_jobs WHERE id = ? AND collection_id = ?")
            .bind(id.as_str())
            .bind(collection_id)
            .fetch_optional(connection)
            .await?,
    )
}

fn from_row(row: &SqliteRow) -> Result<ScalarIndex, EngineError> {
    let method: &str = row.try_get("method")?;
    let method = IndexMethod::from_stored(method).ok_or_else(|| {
        EngineError::internal(format!("'{method}' is not a kind of scalar index"))
    })?;
    Ok(ScalarIndex {
        name: IndexName::new(row.try_get::<String, _>("name")?)?,
        field: ColumnName::new(row.try_get::<String, _>("field")?)?,
        method,
        options: row.try_get("options")?,
    })
}
