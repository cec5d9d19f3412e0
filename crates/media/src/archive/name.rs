//! Member names: which are refused, which are skipped, and how they are shown.
//!
//! The zip and tar readers ask here. A name that passes is a relative path with
//! `/` between its parts, no part of it `.`, `..` or empty, and safe to print:
//! [`crate::display`] says how. (A zip's legacy names are decoded as code page 437
//! before, as APPNOTE appendix D asks.) A name with a backslash is refused, so an
//! escape can never be mistaken for the name of another member.

use std::fmt;

use super::limits::{ArchiveLimits, ExceededLimit, LimitName};
use crate::display::escape_into;

/// What is wrong with a member's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// Nothing is left of it.
    Empty,
    /// It starts at the root or with a drive.
    Absolute,
    /// A part of it is `..`.
    Parent,
    /// It holds a backslash, which some systems take for a separator.
    Backslash,
    /// It holds a zero byte, where some systems end it.
    Zero,
    /// Longer than [`ArchiveLimits::max_name_bytes`].
    TooLong(ExceededLimit),
}

impl fmt::Display for PathFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => out.write_str("it has no name"),
            Self::Absolute => out.write_str("its path is absolute"),
            Self::Parent => out.write_str("its path leaves the archive (..)"),
            Self::Backslash => out.write_str("its path holds a backslash"),
            Self::Zero => out.write_str("its path holds a zero byte"),
            Self::TooLong(exceeded) => write!(out, "its path is too long: {exceeded}"),
        }
    }
}

/// The path as it is kept and shown, or what is wrong with it.
pub(super) fn clean(raw: &[u8], limits: &ArchiveLimits) -> Result<String, PathFault> {
    if raw.len() as u64 > limits.max_name_bytes {
        return Err(PathFault::TooLong(ExceededLimit {
            name: LimitName::MaxNameBytes,
            limit: limits.max_name_bytes,
        }));
    }
    if raw.contains(&0) {
        return Err(PathFault::Zero);
    }
    if raw.contains(&b'\\') {
        return Err(PathFault::Backslash);
    }
    let has_drive = matches!(raw, [letter, b':', ..] if letter.is_ascii_alphabetic());
    if raw.starts_with(b"/") || has_drive {
        return Err(PathFault::Absolute);
    }
    let mut path = String::new();
    for part in raw.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(PathFault::Parent),
            _ => {
                if !path.is_empty() {
                    path.push('/');
                }
                escape_into(&mut path, part);
            }
        }
    }
    if path.is_empty() {
        return Err(PathFault::Empty);
    }
    Ok(path)
}

/// Whether a cleaned path is one of the files that desktops leave in archives.
pub(super) fn is_junk(path: &str) -> bool {
    const FOLDERS: [&str; 5] = [
        "__MACOSX",
        "@eaDir",
        ".Spotlight-V100",
        ".Trashes",
        ".fseventsd",
    ];
    const FILES: [&str; 6] = [
        ".DS_Store",
        "Thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        ".directory",
        ".localized",
    ];
    let is_one_of =
        |list: &[&str], part: &str| list.iter().any(|name| name.eq_ignore_ascii_case(part));
    let base = path.rsplit('/').next().unwrap_or(path);
    // `._name` holds the attributes that macOS could not store otherwise.
    base.starts_with("._")
        || is_one_of(&FILES, base)
        || path.split('/').any(|part| is_one_of(&FOLDERS, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(raw: &str) -> Result<String, PathFault> {
        clean(raw.as_bytes(), &ArchiveLimits::default())
    }

    #[test]
    fn paths_that_leave_are_refused() {
        assert_eq!(cleaned("../a.jpg"), Err(PathFault::Parent));
        assert_eq!(cleaned("a/../b.jpg"), Err(PathFault::Parent));
        assert_eq!(cleaned("/etc/a.jpg"), Err(PathFault::Absolute));
        assert_eq!(cleaned("C:/a.jpg"), Err(PathFault::Absolute));
        assert_eq!(cleaned("..\\a.jpg"), Err(PathFault::Backslash));
        assert_eq!(cleaned("a\0.jpg"), Err(PathFault::Zero));
        assert_eq!(cleaned("."), Err(PathFault::Empty));
        assert_eq!(cleaned(""), Err(PathFault::Empty));
    }

    #[test]
    fn harmless_spellings_of_a_path_become_one() {
        assert_eq!(cleaned("./a//b/./c.jpg").unwrap(), "a/b/c.jpg");
        assert_eq!(cleaned("a..b/...jpg").unwrap(), "a..b/...jpg");
        assert_eq!(cleaned("旅行/é ü.jpg").unwrap(), "旅行/é ü.jpg");
    }

    #[test]
    fn what_would_mislead_on_a_screen_is_escaped() {
        assert_eq!(
            cleaned("a\n\u{202e}gpj.exe.jpg").unwrap(),
            "a\\u{a}\\u{202e}gpj.exe.jpg"
        );
        assert_eq!(cleaned("<b>'\".jpg").unwrap(), "<b>'\".jpg");
        let latin1 = clean(b"caf\xe9.jpg", &ArchiveLimits::default()).unwrap();
        assert_eq!(latin1, "caf\\xe9.jpg");
    }

    #[test]
    fn the_name_limit_has_an_edge() {
        let limits = ArchiveLimits {
            max_name_bytes: 5,
            ..ArchiveLimits::default()
        };
        assert!(clean(b"a.jpg", &limits).is_ok());
        let fault = clean(b"ab.jpg", &limits).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "its path is too long: it exceeds the limit max_name_bytes = 5"
        );
    }

    #[test]
    fn desktop_litter_is_known() {
        for path in [
            "__MACOSX/a.jpg",
            "x/.DS_Store",
            "thumbs.DB",
            "._a.jpg",
            "a/@eaDir/b.jpg",
        ] {
            assert!(is_junk(path), "{path}");
        }
        assert!(!is_junk("MACOSX/a.jpg"));
        assert!(!is_junk("a_.jpg"));
    }
}
