//! `ListDocuments`, `DescribeDocument`, `DeleteDocument`.

use serde::{Deserialize, Serialize};

use super::Acknowledgement;
use super::table::request;
use crate::secret::Secret;

request! {
    /// The documents of a collection, by `FileName`.
    ListDocumentsRequest: ListDocuments -> ListDocumentsResponse {
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        /// 1 to 100; absent: all.
        optional max_results: i64 = "MaxResults", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        /// Opaque, from the previous reply.
        optional next_token: String = "NextToken", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
    }
}

/// Reply of `ListDocuments`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListDocumentsResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    /// Entries in this reply (semantics.md, row 47).
    pub count: i64,
    pub items: DocumentItems,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// `Items.DocumentList[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DocumentItems {
    pub document_list: Vec<DocumentItem>,
}

/// One document as `ListDocuments` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DocumentItem {
    pub file_name: String,
    /// `OSS` in the vendor's sample.
    pub source: String,
}

request! {
    /// What is known of one document.
    DescribeDocumentRequest: DescribeDocument -> DescribeDocumentResponse {
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        required file_name: String = "FileName", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
    }
}

/// Reply of `DescribeDocument`. URLs are valid two hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeDocumentResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    pub file_name: String,
    pub source: String,
    /// Without the dot.
    pub file_ext: String,
    pub file_md5: String,
    /// Bytes.
    pub file_size: i64,
    /// Like `2023-11-01 10:01:01.123456`.
    pub file_mtime: String,
    /// Starts at 1 and grows with every overwrite.
    pub file_version: i64,
    /// Number of chunks; an image is one.
    pub docs_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_loader: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_splitter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk_file_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_chunk_file_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_loader_result_file_url: Option<String>,
}

request! {
    /// Removes a document and its rows.
    DeleteDocumentRequest: DeleteDocument -> DeleteDocumentResponse {
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        required file_name: String = "FileName", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
    }
}

pub type DeleteDocumentResponse = Acknowledgement;
