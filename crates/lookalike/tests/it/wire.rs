//! Raw HTTP over a socket, so that a test decides every byte and sees every byte.

use std::sync::Arc;

use lookalike_wire::Secret;
use lookalike_wire::sign::{SigningKey, acs3, encode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub const KEY_ID: &str = "testAK";
pub const KEY_SECRET: &str = "testSK";
pub const GPDB: &str = "2016-05-03";

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON of the right type.
    pub fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{}",
            self.text()
        );
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status and code of a refusal, after checking that it has the vendor's shape and one id in body and
    /// header.
    pub fn refusal(&self) -> (u16, String) {
        let body = self.json();
        for field in ["RequestId", "HostId", "Code", "Message", "Recommend"] {
            assert!(body[field].is_string(), "{field} is missing: {body}");
        }
        let id = body["RequestId"].as_str().unwrap();
        assert_eq!(self.header("x-acs-request-id"), Some(id));
        assert!(
            uuid::Uuid::parse_str(id).is_ok() && id == id.to_uppercase(),
            "{id}"
        );
        assert!(self.status >= 400, "{body}");
        (self.status, body["Code"].as_str().unwrap().to_owned())
    }

    /// Status and code of a refusal of the object store.
    pub fn xml_refusal(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/xml"));
        let text = self.text();
        for tag in ["Message", "RequestId", "HostId"] {
            assert!(text.contains(&format!("<{tag}>")), "{tag}: {text}");
        }
        (self.status, tag(&text, "Code"))
    }
}

/// The text of an XML element.
pub fn tag(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let start = xml
        .find(&open)
        .unwrap_or_else(|| panic!("no {name}: {xml}"))
        + open.len();
    let end = xml.find(&close).unwrap();
    xml[start..end].to_owned()
}

/// Sends bytes on a connection of its own and reads the answer.
pub async fn exchange(endpoint: &str, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(endpoint).await.unwrap();
    // A server that refuses early may close before it has taken everything.
    let _ = stream.write_all(request).await;
    read_answer(&mut stream, request.starts_with(b"HEAD ")).await
}

/// The same over TLS, trusting `ca_pem` only.
pub async fn exchange_tls(
    endpoint: &str,
    name: &str,
    ca_pem: &str,
    request: &[u8],
) -> std::io::Result<Answer> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TcpStream::connect(endpoint).await?;
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    stream.write_all(request).await?;
    Ok(read_answer(&mut stream, false).await)
}

/// Reads one answer; the connection may live on.
pub async fn read_answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head_only: bool,
) -> Answer {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "closed early: {:?}",
            String::from_utf8_lossy(&bytes)
        );
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut answer = Answer {
        status,
        headers,
        body: bytes[head_end..].to_vec(),
    };
    let length: usize = answer
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while !head_only && answer.body.len() < length {
        assert_ne!(
            stream.read_buf(&mut answer.body).await.unwrap(),
            0,
            "the body ended early"
        );
    }
    answer
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// A signed call, to be changed before it is written out.
pub struct Call {
    pub action: String,
    pub version: String,
    pub method: &'static str,
    pub query: String,
    pub body: Vec<u8>,
    pub content_type: Option<&'static str>,
    pub host: String,
    pub key_id: String,
    pub secret: String,
    pub security_token: Option<String>,
    pub date: jiff::Timestamp,
    pub nonce: String,
}

impl Call {
    pub fn new(host: &str, action: &str, fields: &[(&str, &str)]) -> Self {
        Self {
            action: action.to_owned(),
            version: GPDB.to_owned(),
            method: "POST",
            query: form(fields),
            body: Vec::new(),
            content_type: None,
            host: host.to_owned(),
            key_id: KEY_ID.to_owned(),
            secret: KEY_SECRET.to_owned(),
            security_token: None,
            date: jiff::Timestamp::now(),
            nonce: uuid::Uuid::new_v4().simple().to_string(),
        }
    }

    /// Headers with a good signature.
    pub fn headers(&self) -> Vec<(String, String)> {
        let secret = Secret::from(self.secret.as_str());
        let key = SigningKey {
            access_key_id: &self.key_id,
            secret: &secret,
            security_token: self.security_token.as_deref(),
        };
        let call = acs3::Call {
            method: self.method,
            host: &self.host,
            action: &self.action,
            version: &self.version,
            raw_query: &self.query,
            content_type: self.content_type,
            body: &self.body,
        };
        acs3::sign(&call, &key, &self.nonce, self.date).unwrap()
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.bytes_with(&self.headers())
    }

    /// The request with other headers than its own.
    pub fn bytes_with(&self, headers: &[(String, String)]) -> Vec<u8> {
        request(
            self.method,
            &format!("/?{}", self.query),
            headers,
            &self.body,
        )
    }

    pub async fn send(&self) -> Answer {
        exchange(&self.host, &self.bytes()).await
    }
}

/// A request with a length and the wish to close after it.
pub fn request(method: &str, target: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(
        format!(
            "content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes(),
    );
    bytes.extend_from_slice(body);
    bytes
}

/// A GET without a body, and any other headers.
pub async fn get(endpoint: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    simple("GET", endpoint, target, headers).await
}

/// A request without a body.
pub async fn simple(
    method: &str,
    endpoint: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut all = vec![("host".to_owned(), endpoint.to_owned())];
    all.extend(
        headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    exchange(endpoint, &request(method, target, &all, b"")).await
}

/// `a=b&c=d`, encoded.
pub fn form(fields: &[(&str, &str)]) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}
