//! Taking jobs in, telling how they stand, cancelling them.
//!
//! What is wrong with a request is said here, at once (semantics.md row 22); what is wrong with a
//! file is found by the job.

use std::sync::Arc;

use lookalike_embed::catalogue::ModelKind;
use lookalike_media::extension;
use serde_json::Value;

use super::{Job, JobStatus, Source, SubmitRows, SubmitUpload};
use crate::{
    access::NamespaceAccess,
    clock,
    collection::Collection,
    config::Stage,
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    name::{CollectionName, FileName, JobId},
    objects::Pinned,
    resident,
    splitter::{Splitting, TEXT_EXTENSIONS},
    store::{
        self,
        job::{JobKind, JobRow, JobState, NewJob, StoredSource},
    },
};

impl Engine {
    /// Stores a job and returns its id. From then on it is not lost: it runs, be it after a crash.
    pub async fn submit_upload(
        &self,
        access: &NamespaceAccess,
        upload: &SubmitUpload,
    ) -> Result<JobId, EngineError> {
        let inner = &self.inner;
        let row = inner
            .open_document_collection(access, &upload.collection)
            .await?;
        let model = resident::model_of(&inner.models, &row)?;
        check_file_name(&upload.file_name, &row.collection, model.kind())?;
        let splitting = match model.kind() {
            ModelKind::Image => None,
            ModelKind::Text => {
                let splitting = Splitting::checked(&upload.splitting, &upload.file_name)?;
                Some(serde_json::to_string(&splitting).map_err(EngineError::internal)?)
            }
        };
        let metadata = Value::Object(row.collection.columns.cast(&upload.metadata)?).to_string();
        inner.check_metadata_size(&metadata)?;
        let (source, pinned) = inner.source_to_store(&upload.source).await?;
        let job = NewJob {
            kind: JobKind::Upload,
            id: JobId::random(),
            namespace_id: row.namespace_id,
            collection_id: row.id,
            collection_name: upload.collection.clone(),
            file_name: upload.file_name.clone(),
            source,
            metadata,
            dry_run: upload.dry_run,
            splitting,
        };
        let id = job.id.clone();
        let enqueuing = Arc::clone(inner);
        inner
            .to_the_end(async move { enqueuing.enqueue(job, pinned).await })
            .await?;
        tracing::info!(job = %id, collection = %upload.collection, file_name = %upload.file_name, "upload queued");
        Ok(id)
    }

    /// Stores a job that fills a vector collection with the rows of a file, one at a time a
    /// collection, and returns its id.
    pub async fn submit_rows(
        &self,
        access: &NamespaceAccess,
        rows: &SubmitRows,
    ) -> Result<JobId, EngineError> {
        let inner = &self.inner;
        let row = inner
            .open_vector_collection(access, &rows.collection)
            .await?;
        let (source, pinned) = inner.source_to_store(&rows.source).await?;
        let job = NewJob {
            kind: JobKind::Rows,
            id: JobId::random(),
            namespace_id: row.namespace_id,
            collection_id: row.id,
            collection_name: rows.collection.clone(),
            // What people see of it in the log.
            file_name: FileName::new("rows.jsonl")?,
            source,
            metadata: "{}".to_owned(),
            dry_run: false,
            splitting: None,
        };
        let id = job.id.clone();
        let enqueuing = Arc::clone(inner);
        inner
            .to_the_end(async move { enqueuing.enqueue(job, pinned).await })
            .await?;
        tracing::info!(job = %id, collection = %rows.collection, "file of rows queued");
        Ok(id)
    }

    /// Tells how an upload stands. A job whose collection was deleted under it can still be asked for
    /// (row 45).
    pub async fn job(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        id: &JobId,
    ) -> Result<Job, EngineError> {
        self.job_of(JobKind::Upload, access, collection, id).await
    }

    /// Tells how a file of rows stands; otherwise as [`Engine::job`].
    pub async fn rows_job(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        id: &JobId,
    ) -> Result<Job, EngineError> {
        self.job_of(JobKind::Rows, access, collection, id).await
    }

