use super::*;
use crate::error::{ApiError, ErrorCode};
use crate::secret::Secret;

mod changes;

const KEY_ID: &str = "testAK";
const FORM: &str = "application/x-www-form-urlencoded";
const NOW: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn key(secret: &Secret) -> SigningKey<'_> {
    SigningKey {
        access_key_id: KEY_ID,
        secret,
        security_token: None,
    }
}

fn verifier() -> Verifier {
    let mut credentials = Credentials::default();
    credentials.add_key(KEY_ID, Secret::new("testSK"));
    credentials.add_temporary_key(
        "STS.ak",
        "stsSK".into(),
        "STS.tok".into(),
        Some(at(NOW + 60)),
    );
    credentials.add_bearer_token("bearer-1".into(), KEY_ID, None);
    credentials.add_bearer_token("bearer-old".into(), KEY_ID, Some(at(NOW)));
    Verifier::new(credentials)
}

/// A request that owns its parts.
#[derive(Clone, Debug)]
struct Owned {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Owned {
    fn verify(&self, verifier: &Verifier, now: i64) -> Result<Verified, SignError> {
        let request = SignedRequest {
            method: &self.method,
            path: &self.path,
            raw_query: &self.query,
            headers: &self.headers,
            body: &self.body,
        };
        // The gateway refuses what cannot be parsed before it looks at signatures.
        let parameters = Parameters::parse(&self.query, request.header("content-type"), &self.body)
            .map_err(|error| SignError::incomplete(error.to_string()))?;
        verifier.verify(&request, &parameters, at(now))
    }

    fn set_header(&mut self, name: &str, value: &str) {
        for header in &mut self.headers {
            if header.0 == name {
                value.clone_into(&mut header.1);
            }
        }
    }

