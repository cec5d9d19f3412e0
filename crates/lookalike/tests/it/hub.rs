//! A server on this machine that speaks as much of the Hugging Face hub's protocol as a client needs: the list of a
//! repository's files, a redirect to the stored content as for large files, entity tags, ranges.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub with one repository, `test/clip`. Stops when dropped.
pub struct Hub {
    pub endpoint: String,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Shared {
    files: BTreeMap<String, Vec<u8>>,
    state: Mutex<HubState>,
}

#[derive(Default)]
struct HubState {
    /// Of the file named, hand out only so many bytes and then hang up.
    cut: Option<(String, usize)>,
    /// Of the file named, hand out other bytes than announced.
    garbled: Option<String>,
    /// What was asked for: file and range.
    asked: Vec<(String, String)>,
}

impl Hub {
    /// Hands out the files of a folder.
    pub fn of(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(folder, "", &mut files);
        let shared = Arc::new(Shared {
            files,
            state: Mutex::default(),
        });
        let runtime = Runtime::new().unwrap();
        let app = Router::new()
            .route("/api/models/test/clip/revision/{revision}", get(list))
            .route("/test/clip/resolve/{revision}/{*file}", get(resolve))
            .route("/stored/{*file}", get(stored))
            .with_state(Arc::clone(&shared));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            endpoint: format!("http://{address}"),
            shared,
            _runtime: runtime,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, HubState> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `file` breaks off after `bytes`, until [`Self::heal`].
    pub fn cut(&self, file: &str, bytes: usize) {
        self.state().cut = Some((file.to_owned(), bytes));
    }

    /// From now on `file` arrives with other bytes than announced.
    pub fn garble(&self, file: &str) {
        self.state().garbled = Some(file.to_owned());
    }

    pub fn heal(&self) {
        let mut state = self.state();
        (state.cut, state.garbled) = (None, None);
        state.asked.clear();
    }

    /// The ranges of `file` that were asked for.
    pub fn ranges(&self, file: &str) -> Vec<String> {
        let state = self.state();
        let of_file = state.asked.iter().filter(|(name, _)| name == file);
        of_file.map(|(_, range)| range.clone()).collect()
    }
}

/// The files of a folder and of those in it, by their paths.
fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, fs_err::read(path).unwrap());
        }
    }
}

async fn list(State(hub): State<Arc<Shared>>, UrlPath(revision): UrlPath<String>) -> Response {
    if revision != "main" && revision != COMMIT {
        return StatusCode::NOT_FOUND.into_response();
    }
    let siblings: Vec<_> = hub
        .files
        .keys()
        .map(|name| json!({"rfilename": name}))
        .collect();
    json!({"sha": COMMIT, "siblings": siblings, "private": false})
        .to_string()
        .into_response()
}

/// Small files are answered at once; large ones live elsewhere, and the tag of their content comes along.
async fn resolve(
    State(hub): State<Arc<Shared>>,
    UrlPath((_, file)): UrlPath<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let Some(content) = hub.files.get(&file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if !is_large(&file) {
        return part(&hub, &file, &headers);
    }
    let tag = format!("\"{}\"", hex(&Sha256::digest(content)));
    (
        StatusCode::FOUND,
        [
            (
                header::LOCATION.as_str(),
                format!("http://{}/stored/{file}", headers["host"].to_str().unwrap()),
            ),
            ("x-linked-etag", tag),
            ("x-repo-commit", COMMIT.to_owned()),
        ],
    )
        .into_response()
}

async fn stored(
    State(hub): State<Arc<Shared>>,
    UrlPath(file): UrlPath<String>,
    headers: HeaderMap,
) -> Response {
    part(&hub, &file, &headers)
}

fn is_large(file: &str) -> bool {
    file.ends_with(".safetensors")
}

/// The bytes from the range's start on; only open ranges and the first byte are ever asked for.
fn part(hub: &Shared, file: &str, headers: &HeaderMap) -> Response {
    let mut content = hub.files[file].clone();
    let total = content.len();
    let range = headers[header::RANGE].to_str().unwrap().to_owned();
    let (start, end) = range
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    let start: usize = start.parse().unwrap();
    let end = end.parse().unwrap_or(total - 1);
    let mut state = hub.state.lock().unwrap_or_else(PoisonError::into_inner);
    if end == total - 1 {
        state.asked.push((file.to_owned(), range));
    }
    if state.garbled.as_deref() == Some(file) {
        let last = content.len() - 1;
        content[last] ^= 1;
    }
    let mut body = content[start..=end].to_vec();
    if let Some((name, kept)) = &state.cut
        && name == file
        && end > 0
    {
        body.truncate(kept.saturating_sub(start));
    }
    // A body shorter than announced: the connection breaks off in the middle.
    let announced = end + 1 - start;
    let body = if body.len() < announced {
        axum::body::Body::from_stream(breaking_off(body))
    } else {
        axum::body::Body::from(body)
    };
    Response::builder()
        .status(StatusCode::PARTIAL_CONTENT)
        .header(header::CONTENT_LENGTH, announced)
        .header(
            header::CONTENT_RANGE,
            format!("bytes {start}-{end}/{total}"),
        )
        .header(header::ETAG, format!("\"{}\"", git_hash(&hub.files[file])))
        .header("x-repo-commit", COMMIT)
        .body(body)
        .unwrap()
}

/// `body`, and then an error. In between the server is made to wait, because it sends what it has when it waits.
fn breaking_off(body: Vec<u8>) -> impl Stream<Item = std::io::Result<Bytes>> {
    let whole = stream::once(async { Ok(Bytes::from(body)) });
    let end = stream::once(async {
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        Err(std::io::Error::other("the connection breaks off"))
    });
    whole.chain(end)
}

fn git_hash(content: &[u8]) -> String {
    use sha1::Sha1;
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
