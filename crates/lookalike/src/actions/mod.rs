//! Where the wire's types meet the engine's: one file a resource, one function an action.
//!
//! Called by the gateway once a request's signature is good. A handler turns the request into a command of
//! the engine and the result into the reply; it decides nothing itself.

mod access;
mod account;
mod authorize_file_upload;
mod chunk;
mod collection;
mod document;
mod index_options;
mod instance;
mod job;
mod namespace;
mod query;
mod rows;
mod scalar_index;
mod source;
mod text_model;
mod url_expiration;
mod vector_collection;
mod vector_index;

use std::sync::OnceLock;
use std::time::Instant;

use axum::body::Body;
use http::Response;
use http::header::{HeaderName, HeaderValue};
use lookalike_engine::ObjectId;
use lookalike_wire::ApiError;
use lookalike_wire::action::Action;
use lookalike_wire::dto::{self, Request};
use lookalike_wire::form::Parameters;

use crate::app::App;
use crate::error::Failure;
use crate::gateway::address::HostPort;
use crate::gateway::listener::Arrival;
use crate::gateway::reply;
use crate::gateway::request::{RequestId, record_us};

/// Says which encoder serves the collection of a request, because a stand-in must never pass for the model it
/// stands in for.
pub const ENCODER_HEADER: HeaderName = HeaderName::from_static("x-lookalike-encoder");

/// One verified call.
pub struct Call<'a> {
    pub app: &'a App,
    parameters: &'a Parameters,
    id: RequestId,
    /// The address that the client used, for URLs it is given.
    pub address: Option<HostPort>,
    pub arrival: Option<Arrival>,
    encoder: OnceLock<String>,
}

impl<'a> Call<'a> {
    pub fn new(
        app: &'a App,
        parameters: &'a Parameters,
        id: RequestId,
        address: Option<HostPort>,
        arrival: Option<Arrival>,
    ) -> Self {
        Self {
            app,
            parameters,
            id,
            address,
            arrival,
            encoder: OnceLock::new(),
        }
    }

    fn request_id(&self) -> String {
        self.id.as_str().to_owned()
    }

    /// Names the encoder in the answer's header.
    fn served_by(&self, encoder: &str) {
        // The first one named stays; a call is served by one encoder.
        let _ = self.encoder.set(encoder.to_owned());
    }

    /// A signed link to a stored file for this client.
    fn link(&self, object: &ObjectId, file_name: &str, valid_seconds: u64) -> String {
        self.app
            .links
            .url(&self.base_url(), object, file_name, valid_seconds)
    }

    /// Scheme, host and port under which this client reaches the server. Plain HTTP unless configured
    /// otherwise: a link must open where nobody trusts the server's certificate.
    fn base_url(&self) -> String {
        match (&self.app.public_url, &self.address) {
            (Some(url), _) => url.as_str().trim_end_matches('/').to_owned(),
            (None, Some(address)) => format!("http://{address}"),
            (None, None) => "http://127.0.0.1".to_owned(),
        }
    }

    /// The two parts of that address, the port as text.
    fn host_and_port(&self) -> (String, String) {
        let public = self.app.public_url.as_ref().and_then(HostPort::of);
        let address = public.or_else(|| self.address.clone());
        let port = address.as_ref().and_then(HostPort::port);
        (
            address.map_or_else(|| "127.0.0.1".to_owned(), |address| address.host()),
            port.map(|port| port.to_string()).unwrap_or_default(),
        )
    }
}

