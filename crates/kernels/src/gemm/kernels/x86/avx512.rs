//! Inner loops for AVX-512, and with its bf16 and VNNI instructions where they are there.

use std::arch::x86_64::*;

use crate::gemm::float::{Single, Widened};
use crate::gemm::kernels::{Encoding, Micro, tiles};
use crate::gemm::operand::Layout;
use crate::gemm::tile::Dot;
use crate::simd::Avx512;

tiles!(f32_tiles, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma";
    // SAFETY: a caller of this function has AVX-512 F, BW, DQ and VL.
    Single(unsafe { Avx512::proven() });
    peak f32_peak 8 3;
    1: [1 2 3 4 5 6 7 8 9 10 11 12] 2: [1 2 3 4 5 6 7 8 9 10 11 12] 3: [1 2 3 4 5 6 7 8]);
tiles!(widened_tiles, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma";
    // SAFETY: a caller of this function has AVX-512 F, BW, DQ and VL.
    Widened(unsafe { Avx512::proven() });
    1: [1 2 3 4 5 6 7 8 9 10 11 12] 2: [1 2 3 4 5 6 7 8 9 10 11 12]);
tiles!(bf16_tiles, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512bf16";
    // SAFETY: a caller of this function has AVX-512 F, BW, DQ and VL.
    Halves(unsafe { Avx512::proven() });
    peak bf16_peak 8 3;
    1: [1 2 3 4 5 6 7 8 9 10 11 12] 2: [1 2 3 4 5 6 7 8 9 10 11 12] 3: [1 2 3 4 5 6 7 8]);
tiles!(int8_tiles, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma";
    // SAFETY: a caller of this function has AVX-512 F, BW, DQ and VL.
    Pairs(unsafe { Avx512::proven() });
    1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6 7 8] 3: [1 2 3 4 5 6 7 8]);
tiles!(vnni_tiles, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,avx512vnni";
    // SAFETY: a caller of this function has AVX-512 F, BW, DQ and VL.
    Quads(unsafe { Avx512::proven() });
    peak vnni_peak 8 3;
    1: [1 2 3 4 5 6 7 8 9 10 11 12] 2: [1 2 3 4 5 6 7 8 9 10 11 12] 3: [1 2 3 4 5 6 7 8]);

pub(super) const PLAIN: Micro = Micro {
    rows: 8,
    lone_rows: 0..0,
    lanes: 16,
    vectors: 3,
    depth: 1,
    kept_bytes: usize::MAX,
    staged_bytes: usize::MAX,
    encoding: Encoding::F32,
    layout: Layout::F32,
    run: f32_tiles,
    run_registers: Some(f32_peak),
};

/// A text of 12 tokens took 6.2 ms on a Zen 5 in two tiles of 6 × 3, and takes 5.2 in one of 12 (bf16: 2.8 and 2.45; int8, 8
/// tokens: 1.6 and 1.1). Of 4 rows f32 becomes a tenth slower. As the shape of all tiles, 12 × 2 is up to 4 % slower.
pub(super) static F32: Micro = Micro {
    lone_rows: 7..13,
    ..PLAIN
};

/// Its peak is that of floats, which is what it multiplies. More rows and fewer columns than the others, so that
/// more products share the widening of a weight.
pub(super) static BF16_WIDENED: Micro = Micro {
    rows: 12,
    vectors: 2,
    encoding: Encoding::Bf16Pairs,
    run: widened_tiles,
    ..PLAIN
};

pub(super) static BF16: Micro = Micro {
    encoding: Encoding::Bf16Pairs,
    lone_rows: 4..13,
    layout: Layout::Bf16,
    run: bf16_tiles,
    run_registers: Some(bf16_peak),
    ..PLAIN
};

pub(super) static INT8: Micro = Micro {
    encoding: Encoding::Int8Pairs,
    layout: Layout::I16,
    run: int8_tiles,
    run_registers: None,
    ..PLAIN
};

