//! Hostile bytes to pixels.
//!
//! Everything that a stranger uploads passes through here first: archives are
//! read within limits ([`archive`]), their members and single pictures become
//! upright RGB pixels ([`mod@decode`]), and pixels become what an encoder looks at
//! ([`preprocess`], [`resize`]). The engine's ingest and query paths call it.
//!
//! The invariant: whatever the bytes are, a call ends in bounded time and
//! memory with a value or a named error. Nothing is ever written to disk, no
//! link followed, no address opened. Sizes that a file declares are used to
//! refuse early, never to trust.

pub mod archive;
pub mod decode;
mod display;
pub mod extension;
mod format;
mod limits;
mod pixels;
pub mod preprocess;
pub mod resize;

pub use archive::{
    ArchiveError, ArchiveKind, ArchiveLimits, ExceededLimit, LimitName, Member, MemberError,
    PathFault, Summary,
};
pub use decode::{DecodeError, Picture, Size, decode, decode_sized};
pub use format::ImageFormat;
pub use limits::ImageLimits;
pub use pixels::{Pixels, PixelsError};
