//! `AuthorizeFileUpload`: where a local file may be posted, and the policy that allows it.

use lookalike_wire::ApiError;
use lookalike_wire::ErrorCode;
use lookalike_wire::dto::{AuthorizeFileUploadRequest, AuthorizeFileUploadResponse};

use super::Call;
use crate::error::Failure;
use crate::gateway::address::{AddressError, HostPort};
use crate::objects::keys;

pub async fn authorize(
    call: &Call<'_>,
    _request: AuthorizeFileUploadRequest,
) -> Result<AuthorizeFileUploadResponse, Failure> {
    let public = call.app.public_url.as_ref().and_then(HostPort::of);
    let address = public
        .as_ref()
        .or(call.address.as_ref())
        .ok_or(AddressError::Host);
    let address = address
        .and_then(|address| address.split(call.arrival))
        .map_err(|error| refused(&error))?;
    let key = keys::new();
    let grant =
        call.app
            .links
            .grant_upload(&address.bucket, &key, call.app.limits.max_document_bytes.0);
    Ok(AuthorizeFileUploadResponse {
        request_id: call.request_id(),
        access_key_id: grant.access_key_id,
        bucket: address.bucket,
        endpoint: address.endpoint,
        object_key: key,
        encoded_policy: grant.policy,
        signature: grant.signature,
        use_accelerate: false,
    })
}

fn refused(error: &AddressError) -> ApiError {
    ApiError::new(ErrorCode::InvalidParameter)
        .with_message(format!("A local file cannot be uploaded: {error}."))
}
