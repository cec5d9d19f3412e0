//! One job, from its source to images with vectors: fetch → unpack → decode → embed, each stage
//! feeding the next through a bounded channel.
//!
//! Called by a worker, in a task that may be dropped at any point: nothing here is visible to
//! anyone until [`super::commit`] has stored it. All bad images are found before the job fails, so
//! that they can all be named; once there is one, no more embedding is paid for.

use std::{
    io::{self, Read, Seek, SeekFrom},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{StreamExt as _, stream};
use lookalike_embed::{PreparedImage, Priority, ServedModel};
use lookalike_media::{ArchiveError, Member, extension};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use super::{
    ENTRIES_AN_IMAGE, EntryFailure, Usage,
    commit::{Ending, Indexed},
    decode::{Decoded, Decoder, Refusal},
    failure::{self, Refused},
    running::RunningJob,
};
use crate::{
    config::Stage,
    engine::Inner,
    error::EngineError,
    name::ObjectId,
    objects::{ObjectReader, Pinned, Written},
    query::embed_error,
    resident,
    store::{
        self,
        collection::CollectionRow,
        job::{ClaimedJob, StoredSource},
    },
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
        .ok_or_else(|| EngineError::not_found(crate::Subject::Collection, job.collection_id))?;
    let model = resident::model_of(&inner.models, &row)?;
    let source = match fetch(&inner, &job).await? {
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
    let counts = Arc::new(Counts::default());
    let (members, unpacking) = if extension::is_archive_name(job.file_name.as_str()) {
        let (sender, receiver) = mpsc::channel(UNPACKED_AHEAD);
        let unpacking = unpack(
            &inner,
            &job,
            Arc::clone(&source),
            Arc::clone(&counts),
            sender,
        );
        (receiver, Some(unpacking))
    } else {
        (single(&inner, &job, &source, &counts).await?, None)
    };
    let decoder = Decoder {
        model: model.clone(),
        limits: inner.image_limits(&row.collection.embedding_model),
        objects: Arc::clone(&inner.objects),
        // A single image is stored as it came; its object is there.
        stored: unpacking.is_none().then_some(source),
        dry_run: job.dry_run,
    };
    let (decoded, _decoding) = decode(&inner, &job, decoder, members);
    let flow = Flow {
        inner: &inner,
        job: &job,
        model: &model,
        running: &running,
        counts: &counts,
    };
    let outcome = flow.embed(decoded).await?;
    if let Some(unpacking) = unpacking
        && let Err(error) = unpacking.await.map_err(EngineError::internal)?
    {
        return archive_failure(&inner, &job, error);
    }
    inner.observe(&job.id, Stage::Embedded);
    Ok(flow.ending(row, outcome))
}

/// How far a job has come.
#[derive(Default)]
struct Counts {
    seen: AtomicUsize,
    done: AtomicUsize,
    /// Whether `seen` is final.
    all_seen: std::sync::atomic::AtomicBool,
}

/// Brings the source to this machine. The inner error is the upload's fault.
async fn fetch(inner: &Inner, job: &ClaimedJob) -> Result<Result<Pinned, String>, EngineError> {
    match &job.source {
        StoredSource::Object(id) => pin_stored(inner, *id).await.map(Ok),
        StoredSource::Url(url) => {
            let url = Url::parse(url).map_err(EngineError::internal)?;
            let max_bytes = inner.config.limits.max_document_bytes;
            let mut fetched = match inner.fetcher.get(&url, max_bytes).await {
                Ok(fetched) => fetched,
                Err(error) => return Ok(Err(error.to_string())),
            };
            let mut spool = inner.spool(max_bytes).await?;
            loop {
                match fetched.chunk().await {
                    Ok(Some(chunk)) => spool.write(chunk).await?,
                    Ok(None) => break,
                    Err(error) => return Ok(Err(error.to_string())),
                }
            }
            let Written { object, .. } = spool.finish().await?;
            Ok(Ok(object))
        }
    }
}

/// The job's row refers to the object, so it is there.
async fn pin_stored(inner: &Inner, id: ObjectId) -> Result<Pinned, EngineError> {
    let object = inner.objects.pin(id).await;
    let row = store::object::find(&mut *inner.store.reader().await?, &id).await?;
    let row = row.ok_or_else(|| EngineError::internal("the source of a job is gone"))?;
    Ok(object.with_size(row.size))
}

/// The one image of an upload that is no archive, as if it were a member.
async fn single(
    inner: &Inner,
    job: &ClaimedJob,
    source: &Arc<Pinned>,
    counts: &Counts,
) -> Result<mpsc::Receiver<Member>, EngineError> {
    let (sender, receiver) = mpsc::channel(1);
    let (source, max_bytes) = (Arc::clone(source), inner.config.limits.max_document_bytes);
    let read = move || source.open_blocking()?.read_all_blocking(max_bytes);
    let bytes = inner
        .cpu
        .run(crate::cpu::Lane::Ingest, read)
        .await?
        .map_err(EngineError::internal)?;
    let member = Member {
        name: job.file_name.to_string(),
        content: Ok(bytes.to_vec()),
    };
    sender
        .try_send(member)
        .expect("a new channel has room for one");
    counts.seen.store(1, Ordering::Relaxed);
    counts.all_seen.store(true, Ordering::Relaxed);
    inner.observe(&job.id, Stage::Unpacked);
    Ok(receiver)
}

/// Reads the archive on a thread of its own, as fast as the members are taken.
fn unpack(
    inner: &Arc<Inner>,
    job: &ClaimedJob,
    source: Arc<Pinned>,
    counts: Arc<Counts>,
    members: mpsc::Sender<Member>,
) -> tokio::task::JoinHandle<Result<(), ArchiveError>> {
    let (inner, job) = (Arc::clone(inner), job.clone());
    tokio::task::spawn_blocking(move || {
        let file = source.open_blocking().map_err(ArchiveError::Io)?;
        let reader = WhileWanted {
            file,
            wanted: members.clone(),
        };
        let limits = &inner.config.limits.archive;
        let summary =
            lookalike_media::archive::read(reader, job.file_name.as_str(), limits, |member| {
                counts.seen.fetch_add(1, Ordering::Relaxed);
                // Nobody listens any more only when the job was stopped.
                drop(members.blocking_send(member));
            })?;
        counts.all_seen.store(true, Ordering::Relaxed);
        tracing::debug!(job = %job.id, ?summary, "archive read");
        if summary.duplicates > 0 {
            tracing::warn!(job = %job.id, duplicates = summary.duplicates, "members of one name: the last counts");
        }
        inner.observe(&job.id, Stage::Unpacked);
        Ok(())
    })
}

/// A file that ends in an error once nobody wants what is in it.
struct WhileWanted {
    file: ObjectReader,
    wanted: mpsc::Sender<Member>,
}

impl Read for WhileWanted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.wanted.is_closed() {
            return Err(io::Error::other("the job was stopped"));
        }
        self.file.read(buffer)
    }
}

