//! Where the bytes of a `FileUrl` come from.

use axum::Router;
use axum::routing::get;
use lookalike::client::ClientError;
use lookalike_wire::dto::Request;
use tokio::net::TcpListener;

use crate::server::{finished_job, photo, start, start_with, upload};
use crate::wire::Call;

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

/// sdk: SDKs know throttling by a word in the code, and by a header with a wait in it.
#[tokio::test]
async fn upload_over_the_limit_is_throttled() {
    let server = start_with(&["--max-unfinished-jobs", "0"]).await;
    server.set_up().await;
    let url = server.client.upload(b"bytes").await.unwrap();
    let fields = upload("rose.jpg", &url).to_parameters();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let answer = Call::new(&server.endpoint, "UploadDocumentAsync", &fields)
        .send()
        .await;
    assert_eq!(answer.refusal(), (400, "Throttling.User".to_owned()));
    assert!(
        answer
            .header("x-acs-retry-after")
            .unwrap()
            .parse::<u32>()
            .unwrap()
            > 0
    );
    assert!(
        answer.json()["Message"]
            .as_str()
            .unwrap()
            .contains("max_unfinished_jobs")
    );
}

/// ours: a file of many megabytes goes through, whatever pieces it comes in.
#[tokio::test]
async fn large_file_is_stored_whole() {
    let server = start().await;
    server.set_up().await;
    let mut large = photo("rose.jpg");
    // Bytes behind the end of a JPEG are none of the decoder's business.
    large.extend((0..20_000_000_u32).map(|at| at.to_le_bytes()[(at % 4) as usize]));
    assert_eq!(server.index("large.jpg", &large).await.status, "Success");
    let found = server.search("rose", 1).await.matches.match_list.remove(0);
    assert!(
        server
            .client
            .open(found.file_url.as_ref().unwrap())
            .await
            .unwrap()
            == large
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
