//! Request and reply types, one file a resource.
//!
//! A request is a small table (`request!`): Rust field, type, name on the wire,
//! whether it is required and whether it has an effect. The table gives the
//! struct, [`Request::FIELDS`], decoding from [`Parameters`] and encoding for our
//! own client. A reply is a plain serde struct with the wire's irregular names;
//! absent values are left out, never `null`. The action handlers of the server
//! turn requests into domain commands and results into replies.
//!
//! Invariant: `tests/drift.rs` holds every request and reply of a supported
//! action equal to the published contract, field by field.
//!
//! Empty text counts as absent: clients send `Content=` beside an image
//! (semantics.md, `QueryContent`), so an optional field is `None` and a required
//! one is missing.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::action::Action;
use crate::error::ApiError;
use crate::form::Parameters;

mod account;
mod chunk;
mod collection;
mod collection_data;
mod collection_query;
mod db_instance;
mod db_instance_attribute;
mod document;
mod embedding;
mod field;
mod instance;
mod job;
mod namespace;
mod object_upload;
mod query;
mod scalar_index;
mod table;
mod vector_collection;
mod vector_configuration;
mod vector_index;

pub use account::*;
pub use chunk::*;
pub use collection::*;
pub use collection_data::*;
pub use collection_query::*;
pub use db_instance::*;
pub use db_instance_attribute::*;
pub use document::*;
pub use embedding::*;
pub use field::{Csv, Field, Flattened, Json, Kind};
pub use instance::*;
pub use job::*;
pub use namespace::*;
pub use object_upload::*;
pub use query::*;
pub use scalar_index::*;
pub use vector_collection::*;
pub use vector_configuration::*;
pub use vector_index::*;

/// Whether a field that we decode changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    Used,
    /// Decoded and checked for its type, otherwise without effect; the parity page lists it.
    Accepted,
}

/// One row of a request's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// Name on the wire, case-sensitive.
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
    pub effect: Effect,
}

/// A request type of a supported action.
pub trait Request: Sized {
    const ACTION: Action;
    const FIELDS: &'static [FieldSpec];
    /// The reply that belongs to it.
    type Response: Serialize + DeserializeOwned;

    /// Decodes the request. The first field at fault, in the table's order, is the error.
    fn from_parameters(parameters: &Parameters) -> Result<Self, DtoError>;

    /// Encodes the request for a client, in the table's order.
    fn to_parameters(&self) -> Vec<(String, String)>;
}

/// Why a request cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DtoError {
    #[error("\"{field}\" is required")]
    Missing { field: &'static str },
    #[error("\"{field}\" is not valid: {reason}")]
    Invalid { field: &'static str, reason: String },
}

impl DtoError {
    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            reason: reason.into(),
        }
    }
}

impl From<DtoError> for ApiError {
    fn from(error: DtoError) -> Self {
        match error {
            DtoError::Missing { field } => ApiError::missing(field),
            DtoError::Invalid { field, reason } => ApiError::invalid(field, &reason),
        }
    }
}

/// Parameters that belong to the protocol, not to an action.
const PROTOCOL: [&str; 12] = [
    "AccessKeyId",
    "Action",
    "BearerToken",
    "Format",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

/// Names in the request that its table does not have: newer SDKs must keep working,
/// so they are accepted; the server counts and logs them once.
pub fn unknown_fields<R: Request>(parameters: &Parameters) -> Vec<&str> {
    parameters
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !PROTOCOL.contains(name))
        .filter(|name| !R::FIELDS.iter().any(|field| covers(field, name)))
        .collect()
}

fn covers(field: &FieldSpec, name: &str) -> bool {
    let dotted = field.kind == Kind::Flattened;
    let base = name.split_once('.').filter(|_| dotted);
    field.name == base.map_or(name, |(base, _)| base)
}

/// The parts of a comma-separated text field such as `IncludeMetadataFields`, trimmed, without empty ones.
pub fn split_list(text: &str) -> Vec<&str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

/// The reply that is nothing but an envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Acknowledgement {
    pub request_id: String,
    pub status: String,
    pub message: String,
}

impl Acknowledgement {
    pub fn success(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            status: STATUS_SUCCESS.to_owned(),
            message: MESSAGE_SUCCESS.to_owned(),
        }
    }
}

/// The reply of actions that have no envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OnlyRequestId {
    pub request_id: String,
}

/// `Status` of every successful reply.
pub const STATUS_SUCCESS: &str = "success";
/// `Message` of most successful replies.
pub const MESSAGE_SUCCESS: &str = "success";
/// `Message` of `ListNamespaces`, `DescribeNamespace` and `ListDocuments` (semantics.md, "Replies").
pub const MESSAGE_SUCCESSFUL: &str = "Successful";

/// What a generated page needs of each request: the action and its table.
pub const REQUESTS: &[(Action, &[FieldSpec])] = &[
    table::row::<InitVectorDatabaseRequest>(),
    table::row::<CreateNamespaceRequest>(),
    table::row::<DescribeNamespaceRequest>(),
    table::row::<ListNamespacesRequest>(),
    table::row::<DeleteNamespaceRequest>(),
    table::row::<CreateDocumentCollectionRequest>(),
    table::row::<ListDocumentCollectionsRequest>(),
    table::row::<DeleteDocumentCollectionRequest>(),
    table::row::<CreateVectorIndexRequest>(),
    table::row::<DeleteVectorIndexRequest>(),
    table::row::<UploadDocumentAsyncRequest>(),
    table::row::<GetUploadDocumentJobRequest>(),
    table::row::<CancelUploadDocumentJobRequest>(),
    table::row::<ListDocumentsRequest>(),
    table::row::<DescribeDocumentRequest>(),
    table::row::<DeleteDocumentRequest>(),
    table::row::<QueryContentRequest>(),
    table::row::<CreateCollectionRequest>(),
    table::row::<DescribeCollectionRequest>(),
    table::row::<ListCollectionsRequest>(),
    table::row::<ModifyCollectionRequest>(),
    table::row::<DeleteCollectionRequest>(),
    table::row::<GrantCollectionRequest>(),
    table::row::<CreateIndexRequest>(),
    table::row::<DescribeIndexRequest>(),
    table::row::<DeleteIndexRequest>(),
    table::row::<ListIndicesRequest>(),
    table::row::<DescribeCreateIndexJobRequest>(),
    table::row::<CancelCreateIndexJobRequest>(),
    table::row::<UpsertCollectionDataRequest>(),
    table::row::<UpsertCollectionDataAsyncRequest>(),
    table::row::<GetUpsertCollectionDataJobRequest>(),
    table::row::<CancelUpsertCollectionDataJobRequest>(),
    table::row::<DeleteCollectionDataRequest>(),
    table::row::<UpdateCollectionDataMetadataRequest>(),
    table::row::<QueryCollectionDataRequest>(),
    table::row::<UpsertChunksRequest>(),
    table::row::<ListChunksRequest>(),
    table::row::<DeleteChunksRequest>(),
    table::row::<TextEmbeddingRequest>(),
    table::row::<RerankRequest>(),
    table::row::<ListSupportModelsRequest>(),
    table::row::<CreateAccountRequest>(),
    table::row::<DescribeAccountsRequest>(),
    table::row::<DescribeRegionsRequest>(),
    table::row::<DescribeDbInstancesRequest>(),
    table::row::<DescribeDbInstanceAttributeRequest>(),
    table::row::<ModifyVectorConfigurationRequest>(),
    table::row::<AuthorizeFileUploadRequest>(),
];

#[cfg(test)]
mod tests;