impl Seek for WhileWanted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Decodes members on all cores, in their order. The handle stops it when dropped.
fn decode(
    inner: &Arc<Inner>,
    job: &ClaimedJob,
    decoder: Decoder,
    members: mpsc::Receiver<Member>,
) -> (
    mpsc::Receiver<Result<Decoded, Refusal>>,
    AbortOnDropHandle<()>,
) {
    let (sender, receiver) = mpsc::channel(inner.config.jobs.batch_images.max(1));
    let (inner, id, decoder) = (Arc::clone(inner), job.id.clone(), Arc::new(decoder));
    let work = async move {
        let members = stream::unfold(members, |mut members| async {
            members.recv().await.map(|member| (member, members))
        });
        let decoded = members
            .map(|member| Arc::clone(&decoder).decode(&inner.cpu, member))
            .buffered(inner.cpu.cores());
        let mut decoded = pin!(decoded);
        while let Some(decoded) = decoded.next().await {
            if sender.send(decoded).await.is_err() {
                return;
            }
        }
        inner.observe(&id, Stage::Decoded);
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
}

impl Flow<'_> {
    /// Embeds what is decoded, batch by batch.
    async fn embed(
        &self,
        mut decoded: mpsc::Receiver<Result<Decoded, Refusal>>,
    ) -> Result<Outcome, EngineError> {
        let mut outcome = Outcome::default();
        let mut batch = Vec::new();
        while let Some(next) = decoded.recv().await {
            outcome.total += 1;
            match next {
                Err(Refusal::Job(error)) => return Err(error),
                Err(Refusal::Entry(entry)) => {
                    outcome.refused.push(entry);
                    self.count_done(1);
                }
                Ok(image) => {
                    batch.push(image);
                    if batch.len() >= self.inner.config.jobs.batch_images.max(1) {
                        self.embed_batch(std::mem::take(&mut batch), &mut outcome)
                            .await?;
                    }
                }
            }
        }
        self.embed_batch(batch, &mut outcome).await?;
        Ok(outcome)
    }

    async fn embed_batch(
        &self,
        batch: Vec<Decoded>,
        outcome: &mut Outcome,
    ) -> Result<(), EngineError> {
        let count = batch.len();
        let worthwhile = outcome.refused.is_empty() || self.inner.config.jobs.keep_good_members;
        if count > 0 && worthwhile {
            let (mut images, prepared): (Vec<Indexed>, Vec<Option<PreparedImage>>) =
                batch.into_iter().map(Decoded::split).unzip();
            if !self.job.dry_run {
                let prepared = prepared.into_iter().flatten().collect();
                let vectors = self.model.embed_images(prepared, Priority::Ingest).await;
                for (image, vector) in images
                    .iter_mut()
                    .zip(vectors.map_err(|error| embed_error(&error))?)
                {
                    image.vector = vector;
                }
            }
            outcome.good.append(&mut images);
        }
        self.count_done(count);
        Ok(())
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
