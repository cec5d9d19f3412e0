//! What a `FileUrl` means: a file of ours, opened locally, or a remote one.
//!
//! A file of ours is known by its path, not by its host: clients reach this server under addresses it cannot
//! know, and the names of the cloud may be redirected to it. Upload keys are random and unguessable; links to
//! stored originals count only with a good signature.

use lookalike_engine::{ObjectKey, Source};
use lookalike_wire::ApiError;
use url::Url;

use super::Call;
use crate::objects::keys;
use crate::objects::links::{LinkError, StoredLink};

pub fn of_url(call: &Call<'_>, text: &str) -> Result<Source, ApiError> {
    let invalid = |reason: &str| ApiError::invalid("FileUrl", reason);
    let url = Url::parse(text).map_err(|error| invalid(&format!("it is no URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("its scheme must be http or https"));
    }
    if let Some(key) = keys::of_path(url.path()) {
        return Ok(Source::Object(
            ObjectKey::new(key).map_err(|error| invalid(&error.to_string()))?,
        ));
    }
    if let Some(link) = StoredLink::parse(url.path(), url.query().unwrap_or_default()) {
        match call.app.links.check(&link) {
            Ok(id) => return Ok(Source::Stored(id)),
            Err(LinkError::Expired) => return Err(invalid("the link has expired")),
            // Another server's file that merely looks like ours.
            Err(LinkError::Signature) => {}
        }
    }
    Ok(Source::Url(url))
}
