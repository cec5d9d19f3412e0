//! Storing rows: one transaction, then the index.

use std::borrow::Cow;

use serde_json::{Map, Value};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::check::CheckedRow;
use crate::{
    clock,
    columns::BATCH_ROWS,
    config::Stage,
    engine::Inner,
    error::{EngineError, Subject},
    metadata::change::ColumnChanges,
    name::RowId,
    store::{self, chunk::Parts, collection::CollectionRow, job::ClaimedJob, row::OwnRow},
};

impl Inner {
    /// Stores rows that were checked against their collection, all of them or none, and counts them
    /// in the job they belong to. False, and nothing is stored, when that job is no longer ours.
    /// Never in a task that may be dropped.
    pub(crate) async fn store_rows(
        &self,
        row: &CollectionRow,
        rows: &[CheckedRow],
        job: Option<&ClaimedJob>,
    ) -> Result<bool, EngineError> {
        let resident = self.residents.get(&self.store, row).await?;
        let mut transaction = self.store.begin().await?;
        // First, so that a job that is no longer ours writes nothing.
        if let Some(job) = job
            && !store::job::count_rows(
                &mut transaction,
                job.seq,
                &self.run,
                rows.len() as u64,
                clock::now(),
            )
            .await?
        {
            return Ok(false);
        }
        if store::collection::find_by_id(&mut transaction, row.id)
            .await?
            .is_none()
        {
            return Err(EngineError::not_found(
                Subject::Collection,
                &row.collection.name,
            ));
        }
        let mut keys = Vec::with_capacity(rows.len());
        for checked in rows {
            keys.push(put(&mut transaction, row.id, checked).await?);
        }
        let mut changing = resident.lock_for_change().await;
        for (key, checked) in keys.into_iter().zip(rows) {
            // Checked before; but the metric may have changed since.
            changing
                .insert(key, &checked.vector)
                .map_err(|error| EngineError::invalid("Rows", error.to_string()))?;
        }
        let observe = |stage| {
            if let Some(job) = job {
                self.observe(&job.id, stage);
            }
        };
        observe(Stage::BeforeCommit);
        changing
            .commit(transaction, || observe(Stage::AfterCommit))
            .await?;
        observe(Stage::Indexed);
        Ok(true)
    }

    /// Applies changes of the fields to every row that has one of them, and returns the keys of
    /// those rows.
    pub(crate) async fn rewrite_rows(
        &self,
        transaction: &mut Transaction<'static, Sqlite>,
        collection_id: i64,
        changes: &ColumnChanges,
    ) -> Result<Vec<u64>, EngineError> {
        let parts = Parts {
            id: true,
            metadata: true,
            ..Parts::default()
        };
        let mut changed = Vec::new();
        let mut after = 0;
        loop {
            let batch =
                store::chunk::parts_after(transaction, collection_id, parts, after, BATCH_ROWS)
                    .await?;
            let Some(last) = batch.last() else {
                return Ok(changed);
            };
            after = last.key;
            for row in batch {
                let mut stored = read_metadata(row.metadata.as_deref().unwrap_or("{}"))?;
                let has_changed = changes.rewrite(&mut stored).map_err(|reason| {
                    let id = row.id.as_deref().unwrap_or_default();
                    EngineError::invalid("Metadata", format!("the row '{id}' {reason}"))
                })?;
                if has_changed {
                    let metadata = Value::Object(stored).to_string();
                    store::row::set_metadata(transaction, row.key, &metadata).await?;
                    changed.push(row.key);
                }
            }
        }
    }
}

/// Stores one row, in the place of the one with its id, if any; its key.
async fn put(
    connection: &mut SqliteConnection,
    collection_id: i64,
    checked: &CheckedRow,
) -> Result<u64, EngineError> {
    let id = match &checked.id {
        Some(id) => Cow::Borrowed(id),
        None => Cow::Owned(RowId::random()),
    };
    let metadata = serde_json::to_string(&checked.metadata).map_err(EngineError::internal)?;
    let row = OwnRow {
        collection_id,
        id: id.as_str(),
        metadata: &metadata,
        vector: &checked.vector,
        sparse: checked.sparse.as_deref(),
    };
    if let Some(key) = store::row::insert(connection, &row).await? {
        return Ok(key);
    }
    let (key, stored) = store::row::find_by_id(connection, collection_id, id.as_str())
        .await?
        .ok_or_else(|| EngineError::internal("a row is neither new nor there"))?;
    let metadata = merged(&stored, &checked.metadata)?;
    let row = OwnRow {
        metadata: &metadata,
        ..row
    };
    store::row::replace(connection, key, &row).await?;
    Ok(key)
}

/// Stored metadata with some values changed, as text again.
pub(super) fn merged(stored: &str, changes: &Map<String, Value>) -> Result<String, EngineError> {
    let mut stored = read_metadata(stored)?;
    for (name, value) in changes {
        stored.insert(name.clone(), value.clone());
    }
    Ok(Value::Object(stored).to_string())
}

fn read_metadata(text: &str) -> Result<Map<String, Value>, EngineError> {
    serde_json::from_str(text).map_err(EngineError::internal)
}
