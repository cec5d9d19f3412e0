//! Uploads and queries by URL (semantics.md row 21), from a small server of the test's own.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use crate::support::*;
use lookalike_engine::{
    DataLocation, Engine, FailureKind, ImageQuery, Job, JobStatus, QueryContent, Source,
};
use url::Url;

const RED: Rgb = [220, 20, 20];
const BLUE: Rgb = [20, 20, 220];

/// Serves these files by path, and 404 for every other.
pub fn serve(files: Vec<(&'static str, Vec<u8>)>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut part = [0; 1024];
            while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(length @ 1..) => request.extend_from_slice(&part[..length]),
                    _ => break,
                }
            }
            let request = String::from_utf8_lossy(&request);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let found = files.iter().find(|(name, _)| *name == path);
            let (status, body) =
                found.map_or(("404 Not Found", &[][..]), |(_, body)| ("200 OK", body));
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            // A client that has seen enough hangs up.
            drop(
                stream
                    .write_all(head.as_bytes())
                    .and_then(|()| stream.write_all(body)),
            );
        }
    });
    url.parse().unwrap()
}

async fn engine(allow_private_urls: bool) -> Engine {
    let mut config = config(DataLocation::Memory);
    config.fetch.allow_private_urls = allow_private_urls;
    config.limits.max_document_bytes = 100_000;
    ready(config).await
}

async fn index_url(engine: &Engine, name: &str, url: Url) -> Job {
    let id = engine
        .submit_upload(&access(), &upload(name, Source::Url(url)))
        .await
        .unwrap();
    finished(engine, &id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn images_and_archives_are_fetched() {
    let archive = tar(&[("1.bmp", plain(RED)), ("2.bmp", plain(BLUE))]);
    let url = serve(vec![("/red", plain(RED)), ("/all", archive)]);
    let engine = engine(true).await;
    // Names decide, not URLs.
    for (name, path) in [("red.bmp", "red"), ("all.tar", "all")] {
        let job = index_url(&engine, name, url.join(path).unwrap()).await;
        assert_eq!((job.status, job.failure), (JobStatus::Success, None));
    }
    assert_eq!(names(&engine).await, ["1.bmp", "2.bmp", "red.bmp"]);
    let object = search(&engine, &text_query("blue")).await.matches[0]
        .object
        .unwrap();
    assert_eq!(
        engine.object(&object).await.unwrap().size,
        plain(BLUE).len() as u64
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_url_fails_the_job_and_says_why() {
    let url = serve(vec![("/large", vec![0; 100_001])]);
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let closed: Url = format!("http://{closed}/").parse().unwrap();
    let open = engine(true).await;
    let strict = engine(false).await;
    for (engine, url, part) in [
        (&open, url.join("missing").unwrap(), "answers 404 Not Found"),
        (
            &open,
            url.join("large").unwrap(),
            "larger than the limit of 100000 bytes",
        ),
        (&open, closed, "cannot be fetched from 127.0.0.1"),
        (&strict, url, "allow_private_urls"),
        (
            &strict,
            "http://169.254.169.254/latest/".parse().unwrap(),
            "allow_private_urls",
        ),
    ] {
        let job = index_url(engine, "a.bmp", url).await;
        assert_eq!(job.status, JobStatus::Failed);
        let failure = job.failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(
            failure.message.contains(part),
            "{part}: {}",
            failure.message
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_image_is_fetched() {
    let url = serve(vec![("/red.bmp", plain(RED)), ("/unnamed", plain(RED))]);
    let engine = engine(true).await;
    indexed(&engine, "red.bmp", &plain(RED)).await;
    indexed(&engine, "blue.bmp", &plain(BLUE)).await;
    for (path, file_name) in [("red.bmp", None), ("unnamed", Some(file("photo.bmp")))] {
        let source = Source::Url(url.join(path).unwrap());
        let image = Some(ImageQuery { source, file_name });
        let query = QueryContent {
            image,
            ..QueryContent::new(collection(PHOTOS))
        };
        assert_eq!(
            found(&search(&engine, &query).await),
            ["red.bmp", "blue.bmp"]
        );
    }
    let source = Source::Url(url.join("missing.bmp").unwrap());
    let image = Some(ImageQuery {
        source,
        file_name: None,
    });
    let query = QueryContent {
        image,
        ..QueryContent::new(collection(PHOTOS))
    };
    assert_eq!(
        invalid_field(engine.query(&access(), &query).await),
        "FileUrl"
    );
}
