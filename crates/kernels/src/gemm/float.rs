//! Steps of the inner loop on floats, for any instruction set.

use super::tile::Dot;
use crate::simd::{MAX_LANES, Simd};

/// Weights in f32.
#[derive(Clone, Copy)]
pub(super) struct Single<S>(pub S);

impl<S: Simd> Dot for Single<S> {
    const LANES: usize = S::LANES;
    const PRODUCTS: usize = 1;
    const LEFT_WORDS: usize = 1;
    const RIGHT_WORDS: usize = S::LANES;
    const TAKES_PARTS: bool = S::LANES == MAX_LANES;
    type Left = S::Floats;
    type Right = S::Floats;
    type Sum = S::Floats;

    #[inline(always)]
    fn zero(self) -> S::Floats {
        self.0.splat(0.0)
    }
    #[inline(always)]
    fn left(self, words: &[u32], _: usize) -> S::Floats {
        self.0.splat(f32::from_bits(words[0]))
    }
    #[inline(always)]
    fn right(self, words: &[u32], _: usize) -> S::Floats {
        self.0.load(bytemuck::cast_slice(words))
    }
    #[inline(always)]
    fn dot(self, sum: S::Floats, left: S::Floats, right: S::Floats) -> S::Floats {
        self.0.mul_add(left, right, sum)
    }

    type Simd = S;
    #[inline(always)]
    fn simd(self) -> S {
        self.0
    }
    #[inline(always)]
    fn floats(self, sum: S::Floats) -> S::Floats {
        sum
    }
}

/// Weights in bf16, widened as they are loaded; the left side and the sums are f32.
#[derive(Clone, Copy)]
pub(super) struct Widened<S>(pub S);

impl<S: Simd> Dot for Widened<S> {
    const LANES: usize = S::LANES;
    const PRODUCTS: usize = 2;
    const LEFT_WORDS: usize = 2;
    const RIGHT_WORDS: usize = S::LANES;
    type Left = [S::Floats; 2];
    type Right = [S::Floats; 2];
    type Sum = S::Floats;

    #[inline(always)]
    fn zero(self) -> S::Floats {
        self.0.splat(0.0)
    }
    #[inline(always)]
    fn left(self, words: &[u32], _: usize) -> [S::Floats; 2] {
        [
            self.0.splat(f32::from_bits(words[0])),
            self.0.splat(f32::from_bits(words[1])),
        ]
    }
    #[inline(always)]
    fn right(self, words: &[u32], _: usize) -> [S::Floats; 2] {
        self.0.load_bf16_pairs(words)
    }
    #[inline(always)]
    fn dot(self, sum: S::Floats, left: [S::Floats; 2], right: [S::Floats; 2]) -> S::Floats {
        let sum = self.0.mul_add(left[0], right[0], sum);
        self.0.mul_add(left[1], right[1], sum)
    }

    type Simd = S;
    #[inline(always)]
    fn simd(self) -> S {
        self.0
    }
    #[inline(always)]
    fn floats(self, sum: S::Floats) -> S::Floats {
        sum
    }
}
