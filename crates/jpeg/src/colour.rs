//! Samples to RGB, a row at a time, by JFIF's formulas (ITU-T T.871, clause 7).

use bytemuck::cast;
use wide::{i16x8, u8x16, u64x2};

/// Pixels that are converted together.
pub(crate) const STEP: usize = 16;
/// Fraction bits of the levels in between.
const FRACTION: u32 = 5;

/// Rows of the three components, each at least as long as the RGB row has pixels and a multiple of 16 long.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) luma: &'a [u8],
    pub(crate) blue: &'a [u8],
    pub(crate) red: &'a [u8],
}

/// Converts a row of YCbCr.
pub(crate) fn to_rgb(rows: Rows, rgb: &mut [u8]) {
    let chunks = rows.luma.as_chunks::<STEP>().0.iter();
    let chroma = rows.blue.as_chunks::<STEP>().0.iter();
    let chroma = chroma.zip(rows.red.as_chunks::<STEP>().0);
    let mut at = 0;
    for (luma, (blue, red)) in chunks.zip(chroma) {
        let colours = convert(luma, blue, red);
        if let Some(room) = rgb.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            interleave(colours, room);
        } else {
            let mut last = [0; STEP * 3 + 2];
            interleave(colours, &mut last);
            let left = (rgb.len() - at).min(STEP * 3);
            rgb[at..][..left].copy_from_slice(&last[..left]);
            if left < STEP * 3 {
                return;
            }
        }
        at += STEP * 3;
    }
}

/// Repeats grey levels.
pub(crate) fn grey_to_rgb(grey: &[u8], rgb: &mut [u8]) {
    for (pixel, level) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(grey) {
        *pixel = [*level; 3];
    }
}

/// Red, green and blue of sixteen pixels.
#[inline(always)]
fn convert(luma: &[u8; STEP], blue: &[u8; STEP], red: &[u8; STEP]) -> [u8x16; 3] {
    let zero = u8x16::default();
    let (luma, blue, red) = (u8x16::new(*luma), u8x16::new(*blue), u8x16::new(*red));
    let halves = |half: fn(u8x16, u8x16) -> u8x16| {
        let wide = |bytes: u8x16| -> i16x8 { cast(half(bytes, zero)) };
        // A chroma level of 128 means none; 256 times what is left.
        let signed = |bytes: u8x16| -> i16x8 {
            let raised: i16x8 = cast(half(zero, bytes));
            raised ^ i16x8::splat(i16::MIN)
        };
        let y = (wide(luma) << FRACTION) + i16x8::splat(1 << (FRACTION - 1));
        let (cb, cr) = (signed(blue), signed(red));
        let part = |chroma: i16x8, factor: f32| {
            // 256 times the level, times the factor in 8 + FRACTION bits, over 2^16.
            chroma.mul_keep_high(i16x8::splat((factor * 8192.0).round() as i16))
        };
        [
            (y + part(cr, 1.402)) >> FRACTION,
            (y - part(cb, 0.344_136) - part(cr, 0.714_136)) >> FRACTION,
            (y + part(cb, 1.772)) >> FRACTION,
        ]
    };
    let (low, high) = (halves(u8x16::unpack_low), halves(u8x16::unpack_high));
    [0, 1, 2].map(|colour| u8x16::narrow_i16x8(low[colour], high[colour]))
}

/// Writes sixteen pixels, and two bytes behind them that are to be written later.
#[inline(always)]
fn interleave([red, green, blue]: [u8x16; 3], to: &mut [u8; STEP * 3 + 2]) {
    let zero = u8x16::default();
    let zip = |a: u8x16, b: u8x16| [u8x16::unpack_low(a, b), u8x16::unpack_high(a, b)];
    let (red_blue, green_none) = (zip(red, blue), zip(green, zero));
    let quads = [0, 1].map(|half| zip(red_blue[half], green_none[half]));
    let mut at = 0;
    for quad in quads.as_flattened() {
        // Two pixels of four bytes each: the fourth byte is taken out between them.
        let pixels: u64x2 = cast(*quad);
        let first = pixels & u64x2::splat(0x00ff_ffff);
        let second = (pixels >> 8u32) & u64x2::splat(0xffff_ff00_0000);
        for pair in (first | second).to_array() {
            to[at..at + 8].copy_from_slice(&pair.to_le_bytes());
            at += 6;
        }
    }
}