/// Decodes, handles and encodes one action.
pub async fn answer(action: Action, call: &Call<'_>) -> Result<Response<Body>, Failure> {
    match action {
        Action::InitVectorDatabase => run(call, namespace::init_vector_database).await,
        Action::CreateNamespace => run(call, namespace::create).await,
        Action::DescribeNamespace => run(call, namespace::describe).await,
        Action::ListNamespaces => run(call, namespace::list).await,
        Action::DeleteNamespace => run(call, namespace::delete).await,
        Action::CreateDocumentCollection => run(call, collection::create).await,
        Action::ListDocumentCollections => run(call, collection::list).await,
        Action::DeleteDocumentCollection => run(call, collection::delete).await,
        Action::CreateVectorIndex => run(call, vector_index::create).await,
        Action::DeleteVectorIndex => run(call, vector_index::delete).await,
        Action::UploadDocumentAsync => run(call, job::upload).await,
        Action::GetUploadDocumentJob => run(call, job::get).await,
        Action::CancelUploadDocumentJob => run(call, job::cancel).await,
        Action::ListDocuments => run(call, document::list).await,
        Action::DescribeDocument => run(call, document::describe).await,
        Action::DeleteDocument => run(call, document::delete).await,
        Action::QueryContent => run(call, query::query_content).await,
        Action::UpsertChunks => run(call, chunk::upsert).await,
        Action::ListChunks => run(call, chunk::list).await,
        Action::DeleteChunks => run(call, chunk::delete).await,
        Action::TextEmbedding => run(call, text_model::embed).await,
        Action::Rerank => run(call, text_model::rerank).await,
        Action::ListSupportModels => run(call, text_model::list).await,
        Action::AuthorizeFileUpload => run(call, authorize_file_upload::authorize).await,
        Action::CreateAccount => run(call, account::create).await,
        Action::DescribeAccounts => run(call, account::describe).await,
        Action::DescribeRegions => run(call, instance::describe_regions).await,
        Action::DescribeDBInstances => run(call, instance::list).await,
        Action::DescribeDBInstanceAttribute => run(call, instance::describe).await,
        Action::CreateCollection => run(call, vector_collection::create).await,
        Action::DescribeCollection => run(call, vector_collection::describe).await,
        Action::ListCollections => run(call, vector_collection::list).await,
        Action::ModifyCollection => run(call, vector_collection::modify).await,
        Action::DeleteCollection => run(call, vector_collection::delete).await,
        Action::GrantCollection => run(call, vector_collection::grant).await,
        Action::ModifyVectorConfiguration => {
            run(call, vector_collection::modify_configuration).await
        }
        Action::CreateIndex => run(call, scalar_index::create).await,
        Action::DescribeIndex => run(call, scalar_index::describe).await,
        Action::ListIndices => run(call, scalar_index::list).await,
        Action::DeleteIndex => run(call, scalar_index::delete).await,
        Action::DescribeCreateIndexJob => run(call, scalar_index::describe_job).await,
        Action::CancelCreateIndexJob => run(call, scalar_index::cancel_job).await,
        Action::UpsertCollectionData => run(call, rows::upsert).await,
        Action::UpsertCollectionDataAsync => run(call, rows::upsert_file).await,
        Action::GetUpsertCollectionDataJob => run(call, rows::get_job).await,
        Action::CancelUpsertCollectionDataJob => run(call, rows::cancel_job).await,
        Action::DeleteCollectionData => run(call, rows::delete).await,
        Action::UpdateCollectionDataMetadata => run(call, rows::update).await,
        Action::QueryCollectionData => run(call, rows::query).await,
    }
}

async fn run<R: Request>(
    call: &Call<'_>,
    handle: impl AsyncFnOnce(&Call<'_>, R) -> Result<R::Response, Failure>,
) -> Result<Response<Body>, Failure> {
    let started = Instant::now();
    let request = R::from_parameters(call.parameters).map_err(ApiError::from)?;
    record_us("decode_us", started);
    for field in dto::unknown_fields::<R>(call.parameters) {
        call.app.note_unknown_field(R::ACTION.name(), field);
    }
    let answer = handle(call, request).await?;
    let started = Instant::now();
    let mut response = reply::json(&answer)?;
    record_us("encode_us", started);
    if let Some(encoder) = call.encoder.get()
        && let Ok(value) = HeaderValue::from_str(encoder)
    {
        response.headers_mut().insert(ENCODER_HEADER, value);
    }
    Ok(response)
}
