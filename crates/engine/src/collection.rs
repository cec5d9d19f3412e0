//! Document collections: creating, listing, removing (semantics.md, `CreateDocumentCollection`),
//! and what both kinds of collection have in common.

use std::sync::Arc;

use lookalike_index::Metric;
use serde::{Deserialize, Serialize};

use crate::{
    access::{ManagerAccess, NamespaceAccess},
    clock,
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    index_options::IndexOptions,
    jobs::{FailureKind, JobFailure},
    metadata::{self, Columns},
    name::{CollectionName, NamespaceName},
    scalar_index,
    store::{self, collection::CollectionRow},
    vector_index,
};

/// The model of a collection that names none.
pub const DEFAULT_EMBEDDING_MODEL: &str = "text-embedding-v3";

/// The full-text tokeniser of a collection that names none.
pub(crate) const DEFAULT_PARSER: &str = "zh_cn";

/// A collection to be made. Texts are as a request has them; the engine checks them all.
#[derive(Debug, Clone)]
pub struct NewCollection {
    /// Where it goes.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: CollectionName,
    /// [`DEFAULT_EMBEDDING_MODEL`] when absent.
    pub embedding_model: Option<String>,
    /// The model's own when absent; else it must be one the model has (row 49).
    pub dimension: Option<u32>,
    /// Cosine when absent.
    pub metric: Option<Metric>,
    /// JSON object of field name to SQL type; empty declares nothing.
    pub metadata: String,
    /// Comma list of fields; empty for none.
    pub full_text_fields: String,
    /// Comma list of fields; empty for none.
    pub metadata_indices: String,
    /// Comma list of fields; empty for none.
    pub sparse_fields: String,
    /// Whether sparse vectors were asked for.
    pub support_sparse: bool,
    /// The full-text tokeniser.
    pub parser: Option<String>,
    /// How the vector index was asked for.
    pub index: IndexOptions,
    /// How the index over sparse vectors was asked for: checked, and without effect.
    pub sparse_index: IndexOptions,
}

impl NewCollection {
    /// One with all defaults.
    pub fn new(namespace: NamespaceName, name: CollectionName) -> Self {
        Self {
            namespace,
            name,
            embedding_model: None,
            dimension: None,
            metric: None,
            metadata: String::new(),
            full_text_fields: String::new(),
            metadata_indices: String::new(),
            sparse_fields: String::new(),
            support_sparse: false,
            parser: None,
            index: IndexOptions::default(),
            sparse_index: IndexOptions::default(),
        }
    }
}

/// Who makes the vectors of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CollectionKind {
    /// Its model does, out of files and texts.
    Document,
    /// The caller brings them.
    Vector,
}

/// A collection as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Its name.
    pub name: CollectionName,
    /// Who makes its vectors.
    pub kind: CollectionKind,
    /// The API's name of its model; empty in a vector collection.
    pub embedding_model: String,
    /// The length of its vectors; 0 in a vector collection of which nothing has said it yet.
    pub dimension: u32,
    /// How its vectors are compared.
    pub metric: Metric,
    /// Its metadata fields.
    pub columns: Columns,
    /// What else was asked for.
    pub settings: CollectionSettings,
    /// The encoder that made its vectors, for people; empty in a vector collection.
    pub encoder_name: String,
    /// And for certain.
    pub encoder_fingerprint: String,
}

impl Collection {
    /// Whether its rows have sparse vectors.
    pub fn has_sparse_vectors(&self) -> bool {
        self.settings.support_sparse || !self.settings.sparse_fields.is_empty()
    }
}

/// What a collection was made with besides its model and fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectionSettings {
    /// Fields that full text looks into.
    pub full_text_fields: Vec<String>,
    /// Fields with a scalar index.
    pub metadata_indices: Vec<String>,
    /// Fields with sparse vectors.
    pub sparse_fields: Vec<String>,
    /// Whether sparse vectors were asked for.
    pub support_sparse: bool,
    /// The full-text tokeniser.
    pub parser: String,
    /// How the vector index was asked for.
    pub index: IndexOptions,
}

/// The API's name of a metric.
pub fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Cosine => "cosine",
        Metric::InnerProduct => "ip",
        Metric::L2 => "l2",
    }
}

/// Reads a `Metrics` field.
pub fn metric_from_name(name: &str) -> Result<Metric, EngineError> {
    match name {
        "cosine" => Ok(Metric::Cosine),
        "ip" => Ok(Metric::InnerProduct),
        "l2" => Ok(Metric::L2),
        other => Err(EngineError::invalid(
            "Metrics",
            format!("'{other}' is not a metric; valid are l2, ip, cosine"),
        )),
    }
}

impl Engine {
    /// Makes a collection; its vector index is part of it.
    pub async fn create_document_collection(
        &self,
        access: &ManagerAccess,
        new: &NewCollection,
    ) -> Result<Collection, EngineError> {
        let instance = self.inner.check_manager(access).await?;
        let collection = self.inner.plan_collection(new)?;
        self.inner
            .insert_collection(instance.id, &new.namespace, &collection)
            .await?;
        tracing::info!(
            instance = %access.instance, namespace = %new.namespace, collection = %new.name,
            model = collection.embedding_model, encoder = collection.encoder_name,
            dimension = collection.dimension, "collection created"
        );
        Ok(collection)
    }

    /// The document collections of a namespace by name.
    pub async fn list_document_collections(
        &self,
        access: &NamespaceAccess,
    ) -> Result<Vec<Collection>, EngineError> {
        let namespace_id = self.inner.check_namespace(access).await?;
        let rows =
            store::collection::list(&mut *self.inner.store.reader().await?, namespace_id).await?;
        Ok(rows
            .into_iter()
            .map(|row| row.collection)
            .filter(|collection| collection.kind == CollectionKind::Document)
            .collect())
    }

