//! What a persistent index writes between snapshots: a log of its changes.
//!
//! A folder holds `N.segment`, a snapshot ([`crate::snapshot`]), and the logs
//! `N.log`, `N+1.log`, … of what came after it. A change is one record with a
//! checksum, written before searches see it. Nothing is flushed to the disk for
//! each change: the engine's database is the truth, and an index that lost its end
//! in a power cut says so by its generation. Invariants: a log continues exactly
//! where the one before it ended; a record that is cut off was the last.

use std::fs::File;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use crate::generation::Recipe;
use crate::{Change, SnapshotError};

/// Begins a log; the last byte is the format's version.
const MAGIC: [u8; 8] = *b"LKLLOG\0\x01";

/// Length and checksum before a record's content.
const RECORD_HEAD: usize = 8;

/// The log that changes are written to.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    /// The number of the log.
    sequence: u64,
    log: File,
    /// Bytes of all logs since the snapshot.
    pub log_bytes: u64,
    pub snapshot_bytes: u64,
    /// Why the log is not written any more.
    broken: Option<String>,
    record: Vec<u8>,
}

/// A change read from a log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Logged {
    Insert { key: u64, vector: Vec<f32> },
    Remove { key: u64 },
}

impl Logged {
    pub fn as_change(&self) -> Change<'_> {
        match self {
            Self::Insert { key, vector } => Change::Insert { key: *key, vector },
            Self::Remove { key } => Change::Remove { key: *key },
        }
    }
}

pub(crate) fn segment_path(folder: &Path, sequence: u64) -> PathBuf {
    folder.join(format!("{sequence:020}.segment"))
}

fn log_path(folder: &Path, sequence: u64) -> PathBuf {
    folder.join(format!("{sequence:020}.log"))
}

/// The numbers of the snapshots and of the logs in a folder, ascending.
fn list(folder: &Path) -> Result<(Vec<u64>, Vec<u64>), SnapshotError> {
    let (mut segments, mut logs) = (Vec::new(), Vec::new());
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        match (
            number,
            path.extension().and_then(|extension| extension.to_str()),
        ) {
            (Some(number), Some("segment")) => segments.push(number),
            (Some(number), Some("log")) => logs.push(number),
            _ => {}
        }
    }
    segments.sort_unstable();
    logs.sort_unstable();
    Ok((segments, logs))
}

/// What a folder holds.
pub(crate) struct Folder {
    /// The newest snapshot.
    pub segment: Option<u64>,
    /// The logs after it, in order.
    logs: Vec<u64>,
}

impl Folder {
    /// Looks at a folder. `None` if there is no index in it.
    pub fn look(folder: &Path) -> Result<Option<Self>, SnapshotError> {
        if !folder.try_exists()? {
            return Ok(None);
        }
        let (segments, logs) = list(folder)?;
        let segment = segments.last().copied();
        let first = segment.unwrap_or(0);
        let logs: Vec<u64> = logs.into_iter().filter(|log| *log >= first).collect();
        if segment.is_none() && logs.is_empty() {
            return Ok(None);
        }
        let in_order = logs
            .iter()
            .enumerate()
            .all(|(at, log)| *log == first + at as u64);
        if !in_order || logs.is_empty() {
            return Err(SnapshotError::Damaged("a log is missing"));
        }
        Ok(Some(Self { segment, logs }))
    }
}

/// Where a log begins.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Head {
    sequence: u64,
    /// The generation of the changes before it.
    generation: u64,
    dimension: u32,
}

/// Bytes of a [`Head`] in a file: magic, its fields, a checksum.
const HEAD_BYTES: usize = 8 + 8 + 8 + 4 + 4;

impl Head {
    fn encode(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.dimension.to_le_bytes());
        let check = crc32fast::hash(&bytes[..28]);
        bytes[28..].copy_from_slice(&check.to_le_bytes());
        bytes
    }
}

/// How reading a log ended.
struct End {
    generation: u64,
    /// Bytes up to the last whole record.
    whole_bytes: u64,
    /// Whether something follows that is not a whole record.
    torn: bool,
}

