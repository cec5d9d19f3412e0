//! One job, from its source to images with vectors: fetch → unpack → decode → embed, each stage
//! feeding the next through a bounded channel.
//!
//! Called by a worker, in a task that may be dropped at any point: nothing here is visible to
//! anyone until [`super::commit`] has stored it. All bad images are found before the job fails, so
//! that they can all be named; once there is one, no more embedding is paid for.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{StreamExt as _, stream};
use lookalike_embed::{Priority, ServedModel, catalogue::ModelKind};
use lookalike_media::{ArchiveError, extension};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{
    ENTRIES_AN_IMAGE, EntryFailure, Usage,
    commit::{Ending, Indexed},
    decode::{Decoded, Decoder, Refusal},
    failure::{self, Refused},
    running::RunningJob,
    source::{self, Counts, Unpacked},
    texts,
};
use crate::{
    config::Stage,
    engine::Inner,
    error::{EngineError, Subject},
    query::embed_error,
    resident,
    store::{self, collection::CollectionRow, job::ClaimedJob},
};

/// Members unpacked ahead of decoding.
const UNPACKED_AHEAD: usize = 2;

/// Does everything of a job but ending it.
pub(crate) async fn prepare(
    inner: Arc<Inner>,
    job: ClaimedJob,
    running: Arc<RunningJob>,
) -> Result<Ending, EngineError> {
    let row = store::collection::find_by_id(&mut *inner.store.reader().await?, job.collection_id)
        .await?
        .ok_or_else(|| EngineError::not_found(Subject::Collection, job.collection_id))?;
    let model = resident::model_of(&inner.models, &row)?;
    let source = match source::fetch(&inner, &job).await? {
        Ok(source) => source,
        Err(reason) => {
            let failure = failure::invalid(&reason, inner.config.limits.max_error_chars);
            return Ok(Ending::Failed {
                failure,
                keep: None,
                usage: Usage::default(),
            });
        }
    };
    inner.observe(&job.id, Stage::Fetched);
    running.set_progress(1);
    let source = Arc::new(source);
    if model.kind() == ModelKind::Text {
        let work = texts::TextWork {
            inner: &inner,
            job: &job,
            model: &model,
            running: &running,
        };
        return work.prepare(row, source).await;
    }
    let counts = Arc::new(Counts::default());
    let (members, unpacking) = if extension::is_archive_name(job.file_name.as_str()) {
        let (sender, receiver) = mpsc::channel(UNPACKED_AHEAD);
        let unpacking = source::unpack(
            &inner,
            &job,
            Arc::clone(&source),
            Arc::clone(&counts),
            sender,
        );
        (receiver, Some(unpacking))
    } else {
        (source::single(&inner, &job, &source, &counts).await?, None)
    };
    let decoder = Decoder {
        model: model.clone(),
        limits: inner.image_limits(&row.collection.embedding_model),
        objects: Arc::clone(&inner.objects),
        // A single image is stored as it came; its object is there.
        stored: unpacking.is_none().then_some(source),
        dry_run: job.dry_run,
        exact_photos: inner.config.exact_photos,
    };
    let (decoded, _decoding) = decode(&inner, (&job, &running), decoder, members);
    let flow = Flow {
        inner: &inner,
        job: &job,
        model: &model,
        running: &running,
        counts: &counts,
        spoiled: AtomicBool::new(false),
    };
    let outcome = flow.embed(decoded).await?;
    if let Some(unpacking) = unpacking
        && let Err(error) = unpacking.await.map_err(EngineError::internal)??
    {
        return archive_failure(&inner, &job, error);
    }
    inner.observe(&job.id, Stage::Embedded);
    Ok(flow.ending(row, outcome))
}

/// Decodes members on all cores and stores them, in their order. The handle stops it when dropped.
fn decode(
    inner: &Arc<Inner>,
    (job, running): (&ClaimedJob, &Arc<RunningJob>),
    decoder: Decoder,
    members: mpsc::Receiver<Unpacked>,
) -> (
    mpsc::Receiver<Result<Decoded, Refusal>>,
    AbortOnDropHandle<()>,
) {
    let (sender, receiver) = mpsc::channel(inner.config.jobs.batch_images.max(1));
    let (inner, job, running) = (Arc::clone(inner), job.clone(), Arc::clone(running));
    let decoder = Arc::new(decoder);
    let work = async move {
        let members = stream::unfold(members, |mut members| async {
            members.recv().await.map(|member| (member, members))
        });
        let decoded = members
            .map(|member| Arc::clone(&decoder).decode(&inner.cpu, member))
            .buffered(inner.cpu.ingest_width());
        let mut decoded = pin!(decoded);
        while let Some(decoded) = decoded.next().await {
            if sender.send(decoded).await.is_err() {
                return;
            }
        }
        inner.observe(&job.id, Stage::Decoded);
        inner.let_next_begin(&job, &running);
    };
    (receiver, AbortOnDropHandle::new(tokio::spawn(work)))
}

