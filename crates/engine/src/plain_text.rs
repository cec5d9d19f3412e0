//! Bytes of a text file to text: the encoding is found by its marks, then by what the bytes can be.
//!
//! Called for uploads. UTF-8, UTF-16 and GB18030 are what text files of this service's users come in; others would
//! be guesses that turn a text into nonsense without a word, so they are refused.

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

/// Bytes looked at to tell UTF-16 without a mark from a binary file.
const PROBE_BYTES: usize = 4096;

/// A text and the name of the encoding it came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PlainText {
    pub(crate) text: String,
    pub(crate) encoding: &'static str,
}

/// The bytes are no text, or of an encoding that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a text in UTF-8, UTF-16 or GB18030")]
pub(crate) struct NoText;

/// Line ends become `\n`.
pub(crate) fn read(bytes: &[u8]) -> Result<PlainText, NoText> {
    let (encoding, content) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (encoding, &bytes[mark..]),
        None => (guess(bytes).ok_or(NoText)?, bytes),
    };
    let text = encoding
        .decode_without_bom_handling_and_without_replacement(content)
        .ok_or(NoText)?;
    if text.contains('\0') {
        return Err(NoText);
    }
    Ok(PlainText {
        text: text.replace("\r\n", "\n").replace('\r', "\n"),
        encoding: encoding.name(),
    })
}

/// UTF-16 is known by its zeros: every other byte of European text is one.
fn guess(bytes: &[u8]) -> Option<&'static Encoding> {
    let probe = &bytes[..bytes.len().min(PROBE_BYTES)];
    if !probe.contains(&0) {
        let is_utf8 = std::str::from_utf8(bytes).is_ok();
        return Some(if is_utf8 { UTF_8 } else { GB18030 });
    }
    let zeros = |odd: usize| {
        let places = probe.iter().skip(odd).step_by(2);
        places.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    match (even, odd) {
        _ if !bytes.len().is_multiple_of(2) => None,
        (0, _) => Some(UTF_16LE),
        (_, 0) => Some(UTF_16BE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn found(bytes: &[u8]) -> (String, &'static str) {
        let read = read(bytes).unwrap();
        (read.text, read.encoding)
    }

    #[test]
    fn encodings_are_told_apart() {
        let text = "Invoice 发票";
        let expected = |encoding| (text.to_owned(), encoding);
        assert_eq!(found(text.as_bytes()), expected("UTF-8"));
        let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        assert_eq!(found(&marked), expected("UTF-8"));
        assert_eq!(found(&GB18030.encode(text).0), expected("gb18030"));
        let little = utf16(text, u16::to_le_bytes);
        assert_eq!(
            found(&[b"\xff\xfe", &little[..]].concat()),
            expected("UTF-16LE")
        );
        assert_eq!(found(&little), expected("UTF-16LE"));
        let big = utf16(text, u16::to_be_bytes);
        assert_eq!(
            found(&[b"\xfe\xff", &big[..]].concat()),
            expected("UTF-16BE")
        );
        assert_eq!(found(&big), expected("UTF-16BE"));
    }

    #[test]
    fn line_ends_become_one() {
        assert_eq!(found(b"a\r\nb\rc\n").0, "a\nb\nc\n");
        assert_eq!(found(b"").0, "");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for bytes in [
            &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
            b"\xff\xff\xff",
            b"odd\0\0",
            b"\xef\xbb\xbf\xff",
        ] {
            assert_eq!(read(bytes), Err(NoText), "{bytes:?}");
        }
    }
}
