//! Vector collections, whose vectors the caller brings, and what can be done to collections of
//! either kind: listing, changing their fields, opening them to other namespaces, removing them
//! (semantics.md, `CreateCollection` and the following).
//!
//! Invariant: the dimension of a vector collection is said once, by its creation, by its first
//! index or by its first rows, and does not change from then on. Until then it is 0, there are no
//! rows, and no index is loaded.

use std::sync::Arc;

use lookalike_index::{MAX_DIMENSION, Metric};

use crate::{
    access::{ManagerAccess, NamespaceAccess},
    collection::{Collection, CollectionKind, CollectionSettings, DEFAULT_PARSER},
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    index_options::IndexOptions,
    metadata::{self, Columns, change::ColumnChanges},
    name::{CollectionName, InstanceId, NamespaceName},
    store::{self, collection::CollectionRow},
};

/// A vector collection to be made. Texts are as a request has them; the engine checks them all.
#[derive(Debug, Clone)]
pub struct NewVectorCollection {
    /// Where it goes.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: CollectionName,
    /// 1 to 8192; without it there is no index, until one is made that says it.
    pub dimension: Option<u32>,
    /// Cosine when absent.
    pub metric: Option<Metric>,
    /// JSON object of field name to SQL type.
    pub metadata: String,
    /// Comma list of fields; empty for none.
    pub full_text_fields: String,
    /// Comma list of fields; empty for none.
    pub metadata_indices: String,
    /// Whether rows may have sparse vectors.
    pub support_sparse: bool,
    /// The full-text tokeniser.
    pub parser: Option<String>,
    /// How the vector index was asked for.
    pub index: IndexOptions,
    /// How the index over sparse vectors was asked for: checked, and without effect.
    pub sparse_index: IndexOptions,
}

impl NewVectorCollection {
    /// One with all defaults and no field.
    pub fn new(namespace: NamespaceName, name: CollectionName) -> Self {
        Self {
            namespace,
            name,
            dimension: None,
            metric: None,
            metadata: "{}".to_owned(),
            full_text_fields: String::new(),
            metadata_indices: String::new(),
            support_sparse: false,
            parser: None,
            index: IndexOptions::default(),
            sparse_index: IndexOptions::default(),
        }
    }

    /// Checks it and works out what it will be.
    fn plan(&self) -> Result<Collection, EngineError> {
        let columns = Columns::parse(&self.metadata, metadata::RESERVED_IN_VECTORS)?;
        if let Some(dimension) = self.dimension {
            check_dimension(dimension)?;
        }
        self.sparse_index.check_sparse()?;
        let settings = CollectionSettings {
            full_text_fields: columns
                .field_list("FullTextRetrievalFields", &self.full_text_fields)?,
            metadata_indices: columns.field_list("MetadataIndices", &self.metadata_indices)?,
            sparse_fields: Vec::new(),
            support_sparse: self.support_sparse,
            parser: (self.parser.clone()).unwrap_or_else(|| DEFAULT_PARSER.to_owned()),
            index: self.index.checked()?,
        };
        Ok(Collection {
            name: self.name.clone(),
            kind: CollectionKind::Vector,
            embedding_model: String::new(),
            dimension: self.dimension.unwrap_or(0),
            metric: self.metric.unwrap_or(Metric::Cosine),
            columns,
            settings,
            encoder_name: String::new(),
            encoder_fingerprint: String::new(),
        })
    }
}

/// What another namespace may do with a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// `rw`.
    ReadWrite,
    /// `ro`.
    ReadOnly,
    /// `none`: what was granted is taken back.
    Nothing,
}

impl Grant {
    /// Reads a `GrantType` field.
    pub fn from_name(name: &str) -> Result<Self, EngineError> {
        match name {
            "rw" => Ok(Self::ReadWrite),
            "ro" => Ok(Self::ReadOnly),
            "none" => Ok(Self::Nothing),
            other => Err(EngineError::invalid(
                "GrantType",
                format!("'{other}' is not a kind of permission; valid are rw, ro, none"),
            )),
        }
    }
}

/// A grant to be made.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// Where the collection is.
    pub namespace: NamespaceName,
    /// The collection.
    pub collection: CollectionName,
    /// Whom it is opened to.
    pub to: NamespaceName,
    /// How far.
    pub grant: Grant,
}

impl Engine {
    /// Makes a vector collection, with its index when its dimension is given.
    pub async fn create_collection(
        &self,
        access: &ManagerAccess,
        new: &NewVectorCollection,
    ) -> Result<Collection, EngineError> {
        let instance = self.inner.check_manager(access).await?;
        let collection = new.plan()?;
        self.inner
            .insert_collection(instance.id, &new.namespace, &collection)
            .await?;
        tracing::info!(
            instance = %access.instance, namespace = %new.namespace, collection = %new.name,
            dimension = collection.dimension, "vector collection created"
        );
        Ok(collection)
    }

    /// The names of all collections of a namespace, of either kind, in order (row 48).
    pub async fn list_collections(
        &self,
        access: &NamespaceAccess,
    ) -> Result<Vec<CollectionName>, EngineError> {
        let namespace_id = self.inner.check_namespace(access).await?;
        let rows =
            store::collection::list(&mut *self.inner.store.reader().await?, namespace_id).await?;
        Ok(rows.into_iter().map(|row| row.collection.name).collect())
    }

    /// Removes a collection of either kind with all its rows.
    pub async fn delete_collection(
        &self,
        access: &NamespaceAccess,
        name: &CollectionName,
    ) -> Result<(), EngineError> {
        let namespace_id = self.inner.check_namespace(access).await?;
        self.remove_collection(access, namespace_id, name).await
    }

