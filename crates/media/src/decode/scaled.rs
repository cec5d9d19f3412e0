//! Large JPEGs at a part of their sides, by this project's own decoder.
//!
//! Called by [`super::decode_as`] after header and structure were checked, before the decoders that compute all pixels. It
//! takes the kinds of JPEG that photos come in; for others, and for anything damaged, those decoders do what they always did.

use lookalike_jpeg::{Divisor, Part};
use lookalike_kernels::give_way;

use super::Size;
use crate::Pixels;

/// Decodes a picture of `sides` columns and rows, where fewer pixels are enough.
pub(super) fn decode(bytes: &[u8], sides: (u32, u32), size: Size) -> Option<Pixels> {
    let (divisor, by) = match size.divisor(sides) {
        2 => (Divisor::Two, 2),
        4 => (Divisor::Four, 4),
        8 => (Divisor::Eight, 8),
        _ => return None,
    };
    // The limits were checked on what the other decoder read.
    if lookalike_jpeg::sides(bytes) != Ok(sides) {
        return None;
    }
    let (columns, rows) = size.kept((sides.0 / by, sides.1 / by));
    let part = Part { columns, rows };
    let picture = lookalike_jpeg::decode_part(bytes, divisor, &part, &give_way).ok()?;
    debug_assert_eq!((picture.width * by, picture.height * by), sides);
    Some(Pixels {
        width: picture.width,
        height: picture.height,
        rgb: picture.pixels,
    })
}
