//! `UploadDocumentAsync`, `GetUploadDocumentJob`, `CancelUploadDocumentJob`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::table::request;
use super::{Acknowledgement, Json};
use crate::secret::Secret;

request! {
    /// Submits a file for embedding; the reply says only that the job was accepted.
    UploadDocumentAsyncRequest: UploadDocumentAsync -> UploadDocumentAsyncResponse {
        optional chunk_overlap: i64 = "ChunkOverlap", Used;
        optional chunk_size: i64 = "ChunkSize", Used;
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        optional document_loader_name: String = "DocumentLoaderName", Used;
        /// True: decode and check, embed and store nothing (semantics.md, row 31).
        optional dry_run: bool = "DryRun", Used;
        /// Identity of the document; its extension decides how it is loaded.
        required file_name: String = "FileName", Used;
        required file_url: String = "FileUrl", Used;
        /// Keys declared at the collection's creation.
        optional metadata: Json<Map<String, Value>> = "Metadata", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional separators: Json<Vec<String>> = "Separators", Used;
        optional splitter_model: String = "SplitterModel", Accepted;
        optional text_splitter_name: String = "TextSplitterName", Used;
        optional vl_enhance: bool = "VlEnhance", Accepted;
        optional zh_title_enhance: bool = "ZhTitleEnhance", Accepted;
    }
}

pub type UploadDocumentAsyncResponse = JobAccepted;

/// Reply of an action that only submits a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JobAccepted {
    pub request_id: String,
    pub status: String,
    pub message: String,
    /// A lower-case UUID, never empty.
    pub job_id: String,
}

request! {
    /// Asks how far an upload is.
    GetUploadDocumentJobRequest: GetUploadDocumentJob -> GetUploadDocumentJobResponse {
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        required job_id: String = "JobId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
    }
}

/// Reply of `GetUploadDocumentJob`.
///
/// `chunk_result` is left out rather than empty: converted to an object, an
/// empty one looks present to clients (semantics.md, `GetUploadDocumentJob`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetUploadDocumentJobResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    pub job: UploadJob,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_result: Option<ChunkResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UploadUsage>,
}

/// The job itself. Pollers stop on a non-empty `error`, on `completed`, or on an
/// exact `status`, so all three must agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UploadJob {
    pub id: String,
    /// `Pending`, `Start`, `Running`, `Success`, `Failed`, `Cancelling` or `Cancelled`.
    pub status: String,
    /// True in all three end states.
    pub completed: bool,
    /// Percent, 0 to 100.
    pub progress: i64,
    /// Like `2024-01-08 16:52:04.864664`, without zone.
    pub create_time: String,
    pub update_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
}

/// URLs of the chunks, valid two hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChunkResult {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_file_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_chunk_file_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_loader_result_file_url: Option<String>,
}

/// Embedding work done: integers here, strings in `QueryContent`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UploadUsage {
    pub embedding_tokens: i64,
    pub embedding_entries: i64,
}

request! {
    /// Interrupts a job that has not ended.
    CancelUploadDocumentJobRequest: CancelUploadDocumentJob -> CancelUploadDocumentJobResponse {
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        required job_id: String = "JobId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
    }
}

pub type CancelUploadDocumentJobResponse = Acknowledgement;
