//! The portable inner loops: the twins that tests hold all others to.

use super::{Encoding, Micro, tiles};
use crate::gemm::Precision;
use crate::gemm::float::{Single, Widened};
use crate::gemm::operand::Layout;
use crate::gemm::tile::Dot;
use crate::simd::{Portable, Simd};

pub(super) fn choose(precision: Precision) -> &'static Micro {
    match precision {
        Precision::F32 => &F32,
        Precision::Bf16 => &BF16,
        Precision::Int8 => &INT8,
    }
}

// eight sums are all that the sixteen 128-bit registers of the plainest x86-64 leave room for
tiles!(f32_tiles; Single(Portable); 1: [1 2 3 4]);
tiles!(bf16_tiles; Widened(Portable); 1: [1 2 3 4]);
tiles!(int8_tiles; Pairs; 1: [1 2 3 4]);

static F32: Micro = Micro {
    rows: 4,
    lone_rows: 0..0,
    lanes: Portable::LANES,
    vectors: 1,
    depth: 1,
    kept_bytes: usize::MAX,
    staged_bytes: usize::MAX,
    encoding: Encoding::F32,
    layout: Layout::F32,
    run: f32_tiles,
    run_registers: None,
};

static BF16: Micro = Micro {
    rows: 4,
    lone_rows: 0..0,
    lanes: Portable::LANES,
    vectors: 1,
    depth: 1,
    kept_bytes: usize::MAX,
    staged_bytes: usize::MAX,
    encoding: Encoding::Bf16Pairs,
    layout: Layout::F32,
    run: bf16_tiles,
    run_registers: None,
};

static INT8: Micro = Micro {
    rows: 4,
    lone_rows: 0..0,
    lanes: Pairs::LANES,
    vectors: 1,
    depth: 1,
    kept_bytes: usize::MAX,
    staged_bytes: usize::MAX,
    encoding: Encoding::Int8Pairs,
    layout: Layout::I16,
    run: int8_tiles,
    run_registers: None,
};

/// Two 8-bit products a step and lane, summed exactly. Meant to be compared with: without
/// instructions for it, 8-bit arithmetic is slower than f32.
#[derive(Clone, Copy)]
struct Pairs;

impl Dot for Pairs {
    const LANES: usize = 8;
    const PRODUCTS: usize = 2;
    const LEFT_WORDS: usize = 1;
    const RIGHT_WORDS: usize = 4;
    type Left = [i32; 2];
    type Right = [[i32; 2]; 8];
    type Sum = [i32; 8];

    #[inline(always)]
    fn zero(self) -> [i32; 8] {
        [0; 8]
    }
    #[inline(always)]
    fn left(self, words: &[u32], _: usize) -> [i32; 2] {
        [
            i32::from(words[0] as i16),
            i32::from((words[0] >> 16) as i16),
        ]
    }
    #[inline(always)]
    fn right(self, words: &[u32], _: usize) -> [[i32; 2]; 8] {
        let mut out = [[0; 2]; 8];
        for (pairs, word) in out.chunks_exact_mut(2).zip(words) {
            let bytes = word.to_le_bytes().map(|byte| i32::from(byte as i8));
            pairs[0] = [bytes[0], bytes[1]];
            pairs[1] = [bytes[2], bytes[3]];
        }
        out
    }
    #[inline(always)]
    fn dot(self, sum: [i32; 8], left: [i32; 2], right: [[i32; 2]; 8]) -> [i32; 8] {
        let mut out = sum;
        for (out, right) in out.iter_mut().zip(right) {
            *out += left[0] * right[0] + left[1] * right[1];
        }
        out
    }

    type Simd = Portable;
    #[inline(always)]
    fn simd(self) -> Portable {
        Portable
    }
    #[inline(always)]
    fn floats(self, sum: [i32; 8]) -> <Portable as Simd>::Floats {
        Portable.load(&sum.map(|sum| sum as f32))
    }
}
