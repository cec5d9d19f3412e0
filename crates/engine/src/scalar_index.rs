//! Scalar indexes on metadata fields: `CreateIndex` to `CancelCreateIndexJob`.
//!
//! Filters are answered from columns in memory and need no index. What is asked for is checked,
//! kept with the collection and shown again; the job that makes an index has succeeded when its id
//! is returned.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::SqliteConnection;

use crate::{
    access::NamespaceAccess,
    clock,
    collection::Collection,
    engine::Engine,
    error::{EngineError, Subject},
    name::{CollectionName, ColumnName, IndexName, JobId, NamespaceName},
    store::{self, collection::CollectionRow},
};

/// The two kinds of scalar index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IndexMethod {
    /// Ordered values.
    #[default]
    BTree,
    /// Values with parts.
    Gin,
}

impl IndexMethod {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BTree => "btree",
            Self::Gin => "gin",
        }
    }

    pub(crate) fn from_stored(text: &str) -> Option<Self> {
        match text {
            "btree" => Some(Self::BTree),
            "gin" => Some(Self::Gin),
            _ => None,
        }
    }

    fn from_name(name: &str) -> Result<Self, EngineError> {
        match name.to_ascii_lowercase().as_str() {
            "btree" | "b-tree" => Ok(Self::BTree),
            "gin" => Ok(Self::Gin),
            _ => Err(refuse_config(format!(
                "'{name}' is not a kind of index; valid are btree, gin"
            ))),
        }
    }
}

/// A scalar index as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalarIndex {
    /// Its name.
    pub name: IndexName,
    /// The field it is on.
    pub field: ColumnName,
    /// Its kind.
    pub method: IndexMethod,
    /// What stands in the brackets of its `WITH`; empty for defaults.
    pub options: String,
}

impl ScalarIndex {
    /// Its definition, as `PostgreSQL` would print it.
    pub fn definition(&self, namespace: &NamespaceName, collection: &CollectionName) -> String {
        let mut text = format!(
            "CREATE INDEX {} ON {namespace}.{collection} USING {} ({})",
            self.name,
            self.method.as_str(),
            self.field
        );
        if !self.options.is_empty() {
            text.push_str(" WITH (");
            text.push_str(&self.options);
            text.push(')');
        }
        text
    }
}

/// A scalar index to be made. Texts are as a request has them.
#[derive(Debug, Clone)]
pub struct NewScalarIndex {
    /// The collection.
    pub collection: CollectionName,
    /// A declared field.
    pub field: String,
    /// Made of collection and field when absent.
    pub name: Option<String>,
    /// Its kind and options; a B-tree when absent.
    pub config: Option<String>,
}

impl Engine {
    /// Makes an index and returns the id of the job that did.
    pub async fn create_index(
        &self,
        access: &NamespaceAccess,
        new: &NewScalarIndex,
    ) -> Result<JobId, EngineError> {
        let inner = &self.inner;
        let row = inner.open_collection(access, &new.collection).await?;
        let columns = &row.collection.columns;
        let [field] = &columns.field_list("IndexField", &new.field)?[..] else {
            return Err(EngineError::invalid(
                "IndexField",
                "must be one field of Metadata",
            ));
        };
        let (method, options) = match &new.config {
            Some(config) => read_config(config)?,
            None => (IndexMethod::default(), String::new()),
        };
        let mut index = ScalarIndex {
            name: match &new.name {
                Some(name) => IndexName::new(name.as_str())?,
                None => usual_name(&new.collection, field, 0),
            },
            field: ColumnName::new(field.as_str())?,
            method,
            options,
        };
        let (id, now) = (JobId::random(), clock::now());
        let mut transaction = inner.store.begin().await?;
        still_there(&mut transaction, &row).await?;
        let mut repeats = 0;
        while !store::scalar_index::insert(&mut transaction, row.id, &index, now).await? {
            if new.name.is_some() {
                return Err(EngineError::AlreadyExists {
                    what: Subject::Index,
                    name: index.name.to_string(),
                });
            }
            repeats += 1;
            index.name = usual_name(&new.collection, field, repeats);
        }
        store::scalar_index::insert_job(&mut transaction, row.id, &id, now).await?;
        transaction.commit().await?;
        tracing::info!(collection = %new.collection, index = %index.name, "scalar index kept");
        Ok(id)
    }

    /// The indexes of a collection by name.
    pub async fn list_indexes(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
    ) -> Result<Vec<ScalarIndex>, EngineError> {
        let inner = &self.inner;
        let row = inner.open_collection(access, collection).await?;
        store::scalar_index::list(&mut *inner.store.reader().await?, row.id).await
    }

    /// One index.
    pub async fn index(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        name: &IndexName,
    ) -> Result<ScalarIndex, EngineError> {
        self.list_indexes(access, collection)
            .await?
            .into_iter()
            .find(|index| index.name == *name)
            .ok_or_else(|| EngineError::not_found(Subject::Index, name))
    }

    /// Removes an index.
    pub async fn delete_index(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        name: &IndexName,
    ) -> Result<(), EngineError> {
        let inner = &self.inner;
        let row = inner.open_collection(access, collection).await?;
        let mut transaction = inner.store.begin().await?;
        if !store::scalar_index::delete(&mut transaction, row.id, name).await? {
            return Err(EngineError::not_found(Subject::Index, name));
        }
        Ok(transaction.commit().await?)
    }

    /// When a job made its index.
    pub async fn index_job(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        id: &JobId,
    ) -> Result<Timestamp, EngineError> {
        let inner = &self.inner;
        let row = inner.open_collection(access, collection).await?;
        store::scalar_index::find_job(&mut *inner.store.reader().await?, row.id, id)
            .await?
            .map(clock::timestamp)
            .ok_or_else(|| EngineError::not_found(Subject::Job, id))
    }

