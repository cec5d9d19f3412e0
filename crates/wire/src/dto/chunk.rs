//! `UpsertChunks`, `ListChunks`, `DeleteChunks`: the rows of a document collection.
//!
//! None of them has `WorkspaceId`; the replies of the last two have neither
//! `Status` nor `Message` (semantics.md, "Replies").

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::table::request;
use super::{Csv, Json};
use crate::secret::Secret;

request! {
    /// Embeds texts and stores them as rows.
    UpsertChunksRequest: UpsertChunks -> UpsertChunksResponse {
        /// Whether a chunk whose `Filter` matches nothing is inserted; absent: true.
        optional allow_insert_with_filter: bool = "AllowInsertWithFilter", Used;
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        /// Absent: the rows belong to no file and are appended.
        optional file_name: String = "FileName", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        /// Whether all rows of the file go first; absent: true.
        optional should_replace_file: bool = "ShouldReplaceFile", Used;
        /// Optional to the SDK; a call without chunks means nothing.
        optional text_chunks: Json<Vec<TextChunk>> = "TextChunks", Used;
    }
}

/// One text to be stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TextChunk {
    /// Required by the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Text of a SQL WHERE clause: the rows to be updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// Reply of `UpsertChunks`. The count is a **string**, as in `QueryContent`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpsertChunksResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_tokens: Option<String>,
    /// For collections with a knowledge graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
}

request! {
    /// The rows of a collection, in pages.
    ListChunksRequest: ListChunks -> ListChunksResponse {
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        optional file_name: String = "FileName", Used;
        /// Text of a SQL WHERE clause.
        optional filter: String = "Filter", Used;
        optional include_vector: bool = "IncludeVector", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional page_number: i64 = "PageNumber", Used;
        /// 20 (also when absent), 50 or 100.
        optional page_size: i64 = "PageSize", Used;
        required region_id: String = "RegionId", Accepted;
    }
}

/// Reply of `ListChunks`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListChunksResponse {
    pub request_id: String,
    pub page_number: i64,
    pub page_record_count: i64,
    pub total_record_count: i64,
    pub chunks: Chunks,
}

/// `Chunks.chunks[]`, lower-case inside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chunks {
    pub chunks: Vec<ChunkItem>,
}

/// One row as `ListChunks` shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChunkItem {
    pub id: String,
    pub file_name: String,
    pub content: String,
    /// Text holding JSON.
    pub loader_metadata: String,
    /// Typed values, unlike the matches of `QueryContent`.
    pub metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_index: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector: Option<ChunkVector>,
}

/// `Vector.vector[]`, lower-case inside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChunkVector {
    pub vector: Vec<f32>,
}

request! {
    /// Removes rows by their ids.
    DeleteChunksRequest: DeleteChunks -> DeleteChunksResponse {
        required chunk_ids: Csv = "ChunkIds", Used;
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        required region_id: String = "RegionId", Accepted;
    }
}

pub type DeleteChunksResponse = super::OnlyRequestId;
