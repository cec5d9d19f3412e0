use super::super::post_form;
use super::*;

const NOW: i64 = 1_800_000_000;
const BOUNDARY: &str = "b0undary";

struct Setup {
    credentials: Credentials,
    secret: Secret,
    encoded: String,
    signature: String,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn setup(encoded: String) -> Setup {
    let secret = Secret::new("s3cret");
    let mut credentials = Credentials::default();
    credentials.add_key("server", secret.clone());
    let signature = sign(&encoded, &secret);
    Setup {
        credentials,
        secret,
        encoded,
        signature,
    }
}

fn granted() -> Setup {
    setup(encode(&UploadGrant {
        bucket: "127",
        key: "up/1.jpg",
        max_bytes: 4,
        expires_at: at(NOW + 60),
    }))
}

/// Posts a form under the setup's policy; `change` replaces one field.
fn post(
    setup: &Setup,
    change: Option<(&str, &str)>,
    file: &[u8],
    bucket: &str,
    now: i64,
) -> Result<(), ObjectError> {
    let mut fields = vec![
        ("OSSAccessKeyId", "server"),
        ("policy", setup.encoded.as_str()),
        ("Signature", setup.signature.as_str()),
        ("key", "up/1.jpg"),
        ("success_action_status", "201"),
    ];
    if let Some((name, value)) = change {
        for field in &mut fields {
            if field.0 == name {
                field.1 = value;
            }
        }
    }
    let body = post_form::write(BOUNDARY, &fields, "1.jpg", file);
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let form = post_form::parse(&content_type, &body).unwrap();
    authorize(&form, bucket, &setup.credentials, at(now))
}

fn refused(result: Result<(), ObjectError>) -> ObjectErrorCode {
    result.unwrap_err().code
}

#[test]
fn a_form_that_keeps_to_its_policy_is_accepted() {
    let setup = granted();
    post(&setup, None, b"FILE", "127", NOW).unwrap();
    post(&setup, None, b"", "127", NOW + 59).unwrap();
}

#[test]
fn expiry_size_key_and_bucket_are_checked() {
    let setup = granted();
    assert_eq!(
        refused(post(&setup, None, b"FILE", "127", NOW + 60)),
        ObjectErrorCode::AccessDenied
    );
    assert_eq!(
        refused(post(&setup, None, b"FILE!", "127", NOW)),
        ObjectErrorCode::EntityTooLarge
    );
    assert_eq!(
        refused(post(&setup, Some(("key", "up/2.jpg")), b"FILE", "127", NOW)),
        ObjectErrorCode::AccessDenied
    );
    assert_eq!(
        refused(post(&setup, None, b"FILE", "10", NOW)),
        ObjectErrorCode::AccessDenied
    );
}

#[test]
fn a_forged_policy_or_signature_is_refused() {
    let setup = granted();
    let wider = encode(&UploadGrant {
        bucket: "127",
        key: "up/1.jpg",
        max_bytes: 5,
        expires_at: at(NOW + 60),
    });
    for change in [
        ("policy", wider.as_str()),
        ("Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ] {
        assert_eq!(
            refused(post(&setup, Some(change), b"FILE", "127", NOW)),
            ObjectErrorCode::SignatureDoesNotMatch
        );
    }
    assert_eq!(
        refused(post(&setup, Some(("OSSAccessKeyId", "x")), b"", "127", NOW)),
        ObjectErrorCode::InvalidAccessKeyId
    );
}

#[test]
fn a_form_without_credentials_is_denied() {
    let setup = granted();
    for name in ["OSSAccessKeyId", "policy", "Signature", "key"] {
        let error = post(&setup, Some((name, "")), b"FILE", "127", NOW).unwrap_err();
        assert_eq!(error.code, ObjectErrorCode::AccessDenied);
        assert!(error.message.contains(name), "{error}");
    }
}

fn signed_json(text: &str) -> Result<(), ObjectError> {
    post(&setup(STANDARD.encode(text)), None, b"FILE", "127", NOW)
}

#[test]
fn conditions_of_other_signers_are_understood() {
    signed_json(
        r#"{"expiration": "2099-01-01T00:00:00.000Z", "conditions": [
            ["starts-with", "$key", "up/"], {"success_action_status": "201"},
            ["eq", "$bucket", "127"], ["content-length-range", 4, 4]]}"#,
    )
    .unwrap();
    for (condition, code) in [
        (
            r#"["starts-with", "$key", "down/"]"#,
            ObjectErrorCode::AccessDenied,
        ),
        (r#"["eq", "$absent", "x"]"#, ObjectErrorCode::AccessDenied),
        (
            r#"["content-length-range", 5, 9]"#,
            ObjectErrorCode::EntityTooSmall,
        ),
        (
            r#"["eq", "key", "up/1.jpg"]"#,
            ObjectErrorCode::InvalidPolicyDocument,
        ),
        (
            r#"["matches", "$key", "x"]"#,
            ObjectErrorCode::InvalidPolicyDocument,
        ),
        (
            r#"{"key": "up/1.jpg", "bucket": "127"}"#,
            ObjectErrorCode::InvalidPolicyDocument,
        ),
        (
            r#"["content-length-range", "4", 4]"#,
            ObjectErrorCode::InvalidPolicyDocument,
        ),
        ("7", ObjectErrorCode::InvalidPolicyDocument),
    ] {
        let text =
            format!(r#"{{"expiration": "2099-01-01T00:00:00Z", "conditions": [{condition}]}}"#);
        assert_eq!(refused(signed_json(&text)), code, "{condition}");
    }
}

#[test]
fn a_policy_must_be_whole() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"conditions": []}"#,
        r#"{"expiration": "soon", "conditions": []}"#,
        r#"{"expiration": "2099-01-01T00:00:00Z"}"#,
    ] {
        assert_eq!(
            refused(signed_json(text)),
            if text.is_empty() {
                // An empty policy is an absent field.
                ObjectErrorCode::AccessDenied
            } else {
                ObjectErrorCode::InvalidPolicyDocument
            },
            "{text}"
        );
    }
    let broken = setup("not base64!".to_owned());
    assert_eq!(
        refused(post(&broken, None, b"FILE", "127", NOW)),
        ObjectErrorCode::InvalidPolicyDocument
    );
}

#[test]
fn the_secret_decides_the_signature() {
    let setup = granted();
    assert_ne!(
        sign(&setup.encoded, &Secret::new("other")),
        sign(&setup.encoded, &setup.secret)
    );
}
