//! Table `namespaces`.

use sqlx::{Row, SqliteConnection};

use crate::{
    error::EngineError,
    name::{InstanceId, NamespaceName},
};

/// A row of the table.
pub(crate) struct NamespaceRow {
    pub(crate) id: i64,
    pub(crate) password_hash: String,
    pub(crate) created_at: i64,
}

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    instance_id: i64,
    name: &NamespaceName,
) -> Result<Option<NamespaceRow>, EngineError> {
    let row = sqlx::query(
        "SELECT id, password_hash, created_at FROM namespaces WHERE instance_id = ? AND name = ?",
    )
    .bind(instance_id)
    .bind(name.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(NamespaceRow {
            id: row.try_get(0)?,
            password_hash: row.try_get(1)?,
            created_at: row.try_get(2)?,
        })
    })
    .transpose()
}

/// Instance and namespace at once, for the check that every data operation starts with. The outer
/// `None` is an instance that was never initialised, the inner one a missing namespace.
pub(crate) async fn find_in_instance(
    connection: &mut SqliteConnection,
    instance: &InstanceId,
    name: &NamespaceName,
) -> Result<Option<Option<NamespaceRow>>, EngineError> {
    let row = sqlx::query(
        "SELECT n.id, n.password_hash, n.created_at
         FROM instances i LEFT JOIN namespaces n ON n.instance_id = i.id AND n.name = ?
         WHERE i.name = ?",
    )
    .bind(name.as_str())
    .bind(instance.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let id: Option<i64> = row.try_get(0)?;
    Ok(Some(match id {
        None => None,
        Some(id) => Some(NamespaceRow {
            id,
            password_hash: row.try_get(1)?,
            created_at: row.try_get(2)?,
        }),
    }))
}

/// Adds a namespace or gives an existing one a new password.
pub(crate) async fn upsert(
    connection: &mut SqliteConnection,
    instance_id: i64,
    name: &NamespaceName,
    password_hash: &str,
    now: i64,
) -> Result<(), EngineError> {
    sqlx::query(
        "INSERT INTO namespaces (instance_id, name, password_hash, created_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (instance_id, name) DO UPDATE SET password_hash = excluded.password_hash",
    )
    .bind(instance_id)
    .bind(name.as_str())
    .bind(password_hash)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn list(
    connection: &mut SqliteConnection,
    instance_id: i64,
) -> Result<Vec<String>, EngineError> {
    Ok(
        sqlx::query_scalar("SELECT name FROM namespaces WHERE instance_id = ? ORDER BY name")
            .bind(instance_id)
            .fetch_all(connection)
            .await?,
    )
}

/// Removes a namespace with everything in it.
pub(crate) async fn delete(connection: &mut SqliteConnection, id: i64) -> Result<(), EngineError> {
    sqlx::query("DELETE FROM namespaces WHERE id = ?")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}
