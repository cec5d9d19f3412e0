//! Files from the Hugging Face hub or a mirror of it, through the `hf-hub` crate; or from a folder.
//!
//! The crate asks for the newest commit, resumes a file that was cut short (HTTP ranges), follows the hub's redirects,
//! and takes a proxy from the environment as curl does. What arrives is compared with what the hub announces: its
//! entity tag is the sha256 of a large file and git's sha1 of a small one.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::PullProgress;
use super::choice::choose;
use super::error::PullError;
use super::wanted::Wanted;

/// Tries for one file, each of which goes on where the last one stopped.
const RETRIES: usize = 4;

/// How to reach the hub.
#[derive(Debug, Clone, Default)]
pub struct HubConfig {
    /// A mirror's address, such as `https://mirror.example`; without one the hub itself.
    pub endpoint: Option<String>,
    /// For repositories that are not open to everyone.
    pub token: Option<String>,
}

/// Where files came from, and the files by name.
type Fetched = (String, Vec<(String, PathBuf)>);

/// Fetches the files of a model into the hub's own cache in `folder`.
pub(super) fn fetch(
    config: &HubConfig,
    wanted: &Wanted,
    folder: &Path,
    progress: &mut dyn PullProgress,
) -> Result<Fetched, PullError> {
    let mut builder = ApiBuilder::from_cache(Cache::new(folder.to_owned()))
        .with_token(config.token.clone())
        .with_retries(RETRIES)
        .with_user_agent("lookalike", env!("CARGO_PKG_VERSION"));
    let mut endpoint = "the hub".to_owned();
    if let Some(mirror) = &config.endpoint {
        mirror.trim_end_matches('/').clone_into(&mut endpoint);
        builder = builder.with_endpoint(endpoint.clone());
    }
    let hub = Hub {
        api: builder
            .build()
            .map_err(|error| network("a connection", &endpoint, &error))?,
        cache: Cache::new(folder.to_owned()),
        endpoint,
    };
    hub.fetch(wanted, progress)
}

struct Hub {
    api: Api,
    cache: Cache,
    endpoint: String,
}

impl Hub {
    fn fetch(
        &self,
        wanted: &Wanted,
        progress: &mut dyn PullProgress,
    ) -> Result<Fetched, PullError> {
        let repository = wanted.repository_name();
        let revision = |revision: &str| {
            Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned())
        };
        let listing = self.api.repo(revision(wanted.revision())).info();
        let info = listing.map_err(|error| match status(&error) {
            Some(401 | 403 | 404) => PullError::NoRepository {
                repository: format!("{repository}@{}", wanted.revision()),
                endpoint: self.endpoint.clone(),
            },
            _ => network(repository, &self.endpoint, &error),
        })?;
        let present: Vec<String> = info
            .siblings
            .into_iter()
            .map(|sibling| sibling.rfilename)
            .collect();
        let names = choose(&present).map_err(|source| PullError::Choice {
            repository: repository.to_owned(),
            source,
        })?;
        // All files are those of one commit, whatever happens to the branch meanwhile.
        let commit = revision(&info.sha);
        let repo = self.api.repo(commit.clone());
        let mut files = Vec::new();
        for name in names {
            let known = self.cache.repo(commit.clone()).get(&name);
            let path = match known {
                Some(path) => path,
                None => self.download(&repo, &name, progress)?,
            };
            files.push((name, path));
        }
        Ok((format!("hf:{repository}@{}", info.sha), files))
    }

    fn download(
        &self,
        repo: &ApiRepo,
        name: &str,
        progress: &mut dyn PullProgress,
    ) -> Result<PathBuf, PullError> {
        let refuse = |error: &ApiError| network(name, &self.endpoint, error);
        let metadata = self
            .api
            .metadata(&repo.url(name))
            .map_err(|error| refuse(&error))?;
        let path = std::thread::scope(|scope| {
            // The crate wants to own what it reports to.
            let (sender, receiver) = std::sync::mpsc::channel();
            let downloading =
                scope.spawn(move || repo.download_with_progress(name, Reports(sender)));
            for report in receiver {
                match report {
                    Report::Start(bytes) => progress.start(name, bytes),
                    Report::Advance(bytes) => progress.advance(bytes),
                    Report::Finish => progress.finish(),
                }
            }
            downloading
                .join()
                .expect("the hub's crate returns its errors")
        })
        .map_err(|error| refuse(&error))?;
        if let Err(error) = check(name, &path, metadata.size() as u64, metadata.etag()) {
            // Both the link and what it leads to: nothing is resumed from bytes that are wrong.
            fs::remove_file(path.canonicalize()?)?;
            fs::remove_file(&path)?;
            return Err(error);
        }
        Ok(path)
    }
}

