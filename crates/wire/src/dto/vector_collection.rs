//! `CreateCollection`, `DescribeCollection`, `ListCollections`, `ModifyCollection`, `DeleteCollection`,
//! `GrantCollection`: collections whose vectors the caller brings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::collection::parse_metadata_columns;
use super::instance::{has_instance, names_instance};
use super::table::request;
use super::{Acknowledgement, DtoError, Json, SparseVectorIndexConfig, VectorIndexConfig};
use crate::secret::Secret;

request! {
    /// Makes a collection without a model; its index comes with it only when a dimension is given.
    CreateCollectionRequest: CreateCollection -> CreateCollectionResponse, check = has_instance {
        optional algorithm: String = "Algorithm", Accepted;
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        /// Absent: rows of any length until `CreateVectorIndex` says one.
        optional dimension: i64 = "Dimension", Used;
        optional external_storage: i64 = "ExternalStorage", Accepted;
        /// Comma list of keys of `metadata`.
        optional full_text_retrieval_fields: String = "FullTextRetrievalFields", Used;
        /// Text here, an integer in `CreateVectorIndex`.
        optional hnsw_ef_construction: String = "HnswEfConstruction", Used;
        optional hnsw_m: i64 = "HnswM", Used;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        /// JSON text, see [`CreateCollectionRequest::metadata_columns`].
        required metadata: String = "Metadata", Used;
        /// Comma list of keys of `metadata`.
        optional metadata_indices: String = "MetadataIndices", Used;
        /// `l2`, `ip` or `cosine`.
        optional metrics: String = "Metrics", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        /// Comes back in `DescribeCollection`; absent: `zh_cn`.
        optional parser: String = "Parser", Used;
        optional pq_enable: i64 = "PqEnable", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional sparse_vector_index_config: Json<SparseVectorIndexConfig> = "SparseVectorIndexConfig", Accepted;
        optional support_sparse: bool = "SupportSparse", Used;
        optional vector_index_config: Json<VectorIndexConfig> = "VectorIndexConfig", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type CreateCollectionResponse = Acknowledgement;

impl CreateCollectionRequest {
    /// The declared metadata columns, name and SQL type, in the order of the JSON text.
    pub fn metadata_columns(&self) -> Result<Vec<(String, String)>, DtoError> {
        parse_metadata_columns(&self.metadata)
    }
}

request! {
    /// Asks what a collection is; 404 when it does not exist, which makes clients create it.
    DescribeCollectionRequest: DescribeCollection -> DescribeCollectionResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        /// Comes back in the reply.
        required region_id: String = "RegionId", Used;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

/// Reply of `DescribeCollection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeCollectionResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    #[serde(rename = "DBInstanceId")]
    pub db_instance_id: String,
    pub region_id: String,
    pub namespace: String,
    /// Absent while the collection has no index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// Column to SQL type: an object here, text in `ListDocumentCollections`.
    pub metadata: BTreeMap<String, String>,
    pub full_text_retrieval_fields: String,
    pub parser: String,
    pub support_sparse: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparse_vector_metrics: Option<String>,
}

request! {
    /// Names of a namespace's collections, without paging.
    ListCollectionsRequest: ListCollections -> ListCollectionsResponse, check = has_instance {
        optional db_instance_id: String = "DBInstanceId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        /// Comes back in the reply.
        required region_id: String = "RegionId", Used;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

/// Reply of `ListCollections`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListCollectionsResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    #[serde(rename = "DBInstanceId")]
    pub db_instance_id: String,
    pub region_id: String,
    pub namespace: String,
    pub count: i64,
    pub collections: CollectionNames,
}

/// `Collections.Collection[]`, strings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CollectionNames {
    pub collection: Vec<String>,
}

request! {
    /// Changes the declared metadata columns.
    ModifyCollectionRequest: ModifyCollection -> ModifyCollectionResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        /// JSON text with a list of operations: `{"operations":[{"operator":"add",…}]}`.
        required metadata: String = "Metadata", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

/// Reply of `ModifyCollection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ModifyCollectionResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    /// JSON text of column to SQL type: text here, an object in `DescribeCollection`.
    pub metadata: String,
}

request! {
    /// Removes a collection and its rows.
    DeleteCollectionRequest: DeleteCollection -> DeleteCollectionResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type DeleteCollectionResponse = Acknowledgement;

request! {
    /// Lets another namespace use a collection. It has no `WorkspaceId`.
    GrantCollectionRequest: GrantCollection -> GrantCollectionResponse {
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        required grant_to_namespace: String = "GrantToNamespace", Used;
        required grant_type: String = "GrantType", Used;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        /// Where the collection is; absent: `public`.
        optional namespace: String = "Namespace", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
    }
}

pub type GrantCollectionResponse = Acknowledgement;

names_instance!(
    CreateCollectionRequest,
    DescribeCollectionRequest,
    ListCollectionsRequest,
    ModifyCollectionRequest,
    DeleteCollectionRequest,
);
