//! The edges of the gateway: ports, sizes, shapes, methods, panics.

use axum::Router;
use axum::routing::get as get_route;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::server::{start, start_with};
use crate::wire::{Call, GPDB, exchange, exchange_tls, form, get, read_answer, request, simple};

/// Longest request target (docs/parity.md).
const MAX_TARGET: usize = 65_534;

/// sdk: the newer SDKs hard-code HTTPS for one step of an upload even where the others use HTTP.
#[tokio::test]
async fn one_port_speaks_http_and_https() {
    let server = start().await;
    assert_eq!(
        get(&server.endpoint, "/_lookalike/health", &[])
            .await
            .status,
        200
    );
    let request = request(
        "GET",
        "/_lookalike/health",
        &[("host".to_owned(), "localhost".to_owned())],
        b"",
    );
    for name in [
        "localhost",
        "127.0.0.1",
        "gpdb.aliyuncs.com",
        "127.oss-cn-hangzhou.aliyuncs.com",
        "photos.example",
    ] {
        let answer = exchange_tls(&server.endpoint, name, server.ca_pem(), &request)
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{name}");
    }
}

/// ours: a client that was not told to trust the server's authority does not.
#[tokio::test]
async fn certificate_of_another_server_is_not_trusted() {
    let (server, other) = (start().await, start().await);
    let request = request(
        "GET",
        "/_lookalike/health",
        &[("host".to_owned(), "localhost".to_owned())],
        b"",
    );
    assert!(
        exchange_tls(&server.endpoint, "localhost", other.ca_pem(), &request)
            .await
            .is_err()
    );
}

/// ours: a connection that begins TLS and goes silent does not hold up the others.
#[tokio::test]
async fn stalled_handshake_holds_nobody_up() {
    let server = start_with(&["--handshake-timeout-seconds", "1"]).await;
    let mut stalled = TcpStream::connect(&server.endpoint).await.unwrap();
    stalled.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
    let mut silent = TcpStream::connect(&server.endpoint).await.unwrap();
    assert_eq!(
        get(&server.endpoint, "/_lookalike/health", &[])
            .await
            .status,
        200
    );
    // Both are closed by the server in the end; reading waits for that.
    for stream in [&mut stalled, &mut silent] {
        let mut rest = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(stream, &mut rest).await;
    }
}

