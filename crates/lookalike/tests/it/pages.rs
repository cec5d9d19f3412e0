//! What a browser and an operator see.

use crate::server::{start, start_with};
use crate::wire::{get, simple};

/// ours: the start page explains, is honest about the stand-in, and loads nothing from elsewhere.
#[tokio::test]
async fn start_page_says_what_this_is() {
    let server = start().await;
    let answer = get(
        &server.endpoint,
        "/",
        &[("accept", "text/html,application/xhtml+xml")],
    )
    .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .starts_with("default-src 'none'")
    );
    let page = answer.text();
    for expected in [
        "Lookalike",
        &server.endpoint,
        "stand-in",
        "clip-vit-b-32",
        "testAK",
        "_open_platform_endpoint",
        "State",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
    assert!(!page.contains("testSK"), "a secret is on the page");
    assert!(!page.contains("{{"), "a mark was not replaced");
    assert!(
        !page.contains("src=") && !page.contains("url("),
        "the page loads something"
    );
    assert_eq!(
        simple("HEAD", &server.endpoint, "/", &[("accept", "text/html")])
            .await
            .status,
        200
    );
}

/// ours: a Host header is text on the page, whatever it holds.
#[tokio::test]
async fn host_header_cannot_write_markup() {
    let server = start().await;
    let request = b"GET / HTTP/1.1\r\nhost: <script>alert(1)</script>\r\naccept: text/html\r\nconnection: close\r\n\r\n";
    let page = crate::wire::exchange(&server.endpoint, request)
        .await
        .text();
    assert!(!page.contains("<script>"), "{page}");
}

/// ours: health and readiness are JSON with a meaningful status.
#[tokio::test]
async fn probes_answer_in_json() {
    let server = start_with(&["--allow-unsigned"]).await;
    let health = get(&server.endpoint, "/_lookalike/health", &[]).await;
    assert_eq!(
        (health.status, &health.json()["status"]),
        (200, &"ok".into())
    );
    let ready = get(&server.endpoint, "/_lookalike/ready", &[]).await;
    assert_eq!(ready.json()["ready"], ready.status == 200);
    assert_eq!(
        get(&server.endpoint, "/_lookalike/ca.pem", &[])
            .await
            .text(),
        server.ca_pem()
    );
}
