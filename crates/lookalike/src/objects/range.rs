//! `Range: bytes=…` (RFC 9110, section 14).

use std::ops::RangeInclusive;

/// What part of a file is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of it: no range, one we do not understand, or several at once, which a server may ignore.
    All,
    /// These bytes, both ends included.
    Part(RangeInclusive<u64>),
    /// Bytes that the file does not have: 416.
    Unsatisfiable,
}

/// Reads a `Range` header against a file of `size` bytes.
pub fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Wanted::All;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Wanted::All;
    };
    let (first, last) = (first.trim(), last.trim());
    match (number(first), number(last)) {
        (None, Some(0)) if first.is_empty() => Wanted::Unsatisfiable,
        (None, Some(length)) if first.is_empty() => match size.checked_sub(1) {
            Some(end) => Wanted::Part(size.saturating_sub(length)..=end),
            None => Wanted::Unsatisfiable,
        },
        (Some(first), _) if first >= size => Wanted::Unsatisfiable,
        (Some(first), None) if last.is_empty() => Wanted::Part(first..=size - 1),
        (Some(first), Some(last)) if first <= last => Wanted::Part(first..=last.min(size - 1)),
        _ => Wanted::All,
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_to_the_file() {
        for (header, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=2-4", 2, 4),
            ("bytes=7-", 7, 9),
            ("bytes=7-999999999999999999999", 7, 9),
            ("bytes=-3", 7, 9),
            ("bytes=-99", 0, 9),
        ] {
            assert_eq!(
                wanted(Some(header), 10),
                Wanted::Part(first..=last),
                "{header}"
            );
        }
    }

    #[test]
    fn what_the_file_does_not_have_is_unsatisfiable() {
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(wanted(Some(header), 10), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-1"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for header in [
            "",
            "bytes=",
            "bytes=-",
            "bytes=4-2",
            "bytes=a-b",
            "lines=1-2",
            "bytes=0-1,3-4",
            "bytes=+1-2",
        ] {
            assert_eq!(wanted(Some(header), 10), Wanted::All, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::All);
    }
}