    async fn job_of(
        &self,
        kind: JobKind,
        access: &NamespaceAccess,
        collection: &CollectionName,
        id: &JobId,
    ) -> Result<Job, EngineError> {
        let inner = &self.inner;
        let namespace_id = inner.check_namespace(access).await?;
        // Looked up before the row: a job that ends in between shows its end.
        let running = inner.running.get(id);
        let row = inner.find_job(kind, namespace_id, collection, id).await?;
        let mut job = shown(row);
        if let Some(running) = running
            && job.status == JobStatus::Pending
        {
            job.progress = running.progress();
            job.status = if job.progress == 0 {
                JobStatus::Start
            } else {
                JobStatus::Running
            };
            job.updated = job.updated.max(clock::timestamp(running.updated_at()));
        }
        Ok(job)
    }

    /// Cancels an upload: at once when it waits, as soon as its worker notices when it runs. One that
    /// has ended cannot be cancelled (row 27).
    pub async fn cancel_job(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        id: &JobId,
    ) -> Result<(), EngineError> {
        self.cancel_job_of(JobKind::Upload, access, collection, id)
            .await
    }

    /// Cancels a file of rows; what is stored of it stays (semantics.md, `CancelUploadDocumentJob`).
    pub async fn cancel_rows_job(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        id: &JobId,
    ) -> Result<(), EngineError> {
        self.cancel_job_of(JobKind::Rows, access, collection, id)
            .await
    }

    async fn cancel_job_of(
        &self,
        kind: JobKind,
        access: &NamespaceAccess,
        collection: &CollectionName,
        id: &JobId,
    ) -> Result<(), EngineError> {
        let inner = &self.inner;
        let namespace_id = inner.check_namespace(access).await?;
        inner.find_job(kind, namespace_id, collection, id).await?;
        let mut transaction = inner.store.begin().await?;
        let state = store::job::cancel(&mut transaction, id, &inner.run, clock::now()).await?;
        transaction.commit().await?;
        match state {
            Some(JobState::Cancelling) => inner.running.stop(std::slice::from_ref(id)).await,
            Some(_) => inner.wake_workers(),
            None => {
                let row = inner.find_job(kind, namespace_id, collection, id).await?;
                return Err(EngineError::Conflict {
                    reason: format!(
                        "the job has ended with status {} and cannot be cancelled",
                        shown(row).status.as_str()
                    ),
                });
            }
        }
        tracing::info!(job = %id, "job cancelled");
        Ok(())
    }
}