    /// Refuses to cancel a job, for each has succeeded (row 27).
    pub async fn cancel_index_job(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        id: &JobId,
    ) -> Result<(), EngineError> {
        self.index_job(access, collection, id).await?;
        Err(EngineError::Conflict {
            reason: "the job has ended with status Success and cannot be cancelled".to_owned(),
        })
    }
}

/// Keeps the indexes that a collection is made with.
pub(crate) async fn insert_first(
    connection: &mut SqliteConnection,
    collection_id: i64,
    collection: &Collection,
    now: i64,
) -> Result<(), EngineError> {
    for field in &collection.settings.metadata_indices {
        let index = ScalarIndex {
            name: usual_name(&collection.name, field, 0),
            field: ColumnName::new(field.as_str())?,
            method: IndexMethod::default(),
            options: String::new(),
        };
        // A field that is listed twice has one index.
        store::scalar_index::insert(connection, collection_id, &index, now).await?;
    }
    Ok(())
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

/// As `PostgreSQL` names an index that was given no name, cut to what a name may have.
fn usual_name(collection: &CollectionName, field: &str, repeats: usize) -> IndexName {
    let mut name = format!("{collection}_{field}");
    let ending = match repeats {
        0 => "_idx".to_owned(),
        more => format!("_idx{more}"),
    };
    name.truncate(63 - ending.len());
    name.push_str(&ending);
    IndexName::new(name).expect("made of two names, which are ASCII, and cut")
}

/// Reads an `IndexConfig`: the name of a kind, or a JSON object with the kind under `type` and its
/// option, `fillFactor` of a B-tree or `fastUpdate` of GIN, which says the kind by itself. Nothing
/// public shows the field's form; letters' case and underscores do not matter.
fn read_config(text: &str) -> Result<(IndexMethod, String), EngineError> {
    let text = text.trim();
    if !text.starts_with('{') {
        return Ok((IndexMethod::from_name(text)?, String::new()));
    }
    let object: serde_json::Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| refuse_config(format!("is not JSON: {error}")))?;
    let mut method = None;
    let mut option = None;
    for (key, value) in &object {
        let shown = (value.as_str()).map_or_else(|| value.to_string(), str::to_owned);
        match key.to_ascii_lowercase().replace(['_', '-'], "").as_str() {
            "type" | "indextype" | "method" => method = Some(IndexMethod::from_name(&shown)?),
            "fillfactor" => {
                let part = shown.parse().ok();
                let part = part.filter(|part: &u32| (10..=100).contains(part));
                let part = part.ok_or_else(|| {
                    refuse_config(format!("fillFactor {shown} is outside the range 10 to 100"))
                })?;
                option = Some((key, IndexMethod::BTree, format!("fillfactor='{part}'")));
            }
            "fastupdate" => {
                let on: bool = shown.to_ascii_lowercase().parse().map_err(|_| {
                    refuse_config(format!("fastUpdate {shown} is neither true nor false"))
                })?;
                option = Some((key, IndexMethod::Gin, format!("fastupdate='{on}'")));
            }
            _ => {
                return Err(refuse_config(format!(
                    "knows no '{key}'; valid are type, fillFactor, fastUpdate"
                )));
            }
        }
    }
    let Some((key, of_option, text)) = option else {
        return Ok((method.unwrap_or_default(), String::new()));
    };
    if method.is_some_and(|method| method != of_option) {
        return Err(refuse_config(format!(
            "'{key}' is an option of {} only",
            of_option.as_str()
        )));
    }
    Ok((of_option, text))
}

fn refuse_config(reason: String) -> EngineError {
    EngineError::invalid("IndexConfig", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_says_kind_and_option() {
        let btree = |options: &str| (IndexMethod::BTree, options.to_owned());
        let gin = |options: &str| (IndexMethod::Gin, options.to_owned());
        for (text, expected) in [
            ("gin", gin("")),
            ("B-Tree", btree("")),
            ("{}", btree("")),
            (r#"{"fillFactor":10}"#, btree("fillfactor='10'")),
            (
                r#"{"type":"btree","fill_factor":"100"}"#,
                btree("fillfactor='100'"),
            ),
            (r#"{"fastUpdate":"False"}"#, gin("fastupdate='false'")),
            (
                r#"{"indexType":"GIN","fastUpdate":true}"#,
                gin("fastupdate='true'"),
            ),
        ] {
            assert_eq!(read_config(text).unwrap(), expected, "{text}");
        }
        for text in [
            "hash",
            "{",
            r#"{"fillFactor":9}"#,
            r#"{"fillFactor":101}"#,
            r#"{"fastUpdate":"maybe"}"#,
            r#"{"type":"btree","fastUpdate":true}"#,
            r#"{"fastUpdate":true,"type":"btree"}"#,
            r#"{"type":"gin","fillFactor":50}"#,
            r#"{"colour":"red"}"#,
        ] {
            let refused = read_config(text).unwrap_err();
            assert!(
                matches!(
                    refused,
                    EngineError::Invalid {
                        field: "IndexConfig",
                        ..
                    }
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn a_usual_name_fits_whatever_it_is_made_of() {
        let long = CollectionName::new("c".repeat(63)).unwrap();
        assert_eq!(usual_name(&long, "field", 0).as_str().len(), 63);
        assert!(usual_name(&long, "field", 12).as_str().ends_with("_idx12"));
        let short = CollectionName::new("docs").unwrap();
        assert_eq!(usual_name(&short, "title", 0).as_str(), "docs_title_idx");
    }
}
