//! Zip archives: the central directory first, then the contents one by one.
//!
//! Called by [`super::read`]. The central directory is the truth; a local header
//! only says where its data begins. `ZipIterable` is used because it holds no list
//! of entries and keeps those that share a name; the common `ZipArchive` builds a
//! map of everything that a hostile directory claims. It is in the library's
//! `unstable` module: an update may rename it, which the compiler will tell.

use std::io::{Read, Seek, SeekFrom};

use ::zip::read::{Config, ZipFileEntry};
use ::zip::result::ZipError;
use ::zip::unstable::read::ZipIterable;
use ::zip::{CompressionMethod, ZipReadOptions};

use super::limits::{ArchiveLimits, LimitName};
use super::survey::{self, EntryKind, Survey, Verdict, judge};
use super::{ArchiveError, ArchiveKind, Counts, MemberError, Output, read_content};
use crate::display::show;

/// Reads the whole archive.
pub(super) fn read<R: Read + Seek>(
    reader: &mut R,
    limits: &ArchiveLimits,
    out: &mut Output<'_>,
) -> Result<Counts, ArchiveError> {
    let mut zip = ZipIterable::try_new(reader, Config::default()).map_err(refuse)?;
    let claimed = u64::try_from(zip.len()).unwrap_or(u64::MAX);
    survey::check(claimed, LimitName::MaxMembers, limits.max_members)?;
    let survey = survey_names(&mut zip, limits)?;
    let unpacked_bytes = hand_out_members(&mut zip, &survey, limits, out)?;
    Ok(Counts {
        junk: survey.junk,
        duplicates: survey.duplicates,
        unpacked_bytes,
    })
}

fn survey_names<R: Read + Seek>(
    zip: &mut ZipIterable<R>,
    limits: &ArchiveLimits,
) -> Result<Survey, ArchiveError> {
    let mut survey = Survey::default();
    let mut spans = Vec::new();
    let files = zip.files().map_err(refuse)?;
    let mut ordinal = 0;
    while let Some(entry) = files.next() {
        let entry = entry.map_err(refuse)?;
        survey.note(ordinal, &judge_entry(&entry, limits), limits)?;
        if ordinal == 0 {
            spans.push(Span {
                start: entry.central_header_start(),
                end: u64::MAX,
                name: b"(the directory)".to_vec(),
            });
        }
        spans.extend(span_of(&entry, files.reader_mut()));
        ordinal += 1;
    }
    refuse_overlap(spans)?;
    Ok(survey)
}

fn hand_out_members<R: Read + Seek>(
    zip: &mut ZipIterable<R>,
    survey: &Survey,
    limits: &ArchiveLimits,
    out: &mut Output<'_>,
) -> Result<u64, ArchiveError> {
    let mut unpacked_bytes = 0;
    let files = zip.files().map_err(refuse)?;
    let mut ordinal = 0;
    while let Some(entry) = files.next() {
        let entry = entry.map_err(refuse)?;
        match survey.settle(ordinal, judge_entry(&entry, limits)) {
            Verdict::Skip { .. } => {}
            Verdict::Refuse { name, error } => out.hand_out(name, Err(error)),
            Verdict::Take { name } => {
                let reader = files.reader_mut();
                let content = unpack(entry, reader, limits, &mut unpacked_bytes)?;
                out.hand_out(name, content);
            }
        }
        ordinal += 1;
    }
    Ok(unpacked_bytes)
}

fn judge_entry(entry: &ZipFileEntry<'_>, limits: &ArchiveLimits) -> Verdict {
    // Undecodable only if the library's own table has a hole; the bytes then serve.
    match entry.name() {
        Ok(name) => judge(name.as_bytes(), kind_of(entry), limits),
        Err(_) => judge(entry.name_raw(), kind_of(entry), limits),
    }
}

