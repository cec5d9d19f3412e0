//! Table `accounts`: what `CreateAccount` made, by the name of the instance.

use sqlx::{Row, SqliteConnection};

use crate::{account::AccountKind, error::EngineError, name::InstanceId};

/// A row of the table.
pub(crate) struct AccountRow {
    pub(crate) name: String,
    pub(crate) kind: AccountKind,
    pub(crate) password_hash: String,
    pub(crate) description: String,
}

/// Adds an account; false when its name is taken.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    instance: &InstanceId,
    row: &AccountRow,
    now: i64,
) -> Result<bool, EngineError> {
    let done = sqlx::query(
        "INSERT INTO accounts (instance, name, kind, password_hash, description, created_at)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (instance, name) DO NOTHING",
    )
    .bind(instance.as_str())
    .bind(&row.name)
    .bind(row.kind.as_str())
    .bind(&row.password_hash)
    .bind(&row.description)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The accounts of an instance, by name.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    instance: &InstanceId,
) -> Result<Vec<AccountRow>, EngineError> {
    let rows = sqlx::query(
        "SELECT name, kind, password_hash, description FROM accounts WHERE instance = ? ORDER BY name",
    )
    .bind(instance.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind: String = row.try_get(1)?;
            Ok(AccountRow {
                name: row.try_get(0)?,
                kind: AccountKind::from_name("AccountType", &kind)?,
                password_hash: row.try_get(2)?,
                description: row.try_get(3)?,
            })
        })
        .collect()
}
