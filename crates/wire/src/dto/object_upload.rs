//! `AuthorizeFileUpload` of the `OpenPlatform` API: the first step of a local-file upload.

use serde::{Deserialize, Serialize};

use super::table::request;

request! {
    /// Asks where and under which policy a local file may be posted (wire.md 6.1).
    AuthorizeFileUploadRequest: AuthorizeFileUpload -> AuthorizeFileUploadResponse {
        /// `gpdb`.
        required product: String = "Product", Accepted;
        /// A client without a region sends none.
        optional region_id: String = "RegionId", Accepted;
    }
}

/// Reply of `AuthorizeFileUpload`; the SDKs need every field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AuthorizeFileUploadResponse {
    pub request_id: String,
    /// Comes back as the form field `OSSAccessKeyId`.
    pub access_key_id: String,
    /// First part of the upload's host name.
    pub bucket: String,
    /// Rest of the upload's host name, port included.
    pub endpoint: String,
    pub object_key: String,
    pub encoded_policy: String,
    pub signature: String,
    /// A JSON boolean: the text `"false"` counts as true in the SDKs.
    pub use_accelerate: bool,
}
