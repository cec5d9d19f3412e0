//! Layer normalisation (Ba, Kiros and Hinton, 2016), as the `LayerNorm` of `PyTorch` over the last dimension.

use crate::gemm::{Layout, Operand};
use crate::machine::Machine;
use crate::memory::Shared;
use crate::simd::{Kernel, Simd};

/// `(x - mean) / sqrt(variance + epsilon) * gain + bias`, row by row.
///
/// A row with an infinity or a NaN becomes NaN as a whole.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    gain: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

/// Rows that a thread takes at a time, at least.
const ROW_GRAIN: usize = 8;

impl LayerNorm {
    /// A norm over rows of `gain.len()` elements.
    ///
    /// # Panics
    /// If there are none, or `bias` is of another length.
    pub fn new(gain: Vec<f32>, bias: Vec<f32>, epsilon: f32) -> Self {
        assert!(!gain.is_empty() && gain.len() == bias.len());
        Self {
            gain,
            bias,
            epsilon,
        }
    }

    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.gain.len()
    }

    /// Writes the normalised rows of `x` to `to`.
    ///
    /// # Panics
    /// If the lengths differ or are not a whole number of rows.
    pub fn apply(&self, machine: &Machine, x: &[f32], to: &mut [f32]) {
        let width = self.width();
        assert!(x.len() == to.len() && x.len().is_multiple_of(width));
        let to = Shared::new(to);
        machine
            .pool
            .run_ranges(x.len() / width, ROW_GRAIN, |range| {
                for row in range {
                    let elements = row * width..(row + 1) * width;
                    // SAFETY: each row is in one range.
                    let to = unsafe { to.part(elements.clone()) };
                    self.row(machine, &x[elements], to);
                }
            });
    }

    /// Makes `to` the normalised rows of `x` in `layout`.
    ///
    /// # Panics
    /// If `x` is not a whole number of rows.
    pub fn apply_to_operand(&self, machine: &Machine, x: &[f32], layout: Layout, to: &mut Operand) {
        let width = self.width();
        assert!(x.len().is_multiple_of(width));
        let rows = x.len() / width;
        to.reset(layout.into(), rows, width);
        let writer = to.writer();
        machine.pool.run_ranges(rows, ROW_GRAIN, |range| {
            let mut normal = vec![0.0; width];
            for row in range {
                self.row(machine, &x[row * width..(row + 1) * width], &mut normal);
                // SAFETY: each row is in one range.
                unsafe { writer.row(machine.cpu, row, &normal) };
            }
        });
    }

    fn row(&self, machine: &Machine, x: &[f32], to: &mut [f32]) {
        machine.cpu.run(Row { norm: self, x, to });
    }
}

struct Row<'a> {
    norm: &'a LayerNorm,
    x: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.x.len() as f32;
        let mean = sum(s, self.x) / width;
        let variance = squares(s, self.x, mean) / width;
        let factor = s.splat(1.0 / (variance + self.norm.epsilon).sqrt());
        let mean = s.splat(mean);

        let mut x = self.x.chunks_exact(S::LANES);
        let mut gain = self.norm.gain.chunks_exact(S::LANES);
        let mut bias = self.norm.bias.chunks_exact(S::LANES);
        let mut to = self.to.chunks_exact_mut(S::LANES);
        for (((to, x), gain), bias) in (&mut to).zip(&mut x).zip(&mut gain).zip(&mut bias) {
            let x = s.mul(s.sub(s.load(x), mean), factor);
            s.store(s.mul_add(x, s.load(gain), s.load(bias)), to);
        }
        let x = s.mul(s.sub(s.load_head(x.remainder()), mean), factor);
        let gain = s.load_head(gain.remainder());
        let value = s.mul_add(x, gain, s.load_head(bias.remainder()));
        s.store_head(value, to.into_remainder());
    }
}

#[inline(always)]
fn sum<S: Simd>(s: S, x: &[f32]) -> f32 {
    // two sums: one alone would wait for each addition before the next
    let mut sums = [s.splat(0.0); 2];
    let mut pairs = x.chunks_exact(2 * S::LANES);
    for pair in &mut pairs {
        sums[0] = s.add(sums[0], s.load(pair));
        sums[1] = s.add(sums[1], s.load(&pair[S::LANES..]));
    }
    for chunk in pairs.remainder().chunks(S::LANES) {
        sums[0] = s.add(sums[0], s.load_head(chunk));
    }
    s.sum(s.add(sums[0], sums[1]))
}

