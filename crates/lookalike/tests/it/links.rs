//! The signed links that give stored files out.

use lookalike_wire::Secret;
use lookalike_wire::object::presign;
use lookalike_wire::sign::SigningKey;

use crate::server::{Running, photo, start, start_with};
use crate::wire::{exchange, get, request, simple};

/// A photo that was indexed, and the path of its link.
async fn indexed_photo() -> (Running, Vec<u8>, String) {
    let server = start().await;
    server.set_up().await;
    let bytes = photo("rose.jpg");
    assert_eq!(
        server
            .index("albums/a \"red\" rose.jpg", &bytes)
            .await
            .status,
        "Success"
    );
    let found = server
        .search("flower", 1)
        .await
        .matches
        .match_list
        .remove(0);
    let url = found.file_url.unwrap();
    let path = url
        .strip_prefix(&format!("http://{}", server.endpoint))
        .unwrap()
        .to_owned();
    (server, bytes, path)
}

/// docs: the link of a match opens with a plain GET, under every address of the server.
#[tokio::test]
async fn link_opens_with_its_type_and_harmless_headers() {
    let (server, bytes, path) = indexed_photo().await;
    let answer = get(&server.endpoint, &path, &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, bytes);
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        (
            "content-disposition",
            "inline; filename=\"a _red_ rose.jpg\"; filename*=UTF-8''a%20%22red%22%20rose.jpg",
        ),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.header("last-modified").unwrap().ends_with(" GMT"));
    let other_host = exchange(
        &server.endpoint,
        &request(
            "GET",
            &path,
            &[("host".to_owned(), "photos.example".to_owned())],
            b"",
        ),
    )
    .await;
    assert_eq!(other_host.body, bytes);
}

/// docs: HEAD says what GET would.
#[tokio::test]
async fn head_of_a_link_has_no_body() {
    let (server, bytes, path) = indexed_photo().await;
    let answer = simple("HEAD", &server.endpoint, &path, &[]).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(
        answer.header("content-length"),
        Some(bytes.len().to_string().as_str())
    );
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
}

/// docs: parts of a file, and a file that the client has already.
#[tokio::test]
async fn ranges_and_tags_are_honoured() {
    let (server, bytes, path) = indexed_photo().await;
    let size = bytes.len();
    let etag = get(&server.endpoint, &path, &[])
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    let part = async |range: &str| get(&server.endpoint, &path, &[("range", range)]).await;
    for (range, first, last) in [("bytes=0-9", 0, 9), ("bytes=-5", size - 5, size - 1)] {
        let answer = part(range).await;
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (206, &bytes[first..=last]),
            "{range}"
        );
        assert_eq!(
            answer.header("content-range"),
            Some(format!("bytes {first}-{last}/{size}").as_str())
        );
    }
    let beyond = part(&format!("bytes={size}-")).await;
    assert_eq!(beyond.xml_refusal(), (416, "InvalidRange".to_owned()));
    assert_eq!(
        beyond.header("content-range"),
        Some(format!("bytes */{size}").as_str())
    );
    assert_eq!(part("bytes=0-1,4-5").await.body, bytes);

    let same = get(&server.endpoint, &path, &[("if-none-match", &etag)]).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    let other = [("range", "bytes=0-9"), ("if-range", "\"another\"")];
    assert_eq!(get(&server.endpoint, &path, &other).await.status, 200);
    let mine = [("range", "bytes=0-9"), ("if-range", etag.as_str())];
    assert_eq!(get(&server.endpoint, &path, &mine).await.status, 206);
}

/// docs: a link that was changed, or is over, answers 403 in XML; a file that is not there 404.
#[tokio::test]
async fn links_are_really_checked() {
    let (server, _, path) = indexed_photo().await;
    let (file, proof) = path.split_once('?').unwrap();
    let expires = proof
        .split('&')
        .find_map(|pair| pair.strip_prefix("Expires="))
        .unwrap();
    let refusal = async |target: &str| get(&server.endpoint, target, &[]).await.xml_refusal();
    assert_eq!(refusal(file).await, (403, "AccessDenied".to_owned()));
    let later = path.replace(expires, "99999999999");
    assert_eq!(
        refusal(&later).await,
        (403, "SignatureDoesNotMatch".to_owned())
    );
    let renamed = path.replace("rose.jpg", "page.html");
    assert_eq!(
        refusal(&renamed).await,
        (403, "SignatureDoesNotMatch".to_owned())
    );
    assert_eq!(
        refusal("/objects/nothing").await,
        (404, "NoSuchKey".to_owned())
    );
    assert_eq!(
        refusal("/uploads/0123456789abcdef0123456789abcdef").await,
        (403, "AccessDenied".to_owned())
    );
    assert_eq!(
        simple("DELETE", &server.endpoint, &path, &[])
            .await
            .xml_refusal(),
        (405, "MethodNotAllowed".to_owned())
    );
}

/// docs: a link is over after its time. Signed here with the server's own secret and a time that has passed.
#[tokio::test]
async fn expired_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with(&["--data", folder.path().to_str().unwrap()]).await;
    let secret = Secret::from(
        fs_err::read_to_string(folder.path().join("link-key"))
            .unwrap()
            .as_str(),
    );
    let signer = SigningKey {
        access_key_id: "lookalike-objects",
        secret: &secret,
        security_token: None,
    };
    let key = format!("objects/{}/dog.jpg", "0".repeat(64));
    let target = |seconds: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        format!("/{key}?{}", presign::query(&key, at, &signer))
    };
    let answer = get(&server.endpoint, &target(-1), &[]).await;
    assert_eq!(answer.xml_refusal(), (403, "AccessDenied".to_owned()));
    assert!(answer.text().contains("expired"), "{}", answer.text());
    assert_eq!(
        get(&server.endpoint, &target(60), &[]).await.xml_refusal(),
        (404, "NoSuchKey".to_owned())
    );
}

/// ours: bytes that are a page and not a picture never become a page in a browser.
#[tokio::test]
async fn uploaded_page_is_not_served_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with(&["--data", folder.path().to_str().unwrap()]).await;
    let url = server
        .client
        .upload(b"<script>alert(1)</script>")
        .await
        .unwrap();
    let key = url.rsplit_once(&format!("{}/", server.endpoint)).unwrap().1;
    let secret = Secret::from(
        fs_err::read_to_string(folder.path().join("link-key"))
            .unwrap()
            .as_str(),
    );
    let signer = SigningKey {
        access_key_id: "lookalike-objects",
        secret: &secret,
        security_token: None,
    };
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(60);
    let answer = get(
        &server.endpoint,
        &format!("/{key}?{}", presign::query(key, at, &signer)),
        &[],
    )
    .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/octet-stream"))
    );
    assert_eq!(
        answer.header("content-security-policy"),
        Some("default-src 'none'; sandbox")
    );
}
