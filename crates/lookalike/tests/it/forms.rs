//! The form that takes local files in, and its policy.

use lookalike_wire::dto::{AuthorizeFileUploadRequest, AuthorizeFileUploadResponse};
use lookalike_wire::object::post_form;

use crate::server::{Running, start, start_with};
use crate::wire::{Answer, Call, exchange, exchange_tls, request, tag};

const BOUNDARY: &str = "theBoundary123";

async fn grant(server: &Running) -> AuthorizeFileUploadResponse {
    server
        .client
        .call(&AuthorizeFileUploadRequest {
            product: "gpdb".to_owned(),
            region_id: None,
        })
        .await
        .unwrap()
}

/// The fields that the SDKs send, in Python's order.
fn fields(grant: &AuthorizeFileUploadResponse) -> Vec<(&str, &str)> {
    vec![
        ("OSSAccessKeyId", &grant.access_key_id),
        ("Signature", &grant.signature),
        ("key", &grant.object_key),
        ("policy", &grant.encoded_policy),
        ("success_action_status", "201"),
    ]
}

async fn post(server: &Running, body: &[u8]) -> Answer {
    let headers = [
        ("host".to_owned(), server.endpoint.clone()),
        (
            "content-type".to_owned(),
            format!("multipart/form-data; boundary={BOUNDARY}"),
        ),
    ];
    exchange(&server.endpoint, &request("POST", "/", &headers, body)).await
}

async fn post_fields(server: &Running, fields: &[(&str, &str)], file: &[u8]) -> Answer {
    post(server, &post_form::write(BOUNDARY, fields, "file", file)).await
}

/// sdk: bucket and endpoint joined by a dot are the address that the client used.
#[tokio::test]
async fn upload_address_follows_the_clients_own() {
    let server = start().await;
    let grant = grant(&server).await;
    assert_eq!(
        format!("{}.{}", grant.bucket, grant.endpoint),
        server.endpoint
    );
    assert!(!grant.use_accelerate);
}

/// sdk: the steps of an upload change between HTTP and HTTPS; both go to the port that the client used.
#[tokio::test]
async fn upload_address_always_names_its_port() {
    let server = start().await;
    for (host, tls, expected) in [
        ("gpdb.aliyuncs.com", false, "gpdb.aliyuncs.com:80"),
        ("gpdb.aliyuncs.com", true, "gpdb.aliyuncs.com:443"),
        ("localhost:8443", true, "127.0.0.1:8443"),
    ] {
        let mut call = Call::new(host, "AuthorizeFileUpload", &[("Product", "gpdb")]);
        call.method = "GET";
        "2019-12-19".clone_into(&mut call.version);
        let answer = if tls {
            exchange_tls(
                &server.endpoint,
                "gpdb.aliyuncs.com",
                server.ca_pem(),
                &call.bytes(),
            )
            .await
            .unwrap()
        } else {
            exchange(&server.endpoint, &call.bytes()).await
        };
        let grant = answer.json();
        let address = format!(
            "{}.{}",
            grant["Bucket"].as_str().unwrap(),
            grant["Endpoint"].as_str().unwrap()
        );
        assert_eq!(address, expected);
    }
}

/// ours: `--public-url` is what clients are told, whatever address they used.
#[tokio::test]
async fn public_url_overrides_the_address() {
    let server = start_with(&["--public-url", "https://photos.example.com:9443"]).await;
    let grant = grant(&server).await;
    assert_eq!(
        (grant.bucket.as_str(), grant.endpoint.as_str()),
        ("photos", "example.com:9443")
    );
    let answer = post_fields(&server, &fields(&grant), b"bytes").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// sdk: Python parses the body of a success and fails on an empty one.
#[tokio::test]
async fn form_is_stored_and_answered_in_xml() {
    let server = start().await;
    let grant = grant(&server).await;
    let answer = post_fields(&server, &fields(&grant), b"hello").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (201, Some("application/xml"))
    );
    let xml = answer.text();
    assert_eq!(tag(&xml, "Bucket"), grant.bucket);
    assert_eq!(tag(&xml, "Key"), grant.object_key);
    assert_eq!(
        tag(&xml, "Location"),
        format!("http://{}/{}", server.endpoint, grant.object_key)
    );
    // Half of the SHA-256 of "hello": the tag of a form upload is unique for the content and no MD5.
    assert_eq!(
        answer.header("etag"),
        Some("\"2CF24DBA5FB0A30E26E83B2AC5B9E29E\"")
    );
    assert_eq!(
        tag(&xml, "ETag"),
        "&quot;2CF24DBA5FB0A30E26E83B2AC5B9E29E&quot;"
    );
}