/// The sum of `(x - mean)²`.
#[inline(always)]
fn squares<S: Simd>(s: S, x: &[f32], mean: f32) -> f32 {
    let centre = s.splat(mean);
    let mut sums = [s.splat(0.0); 2];
    let mut pairs = x.chunks_exact(2 * S::LANES);
    for pair in &mut pairs {
        let a = s.sub(s.load(pair), centre);
        let b = s.sub(s.load(&pair[S::LANES..]), centre);
        sums[0] = s.mul_add(a, a, sums[0]);
        sums[1] = s.mul_add(b, b, sums[1]);
    }
    let mut total = 0.0;
    let mut chunks = pairs.remainder().chunks_exact(S::LANES);
    for chunk in &mut chunks {
        let a = s.sub(s.load(chunk), centre);
        sums[0] = s.mul_add(a, a, sums[0]);
    }
    for x in chunks.remainder() {
        total += (x - mean) * (x - mean);
    }
    total + s.sum(s.add(sums[0], sums[1]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dispatch::Cpu;
    use crate::testing::Random;

    fn reference(norm: &LayerNorm, x: &[f32]) -> Vec<f64> {
        let width = norm.width() as f64;
        let mut out = Vec::new();
        for row in x.chunks_exact(norm.width()) {
            let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / width;
            let variance = row
                .iter()
                .map(|x| (f64::from(*x) - mean).powi(2))
                .sum::<f64>()
                / width;
            for ((x, gain), bias) in row.iter().zip(&norm.gain).zip(&norm.bias) {
                let normal = (f64::from(*x) - mean) / (variance + f64::from(norm.epsilon)).sqrt();
                out.push(normal * f64::from(*gain) + f64::from(*bias));
            }
        }
        out
    }

    /// How far the numbers of a row are from their mean, as the norm divides by it.
    fn deviation(row: &[f32]) -> f64 {
        let width = row.len() as f64;
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / width;
        let squares = row.iter().map(|x| (f64::from(*x) - mean).powi(2));
        (squares.sum::<f64>() / width + 1e-5).sqrt()
    }

    fn case(rows: usize, width: usize, seed: u64) -> (LayerNorm, Vec<f32>) {
        let mut random = Random::new(seed);
        let norm = LayerNorm::new(random.floats(width), random.floats(width), 1e-5);
        let mut x = random.floats(rows * width);
        // a mean far from 0 is what a careless one-pass variance fails on
        for x in &mut x {
            *x += 20.0;
        }
        (norm, x)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 64 }))]

        #[test]
        fn every_level_is_close_to_exact(rows in 1_usize..20, width in 1_usize..140, seed: u64) {
            let (norm, x) = case(rows, width, seed);
            let want = reference(&norm, &x);
            for cpu in Cpu::available() {
                let mut got = vec![f32::NAN; x.len()];
                norm.apply(&Machine::new(cpu, 1), &x, &mut got);
                for (at, (got, want)) in got.iter().zip(&want).enumerate() {
                    // What the rounding of the mean, 2^-20 at 20, is once divided by the deviation.
                    let row = &x[at / width * width..][..width];
                    let tolerance = 1e-5 + 4e-6 / deviation(row);
                    let error = (f64::from(*got) - want).abs();
                    prop_assert!(error < tolerance, "{}: {got} {want}", cpu.isa());
                }
                let mut threaded = vec![f32::NAN; x.len()];
                norm.apply(&Machine::new(cpu, 3), &x, &mut threaded);
                prop_assert_eq!(&threaded, &got);
            }
        }
    }

    #[test]
    fn operands_hold_the_encoded_rows() {
        let (norm, x) = case(21, 50, 7);
        for cpu in Cpu::available() {
            let machine = Machine::new(cpu, 2);
            let mut rows = vec![0.0; x.len()];
            norm.apply(&machine, &x, &mut rows);
            for layout in [Layout::F32, Layout::Bf16, Layout::U8, Layout::I16] {
                let (mut got, mut want) = (Operand::new(), Operand::new());
                norm.apply_to_operand(&machine, &x, layout, &mut got);
                want.assign(&machine, layout, &rows, 50);
                assert!(got == want, "{layout:?} on {}", cpu.isa());
            }
        }
    }

    #[test]
    fn a_nan_or_infinity_spoils_its_row_only() {
        for cpu in Cpu::available() {
            for bad in [f32::NAN, f32::INFINITY] {
                let (norm, mut x) = case(3, 33, 2);
                x[33 + 32] = bad;
                let mut out = vec![0.0; x.len()];
                norm.apply(&Machine::new(cpu, 1), &x, &mut out);
                for (i, value) in out.iter().enumerate() {
                    assert_eq!(value.is_nan(), i / 33 == 1, "{} {i}", cpu.isa());
                }
            }
        }
    }
}
