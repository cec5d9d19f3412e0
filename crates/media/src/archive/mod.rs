//! Bounded reading of zip, tar, tar.gz and gz archives of photos.
//!
//! The engine's ingest calls [`read`] with an open file and gets the members one
//! by one, each with its bytes or the reason why it is refused. What is decided
//! where:
//!
//! - The kind is what the content says; the name only names a lone `.gz` member
//!   (semantics.md, rows 19 and 24).
//! - A [`MemberError`] concerns one member and reading goes on, so that every bad
//!   member can be named; whether one of them spoils the upload is the engine's
//!   rule (row 16). An [`ArchiveError`] ends it.
//! - Members must have one of the service's image names. Folders are walked and
//!   system files skipped; links, devices, sparse files, nested archives and paths
//!   that leave the archive are refused by name. Nothing is written to disk.
//! - Of several members of one name the last is handed out (row 18).
//!
//! Invariants: limits hold while reading, whatever sizes are declared; the memory
//! in use is one member, the list of names, and the decompressor's own.

mod error;
mod gzip;
mod limits;
mod meter;
mod name;
mod survey;
mod tar;
mod zip;

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

pub use error::{ArchiveError, MemberError};
pub use limits::{ArchiveLimits, ExceededLimit, LimitName};
pub use name::PathFault;

use crate::display::show;
use crate::format::describe;
use limits::Allowance;

/// What an archive is, by content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArchiveKind {
    /// Zip, zip64 included.
    Zip,
    /// Tar: ustar, GNU or pax.
    Tar,
    /// Tar inside gzip.
    TarGz,
    /// One file inside gzip.
    Gz,
}

impl fmt::Display for ArchiveKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
            Self::Gz => "gz",
        })
    }
}

/// One member as it is handed out.
#[derive(Debug)]
pub struct Member {
    /// Its path in the archive, `/` between the parts, escaped so that it is safe
    /// to show; the name the document gets (semantics.md, row 14).
    pub name: String,
    /// Its bytes, or why they are refused.
    pub content: Result<Vec<u8>, MemberError>,
}

/// What was found in an archive that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The kind by content.
    pub kind: ArchiveKind,
    /// Members handed out with their bytes.
    pub images: u64,
    /// Members handed out as errors.
    pub refused: u64,
    /// System files that were skipped.
    pub junk: u64,
    /// Members that were passed over because a later one has the same name.
    pub duplicates: u64,
    /// Bytes unpacked, skipped ones of a tar included.
    pub unpacked_bytes: u64,
}

/// Reads an archive and hands out its members in their order.
///
/// `file_name` is the archive's own; only a lone `.gz` takes its member's name from it.
///
/// # Errors
/// See [`ArchiveError`]. When it comes after members have been handed out, they
/// belong to an archive that is refused as a whole.
pub fn read<R: Read + Seek>(
    mut reader: R,
    file_name: &str,
    limits: &ArchiveLimits,
    mut on_member: impl FnMut(Member),
) -> Result<Summary, ArchiveError> {
    let kind = kind_of(&mut reader)?;
    let mut out = Output {
        on_member: &mut on_member,
        images: 0,
        refused: 0,
    };
    let counts = match kind {
        ArchiveKind::Zip => zip::read(&mut reader, limits, &mut out)?,
        ArchiveKind::Tar | ArchiveKind::TarGz => tar::read(&mut reader, kind, limits, &mut out)?,
        ArchiveKind::Gz => gzip::read(&mut reader, file_name, limits, &mut out)?,
    };
    if out.images + out.refused == 0 {
        return Err(ArchiveError::NoImages);
    }
    Ok(Summary {
        kind,
        images: out.images,
        refused: out.refused,
        junk: counts.junk,
        duplicates: counts.duplicates,
        unpacked_bytes: counts.unpacked_bytes,
    })
}

/// What the readers of each kind report beside the members.
struct Counts {
    junk: u64,
    duplicates: u64,
    unpacked_bytes: u64,
}

/// Where members go, counted on the way.
struct Output<'a> {
    on_member: &'a mut dyn FnMut(Member),
    images: u64,
    refused: u64,
}

impl Output<'_> {
    fn hand_out(&mut self, name: String, content: Result<Vec<u8>, MemberError>) {
        match content {
            Ok(_) => self.images += 1,
            Err(_) => self.refused += 1,
        }
        (self.on_member)(Member { name, content });
    }
}

/// Tells the kind from the first block and leaves the reader at the start.
fn kind_of<R: Read + Seek>(reader: &mut R) -> Result<ArchiveKind, ArchiveError> {
    let start = first_block(reader).map_err(ArchiveError::Io)?;
    reader.seek(SeekFrom::Start(0)).map_err(ArchiveError::Io)?;
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return Ok(ArchiveKind::Zip);
    }
    if start.starts_with(b"\x1f\x8b") {
        let is_tar = gzip::holds_tar(&mut *reader);
        reader.seek(SeekFrom::Start(0)).map_err(ArchiveError::Io)?;
        return Ok(if is_tar {
            ArchiveKind::TarGz
        } else {
            ArchiveKind::Gz
        });
    }
    if tar::is_header(&start) {
        return Ok(ArchiveKind::Tar);
    }
    Err(ArchiveError::NotAnArchive {
        looks_like: describe(&start),
    })
}

/// The first 512 bytes, or all there are.
fn first_block(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(512).read_to_end(&mut start)?;
    Ok(start)
}

/// Reads a member to its end, at most what the limits allow. `declared_bytes` may
/// only make the refusal come earlier, and must be what is found. The outer error
/// ends the archive, the inner one is the member's.
fn read_content(
    reader: &mut impl Read,
    declared_bytes: u64,
    allowance: Allowance,
) -> Result<Result<Vec<u8>, MemberError>, ArchiveError> {
    let too_much = || match allowance.exceeded.name {
        LimitName::MaxTotalBytes => Err(ArchiveError::Limit(allowance.exceeded)),
        LimitName::MaxImages
        | LimitName::MaxMembers
        | LimitName::MaxMemberBytes
        | LimitName::MaxRatio
        | LimitName::MaxNameBytes
        | LimitName::MaxHeaderBytes => Ok(Err(MemberError::Limit(allowance.exceeded))),
    };
    let corrupt = |reason| Ok(Err(MemberError::Corrupt { reason }));
    if declared_bytes > allowance.bytes {
        return too_much();
    }
    let mut content = Vec::new();
    let reserved = usize::try_from(declared_bytes).unwrap_or(usize::MAX);
    if content.try_reserve_exact(reserved).is_err() {
        return too_much();
    }
    let outcome = reader
        .take(declared_bytes.saturating_add(1))
        .read_to_end(&mut content);
    if let Err(error) = outcome {
        return match error::exceeded_limit(&error) {
            Some(exceeded) => Err(ArchiveError::Limit(exceeded)),
            None => corrupt(show(error.to_string())),
        };
    }
    let found = content.len() as u64;
    if found != declared_bytes {
        let found = if found > declared_bytes {
            "more"
        } else {
            "less"
        };
        return corrupt(format!(
            "it holds {found} than the {declared_bytes} bytes it declares"
        ));
    }
    Ok(Ok(content))
}