    /// Adds fields to a collection, renames them or changes their types, in its rows too: all of
    /// `operations` or nothing.
    pub async fn modify_collection(
        &self,
        access: &NamespaceAccess,
        name: &CollectionName,
        operations: &str,
    ) -> Result<Collection, EngineError> {
        let row = self.inner.open_collection(access, name).await?;
        let (inner, operations) = (Arc::clone(&self.inner), operations.to_owned());
        let collection = self
            .inner
            .to_the_end(async move { inner.modify_collection(row, &operations).await })
            .await?;
        tracing::info!(namespace = %access.namespace, collection = %name, "fields changed");
        Ok(collection)
    }

    /// Writes down what a namespace may do with another one's collection. The API knows no way to
    /// use or to show that, so it has no further effect.
    pub async fn grant_collection(
        &self,
        access: &ManagerAccess,
        new: &NewGrant,
    ) -> Result<(), EngineError> {
        let instance = self.inner.check_manager(access).await?;
        let mut transaction = self.inner.store.begin().await?;
        let mut ids = Vec::with_capacity(2);
        for name in [&new.namespace, &new.to] {
            let found = store::namespace::find(&mut transaction, instance.id, name)
                .await?
                .ok_or_else(|| EngineError::not_found(Subject::Namespace, name))?;
            ids.push(found.id);
        }
        let [owner, other] = ids[..] else {
            unreachable!("two namespaces were looked up")
        };
        let row = store::collection::find(&mut transaction, owner, &new.collection)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, &new.collection))?;
        store::grant::put(&mut transaction, row.id, other, new.grant).await?;
        Ok(transaction.commit().await?)
    }

    /// Turns the vector engine of an instance on, which it always is.
    pub fn modify_vector_configuration(
        &self,
        instance: &InstanceId,
        enabled: bool,
    ) -> Result<(), EngineError> {
        self.inner.check_instance_is_listed(instance)?;
        if enabled {
            return Ok(());
        }
        Err(EngineError::invalid(
            "VectorConfigurationStatus",
            "the vector engine cannot be turned off here; valid is enabled",
        ))
    }
}

impl Inner {
    /// As [`Inner::open_collection`], for what brings its own vectors.
    pub(crate) async fn open_vector_collection(
        &self,
        access: &NamespaceAccess,
        name: &CollectionName,
    ) -> Result<CollectionRow, EngineError> {
        let row = self.open_collection(access, name).await?;
        match row.collection.kind {
            CollectionKind::Vector => Ok(row),
            CollectionKind::Document => Err(EngineError::invalid(
                "Collection",
                format!(
                    "'{name}' is a document collection, whose vectors its model makes; use \
                     UploadDocumentAsync"
                ),
            )),
        }
    }

    /// Says how long the vectors of a collection are, unless something else has meanwhile; the
    /// collection as it is then.
    pub(crate) async fn settle_dimension(
        &self,
        row: &CollectionRow,
        dimension: u32,
    ) -> Result<CollectionRow, EngineError> {
        check_dimension(dimension)?;
        let mut transaction = self.store.begin().await?;
        store::collection::settle_dimension(&mut transaction, row.id, dimension).await?;
        let settled = store::collection::find_by_id(&mut transaction, row.id)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, &row.collection.name))?;
        transaction.commit().await?;
        Ok(settled)
    }

    async fn modify_collection(
        &self,
        row: CollectionRow,
        operations: &str,
    ) -> Result<Collection, EngineError> {
        let gone = || EngineError::not_found(Subject::Collection, &row.collection.name);
        // Without a dimension there are no rows that could change.
        let resident = match row.collection.dimension {
            0 => None,
            _ => Some(self.residents.get(&self.store, &row).await?),
        };
        let mut transaction = self.store.begin().await?;
        let found = store::collection::find_by_id(&mut transaction, row.id).await?;
        let mut collection = found.ok_or_else(gone)?.collection;
        let reserved = match collection.kind {
            CollectionKind::Document => metadata::RESERVED_IN_DOCUMENTS,
            CollectionKind::Vector => metadata::RESERVED_IN_VECTORS,
        };
        let changes = ColumnChanges::parse(operations, &collection.columns, reserved)?;
        collection.columns = changes.columns.clone();
        collection.settings.apply(&changes);
        store::collection::set_columns(
            &mut transaction,
            row.id,
            &collection.columns,
            &collection.settings,
        )
        .await?;
        for (from, to) in &changes.renamed {
            store::scalar_index::rename_field(&mut transaction, row.id, from, to).await?;
        }
        let Some(resident) = resident.filter(|_| changes.rewrites_rows()) else {
            transaction.commit().await?;
            return Ok(collection);
        };
        let changed = self
            .rewrite_rows(&mut transaction, row.id, &changes)
            .await?;
        let mut changing = resident.lock_for_change().await;
        for key in changed {
            changing.touch(key);
        }
        changing.commit(transaction, || ()).await?;
        Ok(collection)
    }
}

impl CollectionSettings {
    /// Follows a change of the fields.
    fn apply(&mut self, changes: &ColumnChanges) {
        for (from, to) in &changes.renamed {
            let lists = [
                &mut self.full_text_fields,
                &mut self.metadata_indices,
                &mut self.sparse_fields,
            ];
            for field in lists.into_iter().flatten().filter(|field| *field == from) {
                field.clone_from(to);
            }
        }
        self.full_text_fields.extend(changes.full_text.clone());
    }
}

fn check_dimension(dimension: u32) -> Result<(), EngineError> {
    if (1..=MAX_DIMENSION).contains(&(dimension as usize)) {
        return Ok(());
    }
    Err(EngineError::invalid(
        "Dimension",
        format!("{dimension} is outside the range 1 to {MAX_DIMENSION}"),
    ))
}
