//! Which way up a picture is, and turning it.
//!
//! Called by [`super::decode`] between reading the header and handing the pixels
//! out. EXIF (tag 0x0112, CIPA DC-008 section 4.6.4) in JPEG, PNG (`eXIf`) and
//! WebP, the same tag in TIFF itself. A picture is never refused for broken EXIF:
//! whatever cannot be read leaves it as stored.

use std::io::Cursor;

use exif::{In, Reader, Tag};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, RgbImage};

use super::jpeg;
use crate::{ImageFormat, Pixels};

/// The orientation that the file asks for.
pub(super) fn read(
    format: ImageFormat,
    bytes: &[u8],
    decoder: &mut dyn ImageDecoder,
) -> Orientation {
    let found = match format {
        // The reader would look for EXIF in all of the coded data, too.
        ImageFormat::Jpeg => from_exif(jpeg::head(bytes)),
        ImageFormat::Png | ImageFormat::WebP => from_exif(bytes),
        ImageFormat::Tiff => decoder.orientation().ok(),
        ImageFormat::Bmp | ImageFormat::Gif => None,
    };
    found.unwrap_or(Orientation::NoTransforms)
}

fn from_exif(bytes: &[u8]) -> Option<Orientation> {
    let exif = Reader::new()
        .continue_on_error(true)
        .read_from_container(&mut Cursor::new(bytes))
        .or_else(|error| error.distill_partial_result(|_ignored| ()))
        .ok()?;
    let value = exif
        .get_field(Tag::Orientation, In::PRIMARY)?
        .value
        .get_uint(0)?;
    Orientation::from_exif(u8::try_from(value).ok()?)
}

/// Whether rows become columns.
pub(super) fn swaps_sides(orientation: Orientation) -> bool {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => true,
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => false,
    }
}

/// Turns or mirrors; only quarter turns need a second copy of the pixels.
pub(super) fn apply(pixels: Pixels, orientation: Orientation) -> Pixels {
    if orientation == Orientation::NoTransforms {
        return pixels;
    }
    let Pixels { width, height, rgb } = pixels;
    let stored = RgbImage::from_raw(width, height, rgb)
        .expect("Pixels always hold width * height * 3 bytes");
    let mut turning = DynamicImage::ImageRgb8(stored);
    turning.apply_orientation(orientation);
    let upright = turning.into_rgb8();
    Pixels {
        width: upright.width(),
        height: upright.height(),
        rgb: upright.into_raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two columns, one row: red, green.
    fn red_green() -> Pixels {
        Pixels::new(2, 1, vec![255, 0, 0, 0, 255, 0]).unwrap()
    }

    #[test]
    fn the_eight_orientations_turn_as_exif_says() {
        const RED: [u8; 3] = [255, 0, 0];
        // (value, sides afterwards, where the stored left pixel is afterwards)
        let expected = [
            (1, (2, 1), (0, 0)),
            (2, (2, 1), (1, 0)),
            (3, (2, 1), (1, 0)),
            (4, (2, 1), (0, 0)),
            (5, (1, 2), (0, 0)),
            (6, (1, 2), (0, 0)),
            (7, (1, 2), (0, 1)),
            (8, (1, 2), (0, 1)),
        ];
        for (value, sides, red_at) in expected {
            let upright = apply(red_green(), Orientation::from_exif(value).unwrap());
            assert_eq!(
                (upright.width, upright.height),
                sides,
                "orientation {value}"
            );
            assert_eq!(
                upright.get(red_at.0, red_at.1),
                Some(RED),
                "orientation {value}"
            );
        }
    }

    #[test]
    fn what_is_no_exif_asks_for_nothing() {
        assert_eq!(from_exif(b"\xff\xd8\xff\xe1\0\x08Exif\0\0"), None);
        assert_eq!(from_exif(b""), None);
    }
}