/// sdk: Node's current SDK writes no line break after the file, and a field behind it.
#[tokio::test]
async fn malformed_form_of_node_is_understood() {
    let server = start().await;
    let grant = grant(&server).await;
    let mut body = Vec::new();
    let host = grant.endpoint.clone();
    for (name, value) in [
        ("host", host.as_str()),
        ("OSSAccessKeyId", &grant.access_key_id),
        ("policy", &grant.encoded_policy),
        ("Signature", &grant.signature),
        ("key", &grant.object_key),
    ] {
        body.extend(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .into_bytes(),
        );
    }
    body.extend(
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: \r\n\r\n", grant.object_key)
            .into_bytes(),
    );
    body.extend_from_slice(b"hello");
    body.extend(
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"success_action_status\"\r\n\r\n201\r\n\r\n--{BOUNDARY}--\r\n")
            .into_bytes(),
    );
    let mut bytes = format!(
        "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: multipart/form-data; boundary={BOUNDARY}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        server.endpoint
    )
    .into_bytes();
    for piece in body.chunks(100) {
        bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let answer = exchange(&server.endpoint, &bytes).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(
        answer.header("etag"),
        Some("\"2CF24DBA5FB0A30E26E83B2AC5B9E29E\"")
    );
}

/// ours: a policy is really checked, each part with its own code.
#[tokio::test]
async fn forms_outside_their_policy_are_refused() {
    let server = start_with(&["--max-document-bytes", "1000"]).await;
    let granted = grant(&server).await;
    let replaced = |name: &str, value: &'static str| {
        let mut fields = fields(&granted);
        fields
            .iter_mut()
            .filter(|field| field.0 == name)
            .for_each(|field| field.1 = value);
        fields
    };
    let without = |name: &str| {
        let mut fields = fields(&granted);
        fields.retain(|field| field.0 != name);
        fields
    };
    // A policy with no conditions and a far expiry, that nobody here has signed.
    let forged = "eyJleHBpcmF0aW9uIjoiMjA5OS0wMS0wMVQwMDowMDowMC4wMDBaIiwiY29uZGl0aW9ucyI6W119";
    for (what, fields, expected) in [
        (
            "another key",
            replaced("key", "uploads/00000000000000000000000000000000"),
            (403, "AccessDenied"),
        ),
        ("no key", without("key"), (403, "AccessDenied")),
        (
            "a stranger",
            replaced("OSSAccessKeyId", "testAK"),
            (403, "InvalidAccessKeyId"),
        ),
        (
            "no access key",
            without("OSSAccessKeyId"),
            (403, "AccessDenied"),
        ),
        (
            "a wrong signature",
            replaced("Signature", "AAAA"),
            (403, "SignatureDoesNotMatch"),
        ),
        (
            "a forged policy",
            replaced("policy", forged),
            (403, "SignatureDoesNotMatch"),
        ),
        ("no policy", without("policy"), (403, "AccessDenied")),
    ] {
        let answer = post_fields(&server, &fields, b"bytes").await;
        assert_eq!(
            answer.xml_refusal(),
            (expected.0, expected.1.to_owned()),
            "{what}"
        );
    }
    assert_eq!(
        post_fields(&server, &fields(&granted), &[0; 1000])
            .await
            .status,
        201
    );
    let answer = post_fields(&server, &fields(&granted), &[0; 1001]).await;
    assert_eq!(answer.xml_refusal(), (400, "EntityTooLarge".to_owned()));
    let answer = post_fields(&server, &fields(&granted), &vec![0; 500_000]).await;
    assert_eq!(answer.xml_refusal(), (400, "EntityTooLarge".to_owned()));
    assert!(answer.text().contains("max-document-bytes"));
}

/// ours: a bucket is part of the policy.
#[tokio::test]
async fn form_at_another_bucket_is_refused() {
    let server = start().await;
    let grant = grant(&server).await;
    let body = post_form::write(BOUNDARY, &fields(&grant), "file", b"bytes");
    let headers = [
        ("host".to_owned(), "other.example.com".to_owned()),
        (
            "content-type".to_owned(),
            format!("multipart/form-data; boundary={BOUNDARY}"),
        ),
    ];
    let answer = exchange(&server.endpoint, &request("POST", "/", &headers, &body)).await;
    assert_eq!(answer.xml_refusal(), (403, "AccessDenied".to_owned()));
}

/// ours: what is no form is refused in XML.
#[tokio::test]
async fn broken_forms_are_refused() {
    let server = start().await;
    let grant = grant(&server).await;
    for body in [&b""[..], b"nonsense", b"--theBoundary123\r\n\r\n"] {
        assert_eq!(
            post(&server, body).await.xml_refusal(),
            (400, "MalformedPOSTRequest".to_owned())
        );
    }
    let whole = post_form::write(BOUNDARY, &fields(&grant), "file", b"bytes");
    let cut = &whole[..whole.len() - 10];
    assert_eq!(post(&server, cut).await.xml_refusal().0, 400);
}
