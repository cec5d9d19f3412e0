//! Where the bytes of a `FileUrl` come from.

use axum::Router;
use axum::routing::get;
use lookalike::client::ClientError;
use tokio::net::TcpListener;

use crate::server::{finished_job, photo, start, start_with, upload};

/// A web server of somebody else, with one photo.
async fn elsewhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/rose.jpg", get(|| async { photo("rose.jpg") }));
    let service = hyper_util::service::TowerToHyperService::new(router);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            let io = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
        }
    });
    format!("http://{address}/rose.jpg")
}

/// ours: addresses that are not public are fetched only when that was allowed.
#[tokio::test]
async fn private_addresses_need_permission() {
    let url = elsewhere().await;
    for (flags, expected) in [
        (&[][..], "Failed"),
        (&["--allow-private-urls"][..], "Success"),
    ] {
        let server = start_with(flags).await;
        server.set_up().await;
        match server.client.call(&upload("rose.jpg", &url)).await {
            Ok(submitted) => assert_eq!(
                finished_job(&server.client, &submitted.job_id).await.status,
                expected,
                "{flags:?}"
            ),
            Err(error) => assert!(
                expected == "Failed" && matches!(error, ClientError::Refused { status: 400, .. }),
                "{error}"
            ),
        }
    }
}

/// sdk: the host of our own `FileUrl` need not resolve; the path is enough.
#[tokio::test]
async fn own_file_is_opened_locally_whatever_the_host() {
    let server = start().await;
    server.set_up().await;
    let url = server.client.upload(&photo("rose.jpg")).await.unwrap();
    let elsewhere = url.replace(&server.endpoint, "bucket.oss-cn-hangzhou.aliyuncs.com");
    let job_id = server
        .client
        .call(&upload("rose.jpg", &elsewhere))
        .await
        .unwrap()
        .job_id;
    assert_eq!(
        finished_job(&server.client, &job_id).await.status,
        "Success"
    );
}

/// ours: a key of ours that nothing was uploaded under names the field.
#[tokio::test]
async fn key_without_a_file_is_refused() {
    let server = start().await;
    server.set_up().await;
    let url = format!("http://{}/uploads/{}", server.endpoint, "0".repeat(32));
    match server.client.call(&upload("rose.jpg", &url)).await {
        Err(ClientError::Refused {
            status: 400,
            message,
            ..
        }) => assert!(message.contains("FileUrl"), "{message}"),
        other => panic!("expected a refusal, got {other:?}"),
    }
}
