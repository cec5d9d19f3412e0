//! Requests captured from real SDKs: 18 must verify, 6 tampered ones must not.
//! Mark: sdk.
//!
//! The clock is set to each request's own time, so the skew check stays on.

use jiff::Timestamp;
use lookalike_wire::action::{Action, resolve};
use lookalike_wire::dto::{AuthorizeFileUploadRequest, QueryContentRequest, Request};
use lookalike_wire::form::Parameters;
use lookalike_wire::sign::{Credentials, SignError, SignedRequest, Verified, Verifier};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    scheme: String,
    valid: bool,
    access_key_id: String,
    access_key_secret: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Vector {
    fn request(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: &self.method,
            path: &self.path,
            raw_query: &self.query,
            headers: &self.headers,
            body: self.body.as_bytes(),
        }
    }

    fn parameters(&self) -> Parameters {
        Parameters::parse(
            &self.query,
            self.request().header("content-type"),
            self.body.as_bytes(),
        )
        .expect("captured requests are well-formed")
    }

    fn signed_at(&self) -> Timestamp {
        let parameters = self.parameters();
        self.request()
            .header("x-acs-date")
            .or_else(|| parameters.get("Timestamp"))
            .expect("captured requests carry their time")
            .parse()
            .expect("captured times are well-formed")
    }

    fn verifier(&self) -> Verifier {
        let mut credentials = Credentials::default();
        let (id, secret) = (self.access_key_id.as_str(), self.access_key_secret.as_str());
        match self.request().header("x-acs-security-token") {
            Some(token) => {
                credentials.add_temporary_key(id, secret.into(), token.into(), None);
            }
            None => credentials.add_key(id, secret.into()),
        }
        Verifier::new(credentials)
    }

    fn verify(&self) -> Result<Verified, SignError> {
        self.verifier()
            .verify(&self.request(), &self.parameters(), self.signed_at())
    }
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("contract/vectors.json");
    let vectors: Vectors = serde_json::from_str(text).expect("the contract file is JSON");
    vectors.vectors
}

fn named(name: &str) -> Vector {
    vectors()
        .into_iter()
        .find(|vector| vector.name == name)
        .expect("the vector is in the contract file")
}

#[test]
fn captured_requests_verify_and_tampered_ones_do_not() {
    let (mut good, mut bad) = (0, 0);
    for vector in vectors() {
        let verdict = vector.verify();
        if vector.valid {
            let verified = verdict.unwrap_or_else(|error| panic!("{}: {error}", vector.name));
            assert_eq!(verified.access_key_id, "testAK", "{}", vector.name);
            assert_eq!(verified.timestamp, Some(vector.signed_at()));
            good += 1;
        } else {
            let error = verdict.expect_err(&vector.name);
            assert!(
                matches!(error, SignError::Mismatch | SignError::BodyHash),
                "{}: {error}",
                vector.name
            );
            bad += 1;
        }
    }
    assert_eq!((good, bad), (18, 6));
}

#[test]
fn both_schemes_are_among_the_captures() {
    for scheme in ["ACS3-HMAC-SHA256", "RPC-1.0-HMAC-SHA1"] {
        assert!(
            vectors()
                .iter()
                .any(|vector| vector.valid && vector.scheme == scheme),
            "{scheme}"
        );
    }
}

#[test]
fn every_capture_names_a_known_action() {
    for vector in vectors().into_iter().filter(|vector| vector.valid) {
        let parameters = vector.parameters();
        let request = vector.request();
        let name = request
            .header("x-acs-action")
            .or_else(|| parameters.get("Action"));
        let version = request
            .header("x-acs-version")
            .or_else(|| parameters.get("Version"));
        if let Err(error) = resolve(name, version) {
            assert_eq!(
                error.code.as_str(),
                "UnsupportedOperation",
                "{}",
                vector.name
            );
        }
    }
}

#[test]
fn a_captured_query_decodes() {
    let vector = named("pynew-v2-body");
    assert_eq!(
        resolve(
            vector.request().header("x-acs-action"),
            vector.request().header("x-acs-version")
        )
        .unwrap(),
        Action::QueryContent
    );
    let request = QueryContentRequest::from_parameters(&vector.parameters()).unwrap();
    assert_eq!(
        request,
        QueryContentRequest {
            collection: "c 值~*'()".into(),
            content: Some("red shoes & 'bag'".into()),
            db_instance_id: "gp-1".into(),
            filter: Some("price > 1".into()),
            namespace_password: "p".into(),
            region_id: "cn-hangzhou".into(),
            top_k: Some(3),
            use_full_text_retrieval: Some(false),
            ..Default::default()
        }
    );
}

#[test]
fn old_sdks_decode_to_the_same_query() {
    let text = |field: &str| format!("{field} 值~*+/=&%'()!");
    let python = QueryContentRequest::from_parameters(&named("pyold:QueryContent").parameters());
    let python = python.unwrap();
    assert_eq!(
        python,
        QueryContentRequest {
            collection: text("Collection"),
            content: Some(text("Content")),
            db_instance_id: text("DBInstanceId"),
            file_name: Some(text("FileName")),
            file_url: Some(text("FileUrl")),
            filter: Some(text("Filter")),
            metrics: Some(text("Metrics")),
            namespace: Some(text("Namespace")),
            namespace_password: text("NamespacePassword").into(),
            owner_id: Some(3),
            region_id: text("RegionId"),
            top_k: Some(3),
            use_full_text_retrieval: Some(true),
            ..Default::default()
        }
    );
    let node = QueryContentRequest::from_parameters(&named("nodeold:QueryContent").parameters());
    let node = node.unwrap();
    assert_eq!(node.content, python.content);
    assert_eq!(node.use_full_text_retrieval, Some(true));
    assert!(node.recall_window.is_some());
}

#[test]
fn a_captured_upload_authorisation_decodes() {
    for name in ["pynew:sts", "nodenew:sts"] {
        let request = AuthorizeFileUploadRequest::from_parameters(&named(name).parameters());
        assert_eq!(
            request.unwrap(),
            AuthorizeFileUploadRequest {
                product: "gpdb".into(),
                region_id: Some("cn-hangzhou".into()),
            }
        );
    }
}