    fn edit_authorization(&mut self, from: &str, to: &str) {
        let header = self.headers.last_mut().unwrap();
        assert!(header.1.contains(from), "{header:?}");
        header.1 = header.1.replacen(from, to, 1);
    }
}

fn acs3_as(key: &SigningKey<'_>, nonce: &str, query: &str, body: &str) -> Owned {
    let call = acs3::Call {
        method: "POST",
        host: "127.0.0.1:8443",
        action: "QueryContent",
        version: "2016-05-03",
        raw_query: query,
        content_type: (!body.is_empty()).then_some(FORM),
        body: body.as_bytes(),
    };
    Owned {
        method: "POST".into(),
        path: "/".into(),
        query: query.into(),
        headers: acs3::sign(&call, key, nonce, at(NOW)).unwrap(),
        body: body.into(),
    }
}

fn acs3_request(nonce: &str) -> Owned {
    acs3_as(
        &key(&Secret::new("testSK")),
        nonce,
        "TopK=3&Collection=c%20d",
        "Content=dog",
    )
}

fn rpc1_as(key: &SigningKey<'_>, nonce: &str, body_from: usize) -> Owned {
    let pairs: Vec<(String, String)> = [
        ("Action", "QueryContent"),
        ("Version", "2016-05-03"),
        ("Collection", "c d"),
        ("Content", "值 ~*'()!"),
        ("SignatureType", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let encoded: Vec<String> = rpc1::sign("POST", &pairs, key, nonce, at(NOW))
        .into_iter()
        .map(|(name, value)| format!("{name}={}", encode(&value)))
        .collect();
    let (query, body) = encoded.split_at(body_from);
    Owned {
        method: "POST".into(),
        path: "/".into(),
        query: query.join("&"),
        headers: vec![("Content-Type".into(), FORM.into())],
        body: body.join("&").into_bytes(),
    }
}

fn rpc1_request(nonce: &str) -> Owned {
    rpc1_as(&key(&Secret::new("testSK")), nonce, 3)
}

fn code(error: SignError) -> ErrorCode {
    ApiError::from(error).code
}

#[test]
fn what_we_sign_verifies() {
    let verifier = verifier();
    let verified = acs3_request("n-1").verify(&verifier, NOW).unwrap();
    assert_eq!(
        verified,
        Verified {
            access_key_id: KEY_ID.into(),
            scheme: Scheme::Acs3HmacSha256,
            nonce: Some("n-1".into()),
            timestamp: Some(at(NOW)),
        }
    );
    let verified = rpc1_request("n-2").verify(&verifier, NOW).unwrap();
    assert_eq!(verified.scheme, Scheme::Rpc1HmacSha1);
    assert_eq!(verified.nonce.as_deref(), Some("n-2"));
}

#[test]
fn a_request_is_good_once() {
    let verifier = verifier();
    for request in [acs3_request("n-1"), rpc1_request("n-2")] {
        request.verify(&verifier, NOW).unwrap();
        let error = request.verify(&verifier, NOW).unwrap_err();
        assert_eq!(code(error), ErrorCode::SignatureNonceUsed);
    }
    acs3_request("n-3").verify(&verifier, NOW).unwrap();
}

#[test]
fn fifteen_minutes_of_skew_are_allowed_either_way() {
    let verifier = verifier();
    acs3_request("early").verify(&verifier, NOW - 900).unwrap();
    acs3_request("late").verify(&verifier, NOW + 900).unwrap();
    for (nonce, now) in [("a", NOW - 901), ("b", NOW + 901)] {
        let error = rpc1_request(nonce).verify(&verifier, now).unwrap_err();
        assert_eq!(code(error), ErrorCode::IllegalTimestamp);
    }
}

#[test]
fn a_replay_is_refused_to_the_last_moment_of_its_timestamp() {
    let verifier = verifier();
    let request = acs3_request("n-1");
    request.verify(&verifier, NOW - 900).unwrap();
    assert_eq!(
        request.verify(&verifier, NOW + 900).unwrap_err(),
        SignError::NonceUsed
    );
    assert!(matches!(
        request.verify(&verifier, NOW + 901).unwrap_err(),
        SignError::Skew { .. }
    ));
}

#[test]
fn a_badly_signed_request_does_not_use_up_its_nonce() {
    let verifier = verifier();
    let mut forged = acs3_request("n-1");
    forged.edit_authorization("Signature=", "Signature=0");
    assert!(forged.verify(&verifier, NOW).is_err());
    acs3_request("n-1").verify(&verifier, NOW).unwrap();
}

#[test]
fn nobody_gets_in_without_a_credential() {
    let mut request = acs3_request("n-1");
    request.headers.pop();
    let error = ApiError::from(request.verify(&verifier(), NOW).unwrap_err());
    assert_eq!(error.code, ErrorCode::MissingParameter);
    assert_eq!(error.field.as_deref(), Some("AccessKeyId"));
}

#[test]
fn unknown_keys_are_told_apart_from_wrong_signatures() {
    let secret = Secret::new("testSK");
    let stranger = SigningKey {
        access_key_id: "stranger",
        ..key(&secret)
    };
    for request in [acs3_as(&stranger, "n", "", ""), rpc1_as(&stranger, "n", 3)] {
        let error = request.verify(&verifier(), NOW).unwrap_err();
        assert_eq!(code(error), ErrorCode::InvalidAccessKeyIdNotFound);
    }
    let wrong = Secret::new("wrong");
    for request in [
        acs3_as(&key(&wrong), "n", "", ""),
        rpc1_as(&key(&wrong), "n", 3),
    ] {
        let error = request.verify(&verifier(), NOW).unwrap_err();
        assert_eq!(code(error), ErrorCode::SignatureDoesNotMatch);
    }
}

#[test]
fn the_headers_that_decide_must_be_signed() {
    for name in [
        "content-type;",
        "host;",
        "x-acs-action;",
        "x-acs-content-sha256;",
        "x-acs-date;",
        "x-acs-signature-nonce;",
        ";x-acs-version",
    ] {
        let mut request = acs3_request("n-1");
        request.edit_authorization(name, "");
        let error = ApiError::from(request.verify(&verifier(), NOW).unwrap_err());
        assert_eq!(error.code, ErrorCode::IncompleteSignature);
        assert!(error.message.contains(name.trim_matches(';')), "{error}");
    }
}

#[test]
fn malformed_authorizations_are_incomplete() {
    for value in [
        "",
        "ACS3-HMAC-SHA256",
        "ACS3-HMAC-SM3 Credential=a,SignedHeaders=host,Signature=b",
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host",
        "ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=b",
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=b,More=c",
        "Basic dXNlcjpwYXNz",
    ] {
        let mut request = acs3_request("n-1");
        request.set_header("authorization", value);
        let error = request.verify(&verifier(), NOW).unwrap_err();
        assert_eq!(code(error), ErrorCode::IncompleteSignature, "{value}");
    }
    let mut request = acs3_request("n-1");
    request.edit_authorization("host", &format!("host{}", ";x".repeat(100)));
    let error = request.verify(&verifier(), NOW).unwrap_err();
    assert!(error.to_string().contains("100"), "{error}");
}

#[test]
fn rpc1_parameters_are_required_by_name() {
    for name in [
        "AccessKeyId",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "Timestamp",
    ] {
        let mut request = rpc1_as(&key(&Secret::new("testSK")), "n-1", 0);
        let body = String::from_utf8(request.body).unwrap();
        request.body = body.replace(&format!("{name}="), "Other=").into_bytes();
        let error = ApiError::from(request.verify(&verifier(), NOW).unwrap_err());
        assert_eq!(error.code, ErrorCode::MissingParameter);
        assert_eq!(error.field.as_deref(), Some(name));
    }
    let mut request = rpc1_as(&key(&Secret::new("testSK")), "n-1", 0);
    let body = String::from_utf8(request.body).unwrap();
    request.body = body.replace("HMAC-SHA1", "HMAC-MD5").into_bytes();
    let error = request.verify(&verifier(), NOW).unwrap_err();
    assert_eq!(code(error), ErrorCode::IncompleteSignature);
}

#[test]
fn a_malformed_timestamp_is_illegal() {
    let mut credentials = Credentials::default();
    credentials.add_key(KEY_ID, Secret::new("testSK"));
    let pairs = Parameters::from_pairs(
        [
            ("AccessKeyId", KEY_ID),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", "n"),
            ("Timestamp", "yesterday"),
            ("Signature", "IpLVoSJMDW21T5IDQTF2lpLwqtE="),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    );
    // The signature is checked first, so a wrong one hides the malformed time.
    assert_eq!(
        rpc1::verify("GET", &pairs, &credentials, at(NOW)).unwrap_err(),
        SignError::Mismatch
    );
    assert_eq!(code(SignError::BadTimestamp), ErrorCode::IllegalTimestamp);
    assert_eq!(
        parse_timestamp("yesterday").unwrap_err(),
        SignError::BadTimestamp
    );
    assert_eq!(
        parse_timestamp("2027-01-15T08:00:00Z").unwrap(),
        at(1_800_000_000)
    );
}

fn sts(token: Option<&str>, secret: &str) -> [Owned; 2] {
    let secret = Secret::new(secret);
    let key = SigningKey {
        access_key_id: "STS.ak",
        secret: &secret,
        security_token: token,
    };
    [acs3_as(&key, "n-a", "", ""), rpc1_as(&key, "n-b", 3)]
}

#[test]
fn a_temporary_key_needs_its_own_live_token() {
    for request in sts(Some("STS.tok"), "stsSK") {
        request.verify(&verifier(), NOW + 59).unwrap();
        let error = request.verify(&verifier(), NOW + 60).unwrap_err();
        assert_eq!(code(error), ErrorCode::InvalidSecurityTokenExpired);
    }
    for request in sts(Some("STS.other"), "stsSK") {
        let error = request.verify(&verifier(), NOW).unwrap_err();
        assert_eq!(code(error), ErrorCode::InvalidSecurityTokenMismatch);
    }
    for request in sts(None, "stsSK") {
        let error = request.verify(&verifier(), NOW).unwrap_err();
        assert_eq!(code(error), ErrorCode::MissingSecurityToken);
    }
}

#[test]
fn a_permanent_key_takes_no_token_and_a_token_must_be_signed() {
    let secret = Secret::new("testSK");
    let with_token = SigningKey {
        security_token: Some("STS.tok"),
        ..key(&secret)
    };
    for request in [
        acs3_as(&with_token, "n", "", ""),
        rpc1_as(&with_token, "n", 3),
    ] {
        let error = request.verify(&verifier(), NOW).unwrap_err();
        assert_eq!(code(error), ErrorCode::InvalidSecurityTokenMalformed);
    }
    let mut unsigned = acs3_request("n-1");
    unsigned
        .headers
        .insert(0, ("x-acs-security-token".into(), "STS.tok".into()));
    let error = unsigned.verify(&verifier(), NOW).unwrap_err();
    assert_eq!(code(error), ErrorCode::IncompleteSignature);
}

#[test]
fn bearer_tokens_are_known_live_texts() {
    let request = |query: &str, header: Option<&str>| Owned {
        method: "POST".into(),
        path: "/".into(),
        query: query.into(),
        headers: header
            .map(|token| ("x-acs-bearer-token".to_owned(), token.to_owned()))
            .into_iter()
            .collect(),
        body: Vec::new(),
    };
    let acs3_mode = request("SignatureType=BEARERTOKEN", Some("bearer-1"));
    let rpc1_mode = request("SignatureType=BEARERTOKEN&BearerToken=bearer-1", None);
    for good in [acs3_mode, rpc1_mode] {
        let verified = good.verify(&verifier(), NOW).unwrap();
        assert_eq!(verified.scheme, Scheme::Bearer);
        assert_eq!(verified.access_key_id, KEY_ID);
        assert_eq!(verified.nonce, None);
    }
    for bad in ["bearer-2", "bearer-old", "bearer-", ""] {
        let error = request("", Some(bad)).verify(&verifier(), NOW).unwrap_err();
        assert_eq!(code(error), ErrorCode::InvalidBearerToken, "{bad}");
    }
    let empty = request("SignatureType=BEARERTOKEN", None);
    assert!(empty.verify(&verifier(), NOW).is_err());
    // An empty SignatureType is core's, not a bearer call.
    let none = request("SignatureType=", None);
    assert_eq!(
        code(none.verify(&verifier(), NOW).unwrap_err()),
        ErrorCode::MissingParameter
    );
}

#[test]
fn a_repeated_header_is_sorted_and_joined() {
    let mut one = acs3_request("n-1");
    one.headers.insert(0, ("X-Extra".into(), " b,a ".into()));
    let mut two = one.clone();
    two.headers[0].1 = "b".into();
    two.headers.insert(1, ("x-extra".into(), "a".into()));
    let canonical = |request: &Owned| {
        let request = SignedRequest {
            method: "GET",
            path: "/",
            raw_query: "",
            headers: &request.headers,
            body: b"",
        };
        acs3::canonical_request(&request, &["x-extra"], "hash").unwrap()
    };
    assert_eq!(canonical(&one), "GET\n/\n\nx-extra:b,a\n\nx-extra\nhash");
    assert_eq!(canonical(&two), "GET\n/\n\nx-extra:a,b\n\nx-extra\nhash");
}

#[test]
fn credentials_print_without_secrets() {
    let shown = format!("{:?}", verifier());
    for secret in ["testSK", "stsSK", "STS.tok", "bearer-1"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