/// By the Unix mode, where the entry was made on a system that has one.
fn kind_of(entry: &ZipFileEntry<'_>) -> EntryKind {
    const FILE_TYPE_MASK: u32 = 0o170_000;
    match entry.unix_mode().map_or(0, |mode| mode & FILE_TYPE_MASK) {
        0o120_000 => EntryKind::Refused(MemberError::Link { target: None }),
        0o010_000 => EntryKind::Refused(MemberError::Special { what: "a pipe" }),
        0o020_000 | 0o060_000 => EntryKind::Refused(MemberError::Special { what: "a device" }),
        0o140_000 => EntryKind::Refused(MemberError::Special { what: "a socket" }),
        _ if entry.is_dir() => EntryKind::Directory,
        _ if entry.encrypted() => EntryKind::Refused(MemberError::Encrypted),
        _ if !is_read(entry.compression()) => EntryKind::Refused(MemberError::Method {
            method: entry.compression().to_string(),
        }),
        _ => EntryKind::File,
    }
}

fn is_read(method: CompressionMethod) -> bool {
    method == CompressionMethod::Stored || method == CompressionMethod::Deflated
}

/// The bytes of the file that an entry takes: local header and data. The directory
/// takes all from its start on, so that data behind it or beyond the file's end is
/// found too.
struct Span {
    start: u64,
    end: u64,
    name: Vec<u8>,
}

/// `None` where there is no local header; reading the member will say so.
fn span_of<R: Read + Seek>(entry: &ZipFileEntry<'_>, reader: &mut R) -> Option<Span> {
    // APPNOTE 4.3.7: 30 bytes, the lengths of name and extra field at 26 and 28.
    const FIXED_HEADER_BYTES: u64 = 30;
    let start = entry.header_start();
    let mut lengths = [0; 4];
    reader.seek(SeekFrom::Start(start.checked_add(26)?)).ok()?;
    reader.read_exact(&mut lengths).ok()?;
    let [name_low, name_high, extra_low, extra_high] = lengths;
    let end = start
        .checked_add(FIXED_HEADER_BYTES)?
        .checked_add(u64::from(u16::from_le_bytes([name_low, name_high])))?
        .checked_add(u64::from(u16::from_le_bytes([extra_low, extra_high])))?
        .checked_add(entry.compressed_size())?;
    Some(Span {
        start,
        end,
        name: entry.name_raw().to_vec(),
    })
}

/// Entries that share bytes multiply what a small file unpacks to (D. Fifield,
/// "A better zip bomb", 2019). No honest writer makes them.
fn refuse_overlap(mut spans: Vec<Span>) -> Result<(), ArchiveError> {
    spans.sort_by_key(|span| (span.start, span.end));
    let overlapping = spans.windows(2).find(|pair| pair[0].end > pair[1].start);
    match overlapping {
        None => Ok(()),
        Some(pair) => Err(ArchiveError::Overlap {
            first: show(&pair[0].name),
            second: show(&pair[1].name),
        }),
    }
}

/// The content of one entry, checked against its CRC by the library.
fn unpack<R: Read + Seek>(
    entry: ZipFileEntry<'_>,
    reader: &mut R,
    limits: &ArchiveLimits,
    unpacked_bytes: &mut u64,
) -> Result<Result<Vec<u8>, MemberError>, ArchiveError> {
    let declared_bytes = entry.size();
    let allowance = limits.allowance(entry.compressed_size(), *unpacked_bytes);
    let mut file = match entry.with_reader(reader, ZipReadOptions::new()) {
        Ok(file) => file,
        Err(error) => {
            let reason = reason_of(&error);
            return Ok(Err(MemberError::Corrupt { reason }));
        }
    };
    let content = read_content(&mut file, declared_bytes, allowance)?;
    // What fails on the way has been unpacked too, up to what it declares.
    if declared_bytes <= allowance.bytes {
        *unpacked_bytes += declared_bytes;
    }
    Ok(content)
}

fn refuse(error: ZipError) -> ArchiveError {
    let kind = ArchiveKind::Zip;
    if let ZipError::Io(error) = error {
        return ArchiveError::from_io(kind, error);
    }
    let reason = reason_of(&error);
    if matches!(error, ZipError::UnsupportedArchive(_)) {
        return ArchiveError::Unsupported { kind, reason };
    }
    ArchiveError::Corrupt { kind, reason }
}

/// Without the library's "invalid Zip archive", which the error says already.
fn reason_of(error: &ZipError) -> String {
    if let ZipError::InvalidArchive(reason) = error {
        return show(reason.as_bytes());
    }
    show(error.to_string())
}
