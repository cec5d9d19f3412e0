//! Why an archive, or one member of it, was refused.

use std::io;

use thiserror::Error;

use super::limits::ExceededLimit;
use super::{ArchiveKind, PathFault};
use crate::display::show;
use crate::extension;

/// Why reading ended. Found before the first member is handed out, but for
/// `Limit` and `Io`, which can also come later.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// None of the archive signatures.
    #[error(
        "not an archive that can be read ({}): the content looks like {looks_like}",
        extension::ARCHIVE_EXTENSIONS
    )]
    NotAnArchive {
        /// A guess from the first bytes.
        looks_like: &'static str,
    },
    /// Too many images, too many members, too much in all.
    #[error("the archive is refused: {0}")]
    Limit(ExceededLimit),
    /// Two members share bytes of the file, as only bombs do.
    #[error("the zip archive is refused: {first:?} and {second:?} overlap in the file")]
    Overlap {
        /// The member that begins first, safe to show.
        first: String,
        /// The member that begins inside it, safe to show.
        second: String,
    },
    /// A zip of several files, and the like.
    #[error("this kind of {kind} archive is not supported: {reason}")]
    Unsupported {
        /// What it is.
        kind: ArchiveKind,
        /// Which kind.
        reason: String,
    },
    /// Its structure is damaged, so what follows cannot be found.
    #[error("the {kind} archive is damaged or cut short: {reason}")]
    Corrupt {
        /// What it is.
        kind: ArchiveKind,
        /// What was found.
        reason: String,
    },
    /// Nothing in it but folders and system files.
    #[error("the archive holds no images ({})", extension::IMAGE_EXTENSIONS)]
    NoImages,
    /// The file itself cannot be read.
    #[error("the archive cannot be read: {0}")]
    Io(#[source] io::Error),
}

/// Why one member was refused. The others are still read, so that all that is
/// wrong with an archive can be told at once.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum MemberError {
    /// Its path is not one inside the archive.
    #[error("{0}")]
    Path(PathFault),
    /// A symbolic or hard link; never followed.
    #[error("it is a link{}, and links are not followed", to_target(target.as_deref()))]
    Link {
        /// Where to, safe to show; `None` in a zip, where it is not read.
        target: Option<String>,
    },
    /// A device, a pipe, or an entry that is no file at all.
    #[error("it is {what}, not a file")]
    Special {
        /// Which.
        what: &'static str,
    },
    /// A file with holes: its size in the archive says nothing about its real size.
    #[error("it is a sparse file, which are not unpacked")]
    Sparse,
    /// Semantics.md, row 17.
    #[error("it is an archive inside the archive, which are not opened")]
    Nested,
    /// Not one of the service's image extensions.
    #[error("its name is not an image's ({})", extension::IMAGE_EXTENSIONS)]
    NotAnImage,
    /// Needs a password.
    #[error("it is encrypted, and there is no way to give a password")]
    Encrypted,
    /// Packed by a method that is not read.
    #[error("it is packed by a method that is not supported ({method}); use deflate or store")]
    Method {
        /// The method as the zip names it.
        method: String,
    },
    /// It unpacks to too much.
    #[error("{0}")]
    Limit(ExceededLimit),
    /// Its data does not unpack to what its header says.
    #[error("it is damaged or cut short: {reason}")]
    Corrupt {
        /// What was found.
        reason: String,
    },
}

fn to_target(target: Option<&str>) -> String {
    target.map_or_else(String::new, |target| format!(" to {target}"))
}

impl ArchiveError {
    /// Sorts a reader's error: a limit that the meter reported, damage that a
    /// decoder found, or the file itself.
    pub(super) fn from_io(kind: ArchiveKind, error: io::Error) -> Self {
        if let Some(exceeded) = exceeded_limit(&error) {
            return Self::Limit(exceeded);
        }
        if is_damage(&error) {
            return Self::Corrupt {
                kind,
                reason: show(error.to_string()),
            };
        }
        Self::Io(error)
    }
}

/// The limit behind an error that [`super::meter`] made.
pub(super) fn exceeded_limit(error: &io::Error) -> Option<ExceededLimit> {
    error.get_ref()?.downcast_ref().copied()
}

/// Decoders report damage by these kinds; a failing disk has an error code instead.
fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}
