//! Removing rows, and changing the metadata of rows, that a filter or a list of ids names. In
//! collections of either kind (row 48).

use std::{fmt::Write as _, sync::Arc};

use serde_json::{Map, Value};
use sqlx::SqliteConnection;

use super::write::merged;
use crate::{
    access::NamespaceAccess,
    columns::BATCH_ROWS,
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    name::CollectionName,
    query::conditions::Conditions,
    resident::Resident,
    store::{self, chunk::Parts, collection::CollectionRow},
};

/// Rows to be removed. With both conditions, rows must meet both.
#[derive(Debug, Clone)]
pub struct DeleteRows {
    /// The collection.
    pub collection: CollectionName,
    /// Fields, each with the values of which rows must have one; `None` is no condition.
    pub data: Option<Vec<(String, Vec<Value>)>>,
    /// A condition in the filter language; empty is none.
    pub filter: String,
}

/// Rows whose metadata is to change. With both conditions, rows must meet both.
#[derive(Debug, Clone)]
pub struct UpdateRows {
    /// The collection.
    pub collection: CollectionName,
    /// Their ids; empty is no condition.
    pub ids: Vec<String>,
    /// A condition in the filter language; empty is none.
    pub filter: String,
    /// The new values of declared fields; the other fields stay.
    pub metadata: Map<String, Value>,
}

impl Engine {
    /// Removes rows and returns how many there were. A document goes with its last row.
    pub async fn delete_rows(
        &self,
        access: &NamespaceAccess,
        delete: &DeleteRows,
    ) -> Result<u64, EngineError> {
        let inner = Arc::clone(&self.inner);
        let row = inner.open_collection(access, &delete.collection).await?;
        let mut conditions = Vec::with_capacity(2);
        if let Some(data) = &delete.data {
            let filter = filter_of(data)?;
            let parsed = inner.conditions(&row.collection, &filter, "");
            conditions.push(parsed.map_err(|error| in_field(error, "CollectionData"))?);
        }
        if !delete.filter.trim().is_empty() {
            let parsed = inner.conditions(&row.collection, &delete.filter, "");
            conditions.push(parsed.map_err(|error| in_field(error, "CollectionDataFilter"))?);
        }
        if conditions.is_empty() {
            return Err(EngineError::invalid(
                "CollectionData",
                "is empty, and so is CollectionDataFilter; one of them must say which rows to delete",
            ));
        }
        let deleted = self
            .inner
            .to_the_end(async move { inner.delete_rows(&row, &conditions).await })
            .await?;
        tracing::info!(collection = %delete.collection, rows = deleted, "rows deleted");
        Ok(deleted)
    }

    /// Changes the metadata of rows and returns how many there were.
    pub async fn update_rows(
        &self,
        access: &NamespaceAccess,
        update: UpdateRows,
    ) -> Result<u64, EngineError> {
        let inner = Arc::clone(&self.inner);
        let row = inner.open_collection(access, &update.collection).await?;
        let metadata = row.collection.columns.cast(&update.metadata)?;
        if metadata.is_empty() {
            return Err(EngineError::invalid("Metadata", "changes no field"));
        }
        let conditions = inner.conditions(&row.collection, &update.filter, "")?;
        if conditions.filter.is_none() && update.ids.is_empty() {
            return Err(EngineError::invalid(
                "Ids",
                "there are none, and Filter is empty; one of them must say which rows to change",
            ));
        }
        let collection = update.collection.clone();
        let changed = self
            .inner
            .to_the_end(async move {
                inner
                    .update_rows(&row, &conditions, &update.ids, &metadata)
                    .await
            })
            .await?;
        tracing::info!(%collection, rows = changed, "rows changed");
        Ok(changed)
    }
}

impl Inner {
    async fn delete_rows(
        &self,
        row: &CollectionRow,
        conditions: &[Conditions],
    ) -> Result<u64, EngineError> {
        if row.collection.dimension == 0 {
            return Ok(0);
        }
        let resident = self.residents.get(&self.store, row).await?;
        let mut transaction = self.store.begin().await?;
        still_there(&mut transaction, row).await?;
        let mut keys: Option<Vec<u64>> = None;
        for condition in conditions {
            let matching = self
                .matching_keys(&mut transaction, row, &resident, condition)
                .await?;
            keys = Some(match keys {
                Some(keys) => common(&keys, &matching),
                None => matching,
            });
        }
        let keys = keys.unwrap_or_default();
        if keys.is_empty() {
            return Ok(0);
        }
        store::row::delete(&mut transaction, row.id, &keys).await?;
        let mut changing = resident.lock_for_change().await;
        for key in &keys {
            changing.remove(*key);
        }
        changing.commit(transaction, || ()).await?;
        // Originals of documents may have no use any more.
        self.wake_housekeeper();
        Ok(keys.len() as u64)
    }

