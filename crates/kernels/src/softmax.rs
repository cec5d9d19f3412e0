//! Softmax over rows, as a part of attention and on its own.

use crate::activation::exp;
use crate::dispatch::Cpu;
use crate::simd::{Kernel, Simd};

/// Replaces each row of `width` elements by its softmax: `e^x / Σ e^x`.
///
/// Relative error below 5e-6 for elements of magnitude up to 60. A row with a NaN or `+∞`
/// becomes NaN; `-∞` becomes 0 (or less than 2e-38) beside a finite element.
///
/// # Panics
/// If `width` is 0 or `rows` is not a whole number of rows.
pub fn softmax(cpu: Cpu, rows: &mut [f32], width: usize) {
    assert!(width > 0 && rows.len().is_multiple_of(width));
    for row in rows.chunks_exact_mut(width) {
        cpu.run(Row(row));
    }
}

struct Row<'a>(&'a mut [f32]);

impl Kernel for Row<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let total = exponentials(s, self.0, self.0.len(), 1.0);
        let factor = s.splat(1.0 / total);
        let mut chunks = self.0.chunks_exact_mut(S::LANES);
        for chunk in &mut chunks {
            let value = s.mul(s.load(chunk), factor);
            s.store(value, chunk);
        }
        let tail = chunks.into_remainder();
        let value = s.mul(s.load_head(tail), factor);
        s.store_head(value, tail);
    }
}

/// Replaces each `x` of the first `count` by `e^(scale (x - largest))` and the others by zeros, and answers the sum: a softmax
/// but for the division. The sum is NaN if one of the first is NaN or `+∞`.
#[inline(always)]
pub(crate) fn exponentials<S: Simd>(s: S, row: &mut [f32], count: usize, scale: f32) -> f32 {
    let nothing = s.splat(f32::NEG_INFINITY);
    let mut largest = nothing;
    let mut chunks = row[..count].chunks_exact(S::LANES);
    for chunk in &mut chunks {
        // in this order a NaN is passed over
        largest = s.max(s.load(chunk), largest);
    }
    let tail = s.load_before(chunks.remainder(), nothing);
    let largest = s.splat(s.largest(s.max(tail, largest)));

    let scale = s.splat(scale);
    let mut sum = s.splat(0.0);
    let behind = count % S::LANES;
    let (whole, rest) = row.split_at_mut(count - behind);
    for chunk in whole.chunks_exact_mut(S::LANES) {
        let value = exp(s, s.mul(s.sub(s.load(chunk), largest), scale));
        sum = s.add(sum, value);
        s.store(value, chunk);
    }
    let mut rest = rest.chunks_mut(S::LANES);
    if behind > 0
        && let Some(chunk) = rest.next()
    {
        let value = s.keep(exp(s, s.mul(s.sub(tail, largest), scale)), behind);
        sum = s.add(sum, value);
        s.store_head(value, chunk);
    }
    for chunk in rest {
        s.store_head(s.splat(0.0), chunk);
    }
    s.sum(sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Random;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 64 }))]

        #[test]
        fn every_level_is_close_to_exact(
            rows in 1_usize..5, width in 1_usize..140, spread in 0.0_f32..60.0, seed: u64,
        ) {
            let mut x = Random::new(seed).floats(rows * width);
            for x in &mut x {
                *x *= spread;
            }
            for cpu in Cpu::available() {
                let mut got = x.clone();
                softmax(cpu, &mut got, width);
                for (got, x) in got.chunks_exact(width).zip(x.chunks_exact(width)) {
                    let largest = x.iter().fold(f64::NEG_INFINITY, |m, x| m.max(f64::from(*x)));
                    let powers = x.iter().map(|x| (f64::from(*x) - largest).exp());
                    let total: f64 = powers.clone().sum();
                    for (got, power) in got.iter().zip(powers) {
                        let want = power / total;
                        let error = (f64::from(*got) - want).abs();
                        prop_assert!(error <= 5e-6 * want + 2e-38, "{}: {got} {want}", cpu.isa());
                    }
                }
            }
        }
    }

    #[test]
    fn infinities_and_nan_act_as_documented() {
        for cpu in Cpu::available() {
            for width in [2, 20] {
                for at in [0, width - 1] {
                    let with = |special: f32| {
                        let mut row = vec![0.0; width];
                        row[at] = special;
                        softmax(cpu, &mut row, width);
                        row
                    };
                    assert!(with(f32::NAN).iter().all(|x| x.is_nan()), "{}", cpu.isa());
                    assert!(with(f32::INFINITY).iter().all(|x| x.is_nan()));
                    let row = with(f32::NEG_INFINITY);
                    assert!(row[at] < 2e-38);
                    assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                }
            }
        }
    }
}