/// What came out of a job's images.
#[derive(Default)]
struct Outcome {
    good: Vec<Indexed>,
    refused: Vec<EntryFailure>,
    total: usize,
}

/// The part of a job that embeds.
struct Flow<'a> {
    inner: &'a Inner,
    job: &'a ClaimedJob,
    model: &'a ServedModel,
    running: &'a RunningJob,
    counts: &'a Counts,
    /// Whether an image was refused.
    spoiled: AtomicBool,
}

impl Flow<'_> {
    /// Embeds what is decoded: as many batches at a time as there are cores, and one that is then ready.
    async fn embed(
        &self,
        mut decoded: mpsc::Receiver<Result<Decoded, Refusal>>,
    ) -> Result<Outcome, EngineError> {
        let batch_images = self.inner.config.jobs.batch_images.max(1);
        let embedded = stream::poll_fn(move |context| decoded.poll_recv(context))
            .chunks(batch_images)
            .map(|batch| self.embed_batch(batch))
            .buffered(self.inner.cpu.cores() + 1);
        let mut embedded = pin!(embedded);
        let mut outcome = Outcome::default();
        while let Some(batch) = embedded.next().await {
            let mut batch = batch?;
            outcome.total += batch.total;
            outcome.good.append(&mut batch.good);
            outcome.refused.append(&mut batch.refused);
        }
        Ok(outcome)
    }

    async fn embed_batch(
        &self,
        batch: Vec<Result<Decoded, Refusal>>,
    ) -> Result<Outcome, EngineError> {
        let mut outcome = Outcome {
            total: batch.len(),
            ..Outcome::default()
        };
        let mut prepared = Vec::new();
        for next in batch {
            match next {
                Err(Refusal::Job(error)) => return Err(error),
                Err(Refusal::Entry(entry)) => outcome.refused.push(entry),
                Ok(image) => {
                    let (image, pixels) = image.split();
                    outcome.good.push(image);
                    prepared.extend(pixels);
                }
            }
        }
        if !outcome.refused.is_empty() {
            self.spoiled.store(true, Ordering::Relaxed);
        }
        let spoiled = self.spoiled.load(Ordering::Relaxed);
        if spoiled && !self.inner.config.jobs.keep_good_members {
            outcome.good.clear();
        } else if !self.job.dry_run {
            let vectors = self.model.embed_images(prepared, Priority::Ingest).await;
            let vectors = vectors.map_err(|error| embed_error(&error))?;
            for (image, vector) in outcome.good.iter_mut().zip(vectors) {
                image.vector = vector;
            }
        }
        self.count_done(outcome.total);
        Ok(outcome)
    }

    /// Progress by images done (row 29). Until an archive is read to its end it is taken to be as
    /// large as it may be.
    fn count_done(&self, images: usize) {
        let done = self.counts.done.fetch_add(images, Ordering::Relaxed) + images;
        let mut total = self.counts.seen.load(Ordering::Relaxed).max(1);
        if !self.counts.all_seen.load(Ordering::Relaxed) {
            let max_images = self.inner.config.limits.archive.max_images;
            total = total.max(usize::try_from(max_images).unwrap_or(usize::MAX));
        }
        let percent = 1 + done.saturating_mul(98) / total;
        self.running
            .set_progress(u8::try_from(percent).unwrap_or(99));
    }

    fn ending(&self, row: CollectionRow, outcome: Outcome) -> Ending {
        let Outcome {
            good,
            refused,
            total,
        } = outcome;
        let entries = if self.job.dry_run {
            0
        } else {
            ENTRIES_AN_IMAGE * good.len() as u64
        };
        let usage = Usage { tokens: 0, entries };
        if refused.is_empty() {
            return if self.job.dry_run {
                Ending::DryRun { images: good }
            } else {
                Ending::Stored {
                    row,
                    images: good,
                    usage,
                }
            };
        }
        let keep_good =
            self.inner.config.jobs.keep_good_members && !self.job.dry_run && !good.is_empty();
        let failure = failure::refused(Refused {
            file_name: &self.job.file_name,
            total,
            entries: refused,
            kept_good: keep_good,
            max_chars: self.inner.config.limits.max_error_chars,
        });
        if keep_good {
            Ending::Failed {
                failure,
                keep: Some((row, good)),
                usage,
            }
        } else {
            Ending::Failed {
                failure,
                keep: None,
                usage: Usage::default(),
            }
        }
    }
}

/// An archive that cannot be read to its end: nothing of it is kept, whatever the setting says,
/// because what is missing cannot be named.
fn archive_failure(
    inner: &Inner,
    job: &ClaimedJob,
    error: ArchiveError,
) -> Result<Ending, EngineError> {
    if let ArchiveError::Io(error) = error {
        return Err(EngineError::internal(error));
    }
    let message = format!(
        "the archive {:?} cannot be used: {error}",
        job.file_name.as_str()
    );
    let failure = failure::invalid(&message, inner.config.limits.max_error_chars);
    Ok(Ending::Failed {
        failure,
        keep: None,
        usage: Usage::default(),
    })
}
