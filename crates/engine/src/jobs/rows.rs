//! A file of rows (JSON Lines), from its source into a vector collection.
//!
//! Called by a worker, in a task that may be dropped at any point. The whole file is read and checked
//! before its first row is stored, so that a bad line fails the job and leaves nothing. Then it is
//! read again and stored part by part, each a transaction with the count of its rows: a job that is
//! cancelled keeps what is stored, and one that was cut off goes on behind the rows that are counted.
//! Memory holds a few parts, whatever the size of the file.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    pin::pin,
    sync::Arc,
};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::mpsc;

use super::{Usage, commit::Ending, failure, running::RunningJob, source};
use crate::{
    clock,
    collection::Collection,
    config::Stage,
    cpu::Lane,
    engine::Inner,
    error::{EngineError, Subject},
    objects::Pinned,
    rows::{
        NewRow,
        check::{self, CheckedRow},
    },
    store::{
        self,
        collection::CollectionRow,
        job::{ClaimedJob, StoredSource},
    },
};

/// Bytes of text in a part; its last line may go beyond.
const PART_BYTES: usize = 2 << 20;

/// Lines in a part at most.
const PART_LINES: usize = 4096;

/// Parts read ahead of checking.
const READ_AHEAD: usize = 2;

/// Does everything of a job but ending it.
pub(crate) async fn prepare(
    inner: Arc<Inner>,
    job: ClaimedJob,
    running: Arc<RunningJob>,
) -> Result<Ending, EngineError> {
    let max_chars = inner.config.limits.max_error_chars;
    let failed = |reason: &str| {
        Ok(Ending::Failed {
            failure: failure::invalid(reason, max_chars),
            keep: None,
            usage: Usage::default(),
        })
    };
    let mut row =
        store::collection::find_by_id(&mut *inner.store.reader().await?, job.collection_id)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, job.collection_id))?;
    let file = match source::fetch(&inner, &job).await? {
        Ok(file) => Arc::new(file),
        Err(reason) => return failed(&reason),
    };
    keep_source(&inner, &job, &file).await?;
    inner.observe(&job.id, Stage::Fetched);
    running.set_progress(1);

    if row.collection.dimension == 0 {
        match first_dimension(&inner, &file).await? {
            Ok(dimension) => row = inner.settle_dimension(&row, dimension).await?,
            Err(reason) => return failed(&reason),
        }
    }
    if let Err(reason) = check_all(&inner, &file, &row.collection).await? {
        return failed(&reason);
    }
    inner.observe(&job.id, Stage::Unpacked);
    store_all(&inner, &job, &file, row).await?;
    Ok(Ending::Rows)
}

/// Makes a file that came from elsewhere the job's own: a run after this one reads the same bytes,
/// and counts on in them.
async fn keep_source(inner: &Inner, job: &ClaimedJob, file: &Pinned) -> Result<(), EngineError> {
    let StoredSource::Url(_) = &job.source else {
        return Ok(());
    };
    let mut transaction = inner.store.begin().await?;
    let unknown = store::object::UNKNOWN_TYPE;
    store::object::insert(
        &mut transaction,
        &file.id(),
        file.size(),
        unknown,
        clock::now(),
    )
    .await?;
    store::job::keep_source(&mut transaction, job.seq, &inner.run, &file.id()).await?;
    Ok(transaction.commit().await?)
}

/// How long the first vector of a file is. The inner error is the file's fault.
async fn first_dimension(
    inner: &Arc<Inner>,
    file: &Arc<Pinned>,
) -> Result<Result<u32, String>, EngineError> {
    let (mut parts, max_line_bytes) = (read(inner, file), inner.config.limits.max_rows_bytes);
    while let Some(part) = parts.recv().await {
        let part = part.map_err(EngineError::internal)?;
        let first = part.lines(max_line_bytes).next().map(|(number, line)| {
            let row: NewRow = line.and_then(parse).map_err(|reason| at(number, &reason))?;
            check::new_dimension(row.vector.len()).map_err(|reason| at(number, &reason))
        });
        if let Some(first) = first {
            return Ok(first);
        }
    }
    Ok(Err(NO_ROWS.to_owned()))
}

const NO_ROWS: &str = "the file behind FileUrl has no rows";