enum Report {
    Start(u64),
    Advance(u64),
    Finish,
}

struct Reports(std::sync::mpsc::Sender<Report>);

impl Reports {
    fn send(&self, report: Report) {
        // Nobody listens only when the listener has panicked.
        let _ = self.0.send(report);
    }
}

impl hf_hub::api::Progress for Reports {
    fn init(&mut self, size: usize, _: &str) {
        self.send(Report::Start(size as u64));
    }

    fn update(&mut self, size: usize) {
        self.send(Report::Advance(size as u64));
    }

    fn finish(&mut self) {
        self.send(Report::Finish);
    }
}

/// Compares a file with its length and with what its entity tag says.
fn check(name: &str, path: &Path, bytes: u64, tag: &str) -> Result<(), PullError> {
    let wrong = |kind, found: String, expected: String| {
        Err(PullError::Checksum {
            file: name.to_owned(),
            kind,
            found,
            expected,
        })
    };
    let found = fs::metadata(path)?.len();
    if found != bytes {
        return wrong("length", found.to_string(), bytes.to_string());
    }
    let is_hex = tag.bytes().all(|c| c.is_ascii_hexdigit());
    let (kind, sum) = match tag.len() {
        64 if is_hex => ("sha256", digest(Sha256::new(), path)?),
        40 if is_hex => {
            let mut hasher = Sha1::new();
            hasher.update(format!("blob {bytes}\0"));
            ("git hash", digest(hasher, path)?)
        }
        // A mirror's own kind of tag says nothing about the content.
        _ => return Ok(()),
    };
    if sum.eq_ignore_ascii_case(tag) {
        Ok(())
    } else {
        wrong(kind, sum, tag.to_owned())
    }
}

fn digest(mut hasher: impl Digest, path: &Path) -> Result<String, PullError> {
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// The status of an answer, if there was one.
fn status(error: &ApiError) -> Option<u16> {
    let ApiError::RequestError(error) = error else {
        return None;
    };
    if let ureq::Error::StatusCode(status) = **error {
        Some(status)
    } else {
        None
    }
}

fn network(what: &str, endpoint: &str, error: &ApiError) -> PullError {
    PullError::Network {
        what: what.to_owned(),
        endpoint: endpoint.to_owned(),
        reason: error.to_string(),
    }
}

/// Copies the files of a model out of a folder.
pub(super) fn copy(
    from: &Path,
    folder: &Path,
    progress: &mut dyn PullProgress,
) -> Result<Fetched, PullError> {
    let mut present = names(from)?;
    present.sort_unstable();
    let names = choose(&present).map_err(|source| PullError::Choice {
        repository: from.display().to_string(),
        source,
    })?;
    fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    for name in names {
        let mut source = fs::File::open(from.join(&name))?;
        progress.start(&name, source.metadata()?.len());
        let to = folder.join(&name);
        fs::create_dir_all(to.parent().expect("below the folder"))?;
        let mut target = fs::File::create(&to)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = source.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            target.write_all(&buffer[..read])?;
            progress.advance(read as u64);
        }
        progress.finish();
        files.push((name, to));
    }
    Ok((from.canonicalize()?.display().to_string(), files))
}

/// Files in a folder and in those right below it, where pooling is described, as a repository lists them.
fn names(folder: &Path) -> Result<Vec<String>, PullError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !entry.path().is_dir() {
            names.push(name);
            continue;
        }
        for inner in fs::read_dir(entry.path())? {
            if let Ok(inner) = inner?.file_name().into_string() {
                names.push(format!("{name}/{inner}"));
            }
        }
    }
    Ok(names)
}
