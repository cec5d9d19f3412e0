//! Fetching from a small server of the test's own, on a port the system chose.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    time::Duration,
};

use super::*;

/// Answers every connection with `answer(path)` as raw bytes, until the test ends.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
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
            let line = String::from_utf8_lossy(&request);
            let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
            // A client that has seen enough hangs up, which is part of the tests.
            drop(stream.write_all(&answer(&path)));
        }
    });
    Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap()
}

fn ok(body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn redirect_to(location: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

fn fetcher(allow_private_urls: bool) -> Fetcher {
    Fetcher::new(FetchSettings {
        allow_private_urls,
        ..FetchSettings::default()
    })
}

async fn fetch(fetcher: &Fetcher, url: &Url, max_bytes: u64) -> Result<Bytes, FetchError> {
    fetcher.get(url, max_bytes).await?.bytes().await
}

#[tokio::test]
async fn a_file_is_fetched_when_private_addresses_are_allowed() {
    let url = serve(|_| ok(b"a photo"));
    assert_eq!(fetch(&fetcher(true), &url, 7).await.unwrap(), "a photo");
}

#[tokio::test]
async fn private_addresses_are_refused_by_number_and_by_name() {
    let url = serve(|_| panic!("no connection may be made"));
    let mut by_name = url.clone();
    by_name.set_host(Some("localhost")).unwrap();
    for url in [url, by_name] {
        let error = fetch(&fetcher(false), &url, 7).await.unwrap_err();
        assert!(
            matches!(error, FetchError::PrivateAddress(_)),
            "{url}: {error:?}"
        );
        assert!(error.to_string().contains("allow_private_urls"));
    }
}

#[tokio::test]
async fn other_spellings_of_loopback_are_refused() {
    for url in [
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://[::1]/",
    ] {
        let url = Url::parse(url).unwrap();
        let error = fetch(&fetcher(false), &url, 7).await.unwrap_err();
        assert!(
            matches!(error, FetchError::PrivateAddress(_)),
            "{url}: {error:?}"
        );
    }
}

#[tokio::test]
async fn redirects_are_followed_up_to_the_limit() {
    let url = serve(|path| match path {
        "/" => redirect_to("/1"),
        "/1" => redirect_to("2"),
        "/2" => ok(b"there"),
        _ => redirect_to("/loop"),
    });
    assert_eq!(fetch(&fetcher(true), &url, 10).await.unwrap(), "there");
    let error = fetch(&fetcher(true), &url.join("/loop").unwrap(), 10)
        .await
        .unwrap_err();
    assert!(
        matches!(error, FetchError::TooManyRedirects(5)),
        "{error:?}"
    );
    let strict = FetchSettings {
        max_redirects: 1,
        allow_private_urls: true,
        ..FetchSettings::default()
    };
    let error = fetch(&Fetcher::new(strict), &url, 10).await.unwrap_err();
    assert!(
        matches!(error, FetchError::TooManyRedirects(1)),
        "{error:?}"
    );
}

/// A public server that redirects to a private address is the classic way around a check that is
/// made once. Here the first hop is allowed and the second is a scheme or address that is not.
#[tokio::test]
async fn every_redirect_is_checked_anew() {
    let url = serve(|_| redirect_to("file:///etc/passwd"));
    let error = fetch(&fetcher(true), &url, 10).await.unwrap_err();
    assert!(
        matches!(error, FetchError::Scheme(ref scheme) if scheme == "file"),
        "{error:?}"
    );
    let checked = fetcher(false);
    let next = Url::parse("http://example.com/")
        .unwrap()
        .join("http://169.254.169.254/")
        .unwrap();
    assert!(matches!(
        checked.check(&next),
        Err(FetchError::PrivateAddress(_))
    ));
}

#[tokio::test]
async fn size_is_bounded_with_and_without_a_declared_length() {
    let url = serve(|path| {
        if path == "/declared" {
            ok(&[0; 11])
        } else {
            let mut answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
            answer.extend_from_slice(&[0; 11]);
            answer
        }
    });
    for path in ["/declared", "/undeclared"] {
        let url = url.join(path).unwrap();
        let error = fetch(&fetcher(true), &url, 10).await.unwrap_err();
        assert!(
            matches!(error, FetchError::TooLarge { max_bytes: 10 }),
            "{path}: {error:?}"
        );
        assert_eq!(fetch(&fetcher(true), &url, 11).await.unwrap().len(), 11);
    }
}

#[tokio::test]
async fn other_statuses_are_named() {
    let url = serve(|_| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    let error = fetch(&fetcher(true), &url, 10).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "FileUrl cannot be fetched: 127.0.0.1 answers 404 Not Found"
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    // Bound and never accepted from: the connection stands in the backlog.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let impatient = FetchSettings {
        allow_private_urls: true,
        timeout: Duration::from_millis(50),
        ..FetchSettings::default()
    };
    let error = fetch(&Fetcher::new(impatient), &url, 10).await.unwrap_err();
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error:?}");
}

#[tokio::test]
async fn a_refused_connection_and_a_body_cut_short_are_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let closed = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let cut = serve(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec());
    for url in [closed, cut] {
        let error = fetch(&fetcher(true), &url, 10).await.unwrap_err();
        assert!(
            matches!(error, FetchError::Unreachable { .. }),
            "{url}: {error:?}"
        );
    }
}

#[tokio::test]
async fn secrets_in_the_query_stay_out_of_messages() {
    let url = Url::parse("http://127.0.0.1/a?Signature=s3cret").unwrap();
    let error = fetch(&fetcher(false), &url, 10).await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn a_client_can_be_built_offline_and_without_certificates() {
    build_client(&FetchSettings::default()).unwrap();
    Client::builder().tls_certs_only([]).build().unwrap();
}
