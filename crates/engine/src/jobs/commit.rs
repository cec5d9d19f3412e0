//! The end of a job: one transaction that stores its rows and its state together, then the index.
//!
//! Called by a worker, never in a task that may be dropped. The state changes only from "queued and
//! claimed by this run", so a job that was cancelled or whose collection was deleted meanwhile ends
//! without a trace of its images.

use std::sync::Arc;

use lookalike_media::ImageFormat;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{Sqlite, Transaction};

use super::{
    ChunkFiles, JobFailure, Usage,
    store_texts::{self, TextEnding},
};
use crate::{
    clock,
    config::Stage,
    engine::Inner,
    error::EngineError,
    name::{CollectionName, FileName, ObjectId},
    objects::Pinned,
    resident::Resident,
    store::{
        self, chunk::NewChunk, collection::CollectionRow, document::NewDocument, job::ClaimedJob,
    },
};

/// An image ready to be stored.
pub(crate) struct Indexed {
    pub(crate) file_name: FileName,
    /// `None` in a dry run of an archive.
    pub(crate) object: Option<Arc<Pinned>>,
    pub(crate) md5: [u8; 16],
    pub(crate) size: u64,
    pub(crate) format: ImageFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Empty in a dry run.
    pub(crate) vector: Vec<f32>,
}

/// How a job ends.
pub(crate) enum Ending {
    /// All its images are stored.
    Stored {
        row: CollectionRow,
        images: Vec<Indexed>,
        usage: Usage,
    },
    /// Its images were looked at, nothing is stored but a list of them.
    DryRun { images: Vec<Indexed> },
    /// All rows of its file are stored.
    Rows,
    /// Its text is stored, or, in a dry run, only its chunk files.
    Text(Box<TextEnding>),
    /// It failed; the images in `keep` are stored all the same.
    Failed {
        failure: JobFailure,
        keep: Option<(CollectionRow, Vec<Indexed>)>,
        usage: Usage,
    },
}

/// Ends a job. When it was cancelled meanwhile, that is confirmed instead.
pub(crate) async fn end(
    inner: &Arc<Inner>,
    job: &ClaimedJob,
    ending: Ending,
) -> Result<(), EngineError> {
    let ended = match ending {
        Ending::Stored { row, images, usage } => {
            store_images(inner, job, &row, images, &Verdict::Success(usage)).await?
        }
        Ending::Failed {
            failure,
            keep: Some((row, images)),
            usage,
        } => store_images(inner, job, &row, images, &Verdict::Failed(&failure, usage)).await?,
        Ending::Failed {
            failure,
            keep: None,
            usage,
        } => {
            tracing::info!(reason = failure.message, "job failed");
            let verdict = Verdict::Failed(&failure, usage);
            let mut transaction = inner.store.begin().await?;
            let ended = verdict.record(inner, job, &mut transaction).await?;
            transaction.commit().await?;
            ended
        }
        Ending::DryRun { images } => end_dry_run(inner, job, &images).await?,
        Ending::Rows => {
            let verdict = Verdict::Success(Usage::default());
            let mut transaction = inner.store.begin().await?;
            let ended = verdict.record(inner, job, &mut transaction).await?;
            transaction.commit().await?;
            ended
        }
        Ending::Text(text) => store_texts::end(inner, job, *text).await?,
    };
    if ended {
        Ok(())
    } else {
        stopped(inner, job).await
    }
}

/// What to do with a job that was told to stop: confirm that it is cancelled, or, when the server
/// stops, put it back.
pub(crate) async fn stopped(inner: &Inner, job: &ClaimedJob) -> Result<(), EngineError> {
    let mut transaction = inner.store.begin().await?;
    let cancelled = store::job::confirm_cancelled(&mut transaction, job.seq, clock::now()).await?;
    store::job::release(&mut transaction, job.seq, &inner.run).await?;
    transaction.commit().await?;
    tracing::info!(cancelled, "job stopped");
    Ok(())
}

/// The state a job with images gets.
enum Verdict<'a> {
    Success(Usage),
    Failed(&'a JobFailure, Usage),
}

impl Verdict<'_> {
    /// Changes the job's state; false when it is no longer this worker's to change.
    async fn record(
        &self,
        inner: &Inner,
        job: &ClaimedJob,
        connection: &mut sqlx::SqliteConnection,
    ) -> Result<bool, EngineError> {
        let now = clock::now();
        match self {
            Self::Success(usage) => {
                let files = ChunkFiles::default();
                store::job::succeed(connection, job, &inner.run, *usage, files, now).await
            }
            Self::Failed(failure, usage) => {
                store::job::fail(connection, job, &inner.run, failure, *usage, now).await
            }
        }
    }
}

