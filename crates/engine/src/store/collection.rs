//! Table `collections`.

use lookalike_index::Metric;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::{
    collection::{Collection, CollectionKind, CollectionSettings, metric_from_name, metric_name},
    error::EngineError,
    metadata::Columns,
    name::{CollectionName, InstanceId, NamespaceName},
    store::namespace::NamespaceRow,
};

/// A row of the table.
#[derive(Debug, Clone)]
pub(crate) struct CollectionRow {
    pub(crate) id: i64,
    pub(crate) namespace_id: i64,
    pub(crate) collection: Collection,
}

/// What a new row holds besides its id.
pub(crate) struct NewRow<'a> {
    pub(crate) namespace_id: i64,
    pub(crate) collection: &'a Collection,
    pub(crate) now: i64,
}

/// What [`from_row`] reads.
macro_rules! columns {
    () => {
        "c.id, c.namespace_id, c.name, c.kind, c.embedding_model, c.dimension, c.metric, c.columns, \
         c.settings, c.encoder_name, c.encoder_fingerprint"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM collections c ", $rest)
    };
}

/// Adds a collection; `None` when the name is taken in that namespace.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    row: NewRow<'_>,
) -> Result<Option<i64>, EngineError> {
    let collection = row.collection;
    Ok(sqlx::query_scalar(
        "INSERT INTO collections (namespace_id, name, kind, embedding_model, dimension, metric,
             columns, settings, encoder_name, encoder_fingerprint, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (namespace_id, name) DO NOTHING RETURNING id",
    )
    .bind(row.namespace_id)
    .bind(collection.name.as_str())
    .bind(kind_name(collection.kind))
    .bind(&collection.embedding_model)
    .bind(collection.dimension)
    .bind(metric_name(collection.metric))
    .bind(collection.columns.to_json())
    .bind(serde_json::to_string(&collection.settings).map_err(EngineError::internal)?)
    .bind(&collection.encoder_name)
    .bind(&collection.encoder_fingerprint)
    .bind(row.now)
    .fetch_optional(connection)
    .await?)
}

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    namespace_id: i64,
    name: &CollectionName,
) -> Result<Option<CollectionRow>, EngineError> {
    sqlx::query(select!("WHERE namespace_id = ? AND name = ?"))
        .bind(namespace_id)
        .bind(name.as_str())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// A namespace and a collection in it at once, for the check and the look-up that most data operations start with. As
/// [`super::namespace::find_in_instance`] for the namespace; the last `None` is a missing collection.
pub(crate) async fn find_in_instance(
    connection: &mut SqliteConnection,
    instance: &InstanceId,
    namespace: &NamespaceName,
    name: &CollectionName,
) -> Result<Option<Option<(NamespaceRow, Option<CollectionRow>)>>, EngineError> {
    let row = sqlx::query(concat!(
        "SELECT n.id AS found_namespace, n.password_hash, n.created_at, ",
        columns!(),
        " FROM instances i LEFT JOIN namespaces n ON n.instance_id = i.id AND n.name = ?
         LEFT JOIN collections c ON c.namespace_id = n.id AND c.name = ?
         WHERE i.name = ?"
    ))
    .bind(namespace.as_str())
    .bind(name.as_str())
    .bind(instance.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let Some(id) = row.try_get("found_namespace")? else {
        return Ok(Some(None));
    };
    let namespace = NamespaceRow {
        id,
        password_hash: row.try_get("password_hash")?,
        created_at: row.try_get("created_at")?,
    };
    let collection: Option<i64> = row.try_get("id")?;
    let collection = collection.map(|_| from_row(&row)).transpose()?;
    Ok(Some(Some((namespace, collection))))
}

pub(crate) async fn find_by_id(
    connection: &mut SqliteConnection,
    id: i64,
) -> Result<Option<CollectionRow>, EngineError> {
    sqlx::query(select!("WHERE id = ?"))
        .bind(id)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// The collections of a namespace by name.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    namespace_id: i64,
) -> Result<Vec<CollectionRow>, EngineError> {
    let rows = sqlx::query(select!("WHERE namespace_id = ? ORDER BY name"))
        .bind(namespace_id)
        .fetch_all(connection)
        .await?;
    rows.iter().map(from_row).collect()
}

/// Every collection there is, oldest first.
pub(crate) async fn list_all(
    connection: &mut SqliteConnection,
) -> Result<Vec<CollectionRow>, EngineError> {
    let rows = sqlx::query(select!("ORDER BY id"))
        .fetch_all(connection)
        .await?;
    rows.iter().map(from_row).collect()
}

/// Removes a collection with its documents.
pub(crate) async fn delete(connection: &mut SqliteConnection, id: i64) -> Result<(), EngineError> {
    sqlx::query("DELETE FROM collections WHERE id = ?")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Says how long the vectors of a collection are, if nothing has said so yet.
pub(crate) async fn settle_dimension(
    connection: &mut SqliteConnection,
    id: i64,
    dimension: u32,
) -> Result<(), EngineError> {
    sqlx::query("UPDATE collections SET dimension = ? WHERE id = ? AND dimension = 0")
        .bind(dimension)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Changes how the vectors of a collection are compared.
pub(crate) async fn set_metric(
    connection: &mut SqliteConnection,
    id: i64,
    metric: Metric,
) -> Result<(), EngineError> {
    sqlx::query("UPDATE collections SET metric = ? WHERE id = ?")
        .bind(metric_name(metric))
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Changes the columns of a collection, and what was asked for about them.
pub(crate) async fn set_columns(
    connection: &mut SqliteConnection,
    id: i64,
    columns: &Columns,
    settings: &CollectionSettings,
) -> Result<(), EngineError> {
    sqlx::query("UPDATE collections SET columns = ?, settings = ? WHERE id = ?")
        .bind(columns.to_json())
        .bind(serde_json::to_string(settings).map_err(EngineError::internal)?)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

fn kind_name(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Document => "document",
        CollectionKind::Vector => "vector",
    }
}

fn kind_from_name(name: &str) -> Result<CollectionKind, EngineError> {
    match name {
        "document" => Ok(CollectionKind::Document),
        "vector" => Ok(CollectionKind::Vector),
        other => Err(EngineError::internal(format!(
            "'{other}' is not a kind of collection"
        ))),
    }
}

fn from_row(row: &SqliteRow) -> Result<CollectionRow, EngineError> {
    let metric: &str = row.try_get("metric")?;
    let settings: &str = row.try_get("settings")?;
    let settings: CollectionSettings =
        serde_json::from_str(settings).map_err(EngineError::internal)?;
    let metric: Metric = metric_from_name(metric)?;
    Ok(CollectionRow {
        id: row.try_get("id")?,
        namespace_id: row.try_get("namespace_id")?,
        collection: Collection {
            name: CollectionName::new(row.try_get::<String, _>("name")?)?,
            kind: kind_from_name(row.try_get("kind")?)?,
            embedding_model: row.try_get("embedding_model")?,
            dimension: row.try_get("dimension")?,
            metric,
            columns: Columns::parse(row.try_get("columns")?, &[])?,
            settings,
            encoder_name: row.try_get("encoder_name")?,
            encoder_fingerprint: row.try_get("encoder_fingerprint")?,
        },
    })
}
