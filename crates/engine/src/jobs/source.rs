//! The first steps of a job: its bytes brought to this machine and taken apart into members.
//!
//! Called by [`super::ingest`]. Reading an archive keeps a thread of its own, as fast as the members
//! are taken and no longer than they are wanted.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use lookalike_media::{ArchiveError, Member};
use md5::{Digest as _, Md5};
use tokio::sync::mpsc;
use url::Url;

use super::checksum;
use crate::{
    config::Stage,
    cpu::{Background, Lane},
    engine::Inner,
    error::EngineError,
    name::ObjectId,
    objects::{ObjectReader, Pinned},
    store::{
        self,
        job::{ClaimedJob, StoredSource},
    },
};

/// A member and the MD5 of its bytes, which says nothing of a refused one.
pub(super) struct Unpacked {
    pub(super) member: Member,
    pub(super) md5: [u8; 16],
}

/// How far a job has come.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) seen: AtomicUsize,
    pub(super) done: AtomicUsize,
    /// Whether `seen` is final.
    pub(super) all_seen: AtomicBool,
}

/// Brings the source to this machine. The inner error is the upload's fault.
pub(super) async fn fetch(
    inner: &Inner,
    job: &ClaimedJob,
) -> Result<Result<Pinned, String>, EngineError> {
    match &job.source {
        StoredSource::Object(id) => pin_stored(inner, *id).await.map(Ok),
        StoredSource::Url(url) => {
            let url = Url::parse(url).map_err(EngineError::internal)?;
            let max_bytes = inner.config.limits.max_document_bytes;
            let mut fetched = match inner.fetcher.get(&url, max_bytes).await {
                Ok(fetched) => fetched,
                Err(error) => return Ok(Err(error.to_string())),
            };
            let mut spool = inner.spool(max_bytes);
            loop {
                match fetched.chunk().await {
                    Ok(Some(chunk)) => spool.write(chunk).await?,
                    Ok(None) => break,
                    Err(error) => return Ok(Err(error.to_string())),
                }
            }
            spool.finish().await.map(Ok)
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
pub(super) async fn single(
    inner: &Inner,
    job: &ClaimedJob,
    source: &Arc<Pinned>,
    counts: &Counts,
) -> Result<mpsc::Receiver<Unpacked>, EngineError> {
    let (sender, receiver) = mpsc::channel(1);
    let (source, max_bytes) = (Arc::clone(source), inner.config.limits.max_document_bytes);
    let read = move || {
        let bytes = source.open_blocking()?.read_all_blocking(max_bytes)?;
        let md5 = Md5::digest(&bytes).into();
        Ok::<_, io::Error>((bytes, md5))
    };
    let (bytes, md5) = inner
        .cpu
        .run(Lane::Ingest, read)
        .await?
        .map_err(EngineError::internal)?;
    let member = Member {
        name: job.file_name.to_string(),
        content: Ok(bytes.to_vec()),
    };
    sender
        .try_send(Unpacked { member, md5 })
        .expect("a new channel has room for one");
    counts.seen.store(1, Ordering::Relaxed);
    counts.all_seen.store(true, Ordering::Relaxed);
    inner.observe(&job.id, Stage::Unpacked);
    Ok(receiver)
}

/// Reads the archive on a thread of its own, as fast as the members are taken.
pub(super) fn unpack(
    inner: &Arc<Inner>,
    job: &ClaimedJob,
    source: Arc<Pinned>,
    counts: Arc<Counts>,
    members: mpsc::Sender<Unpacked>,
) -> Background<Result<(), ArchiveError>> {
    let (cpu, inner, job) = (inner.cpu.clone(), Arc::clone(inner), job.clone());
    cpu.in_background(move || {
        let file = source.open_blocking().map_err(ArchiveError::Io)?;
        let reader = WhileWanted {
            file,
            wanted: members.clone(),
        };
        let limits = &inner.config.limits.archive;
        let mut group = Group::default();
        let summary =
            lookalike_media::archive::read(reader, job.file_name.as_str(), limits, |member| {
                counts.seen.fetch_add(1, Ordering::Relaxed);
                group.push(member);
                if group.is_full() {
                    std::mem::take(&mut group).hand_out(&members);
                }
            })?;
        group.hand_out(&members);
        counts.all_seen.store(true, Ordering::Relaxed);
        tracing::debug!(job = %job.id, ?summary, "archive read");
        if summary.duplicates > 0 {
            tracing::warn!(job = %job.id, duplicates = summary.duplicates, "members of one name: the last counts");
        }
        inner.observe(&job.id, Stage::Unpacked);
        Ok(())
    })
}

/// Bytes of members that wait for others to be hashed with.
const MAX_GROUP_BYTES: usize = 32 << 20;

/// Members that are hashed together.
#[derive(Default)]
struct Group {
    members: Vec<Member>,
    bytes: usize,
}

impl Group {
    fn push(&mut self, member: Member) {
        self.bytes += content(&member).len();
        self.members.push(member);
    }

    fn is_full(&self) -> bool {
        self.members.len() >= checksum::LANES || self.bytes >= MAX_GROUP_BYTES
    }

    fn hand_out(self, wanted: &mpsc::Sender<Unpacked>) {
        let contents: Vec<&[u8]> = self.members.iter().map(content).collect();
        let digests = checksum::digests(&contents);
        for (member, md5) in self.members.into_iter().zip(digests) {
            // Nobody listens any more only when the job was stopped.
            drop(wanted.blocking_send(Unpacked { member, md5 }));
        }
    }
}

fn content(member: &Member) -> &[u8] {
    member.content.as_deref().unwrap_or_default()
}

/// A file that ends in an error once nobody wants what is in it.
struct WhileWanted {
    file: ObjectReader,
    wanted: mpsc::Sender<Unpacked>,
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
