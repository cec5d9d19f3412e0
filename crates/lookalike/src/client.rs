//! A small signed client of the API, as a user's program would be one: for `demo`, and for tests of the
//! server.
//!
//! Speaks plain HTTP to one address. Every call goes over the wire; nothing here reaches into the server.

use bytes::Bytes;
use jiff::Timestamp;
use lookalike_wire::Secret;
use lookalike_wire::dto::{AuthorizeFileUploadRequest, Request};
use lookalike_wire::object::post_form;
use lookalike_wire::sign::{SigningKey, acs3, encode};
use serde::Deserialize;

/// A client with its key.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    host: String,
    access_key_id: String,
    secret: Secret,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the server cannot be reached")]
    Http(#[from] reqwest::Error),
    #[error("the request cannot be signed")]
    Sign(#[from] lookalike_wire::sign::SignError),
    #[error("{status} {code}: {message}")]
    Refused {
        status: u16,
        code: String,
        message: String,
    },
    #[error("the answer is not what the API promises")]
    Answer(#[from] serde_json::Error),
    #[error("the upload was refused with status {0}")]
    Upload(u16),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody {
    code: String,
    message: String,
}

impl Client {
    /// A client of the server at `host` (with its port).
    pub fn new(
        host: impl Into<String>,
        access_key_id: &str,
        secret: &str,
    ) -> Result<Self, ClientError> {
        // The HTTP library wants to be told which cryptography to use; that somebody did already is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            http,
            host: host.into(),
            access_key_id: access_key_id.to_owned(),
            secret: Secret::from(secret),
        })
    }

    /// Calls an action with all its fields in the query, as the SDKs do.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        let pairs = request.to_parameters();
        let raw_query = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect::<Vec<_>>()
            .join("&");
        let call = acs3::Call {
            method: "POST",
            host: &self.host,
            action: R::ACTION.name(),
            version: R::ACTION.version(),
            raw_query: &raw_query,
            content_type: None,
            body: b"",
        };
        let key = SigningKey {
            access_key_id: &self.access_key_id,
            secret: &self.secret,
            security_token: None,
        };
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let mut request = self.http.post(format!("http://{}/?{raw_query}", self.host));
        for (name, value) in acs3::sign(&call, &key, &nonce, Timestamp::now())? {
            request = request.header(name, value);
        }
        let response = request.send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&body)?);
        }
        let error: ErrorBody = serde_json::from_slice(&body)?;
        Err(ClientError::Refused {
            status: status.as_u16(),
            code: error.code,
            message: error.message,
        })
    }

    /// Uploads a local file the way the SDKs' `…Advance` calls do, and returns the `FileUrl` for the call
    /// that uses it.
    pub async fn upload(&self, bytes: &[u8]) -> Result<String, ClientError> {
        let grant = self
            .call(&AuthorizeFileUploadRequest {
                product: "gpdb".to_owned(),
                region_id: None,
            })
            .await?;
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        let fields = [
            ("OSSAccessKeyId", grant.access_key_id.as_str()),
            ("policy", grant.encoded_policy.as_str()),
            ("Signature", grant.signature.as_str()),
            ("key", grant.object_key.as_str()),
            ("success_action_status", "201"),
        ];
        let form = post_form::write(&boundary, &fields, &grant.object_key, bytes);
        let store = format!("http://{}.{}", grant.bucket, grant.endpoint);
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let response = self
            .http
            .post(format!("{store}/"))
            .header("content-type", content_type)
            .body(form)
            .send()
            .await?;
        if !response.status().is_success() {
            return Err(ClientError::Upload(response.status().as_u16()));
        }
        Ok(format!("{store}/{}", grant.object_key))
    }

    /// Opens a link, as a browser would.
    pub async fn open(&self, url: &str) -> Result<Bytes, ClientError> {
        Ok(self
            .http
            .get(url)
            .send()
            .await?
            .error_for_status()?
            .bytes()
            .await?)
    }
}
