//! A small action from the parsed request to the bytes of its answer, without the socket: route, signature, action, engine, JSON.
//! The target is under 100 µs of server time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::Request;
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use lookalike::client::Client;
use lookalike::config::Settings;
use lookalike::gateway;
use lookalike::server::Server;
use lookalike_wire::Secret;
use lookalike_wire::dto::{CreateNamespaceRequest, InitVectorDatabaseRequest};
use lookalike_wire::sign::{SigningKey, acs3};
use tokio::runtime::Runtime;
use tower::ServiceExt;

const KEY: &str = "lookalike";
const HOST: &str = "127.0.0.1:8443";
const PLACE: &str = "DBInstanceId=gp-bench&RegionId=cn-hangzhou";

/// Nothing of the engine; a read of the database; a read that also checks a namespace's password.
const ACTIONS: [(&str, &str, &str); 3] = [
    ("AuthorizeFileUpload", "2019-12-19", "Product=gpdb"),
    (
        "DescribeNamespace",
        "2016-05-03",
        "ManagerAccount=manager&ManagerAccountPassword=Manager_1&Namespace=bench",
    ),
    (
        "ListDocumentCollections",
        "2016-05-03",
        "Namespace=bench&NamespacePassword=Namespace_1",
    ),
];

fn dispatch(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(prepared_server());
    let router = gateway::router(server.app().clone());
    let mut group = criterion.benchmark_group("dispatch");
    let mut number = 0_u64;
    for (action, version, parameters) in ACTIONS {
        let raw_query = format!("{PLACE}&{parameters}");
        group.bench_function(action, |bencher| {
            // Every request needs a nonce of its own, so signing happens outside the measured time.
            bencher.iter_custom(|runs| {
                let mut spent = Duration::ZERO;
                for _ in 0..runs {
                    number += 1;
                    let request = signed(action, version, &raw_query, number);
                    let router = router.clone();
                    let start = Instant::now();
                    let (status, body) = runtime.block_on(async move {
                        let answer = router.oneshot(request).await.expect("the router answers");
                        let status = answer.status();
                        let body = answer.into_body().collect().await.expect("a body");
                        (status, body.to_bytes())
                    });
                    spent += start.elapsed();
                    let body = String::from_utf8_lossy(&body);
                    assert!(status.is_success(), "{action}: {status} {body}");
                }
                spent
            });
        });
    }
    group.finish();
    runtime.block_on(server.stop());
}

async fn prepared_server() -> Server {
    let flags = ["--listen", "127.0.0.1:0", "--data", ":memory:"];
    let settings = Settings::from_flags(flags).expect("good flags");
    let server = Server::start(&settings).await.expect("a server");
    let client = Client::new(server.address().to_string(), KEY, KEY).expect("a client");
    let init = InitVectorDatabaseRequest {
        db_instance_id: Some("gp-bench".to_owned()),
        manager_account: "manager".to_owned(),
        manager_account_password: Secret::from("Manager_1"),
        region_id: "cn-hangzhou".to_owned(),
        ..InitVectorDatabaseRequest::default()
    };
    client.call(&init).await.expect("an initialised instance");
    let namespace = CreateNamespaceRequest {
        db_instance_id: Some("gp-bench".to_owned()),
        manager_account: "manager".to_owned(),
        manager_account_password: Secret::from("Manager_1"),
        namespace: Some("bench".to_owned()),
        namespace_password: Secret::from("Namespace_1"),
        region_id: "cn-hangzhou".to_owned(),
        ..CreateNamespaceRequest::default()
    };
    client.call(&namespace).await.expect("a namespace");
    server
}

fn signed(action: &str, version: &str, raw_query: &str, number: u64) -> Request<Full<Bytes>> {
    let secret = Secret::new(KEY);
    let key = SigningKey {
        access_key_id: KEY,
        secret: &secret,
        security_token: None,
    };
    let call = acs3::Call {
        method: "POST",
        host: HOST,
        action,
        version,
        raw_query,
        content_type: None,
        body: b"",
    };
    let nonce = format!("{number:032x}");
    let headers =
        acs3::sign(&call, &key, &nonce, Timestamp::now()).expect("a call that can be signed");
    let mut request = Request::post(format!("/?{raw_query}"));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Full::default()).expect("a good request")
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
