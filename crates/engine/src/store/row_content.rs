//! Table `chunks` again: what the lists of [`crate::lookup`] are made of.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::error::EngineError;

/// Which parts of a row to read besides its key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) content: bool,
    pub(crate) metadata: bool,
    pub(crate) sparse: bool,
}

/// A row with the parts that were asked for.
pub(crate) struct RowContent {
    pub(crate) key: u64,
    pub(crate) content: Option<String>,
    /// JSON.
    pub(crate) metadata: Option<String>,
    /// As the migration describes it; `None` too for a row without one.
    pub(crate) sparse: Option<Vec<u8>>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT key, CASE WHEN ?2 THEN content END, CASE WHEN ?3 THEN metadata END,
                 CASE WHEN ?4 THEN sparse END
             FROM chunks WHERE collection_id = ?1 AND ",
            $rest
        )
    };
}

/// Up to `limit` rows of a collection whose keys are above `after`, by key.
pub(crate) async fn after(
    connection: &mut SqliteConnection,
    (collection_id, parts): (i64, Parts),
    after: u64,
    limit: usize,
) -> Result<Vec<RowContent>, EngineError> {
    let query = sqlx::query(select!("key > ?5 ORDER BY key LIMIT ?6"));
    let rows = bind(query, collection_id, parts)
        .bind(super::signed(after))
        .bind(super::signed(limit as u64))
        .fetch_all(connection)
        .await?;
    rows.iter().map(content).collect()
}

/// Those rows of a collection that have these keys; keys that are gone are left out.
pub(crate) async fn of(
    connection: &mut SqliteConnection,
    (collection_id, parts): (i64, Parts),
    keys: &[u64],
) -> Result<Vec<RowContent>, EngineError> {
    let query = sqlx::query(select!("key IN (SELECT value FROM json_each(?5))"));
    let rows = bind(query, collection_id, parts)
        .bind(super::chunk::key_list(keys))
        .fetch_all(connection)
        .await?;
    rows.iter().map(content).collect()
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind(query: Query<'_>, collection_id: i64, parts: Parts) -> Query<'_> {
    query
        .bind(collection_id)
        .bind(parts.content)
        .bind(parts.metadata)
        .bind(parts.sparse)
}

fn content(row: &SqliteRow) -> Result<RowContent, EngineError> {
    Ok(RowContent {
        key: super::unsigned(row.try_get(0)?),
        content: row.try_get(1)?,
        metadata: row.try_get(2)?,
        sparse: row.try_get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Synchronous, store::Store};

    /// ours: a page of rows costs no more in a large collection than in a small one.
    #[tokio::test]
    async fn rows_are_read_by_key_without_being_sorted() {
        let store = Store::open(None, Synchronous::Off, 1).await.unwrap();
        let mut connection = store.reader().await.unwrap();
        let page = concat!(
            "EXPLAIN QUERY PLAN ",
            select!("key > ?5 ORDER BY key LIMIT ?6")
        );
        let plan = sqlx::query(page).fetch_all(&mut *connection).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        assert_eq!(
            plan,
            ["SEARCH chunks USING INDEX chunks_by_collection (collection_id=? AND rowid>?)"]
        );
    }
}
