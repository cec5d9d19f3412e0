//! Vectors of eight floats with AVX2 and FMA.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

const LANES: usize = 8;

/// Proof that AVX2 and FMA may be executed: only [`run`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The processor must have AVX2 and FMA.
    pub(crate) unsafe fn proven() -> Self {
        Self(())
    }
}

/// Compiles `kernel` for AVX2 and runs it.
///
/// # Safety
/// The processor must have AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

// Loads and stores: each asserts the length it touches. The functions have no
// target feature of their own because they are inlined into `run`, which has.
macro_rules! safe {
    ($($body:tt)*) => {
        // SAFETY: the token proves AVX2 and FMA; lengths are asserted by the caller of this macro.
        unsafe { $($body)* }
    };
}

/// Ones in the first `count` lanes.
#[inline(always)]
fn head(count: usize) -> __m256i {
    assert!(count <= LANES);
    safe! {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
    }
}

impl Simd for Avx2 {
    const LANES: usize = LANES;
    type Floats = __m256;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        safe!(_mm256_set1_ps(value))
    }
    #[inline(always)]
    fn load(self, from: &[f32]) -> __m256 {
        assert!(from.len() >= LANES);
        safe!(_mm256_loadu_ps(from.as_ptr()))
    }
    #[inline(always)]
    fn load_head(self, from: &[f32]) -> __m256 {
        let mask = head(from.len());
        safe!(_mm256_maskload_ps(from.as_ptr(), mask))
    }
    #[inline(always)]
    fn load_before(self, from: &[f32], behind: __m256) -> __m256 {
        let value = self.load_head(from);
        let mask = head(from.len());
        safe!(_mm256_blendv_ps(behind, value, _mm256_castsi256_ps(mask)))
    }
    #[inline(always)]
    fn keep(self, value: __m256, count: usize) -> __m256 {
        let mask = head(count);
        safe!(_mm256_and_ps(value, _mm256_castsi256_ps(mask)))
    }
    #[inline(always)]
    fn load_bf16_pairs(self, from: &[u32]) -> [__m256; 2] {
        assert!(from.len() >= LANES);
        safe! {
            let words = _mm256_loadu_si256(from.as_ptr().cast());
            let low = _mm256_slli_epi32::<16>(words);
            let high = _mm256_and_si256(words, _mm256_set1_epi32(0xffff_0000_u32.cast_signed()));
            [_mm256_castsi256_ps(low), _mm256_castsi256_ps(high)]
        }
    }
    #[inline(always)]
    fn store(self, value: __m256, to: &mut [f32]) {
        assert!(to.len() >= LANES);
        safe!(_mm256_storeu_ps(to.as_mut_ptr(), value));
    }
    #[inline(always)]
    fn store_head(self, value: __m256, to: &mut [f32]) {
        let mut whole = [0.0; LANES];
        self.store(value, &mut whole);
        to.copy_from_slice(&whole[..to.len()]);
    }
    #[inline(always)]
    fn store_bf16(self, value: __m256, to: &mut [u16]) {
        assert!(to.len() >= LANES);
        safe! {
            let bits = _mm256_castps_si256(value);
            let high = _mm256_srli_epi32::<16>(bits);
            let odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
            let carry = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), odd);
            let rounded = _mm256_srli_epi32::<16>(_mm256_add_epi32(bits, carry));
            let quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
            let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(value, value));
            let words = _mm256_blendv_epi8(rounded, quiet, nan);
            let halves = _mm256_packus_epi32(words, words);
            let halves = _mm256_permute4x64_epi64::<0b1000>(halves);
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm256_castsi256_si128(halves));
        }
    }
    #[inline(always)]
    fn store_i16(self, value: __m256, to: &mut [i16]) {
        assert!(to.len() >= LANES);
        safe! {
            let words = _mm256_cvtps_epi32(value);
            let halves = _mm256_packs_epi32(words, words);
            let halves = _mm256_permute4x64_epi64::<0b1000>(halves);
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm256_castsi256_si128(halves));
        }
    }
    #[inline(always)]
    fn store_u8(self, value: __m256, to: &mut [u8]) {
        assert!(to.len() >= LANES);
        safe! {
            let words = _mm256_cvtps_epi32(value);
            let halves = _mm256_packs_epi32(words, words);
            let halves = _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b1000>(halves));
            let bytes = _mm_packus_epi16(_mm_add_epi16(halves, _mm_set1_epi16(128)), halves);
            _mm_storel_epi64(to.as_mut_ptr().cast(), bytes);
        }
    }
    #[inline(always)]
    fn store_four_u8(self, values: [__m256; 4], to: &mut [u8]) {
        assert!(to.len() >= 4 * LANES);
        safe! {
            let [a, b, c, d] = values;
            let ab = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
            let cd = _mm256_packs_epi32(_mm256_cvtps_epi32(c), _mm256_cvtps_epi32(d));
            // four bytes of each, twice
            let mixed = _mm256_packs_epi16(ab, cd);
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            let bytes = _mm256_permutevar8x32_epi32(mixed, order);
            let shifted = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), shifted);
        }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        safe!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        safe!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        safe!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        safe!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn neg_mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        safe!(_mm256_fnmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        safe!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        safe!(_mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, a: __m256) -> __m256 {
        safe!(_mm256_andnot_ps(_mm256_set1_ps(-0.0), a))
    }
    #[inline(always)]
    fn max_magnitude(self, a: __m256, b: __m256) -> __m256 {
        // without their sign floats are ordered as their bits are
        safe! {
            let a = _mm256_castps_si256(_mm256_andnot_ps(_mm256_set1_ps(-0.0), a));
            _mm256_castsi256_ps(_mm256_max_epi32(a, _mm256_castps_si256(b)))
        }
    }
    #[inline(always)]
    fn round(self, a: __m256) -> __m256 {
        safe!(_mm256_round_ps::<
            { _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC },
        >(a))
    }
    #[inline(always)]
    fn scale(self, a: __m256, n: __m256) -> __m256 {
        safe! {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
        }
    }
    #[inline(always)]
    fn reciprocal(self, a: __m256) -> __m256 {
        safe!(_mm256_div_ps(_mm256_set1_ps(1.0), a))
    }
    #[inline(always)]
    fn reciprocal_estimate(self, a: __m256) -> __m256 {
        safe!(_mm256_rcp_ps(a))
    }
    #[inline(always)]
    fn sum(self, a: __m256) -> f32 {
        safe! {
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    #[inline(always)]
    fn zip(self, a: __m256, b: __m256) -> [__m256; 2] {
        safe! {
            // within each half of the register first
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            [
                _mm256_permute2f128_ps::<0x20>(low, high),
                _mm256_permute2f128_ps::<0x31>(low, high),
            ]
        }
    }
    #[inline(always)]
    fn largest(self, a: __m256) -> f32 {
        safe! {
            let four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        }
    }
}
