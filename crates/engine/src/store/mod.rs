//! The database: connections, migrations, and one file a table with all the SQL there is.
//!
//! Called by the rest of the engine and nobody else. Table files hold functions over a connection;
//! callers compose them within [`Store::begin`] where several must happen together.
//!
//! Invariants: everything is written through one connection, in `BEGIN IMMEDIATE` transactions, so
//! writers never meet; whoever holds a connection asks for no second one (in memory there is only
//! one); a collection's index lock is taken after the connection, never before.

pub(crate) mod account;
pub(crate) mod chunk;
pub(crate) mod collection;
pub(crate) mod document;
pub(crate) mod grant;
pub(crate) mod instance;
pub(crate) mod job;
pub(crate) mod namespace;
pub(crate) mod object;
pub(crate) mod reindexing;
pub(crate) mod row;
pub(crate) mod row_content;
pub(crate) mod scalar_index;
pub(crate) mod text_chunk;
pub(crate) mod upload;
pub(crate) mod vector_generation;
pub(crate) mod vector_index;

use std::{path::Path, time::Duration};

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    migrate::{MigrateError, Migrator},
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{config::Synchronous, error::EngineError};

/// The schema, applied in order at every start.
static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// How long a statement waits for a lock of another connection; only a checkpoint holds one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The pools: one connection writes, several read.
pub(crate) struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Store {
    /// Opens `file`, or a database in memory when there is none, and brings its schema up to date.
    pub(crate) async fn open(
        file: Option<&Path>,
        synchronous: Synchronous,
        readers: u32,
    ) -> Result<Self, EngineError> {
        let options = SqliteConnectOptions::new()
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .synchronous(match synchronous {
                Synchronous::Off => SqliteSynchronous::Off,
                Synchronous::Normal => SqliteSynchronous::Normal,
                Synchronous::Full => SqliteSynchronous::Full,
            });
        let Some(file) = file else {
            let only = pool(1).connect_with(options.in_memory(true)).await?;
            migrate(&only).await?;
            return Ok(Self {
                writer: only.clone(),
                reader: only,
            });
        };
        let options = options
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(|error| EngineError::Unavailable {
                reason: format!("the database {} cannot be opened: {error}", file.display()),
            })?;
        migrate(&writer).await?;
        let reader = pool(readers.max(1)).connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self { writer, reader })
    }

    /// A connection for reading.
    pub(crate) async fn reader(&self) -> Result<PoolConnection<Sqlite>, EngineError> {
        Ok(self.reader.acquire().await?)
    }

    /// A transaction on the writing connection; undone unless committed.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, EngineError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Ends all connections; the last one folds the log into the database file.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Connections are kept for good: one in memory is the database itself.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_mins(1))
}

async fn migrate(pool: &SqlitePool) -> Result<(), EngineError> {
    MIGRATIONS.run(pool).await.map_err(|error| {
        if matches!(
            error,
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..)
        ) {
            return EngineError::Unavailable {
                reason: "the data folder was written by a newer version of this program; use that \
                         version or another data folder"
                    .to_owned(),
            };
        }
        EngineError::internal(error)
    })
}

/// A count or size out of `SQLite`'s signed integers. They are written from unsigned ones and never
/// negative.
pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).expect("sizes in the database are not negative")
}

/// A count or size for `SQLite`'s signed integers.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).expect("sizes stay far below 2^63")
}

#[cfg(test)]
mod tests;
