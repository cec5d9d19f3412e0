//! Vectors of sixteen floats with AVX-512 F, BW, DQ and VL.

use std::arch::x86_64::*;

use super::{Kernel, Simd, simulated};

const LANES: usize = 16;

/// Proof that AVX-512 F, BW, DQ and VL may be executed, and, with `BF16`, AVX512-BF16.
#[derive(Clone, Copy, Debug)]
pub struct Level<const BF16: bool>(());

/// Without instructions for bf16.
pub type Avx512 = Level<false>;

impl<const BF16: bool> Level<BF16> {
    /// # Safety
    /// The processor must have these instructions.
    pub(crate) unsafe fn proven() -> Self {
        Self(())
    }
}

/// Compiles `kernel` for AVX-512 and runs it.
///
/// # Safety
/// The processor must have AVX-512 F, BW, DQ and VL.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Level::<false>(()))
}

/// The same, with AVX512-BF16.
///
/// # Safety
/// The processor must have that, too.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512bf16")]
pub(super) unsafe fn run_bf16<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Level::<true>(()))
}

macro_rules! safe {
    ($($body:tt)*) => {
        // SAFETY: the token proves the instructions; lengths are asserted by the caller of this macro.
        unsafe { $($body)* }
    };
}

/// The mask of the first `count` lanes.
#[inline(always)]
fn head(count: usize) -> __mmask16 {
    assert!(count <= LANES);
    ((1_u32 << count) - 1) as __mmask16
}

impl<const BF16: bool> Simd for Level<BF16> {
    const LANES: usize = LANES;
    type Floats = __m512;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        safe!(_mm512_set1_ps(value))
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> __m512 {
        assert!(from.len() >= LANES);
        safe!(_mm512_loadu_ps(from.as_ptr()))
    }
    #[inline(always)]
    fn load_head(self, from: &[f32]) -> __m512 {
        let mask = head(from.len());
        safe!(_mm512_maskz_loadu_ps(mask, from.as_ptr()))
    }
    #[inline(always)]
    fn load_before(self, from: &[f32], behind: __m512) -> __m512 {
        let mask = head(from.len());
        safe!(_mm512_mask_loadu_ps(behind, mask, from.as_ptr()))
    }
    #[inline(always)]
    fn keep(self, value: __m512, count: usize) -> __m512 {
        let mask = head(count);
        safe!(_mm512_maskz_mov_ps(mask, value))
    }
    #[inline(always)]
    fn load_bf16_pairs(self, from: &[u32]) -> [__m512; 2] {
        assert!(from.len() >= LANES);
        safe! {
            let words = _mm512_loadu_si512(from.as_ptr().cast());
            let low = _mm512_slli_epi32::<16>(words);
            let high = _mm512_and_si512(words, _mm512_set1_epi32(0xffff_0000_u32.cast_signed()));
            [_mm512_castsi512_ps(low), _mm512_castsi512_ps(high)]
        }
    }
    #[inline(always)]
    fn store(self, value: __m512, to: &mut [f32]) {
        assert!(to.len() >= LANES);
        safe!(_mm512_storeu_ps(to.as_mut_ptr(), value));
    }
    #[inline(always)]
    fn store_head(self, value: __m512, to: &mut [f32]) {
        let mask = head(to.len());
        safe!(_mm512_mask_storeu_ps(to.as_mut_ptr(), mask, value));
    }
    #[inline(always)]
    fn store_bf16(self, value: __m512, to: &mut [u16]) {
        assert!(to.len() >= LANES);
        if BF16 {
            safe! {
                let words = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value));
                _mm256_storeu_si256(to.as_mut_ptr().cast(), words);
            }
            return;
        }
        safe! {
            let bits = _mm512_castps_si512(value);
            let high = _mm512_srli_epi32::<16>(bits);
            let odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
            let carry = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), odd);
            let rounded = _mm512_srli_epi32::<16>(_mm512_add_epi32(bits, carry));
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value, value);
            let words = _mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(words));
        }
    }
    #[inline(always)]
    fn bf16_pairs(self, low: __m512, high: __m512) -> __m512 {
        if BF16 {
            safe!(std::mem::transmute::<__m512bh, __m512>(
                _mm512_cvtne2ps_pbh(high, low)
            ))
        } else {
            simulated::bf16_pairs(self, low, high)
        }
    }
    #[inline(always)]
    fn add_bf16_products(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        if BF16 {
            safe! {
                let a = std::mem::transmute::<__m512, __m512bh>(a);
                let b = std::mem::transmute::<__m512, __m512bh>(b);
                _mm512_dpbf16_ps(c, a, b)
            }
        } else {
            simulated::add_bf16_products(self, a, b, c)
        }
    }
    #[inline(always)]
    fn store_i16(self, value: __m512, to: &mut [i16]) {
        assert!(to.len() >= LANES);
        safe! {
            let halves = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(value));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), halves);
        }
    }
    #[inline(always)]
    fn store_u8(self, value: __m512, to: &mut [u8]) {
        assert!(to.len() >= LANES);
        safe! {
            let bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(value));
            let shifted = _mm_xor_si128(bytes, _mm_set1_epi8(-128));
            _mm_storeu_si128(to.as_mut_ptr().cast(), shifted);
        }
    }
    #[inline(always)]
    fn store_four_u8(self, values: [__m512; 4], to: &mut [u8]) {
        assert!(to.len() >= 4 * LANES);
        safe! {
            let [a, b, c, d] = values;
            let ab = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
            let cd = _mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d));
            // four bytes of each, four times
            let mixed = _mm512_packs_epi16(ab, cd);
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let bytes = _mm512_permutexvar_epi32(order, mixed);
            let shifted = _mm512_xor_si512(bytes, _mm512_set1_epi8(-128));
            _mm512_storeu_si512(to.as_mut_ptr().cast(), shifted);
        }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        safe!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn neg_mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        safe!(_mm512_fnmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        safe!(_mm512_abs_ps(a))
    }
    #[inline(always)]
    fn max_magnitude(self, a: __m512, b: __m512) -> __m512 {
        // without their sign floats are ordered as their bits are
        safe! {
            let a = _mm512_castps_si512(_mm512_abs_ps(a));
            _mm512_castsi512_ps(_mm512_max_epi32(a, _mm512_castps_si512(b)))
        }
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        safe!(_mm512_roundscale_ps::<0>(a))
    }
    #[inline(always)]
    fn scale(self, a: __m512, n: __m512) -> __m512 {
        safe!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn scale_far(self, a: __m512, n: __m512) -> __m512 {
        safe!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn reciprocal(self, a: __m512) -> __m512 {
        // One Newton step doubles the 14 bits of the estimate; a division takes three times as long.
        safe! {
            let guess = _mm512_rcp14_ps(a);
            let rest = _mm512_fnmadd_ps(a, guess, _mm512_set1_ps(1.0));
            _mm512_fmadd_ps(guess, rest, guess)
        }
    }
    #[inline(always)]
    fn reciprocal_estimate(self, a: __m512) -> __m512 {
        safe!(_mm512_rcp14_ps(a))
    }
    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        safe!(_mm512_reduce_add_ps(a))
    }
    #[inline(always)]
    fn zip(self, a: __m512, b: __m512) -> [__m512; 2] {
        safe! {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
            [_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b)]
        }
    }
    #[inline(always)]
    fn largest(self, a: __m512) -> f32 {
        safe!(_mm512_reduce_max_ps(a))
    }
}
