//! A walk over a JPEG's markers before its pixels are decoded.
//!
//! The decoder fills what is missing at the end of a cut file with grey and says
//! nothing, and it walks over the whole picture once for every scan that a
//! progressive file claims. Both are settled here first: the file must reach its
//! end marker (ITU-T T.81, B.2.1: a stream ends with EOI) within a bounded number
//! of scans. What is wrong inside the coded data is left to the decoder, which is
//! as forgiving as browsers are. Bytes behind the end marker are another picture
//! (MPO) or something else's, and are never looked at.

use super::DecodeError;
use crate::{ImageFormat, ImageLimits};

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// Checks that the stream reaches its end marker and has no more scans than allowed.
pub(super) fn check_structure(bytes: &[u8], limits: &ImageLimits) -> Result<(), DecodeError> {
    let mut rest = bytes;
    let mut scans = 0u32;
    while let Some(marker) = next_marker(&mut rest) {
        match marker {
            END_OF_IMAGE if scans == 0 => {
                return Err(DecodeError::Corrupt {
                    format: ImageFormat::Jpeg,
                    reason: "it holds no picture data".to_owned(),
                });
            }
            END_OF_IMAGE => return Ok(()),
            // Markers without a segment: TEM, restarts and a second start.
            0x01 | 0xd0..=START_OF_IMAGE => {}
            START_OF_SCAN => {
                scans += 1;
                if scans > limits.max_scans {
                    return Err(DecodeError::TooManyScans {
                        limit: limits.max_scans,
                    });
                }
                skip_segment(&mut rest);
            }
            _ => skip_segment(&mut rest),
        }
    }
    Err(DecodeError::CutShort {
        format: ImageFormat::Jpeg,
        reason: if scans == 0 {
            "it ends before its picture data".to_owned()
        } else {
            "its end marker is missing".to_owned()
        },
    })
}

/// What comes before the first scan: all that tells of the picture, and little of the file.
pub(super) fn head(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some(marker) = next_marker(&mut rest) {
        match marker {
            0x01 | 0xd0..=START_OF_IMAGE => {}
            END_OF_IMAGE | START_OF_SCAN => return &bytes[..bytes.len() - rest.len()],
            _ => skip_segment(&mut rest),
        }
    }
    bytes
}

/// Moves behind the next marker and returns its code. Coded data is passed over:
/// in it 0xff is followed by 0x00.
fn next_marker(rest: &mut &[u8]) -> Option<u8> {
    loop {
        let at = memchr::memchr(0xff, rest)?;
        *rest = &rest[at + 1..];
        match rest.first()? {
            0x00 | 0xff => {}
            code => {
                let code = *code;
                *rest = &rest[1..];
                return Some(code);
            }
        }
    }
}

/// Moves behind a segment by its length, which counts its own two bytes.
fn skip_segment(rest: &mut &[u8]) {
    let length = match rest {
        [high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])).max(2),
        _ => rest.len(),
    };
    *rest = rest.get(length..).unwrap_or(&[]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], max_scans: u32) -> Result<(), DecodeError> {
        let limits = ImageLimits {
            max_scans,
            ..ImageLimits::default()
        };
        check_structure(bytes, &limits)
    }

    const SCAN: &[u8] = b"\xff\xda\0\x03\x01data\xff\0more\xff\xd0again";

    #[test]
    fn a_stream_that_reaches_its_end_passes() {
        assert_eq!(
            check(&[b"\xff\xd8", SCAN, b"\xff\xff\xd9rest"].concat(), 1),
            Ok(())
        );
    }

    #[test]
    fn the_head_ends_at_the_first_scan() {
        let start = b"\xff\xd8\xff\xe1\0\x06\xff\xda\0\0";
        let whole = [start, SCAN, SCAN, b"\xff\xd9"].concat();
        assert_eq!(head(&whole), &whole[..start.len() + 2]);
        assert_eq!(head(start), start);
        assert_eq!(head(b""), b"");
    }

    #[test]
    fn a_missing_end_is_cut_short() {
        let cut = check(&[b"\xff\xd8", SCAN].concat(), 1).unwrap_err();
        assert_eq!(
            cut.to_string(),
            "the JPEG is cut short: its end marker is missing"
        );
        assert!(matches!(
            check(b"\xff\xd8\xff\xe0\xff\xff", 1),
            Err(DecodeError::CutShort { .. })
        ));
        assert!(matches!(
            check(b"\xff\xd8\xff\xd9", 1),
            Err(DecodeError::Corrupt { .. })
        ));
    }

    #[test]
    fn the_end_marker_of_a_thumbnail_does_not_count() {
        let thumbnail = b"\xff\xe1\0\x06\xff\xd8\xff\xd9";
        let cut = [b"\xff\xd8".as_slice(), thumbnail, SCAN].concat();
        assert!(matches!(check(&cut, 1), Err(DecodeError::CutShort { .. })));
    }

    #[test]
    fn scans_are_counted() {
        let three = [b"\xff\xd8".as_slice(), SCAN, SCAN, SCAN, b"\xff\xd9"].concat();
        assert_eq!(check(&three, 3), Ok(()));
        assert_eq!(
            check(&three, 2),
            Err(DecodeError::TooManyScans { limit: 2 })
        );
    }
}
