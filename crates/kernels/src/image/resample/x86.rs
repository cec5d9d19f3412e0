//! Vectors of 32 bytes with AVX2. Those of 64 with AVX-512, with and without VNNI, were tried: on a Zen 4 a picture of 2000 x
//! 1500 pixels took 3.5 and 2.8 ms with them, with AVX2 1.8.

use std::arch::x86_64::*;

use super::{Bytes, LOW_BITS, Pass, WEIGHT_BITS};
use crate::dispatch::{Cpu, Isa};

/// Runs a pass with AVX2.
pub(super) fn avx2(cpu: Cpu, pass: impl Pass) {
    #[target_feature(enable = "avx2")]
    fn run(pass: impl Pass) {
        pass.run::<Avx2>();
    }
    assert!(cpu.isa() >= Isa::Avx2);
    // SAFETY: the processor has what its level says.
    unsafe { run(pass) }
}

/// 32 bytes. Made inside [`avx2`] only: instructions and loads below rely on it.
#[derive(Clone, Copy)]
struct Avx2(__m256i);

impl Bytes for Avx2 {
    const LANES: usize = 32;
    type Sums = __m256i;

    #[inline(always)]
    fn zero() -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_setzero_si256() })
    }

    #[inline(always)]
    fn load(from: &[u8]) -> Self {
        Self(bytemuck::pod_read_unaligned(&from[..32]))
    }

    #[inline(always)]
    fn gather(from: &[u8], stride: usize) -> Self {
        let part = |row: usize| bytemuck::pod_read_unaligned(&from[row * stride..][..16]);
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_set_m128i(part(1), part(0)) })
    }

    #[inline(always)]
    fn store(self, to: &mut [u8]) {
        to[..32].copy_from_slice(bytemuck::bytes_of(&self.0));
    }

    #[inline(always)]
    fn zip_low(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_unpacklo_epi8(self.0, other.0) })
    }

    #[inline(always)]
    fn zip_high(self, other: Self) -> Self {
        // SAFETY: the processor has AVX2.
        Self(unsafe { _mm256_unpackhi_epi8(self.0, other.0) })
    }

    #[inline(always)]
    fn sums(start: i32) -> __m256i {
        // SAFETY: the processor has AVX2.
        unsafe { _mm256_set1_epi32(start) }
    }

    #[inline(always)]
    fn dot(self, weights: [i16; 2], sums: __m256i) -> __m256i {
        // SAFETY: the processor has AVX2.
        unsafe {
            let weights = _mm256_set1_epi32(bytemuck::cast(weights));
            _mm256_add_epi32(sums, _mm256_madd_epi16(self.0, weights))
        }
    }

    #[inline(always)]
    fn finish(lows: [__m256i; 4], highs: [__m256i; 4]) -> Self {
        // SAFETY: the processor has AVX2.
        unsafe {
            let mut sums = lows;
            for i in 0..4 {
                let high = _mm256_slli_epi32::<{ LOW_BITS as i32 }>(highs[i]);
                sums[i] =
                    _mm256_srai_epi32::<{ WEIGHT_BITS as i32 }>(_mm256_add_epi32(high, lows[i]));
            }
            let [a, b, c, d] = sums;
            Self(_mm256_packus_epi16(
                _mm256_packs_epi32(a, b),
                _mm256_packs_epi32(c, d),
            ))
        }
    }
}
