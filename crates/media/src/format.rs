//! What a file is, by its first bytes alone.

/// The picture formats that [`crate::decode()`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// Windows and OS/2 bitmap.
    Bmp,
    /// First frame only.
    Gif,
    /// Baseline, extended and progressive; the first picture of an MPO.
    Jpeg,
    /// The default picture of an animated one.
    Png,
    /// First page only; `BigTIFF` too.
    Tiff,
    /// First frame only.
    WebP,
}

impl ImageFormat {
    /// The format whose signature `bytes` begin with.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let starts = |signature: &[u8]| bytes.starts_with(signature);
        if starts(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if starts(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if starts(b"GIF87a") || starts(b"GIF89a") {
            Some(Self::Gif)
        } else if starts(b"BM") {
            Some(Self::Bmp)
        } else if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") {
            Some(Self::Tiff)
        } else if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::WebP)
        } else {
            None
        }
    }

    /// Columns and rows by the header, for the formats whose decoders refuse large
    /// ones on their own, without saying which limit of ours it was.
    pub(crate) fn claimed_sides(self, bytes: &[u8]) -> Option<(u32, u32)> {
        let word = |at: usize| <[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok();
        match self {
            // The IHDR chunk comes first (PNG, 11.2.2).
            Self::Png if bytes.get(12..16)? == b"IHDR" => {
                Some((u32::from_be_bytes(word(16)?), u32::from_be_bytes(word(20)?)))
            }
            // A 12-byte header is OS/2's, with sides of 16 bits; in the others rows
            // may count downwards, as negative numbers.
            Self::Bmp if u32::from_le_bytes(word(14)?) == 12 => {
                let [a, b, c, d] = word(18)?;
                Some((
                    u16::from_le_bytes([a, b]).into(),
                    u16::from_le_bytes([c, d]).into(),
                ))
            }
            Self::Bmp => Some((
                i32::from_le_bytes(word(18)?).unsigned_abs(),
                i32::from_le_bytes(word(22)?).unsigned_abs(),
            )),
            Self::Gif | Self::Jpeg | Self::Png | Self::Tiff | Self::WebP => None,
        }
    }

    /// The name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
        }
    }

    /// The registered media type, for `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Bmp => "image/bmp",
            Self::Gif => "image/gif",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Tiff => "image/tiff",
            Self::WebP => "image/webp",
        }
    }
}

impl std::fmt::Display for ImageFormat {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

/// Names what `bytes` seem to be, for a message that helps. Never used to decide.
pub(crate) fn describe(bytes: &[u8]) -> &'static str {
    const SIGNATURES: [(&[u8], &str); 16] = [
        (b"PK\x03\x04", "a zip archive"),
        (b"PK\x05\x06", "an empty zip archive"),
        (b"\x1f\x8b", "gzip data"),
        (b"BZh", "bzip2 data"),
        (b"\xfd7zXZ\0", "xz data"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"Rar!", "a RAR archive"),
        (b"\x28\xb5\x2f\xfd", "Zstandard data"),
        (b"%PDF", "a PDF document"),
        (b"<svg", "an SVG drawing"),
        (b"<?xml", "an XML document"),
        (b"<!DOCTYPE", "an HTML page"),
        (b"<html", "an HTML page"),
        (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
        (b"\0\0\x01\0", "a Windows icon"),
    ];
    if let Some(format) = ImageFormat::of(bytes) {
        return match format {
            ImageFormat::Bmp => "a BMP picture",
            ImageFormat::Gif => "a GIF picture",
            ImageFormat::Jpeg => "a JPEG picture",
            ImageFormat::Png => "a PNG picture",
            ImageFormat::Tiff => "a TIFF picture",
            ImageFormat::WebP => "a WebP picture",
        };
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return "a HEIF, AVIF or MP4 file";
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return "a tar archive";
    }
    let text = bytes.trim_ascii_start();
    SIGNATURES
        .iter()
        .find(|(signature, _)| {
            starts_ignoring_case(bytes, signature) || starts_ignoring_case(text, signature)
        })
        .map_or_else(
            || {
                if bytes.is_empty() {
                    "an empty file"
                } else {
                    "something else"
                }
            },
            |(_, name)| *name,
        )
}

fn starts_ignoring_case(bytes: &[u8], signature: &[u8]) -> bool {
    bytes
        .get(..signature.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_decide() {
        assert_eq!(
            ImageFormat::of(b"\xff\xd8\xff\xe0"),
            Some(ImageFormat::Jpeg)
        );
        assert_eq!(
            ImageFormat::of(b"RIFF\0\0\0\0WEBPVP8 "),
            Some(ImageFormat::WebP)
        );
        assert_eq!(ImageFormat::of(b"RIFF\0\0\0\0WAVE"), None);
        assert_eq!(ImageFormat::of(b"MM\0*"), Some(ImageFormat::Tiff));
        assert_eq!(ImageFormat::of(b""), None);
    }

    #[test]
    fn what_is_no_picture_is_described() {
        assert_eq!(describe(b"  <HTML>"), "an HTML page");
        assert_eq!(describe(b"\0\0\0\x1cftypheic"), "a HEIF, AVIF or MP4 file");
        assert_eq!(describe(b"\xff\xd8\xff"), "a JPEG picture");
        assert_eq!(describe(b""), "an empty file");
        assert_eq!(describe(b"\0\0"), "something else");
    }
}