/// ours: a head that never ends is cut off.
#[tokio::test]
async fn endless_head_is_cut_off() {
    let server = start_with(&["--header-timeout-seconds", "1"]).await;
    let mut stream = TcpStream::connect(&server.endpoint).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
    assert!(
        !String::from_utf8_lossy(&rest).contains("200"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
}

/// ours: a client that asks and asks and never reads does not keep its connection.
#[tokio::test]
async fn client_that_never_reads_is_cut_off() {
    let server = start_with(&["--write-timeout-seconds", "1"]).await;
    let mut stream = TcpStream::connect(&server.endpoint).await.unwrap();
    let requests = "GET /_lookalike/health HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    // The answers fill every buffer on the way, then the server stops reading, then writing stops here: until
    // the server gives the connection up.
    while stream.write_all(requests.as_bytes()).await.is_ok() {}
    assert_eq!(
        get(&server.endpoint, "/_lookalike/health", &[])
            .await
            .status,
        200
    );
}

/// ours: a body that never comes is refused in the vendor's shape.
#[tokio::test]
async fn body_that_stops_coming_is_refused() {
    let server = start_with(&["--body-timeout-seconds", "1"]).await;
    let mut stream = TcpStream::connect(&server.endpoint).await.unwrap();
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
        .await
        .unwrap();
    let answer = read_answer(&mut stream, false).await;
    assert_eq!(answer.refusal(), (408, "RequestTimeout".to_owned()));
}

/// sdk: 2048 dimensions travel in the URL as 47 kB; the limit is what the HTTP stack takes.
#[tokio::test]
async fn long_url_works_to_its_limit_and_is_refused_in_json_beyond() {
    let server = start().await;
    let target = |length: usize| {
        format!(
            "/?Action=X&Vector={}",
            "1".repeat(length - "/?Action=X&Vector=".len())
        )
    };
    for (length, expected) in [(47_000, 400), (MAX_TARGET, 400)] {
        let answer = get(&server.endpoint, &target(length), &[]).await;
        assert_eq!(
            answer.refusal(),
            (expected, "MissingParameter".to_owned()),
            "{length}"
        );
    }
    for length in [MAX_TARGET + 1, 100_000, 1_000_000] {
        let answer = get(&server.endpoint, &target(length), &[]).await;
        assert_eq!(
            answer.refusal(),
            (414, "RequestURITooLong".to_owned()),
            "{length}"
        );
    }
}

/// sdk: a signed call with a vector of 2048 dimensions in its URL reaches the action, which misses its other fields.
#[tokio::test]
async fn signed_url_of_47_kilobytes_is_verified() {
    let server = start().await;
    let vector = format!("[{}]", vec!["-0.12345678901234567"; 2048].join(","));
    let call = Call::new(
        &server.endpoint,
        "QueryCollectionData",
        &[("Vector", &vector), ("TopK", "3")],
    );
    assert!(call.query.len() > 45_000);
    assert_eq!(
        call.send().await.refusal(),
        (400, "MissingParameter".to_owned())
    );
}

/// ours: what hyper refuses by itself has the vendor's shape too, also on a connection that was used before.
#[tokio::test]
async fn malformed_http_is_refused_in_json() {
    let server = start().await;
    assert_eq!(
        exchange(&server.endpoint, b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
            .await
            .refusal(),
        (400, "InvalidParameter".to_owned())
    );
    let mut stream = TcpStream::connect(&server.endpoint).await.unwrap();
    stream
        .write_all(b"GET /_lookalike/health HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_answer(&mut stream, false).await.status, 200);
    stream
        .write_all(format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000)).as_bytes())
        .await
        .unwrap();
    assert_eq!(
        read_answer(&mut stream, false).await.refusal(),
        (414, "RequestURITooLong".to_owned())
    );
}

/// ours: the cap on bodies, at its edge, announced and chunked.
#[tokio::test]
async fn body_is_taken_to_its_limit() {
    let server = start_with(&["--max-body-bytes", "1000"]).await;
    let body = |length: usize| {
        format!(
            "Action=X&Pad={}",
            "a".repeat(length - "Action=X&Pad=".len())
        )
    };
    let headers = [
        ("host".to_owned(), server.endpoint.clone()),
        (
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ),
    ];
    let answer = exchange(
        &server.endpoint,
        &request("POST", "/", &headers, body(1000).as_bytes()),
    )
    .await;
    assert_eq!(answer.refusal(), (400, "MissingParameter".to_owned()));
    let answer = exchange(
        &server.endpoint,
        &request("POST", "/", &headers, body(1001).as_bytes()),
    )
    .await;
    assert_eq!(answer.refusal(), (413, "RequestEntityTooLarge".to_owned()));
    assert!(
        answer.json()["Message"]
            .as_str()
            .unwrap()
            .contains("max-body-bytes")
    );

    let chunked = |length: usize| {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
            server.endpoint
        );
        format!("{head}{length:x}\r\n{}\r\n0\r\n\r\n", body(length)).into_bytes()
    };
    assert_eq!(
        exchange(&server.endpoint, &chunked(1000)).await.refusal().0,
        400
    );
    assert_eq!(
        exchange(&server.endpoint, &chunked(1001)).await.refusal().0,
        413
    );
}

/// sdk: the client reads the answer to a body of many megabytes that was refused at once.
#[tokio::test]
async fn early_refusal_is_read_before_the_connection_ends() {
    let server = start_with(&["--max-body-bytes", "1000"]).await;
    let headers = [("host".to_owned(), server.endpoint.clone())];
    let answer = exchange(
        &server.endpoint,
        &request("POST", "/", &headers, &vec![b'a'; 900_000]),
    )
    .await;
    assert_eq!(answer.refusal().0, 413);
}

/// ours: every refusal of a path or a method has the vendor's shape.
#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_json() {
    let server = start().await;
    assert_eq!(
        get(&server.endpoint, "/nothing", &[]).await.refusal(),
        (404, "InvalidAction.NotFound".to_owned())
    );
    assert_eq!(
        simple("POST", &server.endpoint, "/_lookalike/health", &[])
            .await
            .refusal()
            .1,
        "UnsupportedHTTPMethod"
    );
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        assert_eq!(
            simple(method, &server.endpoint, "/?Action=QueryContent", &[])
                .await
                .refusal()
                .1,
            "UnsupportedHTTPMethod",
            "{method}"
        );
    }
    assert_eq!(
        simple("HEAD", &server.endpoint, "/?Action=QueryContent", &[])
            .await
            .status,
        403
    );
}

/// ours: the forms of a request target that only proxies are sent are refused in the vendor's shape, too.
#[tokio::test]
async fn targets_meant_for_a_proxy_are_answered() {
    let server = start().await;
    let send = async |line: &str| {
        let request =
            format!("{line} HTTP/1.1\r\nhost: gpdb.aliyuncs.com\r\nconnection: close\r\n\r\n");
        exchange(&server.endpoint, request.as_bytes()).await
    };
    assert!(send("CONNECT gpdb.aliyuncs.com:443").await.refusal().0 >= 400);
    assert!(send("OPTIONS *").await.refusal().0 >= 400);
    // Old Python uploads this way when a proxy is set.
    assert_eq!(
        send("GET http://gpdb.aliyuncs.com/_lookalike/health")
            .await
            .status,
        200
    );
}

