//! JPEGs by libjpeg-turbo: what Pillow, torchvision and the pipelines that encoders were trained with decode by, so
//! that not a level differs from theirs.
//!
//! Called by [`super::decode_as`] after header and structure were checked, for what [`super::scaled`] does not decode: pictures
//! that all pixels are wanted of, and progressive ones. Whatever it does not like, damage or a colour space
//! without an exact way to RGB, is left to the other decoder, which says what is wrong or goes on as well as it can.

use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat, ScalingFactor};

use super::Size;
use crate::Pixels;

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
    let divisor = size.divisor(sides);
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
