//! Inner loops for NEON: 32 registers, of which 8 × 3 hold sums.

use std::arch::aarch64::*;

use super::{Encoding, Micro, tiles};
use crate::gemm::Precision;
use crate::gemm::float::{Single, Widened};
use crate::gemm::operand::Layout;
use crate::gemm::tile::Dot;
use crate::simd::Neon;

pub(super) fn choose(precision: Precision) -> &'static Micro {
    match precision {
        Precision::F32 => &F32,
        Precision::Bf16 => &BF16,
        Precision::Int8 => &INT8,
    }
}

tiles!(f32_tiles, "neon";
    // SAFETY: a caller of this function has NEON.
    Single(unsafe { Neon::proven() });
    peak f32_peak 8 3;
    1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6 7 8] 3: [1 2 3 4 5 6 7 8]);
tiles!(bf16_tiles, "neon";
    // SAFETY: a caller of this function has NEON.
    Widened(unsafe { Neon::proven() });
    1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6 7 8] 3: [1 2 3 4 5 6 7 8]);
tiles!(int8_tiles, "neon";
    // SAFETY: a caller of this function has NEON.
    Pairs(unsafe { Neon::proven() });
    1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6 7 8] 3: [1 2 3 4 5 6 7 8]);

static F32: Micro = Micro {
    rows: 8,
    lone_rows: 0..0,
    lanes: 4,
    vectors: 3,
    depth: 1,
    kept_bytes: usize::MAX,
    staged_bytes: usize::MAX,
    encoding: Encoding::F32,
    layout: Layout::F32,
    run: f32_tiles,
    run_registers: Some(f32_peak),
};

static BF16: Micro = Micro {
    rows: 8,
    lone_rows: 0..0,
    lanes: 4,
    vectors: 3,
    depth: 1,
    kept_bytes: usize::MAX,
    staged_bytes: usize::MAX,
    encoding: Encoding::Bf16Pairs,
    layout: Layout::F32,
    run: bf16_tiles,
    run_registers: Some(f32_peak),
};

static INT8: Micro = Micro {
    rows: 8,
    lone_rows: 0..0,
    lanes: 4,
    vectors: 3,
    depth: 1,
    kept_bytes: usize::MAX,
    staged_bytes: usize::MAX,
    encoding: Encoding::Int8Pairs,
    layout: Layout::I16,
    run: int8_tiles,
    run_registers: None,
};

macro_rules! safe {
    ($($body:tt)*) => {
        // SAFETY: used only inside the `tiles!` functions above, whose callers have NEON;
        // lengths are asserted by the caller of this macro.
        unsafe { $($body)* }
    };
}

/// Two products a step and lane with `smlal`, on numbers widened to 16 bits.
#[derive(Clone, Copy)]
struct Pairs(Neon);

impl Dot for Pairs {
    const LANES: usize = 4;
    const PRODUCTS: usize = 2;
    const LEFT_WORDS: usize = 1;
    const RIGHT_WORDS: usize = 2;
    /// The earlier number, the later one, of each pair in every lane.
    type Left = [int16x4_t; 2];
    type Right = [int16x4_t; 2];
    type Sum = int32x4_t;

    #[inline(always)]
    fn zero(self) -> int32x4_t {
        safe!(vdupq_n_s32(0))
    }
    #[inline(always)]
    fn left(self, words: &[u32], _: usize) -> [int16x4_t; 2] {
        safe!([
            vdup_n_s16(words[0] as i16),
            vdup_n_s16((words[0] >> 16) as i16)
        ])
    }
    #[inline(always)]
    fn right(self, words: &[u32], _: usize) -> [int16x4_t; 2] {
        assert!(words.len() >= 2);
        safe! {
            let pairs = vmovl_s8(vld1_s8(words.as_ptr().cast()));
            let (low, high) = (vget_low_s16(pairs), vget_high_s16(pairs));
            [vuzp1_s16(low, high), vuzp2_s16(low, high)]
        }
    }
    #[inline(always)]
    fn dot(self, sum: int32x4_t, left: [int16x4_t; 2], right: [int16x4_t; 2]) -> int32x4_t {
        safe!(vmlal_s16(
            vmlal_s16(sum, left[0], right[0]),
            left[1],
            right[1]
        ))
    }

    type Simd = Neon;
    #[inline(always)]
    fn simd(self) -> Neon {
        self.0
    }
    #[inline(always)]
    fn floats(self, sum: int32x4_t) -> float32x4_t {
        safe!(vcvtq_f32_s32(sum))
    }
}
