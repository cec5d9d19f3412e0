//! Decoded samples of any layout to 8-bit RGB on white, within one buffer.
//!
//! Called by [`super::decode`] only. The buffer holds the decoder's output at its
//! start and is long enough for the RGB; layouts wider than RGB are rewritten
//! front to back and narrower ones back to front, so nothing is overwritten
//! before it is read and no second copy of the picture exists.

use image::ColorType;

/// Rewrites `pixel_count` pixels at the start of `buffer` from `color` to RGB8.
/// Samples of 16 bits are in the machine's byte order, as `image` hands them out.
///
/// # Errors
/// Floating-point samples: what counts as white in them is not defined.
pub(super) fn to_rgb8(
    buffer: &mut [u8],
    color: ColorType,
    pixel_count: usize,
) -> Result<(), &'static str> {
    match color {
        ColorType::Rgb8 => {}
        ColorType::L8 => widen(buffer, pixel_count, |[grey]| [grey; 3]),
        ColorType::La8 => widen(buffer, pixel_count, |[grey, alpha]| {
            [on_white(grey, alpha); 3]
        }),
        ColorType::Rgba8 => narrow(buffer, pixel_count, |[r, g, b, alpha]| {
            [r, g, b].map(|sample| on_white(sample, alpha))
        }),
        ColorType::L16 => widen(buffer, pixel_count, |[a, b]| [upper_byte(a, b); 3]),
        ColorType::La16 => narrow(buffer, pixel_count, |[a, b, alpha_a, alpha_b]| {
            [on_white(upper_byte(a, b), upper_byte(alpha_a, alpha_b)); 3]
        }),
        ColorType::Rgb16 => narrow(buffer, pixel_count, |[ra, rb, ga, gb, ba, bb]| {
            [upper_byte(ra, rb), upper_byte(ga, gb), upper_byte(ba, bb)]
        }),
        ColorType::Rgba16 => narrow(
            buffer,
            pixel_count,
            |[ra, rb, ga, gb, ba, bb, alpha_a, alpha_b]| {
                let alpha = upper_byte(alpha_a, alpha_b);
                [upper_byte(ra, rb), upper_byte(ga, gb), upper_byte(ba, bb)]
                    .map(|sample| on_white(sample, alpha))
            },
        ),
        ColorType::Rgb32F | ColorType::Rgba32F => return Err("floating-point samples"),
        _ => return Err("an unknown sample layout"),
    }
    Ok(())
}

/// For layouts of at least three bytes a pixel.
fn narrow<const N: usize>(
    buffer: &mut [u8],
    pixel_count: usize,
    convert: impl Fn([u8; N]) -> [u8; 3],
) {
    for pixel in 0..pixel_count {
        convert_one(buffer, pixel, &convert);
    }
}

/// For layouts of less than three bytes a pixel.
fn widen<const N: usize>(
    buffer: &mut [u8],
    pixel_count: usize,
    convert: impl Fn([u8; N]) -> [u8; 3],
) {
    for pixel in (0..pixel_count).rev() {
        convert_one(buffer, pixel, &convert);
    }
}

fn convert_one<const N: usize>(
    buffer: &mut [u8],
    pixel: usize,
    convert: &impl Fn([u8; N]) -> [u8; 3],
) {
    let mut sample = [0; N];
    sample.copy_from_slice(&buffer[pixel * N..pixel * N + N]);
    buffer[pixel * 3..pixel * 3 + 3].copy_from_slice(&convert(sample));
}

/// Sixteen bits to eight as libpng and Pillow do: the upper byte.
fn upper_byte(first: u8, second: u8) -> u8 {
    (u16::from_ne_bytes([first, second]) >> 8).to_le_bytes()[0]
}

/// `sample` at opacity `alpha` over white, rounded to the nearest level.
fn on_white(sample: u8, alpha: u8) -> u8 {
    let (sample, alpha) = (u32::from(sample), u32::from(alpha));
    let blended = (sample * alpha + 255 * (255 - alpha) + 127) / 255;
    // At most 255: a weighted mean of two bytes.
    blended.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb_of(color: ColorType, samples: &[u8], pixel_count: usize) -> Vec<u8> {
        let mut buffer = samples.to_vec();
        buffer.resize(samples.len().max(pixel_count * 3), 0);
        to_rgb8(&mut buffer, color, pixel_count).unwrap();
        buffer.truncate(pixel_count * 3);
        buffer
    }

    fn native(values: &[u16]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_ne_bytes())
            .collect()
    }

    #[test]
    fn transparent_is_white_and_opaque_is_itself() {
        assert_eq!(
            rgb_of(ColorType::Rgba8, &[10, 20, 30, 0, 10, 20, 30, 255], 2),
            [255, 255, 255, 10, 20, 30]
        );
        assert_eq!(
            rgb_of(ColorType::La8, &[0, 128, 9, 255], 2),
            [127, 127, 127, 9, 9, 9]
        );
    }

    #[test]
    fn grey_is_spread_without_overwriting_what_is_still_needed() {
        assert_eq!(
            rgb_of(ColorType::L8, &[1, 2, 3], 3),
            [1, 1, 1, 2, 2, 2, 3, 3, 3]
        );
    }

    #[test]
    fn sixteen_bits_keep_their_upper_byte() {
        assert_eq!(
            rgb_of(ColorType::L16, &native(&[0x12ff, 0xff00]), 2),
            [0x12, 0x12, 0x12, 255, 255, 255]
        );
        assert_eq!(
            rgb_of(ColorType::Rgb16, &native(&[0x0102, 0x0304, 0x0506]), 1),
            [1, 3, 5]
        );
        assert_eq!(rgb_of(ColorType::La16, &native(&[0, 0]), 1), [255; 3]);
        assert_eq!(
            rgb_of(
                ColorType::Rgba16,
                &native(&[0x0100, 0x0200, 0x0300, 0xffff, 0, 0, 0, 0]),
                2
            ),
            [1, 2, 3, 255, 255, 255]
        );
    }

    #[test]
    fn floating_point_is_refused() {
        assert!(to_rgb8(&mut [0; 12], ColorType::Rgb32F, 1).is_err());
    }

    #[test]
    fn blending_is_exact_at_every_level() {
        for alpha in 0..=255u8 {
            for sample in 0..=255u8 {
                let exact = (f64::from(sample) * f64::from(alpha)
                    + 255.0 * (255.0 - f64::from(alpha)))
                    / 255.0;
                assert!((f64::from(on_white(sample, alpha)) - exact).abs() <= 0.5);
            }
        }
    }
}