impl Inner {
    /// Stores a job. The source stays pinned until the job's row refers to it.
    async fn enqueue(&self, job: NewJob, _source: Option<Pinned>) -> Result<(), EngineError> {
        let mut transaction = self.store.begin().await?;
        if job.kind == JobKind::Upload
            && let Some(max) = self.config.limits.max_unfinished_jobs
            && store::job::count_unfinished(&mut transaction).await? >= u64::from(max)
        {
            return Err(EngineError::Overloaded {
                reason: format!(
                    "{max} uploads are waiting or running, which is the limit (setting \
                     max_unfinished_jobs); try again"
                ),
            });
        }
        // It may have been deleted since it was looked up.
        store::collection::find_by_id(&mut transaction, job.collection_id)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, &job.collection_name))?;
        if job.kind == JobKind::Rows
            && let Some(id) =
                store::job::unfinished_rows_job(&mut transaction, job.collection_id).await?
        {
            return Err(EngineError::Conflict {
                reason: format!(
                    "the job {id} is still filling the collection '{}', which takes one file at a \
                     time",
                    job.collection_name
                ),
            });
        }
        store::job::insert(&mut transaction, &job, clock::now()).await?;
        transaction.commit().await?;
        self.observe(&job.id, Stage::Submitted);
        self.wake_workers();
        Ok(())
    }

    /// A source in the form in which a job keeps it, and what keeps it there until then.
    async fn source_to_store(
        &self,
        source: &Source,
    ) -> Result<(StoredSource, Option<Pinned>), EngineError> {
        let pinned = self.pin_source(source).await?;
        let stored = match (&pinned, source) {
            (Some(object), _) => StoredSource::Object(object.id()),
            (None, Source::Url(url)) if matches!(url.scheme(), "http" | "https") => {
                StoredSource::Url(url.to_string())
            }
            (None, _) => {
                return Err(EngineError::invalid(
                    "FileUrl",
                    "must start with http:// or https://",
                ));
            }
        };
        Ok((stored, pinned))
    }

    pub(crate) fn check_metadata_size(&self, metadata: &str) -> Result<(), EngineError> {
        let max_bytes = self.config.limits.max_metadata_bytes;
        if metadata.len() <= max_bytes {
            return Ok(());
        }
        Err(EngineError::TooLarge {
            reason: format!(
                "Metadata has {} bytes, more than the limit of {max_bytes} (setting \
                 max_metadata_bytes)",
                metadata.len()
            ),
        })
    }

    async fn find_job(
        &self,
        kind: JobKind,
        namespace_id: i64,
        collection: &CollectionName,
        id: &JobId,
    ) -> Result<JobRow, EngineError> {
        let found = store::job::find(
            &mut *self.store.reader().await?,
            kind,
            namespace_id,
            collection,
            id,
        )
        .await?;
        if let Some(row) = found {
            Ok(row)
        } else {
            // A missing collection is the better answer than a missing job in it.
            self.find_collection(namespace_id, collection).await?;
            Err(EngineError::not_found(Subject::Job, id))
        }
    }
}

fn shown(row: JobRow) -> Job {
    let (status, progress) = match row.state {
        JobState::Queued => (JobStatus::Pending, 0),
        JobState::Cancelling => (JobStatus::Cancelling, 0),
        JobState::Success => (JobStatus::Success, 100),
        JobState::Failed => (JobStatus::Failed, 0),
        JobState::Cancelled => (JobStatus::Cancelled, 0),
    };
    Job {
        id: row.id,
        file_name: row.file_name,
        status,
        progress,
        rows: row.rows,
        created: clock::timestamp(row.created_at),
        updated: clock::timestamp(row.updated_at),
        failure: row.failure,
        usage: row.usage,
        dry_run: row.dry_run,
        chunk_file: row.chunk_files.lines,
        plain_chunk_file: row.chunk_files.plain,
    }
}

/// The name's extension decides what is refused (row 24), and that by the kind of the collection's
/// model (row 11).
fn check_file_name(
    name: &FileName,
    collection: &Collection,
    kind: ModelKind,
) -> Result<(), EngineError> {
    let (text, model) = (name.as_str(), &collection.embedding_model);
    let is_text = TEXT_EXTENSIONS.contains(&&*name.extension().to_ascii_lowercase());
    let is_picture = extension::is_image_name(text) || extension::is_archive_name(text);
    let reason = match kind {
        ModelKind::Text if is_text => return Ok(()),
        ModelKind::Image if is_picture => return Ok(()),
        ModelKind::Text if is_picture => format!(
            "is that of images, but the collection '{}' has the text model {model}; it takes .txt \
             and .md files",
            collection.name
        ),
        ModelKind::Image if is_text => format!(
            "is that of a text, but the collection '{}' has the image model {model}; it takes images \
             ({}) and archives ({})",
            collection.name,
            extension::IMAGE_EXTENSIONS,
            extension::ARCHIVE_EXTENSIONS
        ),
        ModelKind::Text => "must end in .txt or .md; other documents are not read here".to_owned(),
        ModelKind::Image => format!(
            "must end in an image extension ({}) or an archive extension ({}); texts (.txt, .md) go \
             into a collection with a text model, other documents are not read here",
            extension::IMAGE_EXTENSIONS,
            extension::ARCHIVE_EXTENSIONS
        ),
    };
    Err(EngineError::invalid("FileName", reason))
}
