//! Inner loops for AVX2 with FMA, and with AVX-VNNI where it is there.

use std::arch::x86_64::*;

use crate::gemm::float::Single;
use crate::gemm::kernels::{Encoding, Micro, tiles};
use crate::gemm::operand::Layout;
use crate::gemm::tile::Dot;
use crate::simd::{Avx2, Simd};

tiles!(f32_tiles, "avx2,fma";
    // SAFETY: a caller of this function has AVX2 and FMA.
    Single(unsafe { Avx2::proven() });
    peak f32_peak 6 2;
    1: [1 2 3 4 5 6] 2: [1 2 3 4 5 6]);
tiles!(bf16_tiles, "avx2,fma";
    // SAFETY: a caller of this function has AVX2 and FMA.
    Widened(unsafe { Avx2::proven() });
    1: [1 2 3 4 5 6] 2: [1 2 3 4 5 6]);
tiles!(int8_tiles, "avx2,fma";
    // SAFETY: a caller of this function has AVX2 and FMA.
    Pairs(unsafe { Avx2::proven() });
    1: [1 2 3 4 5 6] 2: [1 2 3 4 5 6]);
tiles!(vnni_tiles, "avx2,fma,avxvnni";
    // SAFETY: a caller of this function has AVX2, FMA and AVX-VNNI.
    Quads(unsafe { Avx2::proven() });
    peak vnni_peak 6 2;
    1: [1 2 3 4 5 6] 2: [1 2 3 4 5 6]);

const PLAIN: Micro = Micro {
    rows: 6,
    lone_rows: 0..0,
    lanes: 8,
    vectors: 2,
    depth: 1,
    kept_bytes: usize::MAX,
    staged_bytes: usize::MAX,
    encoding: Encoding::F32,
    layout: Layout::F32,
    run: f32_tiles,
    run_registers: Some(f32_peak),
};

pub(super) static F32: Micro = PLAIN;

/// Its peak is that of floats, which is what it multiplies.
pub(super) static BF16: Micro = Micro {
    encoding: Encoding::Bf16Pairs,
    run: bf16_tiles,
    ..PLAIN
};

pub(super) static INT8: Micro = Micro {
    encoding: Encoding::Int8Pairs,
    layout: Layout::I16,
    run: int8_tiles,
    run_registers: None,
    ..PLAIN
};

pub(super) static INT8_VNNI: Micro = Micro {
    encoding: Encoding::Int8Quads,
    layout: Layout::U8,
    run: vnni_tiles,
    run_registers: Some(vnni_peak),
    ..PLAIN
};

macro_rules! safe {
    ($($body:tt)*) => {
        // SAFETY: used only inside the `tiles!` functions above, whose callers have the
        // instructions; lengths are asserted by the caller of this macro.
        unsafe { $($body)* }
    };
}

/// Weights in bf16, widened as they are loaded, the earlier of all pairs first: beside twelve sums there are registers for two
/// vectors of floats and not for four, with which products took twice as long.
#[derive(Clone, Copy)]
struct Widened(Avx2);

impl Dot for Widened {
    const LANES: usize = 8;
    const PARTS: usize = 2;
    const PRODUCTS: usize = 1;
    const LEFT_WORDS: usize = 2;
    const RIGHT_WORDS: usize = 8;
    type Left = __m256;
    type Right = __m256;
    type Sum = __m256;

    #[inline(always)]
    fn zero(self) -> __m256 {
        self.0.splat(0.0)
    }
    #[inline(always)]
    fn left(self, words: &[u32], part: usize) -> __m256 {
        self.0.splat(f32::from_bits(words[part]))
    }
    #[inline(always)]
    fn right(self, words: &[u32], part: usize) -> __m256 {
        self.0.load_bf16_pairs(words)[part]
    }
    #[inline(always)]
    fn dot(self, sum: __m256, left: __m256, right: __m256) -> __m256 {
        self.0.mul_add(left, right, sum)
    }

    type Simd = Avx2;
    #[inline(always)]
    fn simd(self) -> Avx2 {
        self.0
    }
    #[inline(always)]
    fn floats(self, sum: __m256) -> __m256 {
        sum
    }
}

/// Two products a step and lane with `vpmaddwd`, on numbers widened to 16 bits.
///
/// `vpmaddubsw` would take 8-bit numbers, but its 16-bit sums saturate: keeping it exact
/// costs two instructions more for twice the products, which is no gain.
#[derive(Clone, Copy)]
struct Pairs(Avx2);

impl Dot for Pairs {
    const LANES: usize = 8;
    const PRODUCTS: usize = 2;
    const LEFT_WORDS: usize = 1;
    const RIGHT_WORDS: usize = 4;
    type Left = __m256i;
    type Right = __m256i;
    type Sum = __m256i;

    #[inline(always)]
    fn zero(self) -> __m256i {
        safe!(_mm256_setzero_si256())
    }
    #[inline(always)]
    fn left(self, words: &[u32], _: usize) -> __m256i {
        safe!(_mm256_set1_epi32(words[0].cast_signed()))
    }
    #[inline(always)]
    fn right(self, words: &[u32], _: usize) -> __m256i {
        assert!(words.len() >= 4);
        safe!(_mm256_cvtepi8_epi16(_mm_loadu_si128(words.as_ptr().cast())))
    }
    #[inline(always)]
    fn dot(self, sum: __m256i, left: __m256i, right: __m256i) -> __m256i {
        safe!(_mm256_add_epi32(sum, _mm256_madd_epi16(left, right)))
    }

    type Simd = Avx2;
    #[inline(always)]
    fn simd(self) -> Avx2 {
        self.0
    }
    #[inline(always)]
    fn floats(self, sum: __m256i) -> __m256 {
        safe!(_mm256_cvtepi32_ps(sum))
    }
}

/// Four products a step and lane with `vpdpbusd`: bytes times signed bytes, exactly.
#[derive(Clone, Copy)]
struct Quads(Avx2);

impl Dot for Quads {
    const LANES: usize = 8;
    const PRODUCTS: usize = 4;
    const LEFT_WORDS: usize = 1;
    const RIGHT_WORDS: usize = 8;
    type Left = __m256i;
    type Right = __m256i;
    type Sum = __m256i;

    #[inline(always)]
    fn zero(self) -> __m256i {
        safe!(_mm256_setzero_si256())
    }
    #[inline(always)]
    fn left(self, words: &[u32], _: usize) -> __m256i {
        safe!(_mm256_set1_epi32(words[0].cast_signed()))
    }
    #[inline(always)]
    fn right(self, words: &[u32], _: usize) -> __m256i {
        assert!(words.len() >= 8);
        safe!(_mm256_loadu_si256(words.as_ptr().cast()))
    }
    #[inline(always)]
    fn dot(self, sum: __m256i, left: __m256i, right: __m256i) -> __m256i {
        safe!(_mm256_dpbusd_avx_epi32(sum, left, right))
    }

    type Simd = Avx2;
    #[inline(always)]
    fn simd(self) -> Avx2 {
        self.0
    }
    #[inline(always)]
    fn corrected(self, sum: __m256i, corrections: &[i32]) -> __m256i {
        assert!(corrections.len() >= 8);
        safe!(_mm256_add_epi32(
            sum,
            _mm256_loadu_si256(corrections.as_ptr().cast())
        ))
    }
    #[inline(always)]
    fn floats(self, sum: __m256i) -> __m256 {
        safe!(_mm256_cvtepi32_ps(sum))
    }
}
