//! `CreateDocumentCollection`, `ListDocumentCollections`, `DeleteDocumentCollection`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::table::request;
use super::{Acknowledgement, DtoError, Json};
use crate::secret::Secret;

request! {
    /// Makes a collection bound to an embedding model, searchable at once.
    CreateDocumentCollectionRequest: CreateDocumentCollection -> CreateDocumentCollectionResponse, check = graph_has_types {
        optional algorithm: String = "Algorithm", Accepted;
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        /// Absent: the model's own.
        optional dimension: i64 = "Dimension", Used;
        /// Absent: `text-embedding-v3`.
        optional embedding_model: String = "EmbeddingModel", Used;
        optional enable_graph: bool = "EnableGraph", Accepted;
        /// Required when the knowledge graph is on.
        optional entity_types: Json<Vec<String>> = "EntityTypes", Accepted;
        optional external_storage: i64 = "ExternalStorage", Accepted;
        /// Comma list of keys of `metadata`.
        optional full_text_retrieval_fields: String = "FullTextRetrievalFields", Used;
        /// Text here, an integer in `CreateVectorIndex`.
        optional hnsw_ef_construction: String = "HnswEfConstruction", Used;
        optional hnsw_m: i64 = "HnswM", Used;
        optional llm_model: String = "LLMModel", Accepted;
        optional language: String = "Language", Accepted;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        /// JSON text, see [`CreateDocumentCollectionRequest::metadata_columns`].
        optional metadata: String = "Metadata", Used;
        /// Comma list of keys of `metadata`.
        optional metadata_indices: String = "MetadataIndices", Used;
        /// `l2`, `ip` or `cosine`; absent: `cosine`.
        optional metrics: String = "Metrics", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        /// Comes back in `ListDocumentCollections`; absent: `zh_cn`.
        optional parser: String = "Parser", Used;
        optional pq_enable: i64 = "PqEnable", Accepted;
        required region_id: String = "RegionId", Accepted;
        /// Required when the knowledge graph is on.
        optional relationship_types: Json<Vec<String>> = "RelationshipTypes", Accepted;
        /// Comma list of keys of `metadata`; comes back in `ListDocumentCollections`.
        optional sparse_retrieval_fields: String = "SparseRetrievalFields", Used;
        optional sparse_vector_index_config: Json<SparseVectorIndexConfig> = "SparseVectorIndexConfig", Accepted;
        /// Comes back in `ListDocumentCollections`.
        optional support_sparse: bool = "SupportSparse", Used;
        optional vector_index_config: Json<VectorIndexConfig> = "VectorIndexConfig", Accepted;
    }
}

pub type CreateDocumentCollectionResponse = Acknowledgement;

impl CreateDocumentCollectionRequest {
    /// The declared metadata columns, name and SQL type, in the order of the
    /// JSON text (`{"title":"text","page":"int"}`); none when absent.
    pub fn metadata_columns(&self) -> Result<Vec<(String, String)>, DtoError> {
        self.metadata
            .as_deref()
            .map_or(Ok(Vec::new()), parse_metadata_columns)
    }
}

/// `Metadata` of the actions that declare columns.
pub(super) fn parse_metadata_columns(text: &str) -> Result<Vec<(String, String)>, DtoError> {
    const FIELD: &str = "Metadata";
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        DtoError::invalid(
            FIELD,
            format!("it must be a JSON map of column to SQL type: {error}"),
        )
    })?;
    map.into_iter()
        .map(|(column, sql_type)| {
            let Value::String(sql_type) = sql_type else {
                return Err(DtoError::invalid(
                    FIELD,
                    format!("the SQL type of \"{column}\" must be a string"),
                ));
            };
            Ok((column, sql_type))
        })
        .collect()
}

/// The SDK's comments mark both lists required; they can only be so when the graph
/// is on: published clients without a graph do not send them (semantics.md).
fn graph_has_types(request: &CreateDocumentCollectionRequest) -> Result<(), DtoError> {
    if request.enable_graph != Some(true) {
        return Ok(());
    }
    let lists = [
        ("EntityTypes", request.entity_types.is_some()),
        ("RelationshipTypes", request.relationship_types.is_some()),
    ];
    match lists.into_iter().find(|(_, present)| !present) {
        Some((field, _)) => Err(DtoError::Missing { field }),
        None => Ok(()),
    }
}

/// Index parameters of sparse vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SparseVectorIndexConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hnsw_ef_construction: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hnsw_m: Option<i64>,
}

/// Index parameters of the `novad` algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VectorIndexConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nlist: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rabitq_bits: Option<i64>,
}

request! {
    /// The document collections of a namespace, without paging.
    ListDocumentCollectionsRequest: ListDocumentCollections -> ListDocumentCollectionsResponse {
        required db_instance_id: String = "DBInstanceId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
    }
}

/// Reply of `ListDocumentCollections`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListDocumentCollectionsResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    pub count: i64,
    pub items: CollectionItems,
}

/// `Items.CollectionList[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CollectionItems {
    pub collection_list: Vec<CollectionItem>,
}

/// One collection as `ListDocumentCollections` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CollectionItem {
    pub collection_name: String,
    pub embedding_model: String,
    pub dimension: i64,
    pub metrics: String,
    /// JSON text of column to SQL type.
    pub metadata: String,
    pub full_text_retrieval_fields: String,
    pub parser: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparse_retrieval_fields: Option<String>,
    pub support_sparse: bool,
}

request! {
    /// Removes a collection, its documents and its stored files.
    DeleteDocumentCollectionRequest: DeleteDocumentCollection -> DeleteDocumentCollectionResponse {
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
    }
}

pub type DeleteDocumentCollectionResponse = Acknowledgement;
