//! Operations on pairs of bf16 numbers for instruction sets that have none: right everywhere, fast nowhere.

use super::{MAX_LANES, Simd};

#[inline(always)]
pub(super) fn bf16_pairs<S: Simd>(s: S, low: S::Floats, high: S::Floats) -> S::Floats {
    let mut words = [0_u32; MAX_LANES];
    let halves: &mut [u16] = bytemuck::cast_slice_mut(&mut words);
    s.store_bf16(low, halves);
    s.store_bf16(high, &mut halves[S::LANES..]);
    s.load(bytemuck::cast_slice(&words))
}

#[inline(always)]
pub(super) fn add_bf16_products<S: Simd>(
    s: S,
    a: S::Floats,
    b: S::Floats,
    c: S::Floats,
) -> S::Floats {
    let [a_low, a_high] = widened(s, a);
    let [b_low, b_high] = widened(s, b);
    s.mul_add(a_high, b_high, s.mul_add(a_low, b_low, c))
}

#[inline(always)]
fn widened<S: Simd>(s: S, pairs: S::Floats) -> [S::Floats; 2] {
    let mut words = [0_u32; MAX_LANES];
    s.store(pairs, bytemuck::cast_slice_mut(&mut words));
    s.load_bf16_pairs(&words)
}
