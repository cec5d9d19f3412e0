//! Upload jobs: what a caller gives, what it can ask about one, and how they run.
//!
//! `queue` takes jobs in and answers questions about them, `worker` does them in order, `ingest`
//! makes images with vectors of one, `texts` chunks with vectors, `rows` reads a file of rows, `commit` ends a job. The invariant
//! of all: what is stored says "queued" until the job has ended, and the end of an upload and the
//! rows it made are one transaction; so are each part of a file of rows and the count of them. So a
//! crash at any point leaves a job that runs again to the same end.

mod checksum;
pub(crate) mod commit;
mod decode;
mod failure;
mod ingest;
mod queue;
mod rows;
pub(crate) mod running;
mod source;
mod store_texts;
mod texts;
pub(crate) mod worker;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    name::{CollectionName, FileName, JobId, ObjectId, ObjectKey},
    splitter::SplitOptions,
};

/// Where the bytes of an upload or of a query image are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file that came by the object form; read from the data folder.
    Object(ObjectKey),
    /// The original of a document that is stored already; read from the data folder.
    Stored(ObjectId),
    /// A remote file, fetched over HTTP or HTTPS.
    Url(Url),
}

pub(crate) use self::{commit::row_prefix, texts::plain_line};

/// A document to be fetched, embedded and stored.
#[derive(Debug, Clone)]
pub struct SubmitUpload {
    /// The collection it goes to.
    pub collection: CollectionName,
    /// Its name there; the extension says whether it is a text, an image or an archive of images.
    pub file_name: FileName,
    /// Its bytes.
    pub source: Source,
    /// Values of declared metadata fields; an archive's apply to each of its images.
    pub metadata: Map<String, Value>,
    /// Decode or split only: nothing is embedded or stored.
    pub dry_run: bool,
    /// How a text is to be split; images do not look at it.
    pub splitting: SplitOptions,
}

/// A file of rows to be stored in a vector collection.
#[derive(Debug, Clone)]
pub struct SubmitRows {
    /// The collection they go to.
    pub collection: CollectionName,
    /// JSON Lines, a row a line.
    pub source: Source,
}

/// The states of semantics.md (`GetUploadDocumentJob`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Waits for a worker.
    Pending,
    /// Taken; its source is on the way.
    Start,
    /// Its images are being indexed.
    Running,
    /// All its images are indexed and searchable.
    Success,
    /// It ended and says why.
    Failed,
    /// To be cancelled as soon as its worker notices.
    Cancelling,
    /// It was cancelled; nothing of it was kept.
    Cancelled,
}

impl JobStatus {
    /// Whether it can change no more. Pollers wait for this (semantics.md, client: PLUG).
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled)
    }

    /// The API's word for it; clients compare it exactly.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Start => "Start",
            Self::Running => "Running",
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::Cancelling => "Cancelling",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// Embedding work done: a text is one entry, an image two (semantics.md, Usage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of embedded text.
    pub tokens: u64,
    /// Units of work.
    pub entries: u64,
}

/// Entries that embedding one image counts.
pub(crate) const ENTRIES_AN_IMAGE: u64 = 2;

/// What is known of a job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The document or archive it was submitted for.
    pub file_name: FileName,
    /// Its state.
    pub status: JobStatus,
    /// Per cent: 0 before it runs, 1 to 99 by images done, 100 only with success (row 29).
    pub progress: u8,
    /// Rows stored so far of a file of rows.
    pub rows: u64,
    /// When it was submitted.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Why it failed; only with [`JobStatus::Failed`].
    pub failure: Option<JobFailure>,
    /// Work done; counted when it succeeds.
    pub usage: Usage,
    /// Whether it was to store nothing.
    pub dry_run: bool,
    /// The chunk file of a text or of a dry run: JSON Lines, one line a chunk or an image (row 30).
    pub chunk_file: Option<ObjectId>,
    /// The same of a text, one plain line a chunk.
    pub plain_chunk_file: Option<ObjectId>,
}

/// What a job made of its chunks, for people to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ChunkFiles {
    /// JSON Lines.
    pub(crate) lines: Option<ObjectId>,
    /// One chunk a line; texts only.
    pub(crate) plain: Option<ObjectId>,
}

impl ChunkFiles {
    /// Both, as the database keeps them.
    pub(crate) fn digests(&self) -> [Option<&[u8]>; 2] {
        [&self.lines, &self.plain].map(|file| file.as_ref().map(|id| id.as_bytes().as_slice()))
    }
}

/// Classes of failure, each with its own code in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The upload cannot be used: unreachable, too large, not an image.
    Invalid,
    /// The collection was deleted before the job ended (row 45).
    CollectionNotFound,
    /// Something the server needs is missing: the model, disk space.
    Unavailable,
    /// A defect.
    Internal,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailure {
    /// The class.
    pub kind: FailureKind,
    /// The text for the API's `Error`, bounded by [`crate::config::Limits::max_error_chars`].
    pub message: String,
    /// The images that were refused, as many as fit.
    pub entries: Vec<EntryFailure>,
    /// How many more were refused than `entries` names.
    pub more: usize,
}

/// One refused image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFailure {
    /// Its name: a path in the archive, or the document's own.
    pub entry: String,
    /// What was being done: "unpack", "decode", "embed".
    pub stage: String,
    /// Why.
    pub message: String,
}
