//! Who is let in.

use jiff::{SignedDuration, Timestamp};

use crate::server::{start, start_with};
use crate::wire::{Call, exchange, get};

const FIELDS: [(&str, &str); 4] = [
    ("DBInstanceId", "gp-1"),
    ("RegionId", "cn-hangzhou"),
    ("ManagerAccount", "m"),
    ("ManagerAccountPassword", "p"),
];

fn call(endpoint: &str) -> Call {
    Call::new(endpoint, "InitVectorDatabase", &FIELDS)
}

/// docs: nothing is done before the signature is good.
#[tokio::test]
async fn tampered_request_is_refused() {
    let server = start().await;
    assert_eq!(call(&server.endpoint).send().await.status, 200);

    let mut wrong_secret = call(&server.endpoint);
    wrong_secret.secret = "another".to_owned();
    assert_eq!(
        wrong_secret.send().await.refusal(),
        (400, "SignatureDoesNotMatch".to_owned())
    );

    let signed = call(&server.endpoint);
    let headers = signed.headers();
    let mut changed = call(&server.endpoint);
    changed.query = changed.query.replace("gp-1", "gp-2");
    let answer = exchange(&server.endpoint, &changed.bytes_with(&headers)).await;
    assert_eq!(answer.refusal(), (400, "SignatureDoesNotMatch".to_owned()));

    let mut stranger = call(&server.endpoint).headers();
    for (_, value) in &mut stranger {
        *value = value.replace("Credential=testAK", "Credential=nobody");
    }
    let answer = exchange(
        &server.endpoint,
        &call(&server.endpoint).bytes_with(&stranger),
    )
    .await;
    assert_eq!(
        answer.refusal(),
        (404, "InvalidAccessKeyId.NotFound".to_owned())
    );
}

/// docs: no credential at all is a missing parameter.
#[tokio::test]
async fn unsigned_request_is_refused() {
    let server = start().await;
    let answer = get(
        &server.endpoint,
        "/?Action=InitVectorDatabase&Version=2016-05-03&DBInstanceId=gp-1",
        &[],
    )
    .await;
    assert_eq!(answer.refusal(), (400, "MissingParameter".to_owned()));
}

/// ours: clocks may differ by fifteen minutes.
#[tokio::test]
async fn skewed_clock_is_refused_beyond_fifteen_minutes() {
    let server = start().await;
    for minutes in [-16, 16] {
        let mut late = call(&server.endpoint);
        late.date = Timestamp::now() + SignedDuration::from_mins(minutes);
        assert_eq!(
            late.send().await.refusal(),
            (400, "IllegalTimestamp".to_owned()),
            "{minutes}"
        );
    }
    for minutes in [-14, 14] {
        let mut near = call(&server.endpoint);
        near.date = Timestamp::now() + SignedDuration::from_mins(minutes);
        assert_eq!(near.send().await.status, 200, "{minutes}");
    }
}

/// docs: a nonce counts once.
#[tokio::test]
async fn replay_is_refused() {
    let server = start().await;
    let bytes = call(&server.endpoint).bytes();
    assert_eq!(exchange(&server.endpoint, &bytes).await.status, 200);
    assert_eq!(
        exchange(&server.endpoint, &bytes).await.refusal(),
        (400, "SignatureNonceUsed".to_owned())
    );
}

/// ours: `--allow-unsigned` lets everyone in, with a wrong signature or none.
#[tokio::test]
async fn open_server_takes_everyone() {
    let server = start_with(&["--allow-unsigned"]).await;
    let mut wrong_secret = call(&server.endpoint);
    wrong_secret.secret = "another".to_owned();
    assert_eq!(wrong_secret.send().await.status, 200);
    let target = "/?Action=InitVectorDatabase&Version=2016-05-03&DBInstanceId=gp-1&RegionId=r&ManagerAccount=m&ManagerAccountPassword=p";
    assert_eq!(get(&server.endpoint, target, &[]).await.status, 200);
}

/// sdk: a temporary key is good with its own token only.
#[tokio::test]
async fn temporary_key_needs_its_token() {
    let server = start_with(&["--access-key", "STS.x:s3cret:t0ken"]).await;
    let with = async |token: Option<&str>| {
        let mut call = call(&server.endpoint);
        "STS.x".clone_into(&mut call.key_id);
        "s3cret".clone_into(&mut call.secret);
        call.security_token = token.map(str::to_owned);
        call.send().await
    };
    assert_eq!(with(Some("t0ken")).await.status, 200);
    assert_eq!(
        with(Some("other")).await.refusal().1,
        "InvalidSecurityToken.MismatchWithAccessKey"
    );
    assert_eq!(with(None).await.refusal().1, "MissingSecurityToken");
}

/// sdk: a bearer token takes the place of a signature.
#[tokio::test]
async fn bearer_token_is_checked() {
    let server = start_with(&["--bearer-token", "t0ken"]).await;
    let target = "/?Action=InitVectorDatabase&Version=2016-05-03&SignatureType=BEARERTOKEN&DBInstanceId=gp-1&RegionId=r&ManagerAccount=m&ManagerAccountPassword=p";
    assert_eq!(
        get(&server.endpoint, target, &[("x-acs-bearer-token", "t0ken")])
            .await
            .status,
        200
    );
    assert_eq!(
        get(&server.endpoint, target, &[("x-acs-bearer-token", "other")])
            .await
            .refusal()
            .1,
        "InvalidBearerToken"
    );
}
