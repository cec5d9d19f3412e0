//! Every setting of the engine with its default. The server fills it from flags, environment and
//! file; nothing here reads any of those.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use lookalike_media::{ArchiveLimits, ImageLimits};

use crate::{
    filter::FilterLimits,
    name::{InstanceId, JobId},
    secret::Secret,
};

/// Where data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataLocation {
    /// Nothing is kept after the process ends.
    Memory,
    /// A folder, made when missing, used by one process at a time.
    Folder(PathBuf),
}

/// How hard `SQLite` and the object files try to survive a power cut. A killed process loses
/// nothing with any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// No forced writes: fastest, for tests.
    Off,
    /// The database stays whole; the last accepted jobs may be forgotten after a power cut.
    Normal,
    /// What was acknowledged survives a power cut.
    #[default]
    Full,
}

/// A manager account that is allowed on every instance.
#[derive(Debug, Clone)]
pub struct ManagerAccount {
    /// The account's name.
    pub account: String,
    /// Its password.
    pub password: Secret,
}

/// The price of hashing one password with Argon2id; the defaults are OWASP's first choice for it
/// (19 MiB, 2 passes, 1 lane: Password Storage Cheat Sheet).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordHashing {
    /// Memory in KiB, at least 8.
    pub memory_kib: u32,
    /// Passes over it, at least 1.
    pub passes: u32,
}

impl Default for PasswordHashing {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
        }
    }
}

/// What is too much.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one uploaded document; the service takes 200 MB (semantics.md, `UploadDocumentAsync`).
    pub max_document_bytes: u64,
    /// Bytes of all stored originals together. Default 100 GiB in a folder, 2 GiB in memory.
    pub max_stored_bytes: Option<u64>,
    /// Bounds for one picture.
    pub image: ImageLimits,
    /// Bounds for one archive.
    pub archive: ArchiveLimits,
    /// Applies a model's own limit on the bytes of an image (3 MB for `multimodal-embedding-v1`).
    pub enforce_model_image_bytes: bool,
    /// Chunks of one text document; the service takes 100,000 (semantics.md, `UploadDocumentAsync`).
    pub max_chunks: usize,
    /// Characters of a job's `Error`; what does not fit is counted.
    pub max_error_chars: usize,
    /// Bytes of one `Metadata` value of an upload.
    pub max_metadata_bytes: usize,
    /// Bytes of one line of a file of rows; the service takes 10 MB in a call (semantics.md,
    /// `UpsertCollectionData`), and so the server refuses a call by the same setting.
    pub max_rows_bytes: usize,
    /// Bytes of a query text.
    pub max_query_text_bytes: usize,
    /// Bounds for one `Filter` or `OrderBy`.
    pub filter: FilterLimits,
    /// Queries at work at the same time; one more is answered with a throttling error.
    pub max_concurrent_queries: usize,
    /// Uploads waiting or running at the same time; `None` queues without end, as the default rule
    /// of semantics.md row 25 is. `Some(20)` is the service's own.
    pub max_unfinished_jobs: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_document_bytes: 200_000_000,
            max_stored_bytes: None,
            image: ImageLimits::default(),
            archive: ArchiveLimits::default(),
            enforce_model_image_bytes: true,
            max_chunks: 100_000,
            max_error_chars: 4096,
            max_metadata_bytes: 64 * 1024,
            max_rows_bytes: 10_000_000,
            max_query_text_bytes: 64 * 1024,
            filter: FilterLimits::default(),
            max_concurrent_queries: 64,
            max_unfinished_jobs: None,
        }
    }
}

