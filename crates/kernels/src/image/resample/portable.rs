//! Vectors of sixteen bytes, which `wide` has for every processor.

use wide::{i16x8, i32x4, i32x8, u8x16};

use super::{Bytes, LOW_BITS, WEIGHT_BITS};

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(super) struct Sixteen(u8x16);

impl Bytes for Sixteen {
    const LANES: usize = 16;
    type Sums = i32x4;

    #[inline(always)]
    fn zero() -> Self {
        Self(u8x16::ZERO)
    }

    #[inline(always)]
    fn load(from: &[u8]) -> Self {
        let lanes = from.first_chunk().expect("16 bytes from here");
        Self(u8x16::new(*lanes))
    }

    #[inline(always)]
    fn gather(from: &[u8], _: usize) -> Self {
        Self::load(from)
    }

    #[inline(always)]
    fn store(self, to: &mut [u8]) {
        to[..16].copy_from_slice(self.0.as_array());
    }

    #[inline(always)]
    fn zip_low(self, other: Self) -> Self {
        Self(u8x16::unpack_low(self.0, other.0))
    }

    #[inline(always)]
    fn zip_high(self, other: Self) -> Self {
        Self(u8x16::unpack_high(self.0, other.0))
    }

    #[inline(always)]
    fn sums(start: i32) -> i32x4 {
        i32x4::splat(start)
    }

    #[inline(always)]
    fn dot(self, weights: [i16; 2], sums: i32x4) -> i32x4 {
        let samples: i16x8 = bytemuck::cast(self.0);
        let weights: i16x8 = bytemuck::cast([weights; 4]);
        sums + samples.dot(weights)
    }

    #[inline(always)]
    fn finish(lows: [i32x4; 4], highs: [i32x4; 4]) -> Self {
        let mut sums = [i32x4::ZERO; 4];
        for i in 0..4 {
            sums[i] = ((highs[i] << LOW_BITS) + lows[i]) >> WEIGHT_BITS;
        }
        // saturating twice is clamping to a byte
        let narrow = |low: i32x4, high: i32x4| {
            i16x8::from_i32x8_saturate(bytemuck::cast::<_, i32x8>([low, high]))
        };
        Self(u8x16::narrow_i16x8(
            narrow(sums[0], sums[1]),
            narrow(sums[2], sums[3]),
        ))
    }
}
