//! The words of a failed job: which images were refused and why, within bounds.

use super::{EntryFailure, FailureKind, JobFailure};
use crate::name::FileName;

/// What was refused of an upload.
pub(crate) struct Refused<'a> {
    /// The upload's own name.
    pub(crate) file_name: &'a FileName,
    /// Images looked at, good and bad.
    pub(crate) total: usize,
    /// The bad ones in their order.
    pub(crate) entries: Vec<EntryFailure>,
    /// Whether the good ones of an archive were kept.
    pub(crate) kept_good: bool,
    /// Characters of the message at most.
    pub(crate) max_chars: usize,
}

/// The failure that names every bad image, or as many as fit and how many more there are
/// (semantics.md row 16).
pub(crate) fn refused(refused: Refused<'_>) -> JobFailure {
    let Refused {
        file_name,
        total,
        mut entries,
        kept_good,
        max_chars,
    } = refused;
    if let [only] = entries.as_slice()
        && only.entry == file_name.as_str()
    {
        let message = cut(
            &format!(
                "the image {:?} cannot be used: {}",
                only.entry, only.message
            ),
            max_chars,
        );
        return JobFailure {
            kind: FailureKind::Invalid,
            message,
            entries,
            more: 0,
        };
    }
    let rest = if kept_good {
        "the others were indexed"
    } else {
        "nothing of it was indexed"
    };
    let mut message = format!(
        "{} of {total} images of {:?} cannot be used, {rest}",
        entries.len(),
        file_name.as_str()
    );
    let mut named = 0;
    for entry in &entries {
        let next = format!("; {:?}: {}", entry.entry, entry.message);
        // Room is left for the count of those that do not fit.
        if message.chars().count() + next.chars().count() + 24 > max_chars {
            break;
        }
        message.push_str(&next);
        named += 1;
    }
    let more = entries.len() - named;
    if more > 0 {
        message.push_str(&["; and ", &more.to_string(), " more"].concat());
    }
    entries.truncate(named);
    JobFailure {
        kind: FailureKind::Invalid,
        message: cut(&message, max_chars),
        entries,
        more,
    }
}

/// A failure of the upload as a whole.
pub(crate) fn invalid(message: &str, max_chars: usize) -> JobFailure {
    JobFailure {
        kind: FailureKind::Invalid,
        message: cut(message, max_chars),
        entries: Vec::new(),
        more: 0,
    }
}

fn cut(message: &str, max_chars: usize) -> String {
    if message.chars().count() <= max_chars {
        return message.to_owned();
    }
    message
        .chars()
        .take(max_chars.saturating_sub(1))
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> EntryFailure {
        EntryFailure {
            entry: name.to_owned(),
            stage: "decode".to_owned(),
            message: "the JPEG is cut short".to_owned(),
        }
    }

    fn archive(entries: Vec<EntryFailure>, max_chars: usize, kept_good: bool) -> JobFailure {
        let file_name = FileName::new("photos.zip").unwrap();
        refused(Refused {
            file_name: &file_name,
            total: 9,
            entries,
            kept_good,
            max_chars,
        })
    }

    #[test]
    fn every_bad_member_is_named() {
        let failure = archive(vec![entry("a/b.jpg"), entry("c.png")], 4096, false);
        assert_eq!(
            failure.message,
            "2 of 9 images of \"photos.zip\" cannot be used, nothing of it was indexed; \
             \"a/b.jpg\": the JPEG is cut short; \"c.png\": the JPEG is cut short"
        );
        assert_eq!((failure.entries.len(), failure.more), (2, 0));
        assert!(
            archive(vec![entry("a")], 4096, true)
                .message
                .contains("the others were indexed")
        );
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let entries = (0..100).map(|n| entry(&format!("{n}.jpg"))).collect();
        let failure = archive(entries, 200, false);
        assert!(
            failure.message.chars().count() <= 200,
            "{}",
            failure.message
        );
        assert!(
            failure
                .message
                .ends_with(&format!("; and {} more", failure.more))
        );
        assert_eq!(failure.entries.len() + failure.more, 100);
        assert!(!failure.entries.is_empty());
    }

    #[test]
    fn a_single_image_speaks_for_itself() {
        let file_name = FileName::new("dog.jpg").unwrap();
        let failure = refused(Refused {
            file_name: &file_name,
            total: 1,
            entries: vec![entry("dog.jpg")],
            kept_good: false,
            max_chars: 4096,
        });
        assert_eq!(
            failure.message,
            "the image \"dog.jpg\" cannot be used: the JPEG is cut short"
        );
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(invalid("狗狗狗狗", 3).message, "狗狗…");
    }
}
