//! JPEGs by libjpeg-turbo: what Pillow, torchvision and the pipelines that encoders were trained with decode by, so
//! that not a level differs from theirs.
//!
//! Called by [`super::decode_as`] after header and structure were checked. Whatever it does not like, damage or a colour space
//! without an exact way to RGB, is left to the other decoder, which says what is wrong or goes on as well as it can.

use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat, ScalingFactor};

use super::Size;
use crate::Pixels;

/// Shrinking that libjpeg-turbo does for little, strongest first.
const FACTORS: [u32; 3] = [8, 4, 2];
/// A smaller picture keeps so many times the short edge that it is resized to. Measured on the example photos, sharp ones
/// among them: 6 times leave a difference of 2 levels, 4 times 6, 3 times 13, 2 times 24.
const MIN_RATIO: u32 = 6;

/// Decodes a picture of `sides` columns and rows.
pub(super) fn decode(bytes: &[u8], sides: (u32, u32), size: Size) -> Option<Pixels> {
    let mut decompressor = Decompressor::new().ok()?;
    let header = decompressor.read_header(bytes).ok()?;
    let known = matches!(
        header.colorspace,
        Colorspace::RGB | Colorspace::YCbCr | Colorspace::Gray
    );
    let agrees =
        (u32::try_from(header.width), u32::try_from(header.height)) == (Ok(sides.0), Ok(sides.1));
    if !known || !agrees || header.is_lossless {
        return None;
    }
    let divisor = divisor(sides, size);
    let factor = ScalingFactor::new(1, divisor as usize);
    decompressor.set_scaling_factor(factor).ok()?;
    let (width, height) = (factor.scale(header.width), factor.scale(header.height));
    let mut rgb = vec![0; width * height * 3];
    let to = Image {
        pixels: &mut rgb[..],
        width,
        pitch: width * 3,
        height,
        format: PixelFormat::RGB,
    };
    decompressor.decompress(bytes, to).ok()?;
    Some(Pixels {
        width: sides.0 / divisor,
        height: sides.1 / divisor,
        rgb,
    })
}

/// By what the sides are divided. Only what divides both without a rest: the shape is then kept exactly, and with it what
/// is resized to where.
fn divisor((width, height): (u32, u32), size: Size) -> u32 {
    let Size::AtLeast { short_edge } = size else {
        return 1;
    };
    let short = width.min(height);
    let fits = |by: &u32| {
        width.is_multiple_of(*by)
            && height.is_multiple_of(*by)
            && short / by / MIN_RATIO >= short_edge
    };
    FACTORS.into_iter().find(fits).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_keep_six_times_the_edge() {
        let divisor = |sides, short_edge| divisor(sides, Size::AtLeast { short_edge });
        assert_eq!(divisor((4000, 3000), 224), 2);
        assert_eq!(divisor((8000, 6000), 224), 4);
        assert_eq!(divisor((16_000, 12_000), 224), 8);
        assert_eq!(divisor((4000, 2688), 224), 2);
        assert_eq!(divisor((4000, 2686), 224), 1);
        assert_eq!(divisor((8002, 6002), 224), 2);
        assert_eq!(divisor((8001, 6000), 224), 1);
        assert_eq!(super::divisor((8000, 6000), Size::Full), 1);
    }
}