/// How upload jobs run.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Jobs at work at the same time; the jobs of one collection end one after the other.
    pub workers: usize,
    /// Starts a job gets before it is given up, so that one that kills the process cannot do so
    /// for ever.
    pub max_attempts: u32,
    /// Keeps the good images of an archive in which others are bad; the job still ends `Failed`
    /// (semantics.md row 16).
    pub keep_good_members: bool,
    /// Images, or chunks of text, embedded together.
    pub batch_images: usize,
    /// How long [`crate::Engine::shutdown`] waits for running jobs before it puts them back.
    pub drain_timeout: Duration,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            workers: 2,
            max_attempts: 3,
            keep_good_members: false,
            batch_images: 8,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// How the files behind remote `FileUrl`s are fetched.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Allows addresses that are not on the public internet: private, loopback, link-local, ….
    pub allow_private_urls: bool,
    /// For opening a connection.
    pub connect_timeout: Duration,
    /// For the whole fetch, redirects included.
    pub timeout: Duration,
    /// Redirects followed.
    pub max_redirects: usize,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            allow_private_urls: false,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_mins(2),
            max_redirects: 5,
        }
    }
}

/// How long things that nothing refers to are kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// A file that came by the object form, from its upload on. A job that was submitted in time
    /// keeps its file however long it waits.
    pub uploads: Duration,
    /// A job whose collection was deleted under it; other jobs live as long as their collection
    /// (semantics.md row 28).
    pub orphaned_jobs: Duration,
    /// Between two passes of the collector.
    pub interval: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            uploads: Duration::from_hours(24),
            orphaned_jobs: Duration::from_hours(24),
            interval: Duration::from_mins(10),
        }
    }
}

/// A point in the life of a job, in this order for a job that succeeds. Tests end the process at
/// each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The job is stored; its id has not been returned yet.
    Submitted,
    /// A worker has taken it and its attempt is counted.
    Claimed,
    /// The source is on this machine.
    Fetched,
    /// The archive (or the single image, or the text) has been read to its end.
    Unpacked,
    /// Every image is decoded and its original stored; or the text is split.
    Decoded,
    /// Every image, or chunk, has its vector.
    Embedded,
    /// All rows are written, the transaction is still open.
    BeforeCommit,
    /// The transaction is committed, the index in memory not changed yet.
    AfterCommit,
    /// The index in memory shows the new rows.
    Indexed,
    /// What the job no longer needs is let go.
    Cleaned,
}

/// Called with a job's id at each [`Stage`].
pub type StageObserver = Arc<dyn Fn(&JobId, Stage) + Send + Sync>;

/// Everything [`crate::Engine::open`] needs besides the models.
#[derive(Clone)]
pub struct EngineConfig {
    /// Where data is kept.
    pub data: DataLocation,
    /// Survival of power cuts.
    pub synchronous: Synchronous,
    /// The only instances there are; `None` accepts any id (semantics.md row 5).
    pub instances: Option<Vec<InstanceId>>,
    /// The manager accounts there are; without any, an instance keeps the account and password of
    /// the call that first initialised it.
    pub managers: Vec<ManagerAccount>,
    /// Price of a password hash.
    pub passwords: PasswordHashing,
    /// What is too much.
    pub limits: Limits,
    /// How jobs run.
    pub jobs: JobSettings,
    /// Whether large photos are decoded in full before they are resized, even where fewer pixels would do.
    pub exact_photos: bool,
    /// How remote files are fetched.
    pub fetch: FetchSettings,
    /// How long unused things stay.
    pub retention: Retention,
    /// Connections that read the database.
    pub readers: u32,
    /// Watches jobs; for tests.
    pub on_stage: Option<StageObserver>,
}

impl EngineConfig {
    /// The defaults, with data at `data`.
    pub fn new(data: DataLocation) -> Self {
        Self {
            data,
            synchronous: Synchronous::default(),
            instances: None,
            managers: Vec::new(),
            passwords: PasswordHashing::default(),
            limits: Limits::default(),
            jobs: JobSettings::default(),
            exact_photos: false,
            fetch: FetchSettings::default(),
            retention: Retention::default(),
            readers: 4,
            on_stage: None,
        }
    }
}

impl fmt::Debug for EngineConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EngineConfig")
            .field("data", &self.data)
            .field("synchronous", &self.synchronous)
            .field("instances", &self.instances)
            .field("managers", &self.managers)
            .field("passwords", &self.passwords)
            .field("limits", &self.limits)
            .field("jobs", &self.jobs)
            .field("exact_photos", &self.exact_photos)
            .field("fetch", &self.fetch)
            .field("retention", &self.retention)
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}
