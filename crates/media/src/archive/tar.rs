//! Tar archives, plain or inside gzip: ustar, GNU and pax.
//!
//! Called by [`super::read`]. A tar has no directory, so the stream is walked
//! twice: once for the names, once for the contents. Inside gzip that unpacks
//! twice, which costs far less than embedding a photo that a damaged archive would
//! have had to give back. The meter bounds what any header can make the library
//! read at once.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use ::tar::{Archive, Entry, EntryType, Header};
use flate2::read::MultiGzDecoder;

use super::limits::ArchiveLimits;
use super::meter::{Gauge, Packed, Unpacked};
use super::survey::{EntryKind, Survey, Verdict, judge};
use super::{ArchiveError, ArchiveKind, Counts, MemberError, Output, read_content};
use crate::display::show;

const BLOCK_BYTES: usize = 512;

/// Whether a block is the header of a tar member: it says so, or its checksum fits.
pub(super) fn is_header(block: &[u8]) -> bool {
    if block.len() < BLOCK_BYTES {
        return false;
    }
    let header = Header::from_byte_slice(&block[..BLOCK_BYTES]);
    if header.as_ustar().is_some() || header.as_gnu().is_some() {
        return true;
    }
    // POSIX.1-1988: the sum of all bytes, those of the checksum itself as blanks.
    let sum: u32 = block[..BLOCK_BYTES]
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            u32::from(if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            })
        })
        .sum();
    block[0] != 0 && header.cksum().is_ok_and(|claimed| claimed == sum)
}

/// Reads the whole archive.
pub(super) fn read<R: Read + Seek>(
    reader: &mut R,
    kind: ArchiveKind,
    limits: &ArchiveLimits,
    out: &mut Output<'_>,
) -> Result<Counts, ArchiveError> {
    let mut survey = Survey::default();
    walk(reader, kind, limits, &mut |step| {
        survey.note(step.ordinal, &step.verdict, limits)
    })?;
    reader.seek(SeekFrom::Start(0)).map_err(ArchiveError::Io)?;
    let unpacked_bytes = walk(reader, kind, limits, &mut |mut step| {
        match survey.settle(step.ordinal, step.verdict) {
            Verdict::Skip { .. } => {}
            Verdict::Refuse { name, error } => out.hand_out(name, Err(error)),
            Verdict::Take { name } => {
                // The ratio is that of the whole stream, which the meter watches.
                let allowance = limits.allowance(u64::MAX, step.unpacked_bytes);
                let content = read_content(&mut step.content, step.declared_bytes, allowance)?;
                out.hand_out(name, content);
            }
        }
        Ok(())
    })?;
    Ok(Counts {
        junk: survey.junk,
        duplicates: survey.duplicates,
        unpacked_bytes,
    })
}

/// One member on a walk.
struct Step<'a> {
    ordinal: u64,
    verdict: Verdict,
    content: &'a mut dyn Read,
    /// By its header.
    declared_bytes: u64,
    /// Of the archive, so far.
    unpacked_bytes: u64,
}

/// Calls `visit` for every member, and reads the stream to its end so that damage
/// behind the last member is found too. Returns the bytes unpacked.
fn walk<R: Read>(
    reader: &mut R,
    kind: ArchiveKind,
    limits: &ArchiveLimits,
    visit: &mut dyn FnMut(Step<'_>) -> Result<(), ArchiveError>,
) -> Result<u64, ArchiveError> {
    let is_compressed = kind == ArchiveKind::TarGz;
    let gauge = Gauge::new(limits, is_compressed);
    let packed = BufReader::new(Packed {
        inner: reader,
        gauge: gauge.clone(),
    });
    let stream: Box<dyn Read + '_> = if is_compressed {
        Box::new(MultiGzDecoder::new(packed))
    } else {
        Box::new(packed)
    };
    let refuse = |error| ArchiveError::from_io(kind, error);
    let mut archive = Archive::new(Unpacked {
        inner: stream,
        gauge: gauge.clone(),
    });

    let mut ordinal = 0;
    gauge.begin_header(0);
    for entry in archive.entries().map_err(refuse)? {
        let mut entry = entry.map_err(refuse)?;
        gauge.begin_content();
        let entry_type = entry.header().entry_type();
        if entry_type != EntryType::XGlobalHeader {
            let verdict = judge_entry(&mut entry, limits).map_err(refuse)?;
            visit(Step {
                ordinal,
                verdict,
                declared_bytes: entry.size(),
                content: &mut entry,
                unpacked_bytes: gauge.unpacked_bytes(),
            })?;
            ordinal += 1;
        }
        let skipped_bytes = if entry_type == EntryType::GNUSparse {
            // Reading it would make up its holes; the library skips what is stored.
            entry.header().entry_size().map_err(refuse)?
        } else {
            io::copy(&mut entry, &mut io::sink()).map_err(refuse)?;
            0
        };
        gauge.begin_header(skipped_bytes);
    }
    gauge.begin_content();
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(refuse)?;
    Ok(gauge.unpacked_bytes())
}

fn judge_entry<R: Read>(entry: &mut Entry<'_, R>, limits: &ArchiveLimits) -> io::Result<Verdict> {
    let kind = kind_of(entry)?;
    Ok(judge(&entry.path_bytes(), kind, limits))
}

fn kind_of<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<EntryKind> {
    let special = |what| EntryKind::Refused(MemberError::Special { what });
    Ok(match entry.header().entry_type() {
        // Before POSIX, a directory was a file whose name ends in a slash.
        EntryType::Regular | EntryType::Continuous if entry.path_bytes().ends_with(b"/") => {
            EntryKind::Directory
        }
        EntryType::Regular | EntryType::Continuous if is_pax_sparse(entry)? => {
            EntryKind::Refused(MemberError::Sparse)
        }
        EntryType::Regular | EntryType::Continuous => EntryKind::File,
        EntryType::Directory => EntryKind::Directory,
        EntryType::Link | EntryType::Symlink => EntryKind::Refused(MemberError::Link {
            target: entry.link_name_bytes().map(show),
        }),
        EntryType::Char | EntryType::Block => special("a device"),
        EntryType::Fifo => special("a pipe"),
        EntryType::GNUSparse => EntryKind::Refused(MemberError::Sparse),
        EntryType::GNULongName
        | EntryType::GNULongLink
        | EntryType::XGlobalHeader
        | EntryType::XHeader => special("a header out of place"),
        _ => special("an entry of unknown type"),
    })
}

/// GNU tar's newer ways to store a file with holes look like plain files but for
/// these pax records.
fn is_pax_sparse<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<bool> {
    let Some(records) = entry.pax_extensions()? else {
        return Ok(false);
    };
    Ok(records
        .flatten()
        .any(|record| record.key_bytes().starts_with(b"GNU.sparse.")))
}
