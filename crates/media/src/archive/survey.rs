//! The first pass over an archive: names only.
//!
//! The zip and tar readers walk twice. The first walk judges every name, counts
//! against the limits and notes which of several members of one name is the last;
//! the second hands out contents. So an archive that is refused as a whole is
//! refused before any of it has been worked on, and a name is handed out once.

use std::collections::HashMap;

use super::limits::{ArchiveLimits, ExceededLimit, LimitName};
use super::{ArchiveError, MemberError, name};
use crate::display::show;
use crate::extension::{is_any_archive_name, is_image_name};

/// What a member is, before its content is looked at.
pub(super) enum EntryKind {
    File,
    Directory,
    Refused(MemberError),
}

/// What is to be done with a member, by its name and kind.
pub(super) enum Verdict {
    /// A folder, or a file that a desktop left.
    Skip { is_junk: bool },
    /// Handed out as an error.
    Refuse { name: String, error: MemberError },
    /// Handed out with its content.
    Take { name: String },
}

/// Judges a member by its raw path and its kind.
pub(super) fn judge(raw: &[u8], kind: EntryKind, limits: &ArchiveLimits) -> Verdict {
    let is_directory = matches!(kind, EntryKind::Directory);
    let name = match name::clean(raw, limits) {
        Ok(name) => name,
        // `./` is how many tars begin.
        Err(super::PathFault::Empty) if is_directory => {
            return Verdict::Skip { is_junk: false };
        }
        Err(fault) => {
            return Verdict::Refuse {
                name: show(raw),
                error: MemberError::Path(fault),
            };
        }
    };
    if name::is_junk(&name) {
        return Verdict::Skip { is_junk: true };
    }
    let error = match kind {
        EntryKind::Directory => return Verdict::Skip { is_junk: false },
        EntryKind::Refused(error) => error,
        EntryKind::File if is_any_archive_name(&name) => MemberError::Nested,
        EntryKind::File if !is_image_name(&name) => MemberError::NotAnImage,
        EntryKind::File => return Verdict::Take { name },
    };
    Verdict::Refuse { name, error }
}

/// What the first pass found.
#[derive(Default)]
pub(super) struct Survey {
    members: u64,
    pub junk: u64,
    pub duplicates: u64,
    /// The ordinal of the last member of each name that will be handed out, and
    /// whether it is an image.
    last: HashMap<String, (u64, bool)>,
    images: u64,
}

impl Survey {
    /// Notes member number `ordinal`.
    pub fn note(
        &mut self,
        ordinal: u64,
        verdict: &Verdict,
        limits: &ArchiveLimits,
    ) -> Result<(), ArchiveError> {
        self.members += 1;
        check(self.members, LimitName::MaxMembers, limits.max_members)?;
        let (name, is_image) = match verdict {
            Verdict::Skip { is_junk } => {
                self.junk += u64::from(*is_junk);
                return Ok(());
            }
            // Shown names may be cut, so two that look the same may differ.
            Verdict::Refuse {
                error: MemberError::Path(_),
                ..
            } => return Ok(()),
            Verdict::Refuse { name, .. } => (name, false),
            Verdict::Take { name } => (name, true),
        };
        self.images += u64::from(is_image);
        if let Some((_, earlier_is_image)) = self.last.insert(name.clone(), (ordinal, is_image)) {
            self.duplicates += 1;
            self.images -= u64::from(earlier_is_image);
        }
        check(self.images, LimitName::MaxImages, limits.max_images)
    }

    /// The verdict on member number `ordinal`, a skip if a later one has its name.
    pub fn settle(&self, ordinal: u64, verdict: Verdict) -> Verdict {
        let name = match &verdict {
            Verdict::Skip { .. }
            | Verdict::Refuse {
                error: MemberError::Path(_),
                ..
            } => return verdict,
            Verdict::Refuse { name, .. } | Verdict::Take { name } => name,
        };
        match self.last.get(name) {
            Some((last, _)) if *last != ordinal => Verdict::Skip { is_junk: false },
            _ => verdict,
        }
    }
}

/// Refuses an archive of more members than may be, before looking at any.
pub(super) fn check(count: u64, name: LimitName, limit: u64) -> Result<(), ArchiveError> {
    if count > limit {
        return Err(ArchiveError::Limit(ExceededLimit { name, limit }));
    }
    Ok(())
}