impl Journal {
    /// Begins a folder without vectors. What is in the folder of an index is deleted.
    pub fn create(folder: &Path, dimension: usize) -> Result<Self, SnapshotError> {
        fs_err::create_dir_all(folder)?;
        let (segments, logs) = list(folder)?;
        // Logs first: without its log a snapshot is not taken for an index.
        for log in logs {
            fs_err::remove_file(log_path(folder, log))?;
        }
        for segment in segments {
            fs_err::remove_file(segment_path(folder, segment))?;
        }
        let head = Head {
            sequence: 0,
            generation: 0,
            dimension: dimension as u32,
        };
        Ok(Self {
            log: begin(folder, head)?,
            folder: folder.to_owned(),
            sequence: 0,
            log_bytes: 0,
            snapshot_bytes: 0,
            broken: None,
            record: Vec::new(),
        })
    }

    /// Replays the logs of a folder on a snapshot of some generation and size. Calls
    /// `apply` with the changes of each record. Returns the generation after them.
    pub fn resume(
        folder: &Path,
        found: &Folder,
        recipe: &Recipe,
        (snapshot_generation, snapshot_bytes): (u64, u64),
        mut apply: impl FnMut(Vec<Logged>) -> Result<(), SnapshotError>,
    ) -> Result<(Self, u64), SnapshotError> {
        let mut generation = snapshot_generation;
        let mut log_bytes = 0;
        let mut open = None;
        let last = found.logs.last().copied().unwrap_or(0);
        for sequence in found.logs.iter().copied() {
            let path = log_path(folder, sequence);
            let head = Head {
                sequence,
                generation,
                dimension: recipe.dimension as u32,
            };
            let end = replay(&path, head, recipe, &mut apply)?;
            if sequence < last {
                if end.torn {
                    return Err(SnapshotError::Damaged("a log ends within a record"));
                }
            } else if end.whole_bytes == 0 {
                // Cut off in its first bytes: begun, never used.
                open = Some(begin(folder, head)?);
            } else {
                let log = fs_err::OpenOptions::new().append(true).open(&path)?;
                if end.torn {
                    log.set_len(end.whole_bytes)?;
                }
                open = Some(log.into_parts().0);
            }
            generation = end.generation;
            log_bytes += end.whole_bytes;
        }
        let journal = Self {
            folder: folder.to_owned(),
            sequence: last,
            log: open.ok_or(SnapshotError::Damaged("a log is missing"))?,
            log_bytes,
            snapshot_bytes,
            broken: None,
            record: Vec::new(),
        };
        Ok((journal, generation))
    }

