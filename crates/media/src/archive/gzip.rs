//! One file inside gzip, and telling it from a tar inside gzip.
//!
//! Called by [`super::read`] (semantics.md, row 19: try gzip; if the content is a
//! tar, treat it as one; otherwise a single image named without `.gz`).

use std::io::{BufReader, Read, Seek};

use flate2::read::MultiGzDecoder;

use super::error::exceeded_limit;
use super::limits::{ArchiveLimits, LimitName};
use super::meter::{Gauge, Packed, Unpacked};
use super::{
    ArchiveError, ArchiveKind, Counts, MemberError, Output, first_block, name, survey, tar,
};
use crate::display::show;
use crate::extension;

/// Whether the first block inside is a tar header. What cannot be unpacked is not one.
pub(super) fn holds_tar(reader: &mut impl Read) -> bool {
    first_block(&mut MultiGzDecoder::new(reader)).is_ok_and(|block| tar::is_header(&block))
}

/// Unpacks the one member, whose name the archive's own gives.
pub(super) fn read<R: Read + Seek>(
    reader: &mut R,
    file_name: &str,
    limits: &ArchiveLimits,
    out: &mut Output<'_>,
) -> Result<Counts, ArchiveError> {
    survey::check(1, LimitName::MaxImages, limits.max_images)?;
    survey::check(1, LimitName::MaxMembers, limits.max_members)?;
    let gauge = Gauge::new(limits, true);
    let packed = Packed {
        inner: reader,
        gauge: gauge.clone(),
    };
    let unpacked = Unpacked {
        inner: MultiGzDecoder::new(BufReader::new(packed)),
        gauge: gauge.clone(),
    };
    let mut content = Vec::new();
    let outcome = unpacked
        .take(limits.max_member_bytes.saturating_add(1))
        .read_to_end(&mut content);
    let content = match outcome {
        Ok(_) if content.len() as u64 > limits.max_member_bytes => {
            Err(MemberError::Limit(super::ExceededLimit {
                name: LimitName::MaxMemberBytes,
                limit: limits.max_member_bytes,
            }))
        }
        Ok(_) => Ok(content),
        Err(error) => match (
            exceeded_limit(&error),
            ArchiveError::from_io(ArchiveKind::Gz, error),
        ) {
            // With a single member, a ratio is that member's.
            (Some(exceeded), _) if exceeded.name == LimitName::MaxRatio => {
                Err(MemberError::Limit(exceeded))
            }
            (_, refused) => return Err(refused),
        },
    };
    out.hand_out(member_name(file_name, limits), content);
    Ok(Counts {
        junk: 0,
        duplicates: 0,
        unpacked_bytes: gauge.unpacked_bytes(),
    })
}

fn member_name(file_name: &str, limits: &ArchiveLimits) -> String {
    let inner = extension::without_gzip(file_name);
    name::clean(inner.as_bytes(), limits).unwrap_or_else(|_| show(inner))
}