/// docs: unknown names, wrong versions and names that are not served yet have their own codes.
#[tokio::test]
async fn actions_that_are_not_served_say_so() {
    let server = start().await;
    let refusal = async |action: &str, version: &str| {
        let mut call = Call::new(&server.endpoint, action, &[]);
        version.clone_into(&mut call.version);
        call.send().await
    };
    assert_eq!(
        refusal("MakeCoffee", GPDB).await.refusal(),
        (404, "InvalidAction.NotFound".to_owned())
    );
    assert_eq!(
        refusal("QueryContent", "2015-01-01").await.refusal(),
        (400, "NoSuchVersion".to_owned())
    );
    let answer = refusal("CreateDBInstance", GPDB).await;
    assert_eq!(answer.refusal(), (400, "UnsupportedOperation".to_owned()));
    assert!(
        answer.json()["Message"]
            .as_str()
            .unwrap()
            .contains("CreateDBInstance is not supported here yet")
    );
    assert_eq!(
        simple("POST", &server.endpoint, "/", &[]).await.refusal(),
        (400, "MissingParameter".to_owned())
    );
}

/// sdk: pop-core sends everything in a form, core everything in the query, by GET or POST.
#[tokio::test]
async fn fields_count_wherever_they_are() {
    let server = start().await;
    let fields = [
        ("DBInstanceId", "gp-1"),
        ("RegionId", "cn-hangzhou"),
        ("ManagerAccount", "m"),
        ("ManagerAccountPassword", "p"),
    ];
    let mut in_query = Call::new(&server.endpoint, "InitVectorDatabase", &fields);
    in_query.method = "GET";
    assert_eq!(in_query.send().await.json()["Status"], "success");
    let mut in_body = Call::new(&server.endpoint, "InitVectorDatabase", &[]);
    in_body.body = form(&fields).into_bytes();
    in_body.content_type = Some("application/x-www-form-urlencoded");
    assert_eq!(in_body.send().await.json()["Status"], "success");
    let mut split = Call::new(&server.endpoint, "InitVectorDatabase", &fields[..2]);
    split.body = form(&fields[2..]).into_bytes();
    split.content_type = Some("application/x-www-form-urlencoded");
    assert_eq!(split.send().await.json()["Status"], "success");
}

/// ours: a body of another type is refused, not ignored.
#[tokio::test]
async fn json_body_is_refused() {
    let server = start().await;
    let mut call = Call::new(&server.endpoint, "QueryContent", &[]);
    call.body = b"{\"Action\":".to_vec();
    call.content_type = Some("application/json");
    assert_eq!(
        call.send().await.refusal(),
        (400, "InvalidParameter".to_owned())
    );
}

/// ours: a handler that panics answers like any other failure.
#[tokio::test]
async fn panic_is_an_internal_error_with_an_id() {
    async fn panics() {
        panic!("on purpose");
    }
    let router = lookalike::gateway::surrounded(Router::new().route("/", get_route(panics)));
    let response = router
        .oneshot(
            http::Request::get("/")
                .body(axum::body::Body::empty())
                .unwrap(),
        )
        .await
        .unwrap();
    assert_eq!(response.status(), 500);
    let id = response.headers()["x-acs-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (body["Code"].as_str(), body["RequestId"].as_str()),
        (Some("InternalError"), Some(id.as_str()))
    );
    assert!(!body.to_string().contains("on purpose"), "{body}");
}

/// ours: connections beyond the cap wait their turn instead of failing.
#[tokio::test]
async fn connections_beyond_the_cap_wait() {
    let server = start_with(&["--max-connections", "1"]).await;
    let mut first = TcpStream::connect(&server.endpoint).await.unwrap();
    first
        .write_all(b"GET /_lookalike/health HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_answer(&mut first, false).await.status, 200);
    let second = tokio::spawn({
        let endpoint = server.endpoint.clone();
        async move { get(&endpoint, "/_lookalike/health", &[]).await.status }
    });
    drop(first);
    assert_eq!(second.await.unwrap(), 200);
}

/// ours: stopping lets the connections that wait for a next request go.
#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let server = start().await;
    let mut idle = TcpStream::connect(&server.endpoint).await.unwrap();
    idle.write_all(b"GET /_lookalike/health HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_answer(&mut idle, false).await.status, 200);
    let _never_used = TcpStream::connect(&server.endpoint).await.unwrap();
    server.stop().await;
}