/// Checks every line of a file. The inner error is the file's fault.
async fn check_all(
    inner: &Arc<Inner>,
    file: &Arc<Pinned>,
    collection: &Collection,
) -> Result<Result<(), String>, EngineError> {
    let mut parts = pin!(checked(inner, file, collection));
    let mut any = false;
    while let Some(rows) = parts.try_next().await? {
        match rows {
            Ok(rows) => any |= !rows.is_empty(),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(if any { Ok(()) } else { Err(NO_ROWS.to_owned()) })
}

/// Stores what is not stored yet, until it is all stored or the job is no longer ours.
async fn store_all(
    inner: &Arc<Inner>,
    job: &ClaimedJob,
    file: &Arc<Pinned>,
    row: CollectionRow,
) -> Result<(), EngineError> {
    let mut parts = pin!(checked(inner, file, &row.collection));
    let mut to_skip = usize::try_from(job.rows).map_err(EngineError::internal)?;
    while let Some(rows) = parts.try_next().await? {
        // The file and what it is checked against are what they were when it was found good, but
        // for the fields of the collection.
        let mut rows = rows.map_err(|reason| EngineError::invalid("FileUrl", reason))?;
        let skipped = to_skip.min(rows.len());
        to_skip -= skipped;
        rows.drain(..skipped);
        if rows.is_empty() {
            continue;
        }
        let (storing, row, job) = (Arc::clone(inner), row.clone(), job.clone());
        let is_ours = inner
            .to_the_end(async move { storing.store_rows(&row, &rows, Some(&job)).await })
            .await?;
        if !is_ours {
            break;
        }
    }
    Ok(())
}

/// The rows of a file, part by part in their order, checked on all cores. The inner error names the
/// first bad line.
fn checked(
    inner: &Arc<Inner>,
    file: &Arc<Pinned>,
    collection: &Collection,
) -> impl Stream<Item = Result<Result<Vec<CheckedRow>, String>, EngineError>> {
    let parts = stream::unfold(read(inner, file), |mut parts| async {
        parts.recv().await.map(|part| (part, parts))
    });
    let (inner, collection) = (Arc::clone(inner), Arc::new(collection.clone()));
    let cores = inner.cpu.cores();
    parts
        .map(move |part| {
            let (inner, collection) = (Arc::clone(&inner), Arc::clone(&collection));
            async move {
                let part = part.map_err(EngineError::internal)?;
                let max_line_bytes = inner.config.limits.max_rows_bytes;
                let check = move || {
                    part.lines(max_line_bytes)
                        .map(|(number, line)| {
                            line.and_then(parse)
                                .and_then(|row| check::row(row, &collection))
                                .map_err(|reason| at(number, &reason))
                        })
                        .collect()
                };
                inner.cpu.run(Lane::Ingest, check).await
            }
        })
        .buffered(cores)
}

/// Some lines of a file.
struct Part {
    /// The number of its first line.
    first: u64,
    text: Vec<u8>,
}

impl Part {
    /// The lines that are not blank, each with its number. A line that is too long was not read to
    /// its end, and nothing behind it was.
    fn lines(&self, max_line_bytes: usize) -> impl Iterator<Item = (u64, Result<&[u8], String>)> {
        (self.first..)
            .zip(self.text.split(|byte| *byte == b'\n'))
            .filter(|(_, line)| !line.trim_ascii().is_empty())
            .map(move |(number, line)| {
                let line = if line.len() > max_line_bytes {
                    Err(format!(
                        "is longer than the limit of {max_line_bytes} bytes (setting \
                         max_rows_bytes)"
                    ))
                } else {
                    Ok(line)
                };
                (number, line)
            })
    }
}

fn parse(line: &[u8]) -> Result<NewRow, String> {
    serde_json::from_slice(line).map_err(|error| format!("is not a row: {error}"))
}

fn at(line: u64, reason: &str) -> String {
    format!("line {line} of the file behind FileUrl: {reason}")
}

/// Reads a file on a thread of its own, as fast as the parts are taken and no longer than they are
/// wanted.
fn read(inner: &Inner, file: &Arc<Pinned>) -> mpsc::Receiver<std::io::Result<Part>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let max_line_bytes = inner.config.limits.max_rows_bytes;
    let file = Arc::clone(file);
    let reading = inner.cpu.in_background(move || {
        if let Err(error) = read_blocking(&file, max_line_bytes, &sender) {
            // Nobody listens any more only when the job was stopped.
            drop(sender.blocking_send(Err(error)));
        }
    });
    // It says how it went through the channel.
    drop(reading);
    receiver
}

fn read_blocking(
    file: &Pinned,
    max_line_bytes: usize,
    parts: &mpsc::Sender<std::io::Result<Part>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, file.open_blocking()?);
    let mut next = 1;
    loop {
        let mut text = Vec::with_capacity(PART_BYTES);
        let mut lines = 0;
        let mut is_last = false;
        while lines < PART_LINES && text.len() < PART_BYTES {
            // A line of the limit's length, its end, and one byte more for one that is longer.
            let mut line = reader.by_ref().take(max_line_bytes as u64 + 2);
            let length = line.read_until(b'\n', &mut text)?;
            lines += 1;
            if length == 0 || (length > max_line_bytes && text.last() != Some(&b'\n')) {
                is_last = true;
                break;
            }
        }
        let part = Part { first: next, text };
        next += lines as u64;
        if parts.blocking_send(Ok(part)).is_err() || is_last {
            return Ok(());
        }
    }
}