/// Stores images and verdict in one transaction and shows them to queries at once.
async fn store_images(
    inner: &Arc<Inner>,
    job: &ClaimedJob,
    row: &CollectionRow,
    images: Vec<Indexed>,
    verdict: &Verdict<'_>,
) -> Result<bool, EngineError> {
    let resident = inner.residents.get(&inner.store, row).await?;
    let mut transaction = inner.store.begin().await?;
    // First, so that a job that is no longer ours writes nothing.
    if !verdict.record(inner, job, &mut transaction).await? {
        return Ok(false);
    }
    let mut removed = Vec::new();
    let mut added = Vec::with_capacity(images.len());
    for image in &images {
        let object = image
            .object
            .as_ref()
            .expect("images to be stored have their originals");
        let now = clock::now();
        let content_type = image.format.content_type();
        store::object::insert(
            &mut transaction,
            &object.id(),
            image.size,
            content_type,
            now,
        )
        .await?;
        let document = NewDocument {
            file_name: &image.file_name,
            object: object.id(),
            md5: image.md5,
            size: image.size,
            loader: None,
            splitter: None,
            now,
        };
        let document_id = store::document::upsert(&mut transaction, row.id, &document).await?;
        removed.extend(store::chunk::delete_of_document(&mut transaction, document_id).await?);
        let chunk = NewChunk {
            collection_id: row.id,
            document_id: Some(document_id),
            id: &chunk_id(&row.collection.name, &image.file_name, &object.id()),
            content: "",
            loader_metadata: &loader_metadata(image),
            metadata: &job.metadata,
            vector: &image.vector,
        };
        added.push(store::chunk::insert(&mut transaction, &chunk).await?);
    }
    let vectors = images.iter().map(|image| &image.vector[..]);
    let rows = Exchange {
        added: added.into_iter().zip(vectors).collect(),
        removed,
    };
    rows.commit(inner, job, (&resident, transaction)).await?;
    tracing::info!(images = images.len(), "job stored its images");
    Ok(true)
}

/// What a job puts in the place of what.
pub(super) struct Exchange<'a> {
    pub(super) added: Vec<(u64, &'a [f32])>,
    pub(super) removed: Vec<u64>,
}

impl Exchange<'_> {
    /// Commits the transaction that stores it and shows it to queries, all at once.
    pub(super) async fn commit(
        self,
        inner: &Inner,
        job: &ClaimedJob,
        (resident, transaction): (&Resident, Transaction<'static, Sqlite>),
    ) -> Result<(), EngineError> {
        let mut index = resident.lock_for_change().await;
        for (key, vector) in self.added {
            index.insert(key, vector).map_err(EngineError::internal)?;
        }
        for key in self.removed {
            index.remove(key);
        }
        inner.observe(&job.id, Stage::BeforeCommit);
        let committed = || inner.observe(&job.id, Stage::AfterCommit);
        index.commit(transaction, committed).await?;
        inner.observe(&job.id, Stage::Indexed);
        Ok(())
    }
}

/// Commits a job that stores no rows.
pub(super) async fn commit_dry_run(
    inner: &Inner,
    job: &ClaimedJob,
    transaction: Transaction<'static, Sqlite>,
) -> Result<(), EngineError> {
    inner.observe(&job.id, Stage::BeforeCommit);
    transaction.commit().await?;
    inner.observe(&job.id, Stage::AfterCommit);
    Ok(())
}

/// The kind of a file with a chunk a line.
pub(super) const JSON_LINES: &str = "application/x-ndjson";

/// Stores the list of a dry run's images: JSON Lines as a chunk file has them (row 30).
async fn end_dry_run(
    inner: &Arc<Inner>,
    job: &ClaimedJob,
    images: &[Indexed],
) -> Result<bool, EngineError> {
    let mut lines = String::new();
    for image in images {
        let mut metadata = described(image);
        metadata["file_name"] = json!(image.file_name.as_str());
        lines.push_str(&json!({"page_content": "", "metadata": metadata}).to_string());
        lines.push('\n');
    }
    let file = inner.write_object(lines, u64::MAX).await?;
    let now = clock::now();
    let mut transaction = inner.store.begin().await?;
    store::object::insert(&mut transaction, &file.id(), file.size(), JSON_LINES, now).await?;
    let files = ChunkFiles {
        lines: Some(file.id()),
        plain: None,
    };
    let (run, usage) = (&inner.run, Usage::default());
    let ended = store::job::succeed(&mut transaction, job, run, usage, files, now).await?;
    if ended {
        commit_dry_run(inner, job, transaction).await?;
    }
    Ok(ended)
}

/// The id of a document's only row.
fn chunk_id(collection: &CollectionName, file_name: &FileName, original: &ObjectId) -> String {
    let prefix = row_prefix(collection, file_name.as_str(), original.as_bytes());
    format!("{prefix}0")
}

/// What the ids of a document's rows begin with; the number of the row in its document comes next.
/// The same for the same file under the same names, on every machine and after every restart, so
/// that tests can compare whole answers: a UUID of version 8 (RFC 9562) made of the SHA-256 over
/// the names and the original, and an underscore.
pub(crate) fn row_prefix(collection: &CollectionName, file_name: &str, original: &[u8]) -> String {
    let mut digest = Sha256::new();
    for part in [
        collection.as_str().as_bytes(),
        file_name.as_bytes(),
        original,
    ] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let bytes = digest[..16]
        .try_into()
        .expect("half of a SHA-256 is a UUID's length");
    format!("{}_", uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

fn loader_metadata(image: &Indexed) -> String {
    described(image).to_string()
}

fn described(image: &Indexed) -> serde_json::Value {
    json!({
        "format": image.format.name(),
        "width": image.width,
        "height": image.height,
        "size": image.size,
        "md5": hex::encode(image.md5),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_ids_are_the_same_everywhere_and_differ_by_each_part() {
        let collection = CollectionName::new("photos").unwrap();
        let file_name = FileName::new("dog.jpg").unwrap();
        let original = ObjectId::from_bytes([7; 32]);
        let id = chunk_id(&collection, &file_name, &original);
        assert_eq!(id, "996ff71c-82d8-8121-97e7-a06e8e60a366_0");
        let others = [
            chunk_id(
                &CollectionName::new("photo").unwrap(),
                &file_name,
                &original,
            ),
            chunk_id(&collection, &FileName::new("sdog.jpg").unwrap(), &original),
            chunk_id(&collection, &file_name, &ObjectId::from_bytes([8; 32])),
        ];
        assert!(!others.contains(&id));
    }
}
