//! `CreateIndex`, `DescribeIndex`, `DeleteIndex`, `ListIndices`, `DescribeCreateIndexJob`, `CancelCreateIndexJob`:
//! indexes on metadata fields, made by a job.
//!
//! Unlike their neighbours they all require `Namespace`.

use serde::{Deserialize, Serialize};

use super::instance::{has_instance, names_instance};
use super::table::request;
use super::{Acknowledgement, CollectionJobResponse, JobAccepted};
use crate::secret::Secret;

request! {
    /// Starts making an index on a metadata field.
    CreateIndexRequest: CreateIndex -> CreateIndexResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        optional index_config: String = "IndexConfig", Used;
        optional index_field: String = "IndexField", Used;
        optional index_name: String = "IndexName", Used;
        required namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type CreateIndexResponse = JobAccepted;

request! {
    /// Asks for the definition of an index.
    DescribeIndexRequest: DescribeIndex -> DescribeIndexResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        required index_name: String = "IndexName", Used;
        required namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

/// Reply of `DescribeIndex`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeIndexResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    pub namespace: String,
    pub collection: String,
    pub index_name: String,
    /// The SQL that would make it.
    pub index_def: String,
}

request! {
    /// Removes an index.
    DeleteIndexRequest: DeleteIndex -> DeleteIndexResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        required index_name: String = "IndexName", Used;
        required namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type DeleteIndexResponse = Acknowledgement;

request! {
    /// The indexes of a collection, without paging.
    ListIndicesRequest: ListIndices -> ListIndicesResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        required namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

/// Reply of `ListIndices`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListIndicesResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    pub indices: Indices,
}

/// `Indices.Indices[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Indices {
    pub indices: Vec<IndexItem>,
}

/// One index as `ListIndices` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IndexItem {
    pub namespace: String,
    pub collection: String,
    pub index_name: String,
    pub index_def: String,
}

request! {
    /// Asks how far the making of an index is.
    DescribeCreateIndexJobRequest: DescribeCreateIndexJob -> DescribeCreateIndexJobResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        required job_id: String = "JobId", Used;
        required namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type DescribeCreateIndexJobResponse = CollectionJobResponse;

request! {
    /// Interrupts the making of an index.
    CancelCreateIndexJobRequest: CancelCreateIndexJob -> CancelCreateIndexJobResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        required job_id: String = "JobId", Used;
        required namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type CancelCreateIndexJobResponse = Acknowledgement;

names_instance!(
    CreateIndexRequest,
    DescribeIndexRequest,
    DeleteIndexRequest,
    ListIndicesRequest,
    DescribeCreateIndexJobRequest,
    CancelCreateIndexJobRequest,
);
