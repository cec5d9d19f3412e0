//! Verifying a request's signature, the first work of every call: a small action, and a query whose vector makes the URL long.

use std::hint::black_box;

use criterion::{BatchSize, Bencher, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use lookalike_wire::Secret;
use lookalike_wire::form::Parameters;
use lookalike_wire::sign::{Credentials, SignedRequest, SigningKey, Verifier, acs3, encode, rpc1};

const ACCESS_KEY_ID: &str = "testAK";
const NONCE: &str = "0123456789abcdef0123456789abcdef";

fn secret() -> Secret {
    Secret::new("testSK")
}

/// Measures the whole check, skew and nonce included. A verifier remembers the nonce, so each run gets a new one.
fn verify(
    bencher: &mut Bencher<'_>,
    request: &SignedRequest<'_>,
    parameters: &Parameters,
    now: Timestamp,
) {
    bencher.iter_batched_ref(
        || {
            let mut credentials = Credentials::default();
            credentials.add_key(ACCESS_KEY_ID, secret());
            Verifier::new(credentials)
        },
        |verifier| {
            verifier
                .verify(black_box(request), parameters, now)
                .expect("a good signature")
        },
        BatchSize::SmallInput,
    );
}

fn small_query() -> String {
    "Collection=photos&DBInstanceId=gp-test&Namespace=public&NamespacePassword=Namespace_1&RegionId=cn-hangzhou&TopK=10".to_owned()
}

/// A vector of 1,024 numbers as JSON in the URL, about 23 bytes a number.
fn long_query() -> String {
    let numbers: Vec<String> = (0..1024)
        .map(|index| format!("{:.17}", f64::from(index) / 1024.0))
        .collect();
    format!(
        "{}&Vector={}",
        small_query(),
        encode(&format!("[{}]", numbers.join(",")))
    )
}

fn acs3_request(criterion: &mut Criterion) {
    let secret = secret();
    let key = SigningKey {
        access_key_id: ACCESS_KEY_ID,
        secret: &secret,
        security_token: None,
    };
    let now = Timestamp::now();
    let mut group = criterion.benchmark_group("verify_acs3");
    for (name, raw_query, body) in [
        ("small_action", small_query(), "Content=a+dog+on+the+beach"),
        ("vector_of_1024_in_the_url", long_query(), ""),
    ] {
        let content_type = (!body.is_empty()).then_some("application/x-www-form-urlencoded");
        let body = body.as_bytes();
        let call = acs3::Call {
            method: "POST",
            host: "127.0.0.1:8443",
            action: "QueryContent",
            version: "2016-05-03",
            raw_query: &raw_query,
            content_type,
            body,
        };
        let headers = acs3::sign(&call, &key, NONCE, now).expect("a call that can be signed");
        let request = SignedRequest {
            method: "POST",
            path: "/",
            raw_query: &raw_query,
            headers: &headers,
            body,
        };
        let parameters = Parameters::parse(&raw_query, content_type, body).expect("a good query");
        group.throughput(Throughput::Bytes(
            u64::try_from(raw_query.len() + body.len()).expect("a small number"),
        ));
        group.bench_function(name, |bencher| verify(bencher, &request, &parameters, now));
    }
    group.finish();
}

fn rpc1_request(criterion: &mut Criterion) {
    let secret = secret();
    let key = SigningKey {
        access_key_id: ACCESS_KEY_ID,
        secret: &secret,
        security_token: None,
    };
    let now = Timestamp::now();
    let unsigned = Parameters::parse(&small_query(), None, b"").expect("a good query");
    let mut pairs: Vec<(String, String)> = unsigned
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    pairs.push(("Action".to_owned(), "QueryContent".to_owned()));
    pairs.push(("Version".to_owned(), "2016-05-03".to_owned()));
    let parameters = Parameters::from_pairs(rpc1::sign("GET", &pairs, &key, NONCE, now));
    let request = SignedRequest {
        method: "GET",
        path: "/",
        raw_query: "",
        headers: &[],
        body: b"",
    };
    criterion.bench_function("verify_rpc1/small_action", |bencher| {
        verify(bencher, &request, &parameters, now);
    });
}

criterion_group!(benches, acs3_request, rpc1_request);
criterion_main!(benches);