    /// One collection.
    pub async fn collection(
        &self,
        access: &NamespaceAccess,
        name: &CollectionName,
    ) -> Result<Collection, EngineError> {
        Ok(self.inner.open_collection(access, name).await?.collection)
    }

    /// Removes a collection with its documents. Jobs that have not ended end with
    /// [`FailureKind::CollectionNotFound`] (row 45).
    pub async fn delete_document_collection(
        &self,
        access: &NamespaceAccess,
        name: &CollectionName,
    ) -> Result<(), EngineError> {
        let row = self.inner.open_document_collection(access, name).await?;
        self.remove_collection(access, row.namespace_id, name).await
    }

    /// Removes a collection that was looked up.
    pub(crate) async fn remove_collection(
        &self,
        access: &NamespaceAccess,
        namespace_id: i64,
        name: &CollectionName,
    ) -> Result<(), EngineError> {
        let (inner, deleted) = (Arc::clone(&self.inner), name.clone());
        let work = async move { inner.delete_collection(namespace_id, &deleted).await };
        self.inner.to_the_end(work).await?;
        tracing::info!(namespace = %access.namespace, collection = %name, "collection deleted");
        Ok(())
    }
}

impl Inner {
    /// The row of a collection in a namespace that was checked.
    pub(crate) async fn find_collection(
        &self,
        namespace_id: i64,
        name: &CollectionName,
    ) -> Result<CollectionRow, EngineError> {
        store::collection::find(&mut *self.store.reader().await?, namespace_id, name)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, name))
    }

    /// As [`Inner::open_collection`], for what needs the collection's model: a vector collection has none.
    pub(crate) async fn open_document_collection(
        &self,
        access: &NamespaceAccess,
        name: &CollectionName,
    ) -> Result<CollectionRow, EngineError> {
        let row = self.open_collection(access, name).await?;
        match row.collection.kind {
            CollectionKind::Document => Ok(row),
            CollectionKind::Vector => Err(EngineError::invalid(
                "Collection",
                format!(
                    "'{name}' is a vector collection, which has no embedding model; use \
                     UpsertCollectionData and QueryCollectionData"
                ),
            )),
        }
    }

    /// Adds a collection that was planned, with the indexes it was asked for with.
    pub(crate) async fn insert_collection(
        &self,
        instance_id: i64,
        namespace: &NamespaceName,
        collection: &Collection,
    ) -> Result<(), EngineError> {
        let mut transaction = self.store.begin().await?;
        let found = store::namespace::find(&mut transaction, instance_id, namespace)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Namespace, namespace))?;
        let now = clock::now();
        let row = store::collection::NewRow {
            namespace_id: found.id,
            collection,
            now,
        };
        let id = store::collection::insert(&mut transaction, row)
            .await?
            .ok_or_else(|| EngineError::AlreadyExists {
                what: Subject::Collection,
                name: collection.name.to_string(),
            })?;
        if collection.dimension == 0 {
            vector_index::strike_out(&mut transaction, id, now).await?;
        }
        scalar_index::insert_first(&mut transaction, id, collection, now).await?;
        Ok(transaction.commit().await?)
    }

    async fn delete_collection(
        &self,
        namespace_id: i64,
        name: &CollectionName,
    ) -> Result<(), EngineError> {
        let failure = JobFailure {
            kind: FailureKind::CollectionNotFound,
            message: format!("the collection '{name}' was deleted before the job had ended"),
            entries: Vec::new(),
            more: 0,
        };
        let now = clock::now();
        let mut transaction = self.store.begin().await?;
        let row = store::collection::find(&mut transaction, namespace_id, name)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, name))?;
        let jobs =
            store::job::detach_from_collection(&mut transaction, row.id, &failure, now).await?;
        store::collection::delete(&mut transaction, row.id).await?;
        transaction.commit().await?;
        self.residents.forget([row.id]);
        self.running.stop(&jobs).await;
        self.wake_housekeeper();
        Ok(())
    }

    /// Checks a new collection and works out what it will be.
    fn plan_collection(&self, new: &NewCollection) -> Result<Collection, EngineError> {
        let columns = Columns::parse(&new.metadata, metadata::RESERVED_IN_DOCUMENTS)?;
        let model_name = new
            .embedding_model
            .as_deref()
            .unwrap_or(DEFAULT_EMBEDDING_MODEL);
        let model = crate::resident::resolve_model(&self.models, model_name, new.dimension)?;
        new.sparse_index.check_sparse()?;
        let settings = CollectionSettings {
            full_text_fields: columns
                .field_list("FullTextRetrievalFields", &new.full_text_fields)?,
            metadata_indices: columns.field_list("MetadataIndices", &new.metadata_indices)?,
            sparse_fields: columns.field_list("SparseRetrievalFields", &new.sparse_fields)?,
            support_sparse: new.support_sparse,
            parser: new
                .parser
                .clone()
                .unwrap_or_else(|| DEFAULT_PARSER.to_owned()),
            index: new.index.checked()?,
        };
        Ok(Collection {
            name: new.name.clone(),
            kind: CollectionKind::Document,
            embedding_model: model_name.to_owned(),
            dimension: model.dimension(),
            metric: new.metric.unwrap_or(Metric::Cosine),
            columns,
            settings,
            encoder_name: model.encoder().name.clone(),
            encoder_fingerprint: model.fingerprint().to_owned(),
        })
    }
}
