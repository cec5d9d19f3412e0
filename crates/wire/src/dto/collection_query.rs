//! `QueryCollectionData`: search by a vector that the caller brings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::instance::{has_instance, names_instance};
use super::table::request;
use super::{Json, SparseVector};
use crate::secret::Secret;

request! {
    /// Finds the nearest rows; without vector and content, the rows that the filter keeps.
    QueryCollectionDataRequest: QueryCollectionData -> QueryCollectionDataResponse, check = has_instance {
        required collection: String = "Collection", Used;
        /// Text of a full-text search; empty counts as absent.
        optional content: String = "Content", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        /// Text of a SQL WHERE clause.
        optional filter: String = "Filter", Used;
        optional hybrid_search: String = "HybridSearch", Used;
        optional hybrid_search_args: Json<Map<String, Value>> = "HybridSearchArgs", Used;
        /// Comma list; absent: all.
        optional include_metadata_fields: String = "IncludeMetadataFields", Used;
        optional include_sparse_values: bool = "IncludeSparseValues", Used;
        optional include_values: bool = "IncludeValues", Used;
        /// `l2`, `ip` or `cosine`; absent: the collection's.
        optional metrics: String = "Metrics", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        /// When given, the reply has `Total`.
        optional offset: i64 = "Offset", Used;
        optional order_by: String = "OrderBy", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional relational_table_filter: Json<RelationalTableFilter> = "RelationalTableFilter", Accepted;
        optional sparse_vector: Json<SparseVector> = "SparseVector", Used;
        required top_k: i64 = "TopK", Used;
        /// Of the collection's length. A number too large for its 32 bits reads as infinite.
        optional vector: Json<Vec<f32>> = "Vector", Used;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

names_instance!(QueryCollectionDataRequest);

/// A condition on a table of the user's that is joined to the collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RelationalTableFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection_metadata_field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_name: Option<String>,
}

/// Reply of `QueryCollectionData`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QueryCollectionDataResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    /// Always there, with an empty list when nothing matched: clients iterate it.
    pub matches: DataMatches,
    /// Rows that match in all; only when `Offset` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// `Matches.match[]`, lower-case inside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataMatches {
    #[serde(rename = "match")]
    pub list: Vec<DataMatch>,
}

/// One row found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DataMatch {
    pub id: String,
    pub score: f64,
    /// Values as text, `jsonb` as JSON text (semantics.md, "What real clients depend on", 8).
    pub metadata: BTreeMap<String, String>,
    /// The same values with their types.
    #[serde(rename = "MetadataV2")]
    pub metadata_v2: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<DenseValues>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparse_values: Option<SparseValues>,
}

/// `Values.value[]`, lower-case inside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DenseValues {
    pub value: Vec<f32>,
}

/// `SparseValues.Indices.Indice[]` and `SparseValues.Values.Value[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SparseValues {
    pub indices: SparseIndices,
    pub values: SparseWeights,
}

/// The vendor's own singular, `Indice`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SparseIndices {
    pub indice: Vec<i64>,
}

/// `Value[]`, with a capital, unlike [`DenseValues`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SparseWeights {
    pub value: Vec<f32>,
}
