//! Vectors as arrays of eight floats: plain safe Rust, for any processor, and what
//! tests and Miri run. Eight, because the compiler turns such loops into whatever
//! vectors the target has at least (SSE2, NEON).

use super::Simd;

const LANES: usize = 8;

/// Token of the portable implementation.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

/// Eight floats.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub struct Array([f32; LANES]);

impl Array {
    #[inline(always)]
    fn map2(self, other: Self, operation: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = self;
        for (a, b) in out.0.iter_mut().zip(other.0) {
            *a = operation(*a, b);
        }
        out
    }
}

/// One instruction where every processor of the target has it; the library call
/// that stands in for it elsewhere would be a hundred times slower than rounding twice.
#[inline(always)]
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// `value` rounded to bf16, ties to even; NaN becomes the quiet NaN of its sign.
#[inline(always)]
pub(crate) fn bf16_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

impl Simd for Portable {
    const LANES: usize = LANES;
    type Floats = Array;

    #[inline(always)]
    fn splat(self, value: f32) -> Array {
        Array([value; LANES])
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> Array {
        let mut out = [0.0; LANES];
        out.copy_from_slice(&from[..LANES]);
        Array(out)
    }
    #[inline(always)]
    fn load_head(self, from: &[f32]) -> Array {
        let mut out = [0.0; LANES];
        out[..from.len()].copy_from_slice(from);
        Array(out)
    }
    #[inline(always)]
    fn load_before(self, from: &[f32], mut behind: Array) -> Array {
        behind.0[..from.len()].copy_from_slice(from);
        behind
    }
    #[inline(always)]
    fn keep(self, mut value: Array, count: usize) -> Array {
        value.0[count..].fill(0.0);
        value
    }
    #[inline(always)]
    fn load_bf16_pairs(self, from: &[u32]) -> [Array; 2] {
        let (mut low, mut high) = ([0.0; LANES], [0.0; LANES]);
        for ((low, high), from) in low.iter_mut().zip(&mut high).zip(&from[..LANES]) {
            *low = f32::from_bits(from << 16);
            *high = f32::from_bits(from & 0xffff_0000);
        }
        [Array(low), Array(high)]
    }
    #[inline(always)]
    fn store(self, value: Array, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&value.0);
    }
    #[inline(always)]
    fn store_head(self, value: Array, to: &mut [f32]) {
        to.copy_from_slice(&value.0[..to.len()]);
    }
    #[inline(always)]
    fn store_bf16(self, value: Array, to: &mut [u16]) {
        for (to, value) in to[..LANES].iter_mut().zip(value.0) {
            *to = bf16_bits(value);
        }
    }
    #[inline(always)]
    fn store_i16(self, value: Array, to: &mut [i16]) {
        for (to, value) in to[..LANES].iter_mut().zip(value.0) {
            *to = value.round_ties_even() as i16;
        }
    }
    #[inline(always)]
    fn store_u8(self, value: Array, to: &mut [u8]) {
        for (to, value) in to[..LANES].iter_mut().zip(value.0) {
            *to = (value.round_ties_even() as i16 + 128) as u8;
        }
    }

    #[inline(always)]
    fn add(self, a: Array, b: Array) -> Array {
        a.map2(b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Array, b: Array) -> Array {
        a.map2(b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Array, b: Array) -> Array {
        a.map2(b, |a, b| a * b)
    }
    #[inline(always)]
    fn mul_add(self, a: Array, b: Array, c: Array) -> Array {
        let mut out = c;
        for ((out, a), b) in out.0.iter_mut().zip(a.0).zip(b.0) {
            *out = mul_add(a, b, *out);
        }
        out
    }
    #[inline(always)]
    fn neg_mul_add(self, a: Array, b: Array, c: Array) -> Array {
        let mut out = c;
        for ((out, a), b) in out.0.iter_mut().zip(a.0).zip(b.0) {
            *out = mul_add(-a, b, *out);
        }
        out
    }
    #[inline(always)]
    fn max(self, a: Array, b: Array) -> Array {
        a.map2(b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: Array, b: Array) -> Array {
        a.map2(b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn abs(self, a: Array) -> Array {
        a.map2(a, |a, _| a.abs())
    }
    #[inline(always)]
    fn max_magnitude(self, a: Array, b: Array) -> Array {
        // without their sign floats are ordered as their bits are
        a.map2(b, |a, b| f32::from_bits(a.abs().to_bits().max(b.to_bits())))
    }
    #[inline(always)]
    fn round(self, a: Array) -> Array {
        a.map2(a, |a, _| a.round_ties_even())
    }
    #[inline(always)]
    fn scale(self, a: Array, n: Array) -> Array {
        a.map2(n, |a, n| {
            a * f32::from_bits(((n as i32 + 127) as u32) << 23)
        })
    }
    #[inline(always)]
    fn reciprocal(self, a: Array) -> Array {
        a.map2(a, |a, _| 1.0 / a)
    }
    #[inline(always)]
    fn sum(self, a: Array) -> f32 {
        a.0.iter().sum()
    }
    #[inline(always)]
    fn zip(self, a: Array, b: Array) -> [Array; 2] {
        let half = |start: usize| {
            Array(std::array::from_fn(|i| {
                let from = if i % 2 == 0 { &a } else { &b };
                from.0[start + i / 2]
            }))
        };
        [half(0), half(Self::LANES / 2)]
    }
    #[inline(always)]
    fn largest(self, a: Array) -> f32 {
        a.0.iter()
            .fold(f32::NEG_INFINITY, |m, x| if *x > m { *x } else { m })
    }
}
