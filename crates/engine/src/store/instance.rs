//! Table `instances`: one row for each instance that has been initialised.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use crate::{error::EngineError, name::InstanceId};

/// A row of the table.
pub(crate) struct InstanceRow {
    pub(crate) id: i64,
    pub(crate) manager_account: String,
    pub(crate) manager_hash: String,
}

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    name: &InstanceId,
) -> Result<Option<InstanceRow>, EngineError> {
    let row = sqlx::query("SELECT id, manager_account, manager_hash FROM instances WHERE name = ?")
        .bind(name.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        Ok(InstanceRow {
            id: row.try_get(0)?,
            manager_account: row.try_get(1)?,
            manager_hash: row.try_get(2)?,
        })
    })
    .transpose()
}

/// Adds an instance; false when it is there already.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    name: &InstanceId,
    manager_account: &str,
    manager_hash: &str,
    now: i64,
) -> Result<bool, EngineError> {
    let done = sqlx::query(
        "INSERT INTO instances (name, manager_account, manager_hash, created_at)
         VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.as_str())
    .bind(manager_account)
    .bind(manager_hash)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Every instance on which something was made, an account included, and when first.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<InstanceId, i64>, EngineError> {
    let rows = sqlx::query(
        "SELECT name, MIN(created_at) FROM (
             SELECT name, created_at FROM instances
             UNION ALL SELECT instance, created_at FROM accounts)
         GROUP BY name",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let name: String = row.try_get(0)?;
            Ok((InstanceId::new(name)?, row.try_get(1)?))
        })
        .collect()
}
