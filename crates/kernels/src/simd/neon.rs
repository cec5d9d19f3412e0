//! Vectors of four floats with NEON, which every 64-bit ARM processor of note has.

use std::arch::aarch64::*;

use super::portable::bf16_bits;
use super::{Kernel, Simd};

const LANES: usize = 4;

/// Proof that NEON may be executed: only [`run`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

impl Neon {
    /// # Safety
    /// The processor must have NEON.
    pub(crate) unsafe fn proven() -> Self {
        Self(())
    }
}

/// Compiles `kernel` for NEON and runs it.
///
/// # Safety
/// The processor must have NEON.
#[target_feature(enable = "neon")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Neon(()))
}

macro_rules! safe {
    ($($body:tt)*) => {
        // SAFETY: the token proves NEON; lengths are asserted by the caller of this macro.
        unsafe { $($body)* }
    };
}

impl Simd for Neon {
    const LANES: usize = LANES;
    type Floats = float32x4_t;

    #[inline(always)]
    fn splat(self, value: f32) -> float32x4_t {
        safe!(vdupq_n_f32(value))
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> float32x4_t {
        assert!(from.len() >= LANES);
        safe!(vld1q_f32(from.as_ptr()))
    }
    #[inline(always)]
    fn load_head(self, from: &[f32]) -> float32x4_t {
        let mut whole = [0.0; LANES];
        whole[..from.len()].copy_from_slice(from);
        self.load(&whole)
    }
    #[inline(always)]
    fn load_before(self, from: &[f32], behind: float32x4_t) -> float32x4_t {
        let mut whole = [0.0; LANES];
        self.store(behind, &mut whole);
        whole[..from.len()].copy_from_slice(from);
        self.load(&whole)
    }
    #[inline(always)]
    fn keep(self, value: float32x4_t, count: usize) -> float32x4_t {
        let mut whole = [0.0; LANES];
        self.store(value, &mut whole);
        whole[count..].fill(0.0);
        self.load(&whole)
    }
    #[inline(always)]
    fn load_bf16_pairs(self, from: &[u32]) -> [float32x4_t; 2] {
        assert!(from.len() >= LANES);
        safe! {
            let words = vld1q_u32(from.as_ptr());
            let low = vshlq_n_u32::<16>(words);
            let high = vandq_u32(words, vdupq_n_u32(0xffff_0000));
            [vreinterpretq_f32_u32(low), vreinterpretq_f32_u32(high)]
        }
    }
    #[inline(always)]
    fn store(self, value: float32x4_t, to: &mut [f32]) {
        assert!(to.len() >= LANES);
        safe!(vst1q_f32(to.as_mut_ptr(), value));
    }
    #[inline(always)]
    fn store_head(self, value: float32x4_t, to: &mut [f32]) {
        let mut whole = [0.0; LANES];
        self.store(value, &mut whole);
        to.copy_from_slice(&whole[..to.len()]);
    }
    #[inline(always)]
    fn store_bf16(self, value: float32x4_t, to: &mut [u16]) {
        let mut whole = [0.0; LANES];
        self.store(value, &mut whole);
        for (to, value) in to[..LANES].iter_mut().zip(whole) {
            *to = bf16_bits(value);
        }
    }
    #[inline(always)]
    fn store_i16(self, value: float32x4_t, to: &mut [i16]) {
        assert!(to.len() >= LANES);
        safe!(vst1_s16(to.as_mut_ptr(), vqmovn_s32(vcvtnq_s32_f32(value))));
    }
    #[inline(always)]
    fn store_u8(self, value: float32x4_t, to: &mut [u8]) {
        let mut halves = [0; LANES];
        self.store_i16(value, &mut halves);
        for (to, half) in to[..LANES].iter_mut().zip(halves) {
            *to = (half + 128) as u8;
        }
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        safe!(vaddq_f32(a, b))
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        safe!(vsubq_f32(a, b))
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        safe!(vmulq_f32(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        safe!(vfmaq_f32(c, a, b))
    }
    #[inline(always)]
    fn neg_mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        safe!(vfmsq_f32(c, a, b))
    }
    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // not `vmaxq`: that one answers NaN where either is
        safe!(vbslq_f32(vcgtq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        safe!(vbslq_f32(vcltq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn abs(self, a: float32x4_t) -> float32x4_t {
        safe!(vabsq_f32(a))
    }
    #[inline(always)]
    fn max_magnitude(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // without their sign floats are ordered as their bits are
        safe! {
            let a = vreinterpretq_u32_f32(vabsq_f32(a));
            vreinterpretq_f32_u32(vmaxq_u32(a, vreinterpretq_u32_f32(b)))
        }
    }
    #[inline(always)]
    fn round(self, a: float32x4_t) -> float32x4_t {
        safe!(vrndnq_f32(a))
    }
    #[inline(always)]
    fn scale(self, a: float32x4_t, n: float32x4_t) -> float32x4_t {
        safe! {
            let exponent = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
            vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent)))
        }
    }
    #[inline(always)]
    fn reciprocal(self, a: float32x4_t) -> float32x4_t {
        safe!(vdivq_f32(vdupq_n_f32(1.0), a))
    }
    #[inline(always)]
    fn sum(self, a: float32x4_t) -> f32 {
        safe!(vaddvq_f32(a))
    }
    #[inline(always)]
    fn zip(self, a: float32x4_t, b: float32x4_t) -> [float32x4_t; 2] {
        safe!([vzip1q_f32(a, b), vzip2q_f32(a, b)])
    }
    #[inline(always)]
    fn largest(self, a: float32x4_t) -> f32 {
        safe!(vmaxvq_f32(a))
    }
}