    /// Writes a record. A failure is kept in [`Journal::broken`]: the index goes on
    /// in memory, and what is on the disk is found stale by its generation.
    pub fn append(&mut self, generation: u64, changes: &[Change<'_>]) {
        if self.broken.is_some() {
            return;
        }
        let record = &mut self.record;
        record.clear();
        record.extend([0; RECORD_HEAD]);
        record.extend(generation.to_le_bytes());
        for change in changes {
            match change {
                Change::Insert { key, vector } => {
                    record.push(1);
                    record.extend(key.to_le_bytes());
                    vector
                        .iter()
                        .for_each(|value| record.extend(value.to_le_bytes()));
                }
                Change::Remove { key } => {
                    record.push(0);
                    record.extend(key.to_le_bytes());
                }
            }
        }
        let content = &record[RECORD_HEAD..];
        let (length, check) = (content.len() as u64, crc32fast::hash(content));
        let Ok(length) = u32::try_from(length) else {
            self.broken = Some("a change of more than 4 GiB".to_owned());
            return;
        };
        record[..4].copy_from_slice(&length.to_le_bytes());
        record[4..8].copy_from_slice(&check.to_le_bytes());
        match self.log.write_all(record) {
            Ok(()) => self.log_bytes += record.len() as u64,
            Err(error) => self.broken = Some(error.to_string()),
        }
    }

    /// Notes a failure, after which nothing is written until the next snapshot.
    pub fn fail(&mut self, error: &SnapshotError) {
        self.broken = Some(error.to_string());
    }

    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Whether the logs have grown enough for a snapshot to be worth writing.
    pub fn snapshot_is_due(&self, min_bytes: u64) -> bool {
        /// Logs may grow to this part of the snapshot.
        const PART: u64 = 8;
        self.log_bytes >= min_bytes.max(self.snapshot_bytes / PART) || self.broken.is_some()
    }

    /// Lets the next log begin, for a snapshot of everything up to here. Returns its
    /// number, which is the snapshot's too.
    pub fn rotate(&mut self, dimension: usize, generation: u64) -> Result<u64, SnapshotError> {
        let head = Head {
            sequence: self.sequence + 1,
            generation,
            dimension: dimension as u32,
        };
        self.log = begin(&self.folder, head)?;
        self.sequence = head.sequence;
        // After a failure nothing was written: only a snapshot makes the folder whole.
        self.broken = None;
        Ok(head.sequence)
    }

    /// Notes that the snapshot of a number is on the disk, and deletes what it replaces.
    pub fn snapshot_is_written(&mut self, sequence: u64, bytes: u64) -> Result<(), SnapshotError> {
        self.snapshot_bytes = bytes;
        self.log_bytes = 0;
        let (segments, logs) = list(&self.folder)?;
        for old in segments.into_iter().filter(|old| *old < sequence) {
            fs_err::remove_file(segment_path(&self.folder, old))?;
        }
        for log in logs {
            let path = log_path(&self.folder, log);
            if log < sequence {
                fs_err::remove_file(path)?;
            } else {
                self.log_bytes += fs_err::metadata(path)?.len();
            }
        }
        Ok(())
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Writes the head of a log and leaves it open for records.
fn begin(folder: &Path, head: Head) -> Result<File, SnapshotError> {
    let mut log = fs_err::File::create(log_path(folder, head.sequence))?;
    log.write_all(&head.encode())?;
    Ok(log.into_parts().0)
}

/// Reads a log and calls `apply` with the changes of each record.
fn replay(
    path: &Path,
    head: Head,
    recipe: &Recipe,
    apply: &mut impl FnMut(Vec<Logged>) -> Result<(), SnapshotError>,
) -> Result<End, SnapshotError> {
    let mut file = std::io::BufReader::with_capacity(1 << 20, fs_err::File::open(path)?);
    let mut end = End {
        generation: head.generation,
        whole_bytes: 0,
        torn: false,
    };
    let mut first = [0; HEAD_BYTES];
    if !fill(&mut file, &mut first)? {
        end.torn = true;
        return Ok(end);
    }
    if first != head.encode() {
        return Err(SnapshotError::Damaged(
            "a log does not continue the one before it",
        ));
    }
    end.whole_bytes = HEAD_BYTES as u64;
    let mut content = Vec::new();
    loop {
        let mut record = [0; RECORD_HEAD];
        if file.fill_buf()?.is_empty() {
            return Ok(end);
        }
        if !fill(&mut file, &mut record)? {
            break;
        }
        let (length, check) = record.split_at(4);
        let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        content.clear();
        let length = number(length);
        let read = file
            .by_ref()
            .take(length.into())
            .read_to_end(&mut content)?;
        if read < length as usize || crc32fast::hash(&content) != number(check) {
            break;
        }
        let (generation, changes) = decode(&content, recipe.dimension)
            .ok_or(SnapshotError::Damaged("a record is not of this index"))?;
        apply(changes)?;
        end.generation = generation;
        end.whole_bytes += (RECORD_HEAD + content.len()) as u64;
    }
    end.torn = true;
    Ok(end)
}

/// Fills a buffer; false if the file ends before.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> Result<bool, SnapshotError> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The generation and the changes of a record.
fn decode(content: &[u8], dimension: usize) -> Option<(u64, Vec<Logged>)> {
    let (generation, mut rest) = content.split_first_chunk::<8>()?;
    let mut changes = Vec::new();
    while let Some((kind, after)) = rest.split_first() {
        let (key, after) = after.split_first_chunk::<8>()?;
        let key = u64::from_le_bytes(*key);
        rest = match kind {
            0 => {
                changes.push(Logged::Remove { key });
                after
            }
            1 => {
                let (numbers, after) = after.split_at_checked(4 * dimension)?;
                let (numbers, _) = numbers.as_chunks::<4>();
                let vector = numbers
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect();
                changes.push(Logged::Insert { key, vector });
                after
            }
            _ => return None,
        };
    }
    Some((u64::from_le_bytes(*generation), changes))
}