    async fn update_rows(
        &self,
        row: &CollectionRow,
        conditions: &Conditions,
        ids: &[String],
        metadata: &Map<String, Value>,
    ) -> Result<u64, EngineError> {
        if row.collection.dimension == 0 {
            return Ok(0);
        }
        let resident = self.residents.get(&self.store, row).await?;
        let mut transaction = self.store.begin().await?;
        still_there(&mut transaction, row).await?;
        let named = match ids {
            [] => None,
            ids => Some(store::row::keys_of(&mut transaction, row.id, ids).await?),
        };
        let keys = match (named, &conditions.filter) {
            (Some(named), None) => named,
            (named, _) => {
                let matching = self
                    .matching_keys(&mut transaction, row, &resident, conditions)
                    .await?;
                named.map_or_else(|| matching.clone(), |named| common(&named, &matching))
            }
        };
        let parts = Parts {
            metadata: true,
            ..Parts::default()
        };
        for batch in keys.chunks(BATCH_ROWS) {
            for found in store::chunk::parts_of(&mut transaction, row.id, parts, batch).await? {
                let stored = found.metadata.as_deref().unwrap_or("{}");
                let metadata = merged(stored, metadata)?;
                store::row::set_metadata(&mut transaction, found.key, &metadata).await?;
            }
        }
        let mut changing = resident.lock_for_change().await;
        for key in &keys {
            changing.touch(*key);
        }
        changing.commit(transaction, || ()).await?;
        Ok(keys.len() as u64)
    }

    /// The keys of the rows that meet a condition, in order, within the transaction that is going to
    /// change them.
    async fn matching_keys(
        &self,
        connection: &mut SqliteConnection,
        row: &CollectionRow,
        resident: &Resident,
        conditions: &Conditions,
    ) -> Result<Vec<u64>, EngineError> {
        let allowed = self.allowed(connection, row, resident, conditions).await?;
        let allowed = allowed.ok_or_else(|| EngineError::internal("there is no condition"))?;
        Ok(allowed.iter().collect())
    }
}

async fn still_there(
    connection: &mut SqliteConnection,
    row: &CollectionRow,
) -> Result<(), EngineError> {
    store::collection::find_by_id(connection, row.id)
        .await?
        .map(|_| ())
        .ok_or_else(|| EngineError::not_found(Subject::Collection, &row.collection.name))
}

/// The keys that are in both of two lists in ascending order.
fn common(one: &[u64], other: &[u64]) -> Vec<u64> {
    one.iter()
        .copied()
        .filter(|key| other.binary_search(key).is_ok())
        .collect()
}

/// The filter that a `CollectionData` means: each field has one of its values.
fn filter_of(fields: &[(String, Vec<Value>)]) -> Result<String, EngineError> {
    let refuse = |reason: String| EngineError::invalid("CollectionData", reason);
    if fields.is_empty() {
        return Err(refuse("names no field".to_owned()));
    }
    let mut filter = String::new();
    for (field, values) in fields {
        if !filter.is_empty() {
            filter.push_str(" AND ");
        }
        if values.is_empty() {
            filter.push_str("FALSE");
            continue;
        }
        let name = field.replace('"', "\"\"");
        write!(filter, "\"{name}\" IN (").expect("writing to a string");
        for (at, value) in values.iter().enumerate() {
            let text = match value {
                Value::String(text) => text.replace('\'', "''"),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(refuse(format!(
                        "the values of '{field}' must be texts, numbers or booleans"
                    )));
                }
            };
            let comma = if at == 0 { "" } else { "," };
            write!(filter, "{comma}'{text}'").expect("writing to a string");
        }
        filter.push(')');
    }
    Ok(filter)
}

/// The same refusal, of another field.
fn in_field(error: EngineError, field: &'static str) -> EngineError {
    match error {
        EngineError::Invalid { reason, .. } => EngineError::Invalid { field, reason },
        other @ (EngineError::NotFound { .. }
        | EngineError::AlreadyExists { .. }
        | EngineError::Denied { .. }
        | EngineError::Conflict { .. }
        | EngineError::TooLarge { .. }
        | EngineError::Overloaded { .. }
        | EngineError::Unavailable { .. }
        | EngineError::Internal { .. }) => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_becomes_a_filter_with_every_quote_doubled() {
        let data = |json: Value| -> Vec<(String, Vec<Value>)> {
            serde_json::from_value::<Map<String, Value>>(json)
                .unwrap()
                .into_iter()
                .map(|(field, values)| (field, values.as_array().unwrap().clone()))
                .collect()
        };
        for (given, filter) in [
            (json!({"ref_doc_id": ["x"]}), r#""ref_doc_id" IN ('x')"#),
            (
                json!({"a": ["it's", 2, true], "b\"c": ["y"]}),
                r#""a" IN ('it''s','2','true') AND "b""c" IN ('y')"#,
            ),
            (json!({"a": []}), "FALSE"),
        ] {
            assert_eq!(filter_of(&data(given)).unwrap(), filter);
        }
        for given in [json!({}), json!({"a": [null]}), json!({"a": [[1]]})] {
            assert!(filter_of(&data(given)).is_err());
        }
    }

    #[test]
    fn what_two_lists_share_is_found() {
        assert_eq!(common(&[1, 3, 5, 9], &[2, 3, 9]), [3, 9]);
    }
}