/// So fast that reading counts: batches of 8 took 3 to 7 % longer with all rows at once, on two threads up to 20 % (Zen 4,
/// 1 MiB of second-level cache a core; f32 and bf16 gained nothing).
pub(super) static INT8_VNNI: Micro = Micro {
    kept_bytes: 256 * 1024,
    staged_bytes: 512 * 1024,
    lone_rows: 4..13,
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

/// A `Dot` whose left side is a word in every lane; what it loads and how it multiplies is given.
macro_rules! word_dot {
    (
        $(#[$documentation:meta])*
        $name:ident, $products:literal products, $right_words:literal words;
        right($words:ident) $load:block
        dot($sum:ident, $left:ident, $right:ident) $dot:block
        floats($total:ident) $floats:block
        $(corrected($corrected:ident, $corrections:ident) $correct:block)?
    ) => {
        $(#[$documentation])*
        #[derive(Clone, Copy)]
        pub(super) struct $name(pub Avx512);

        impl Dot for $name {
            const LANES: usize = 16;
            const PRODUCTS: usize = $products;
            const LEFT_WORDS: usize = 1;
            const RIGHT_WORDS: usize = $right_words;
            const TAKES_PARTS: bool = true;
            type Left = __m512i;
            type Right = __m512i;
            type Sum = __m512i;

            #[inline(always)]
            fn zero(self) -> __m512i {
                safe!(_mm512_setzero_si512())
            }
            #[inline(always)]
            fn left(self, words: &[u32], _: usize) -> __m512i {
                safe!(_mm512_set1_epi32(words[0].cast_signed()))
            }
            #[inline(always)]
            fn right(self, words: &[u32], _: usize) -> __m512i {
                assert!(words.len() >= $right_words);
                let $words = words.as_ptr();
                safe!($load)
            }
            #[inline(always)]
            fn dot(self, $sum: __m512i, $left: __m512i, $right: __m512i) -> __m512i {
                safe!($dot)
            }

            type Simd = Avx512;
            #[inline(always)]
            fn simd(self) -> Avx512 {
                self.0
            }
            #[inline(always)]
            fn floats(self, $total: __m512i) -> __m512 {
                safe!($floats)
            }
            $(
                #[inline(always)]
                fn corrected(self, $corrected: __m512i, corrections: &[i32]) -> __m512i {
                    assert!(corrections.len() >= 16);
                    let $corrections = corrections.as_ptr();
                    safe!($correct)
                }
            )?
        }
    };
}

word_dot! {
    /// Two bf16 products a step and lane with `vdpbf16ps`, which takes denormals for zero.
    Halves, 2 products, 16 words;
    right(words) { _mm512_loadu_si512(words.cast()) }
    dot(sum, left, right) {
        let left = std::mem::transmute::<__m512i, __m512bh>(left);
        let right = std::mem::transmute::<__m512i, __m512bh>(right);
        _mm512_castps_si512(_mm512_dpbf16_ps(_mm512_castsi512_ps(sum), left, right))
    }
    floats(sum) { _mm512_castsi512_ps(sum) }
}

word_dot! {
    /// Two products a step and lane with `vpmaddwd`, on numbers widened to 16 bits.
    Pairs, 2 products, 8 words;
    right(words) { _mm512_cvtepi8_epi16(_mm256_loadu_si256(words.cast())) }
    dot(sum, left, right) { _mm512_add_epi32(sum, _mm512_madd_epi16(left, right)) }
    floats(sum) { _mm512_cvtepi32_ps(sum) }
}

word_dot! {
    /// Four products a step and lane with `vpdpbusd`: bytes times signed bytes, exactly.
    Quads, 4 products, 16 words;
    right(words) { _mm512_loadu_si512(words.cast()) }
    dot(sum, left, right) { _mm512_dpbusd_epi32(sum, left, right) }
    floats(sum) { _mm512_cvtepi32_ps(sum) }
    corrected(sum, corrections) {
        _mm512_add_epi32(sum, _mm512_loadu_si512(corrections.cast()))
    }
}
