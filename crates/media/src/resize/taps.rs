//! The weights of Pillow's bicubic filter, for one direction of a resize.

use std::ops::Range;

/// Fractional bits of a weight: 32 less 8 for the sample and 2 for overshoot.
pub(super) const WEIGHT_BITS: u32 = 22;
/// Pixels to each side that the cubic reaches at scale 1.
const REACH: f64 = 2.0;

/// For each output position of a pass: where its source samples begin and their weights.
pub(super) struct Taps {
    starts: Vec<usize>,
    counts: Vec<usize>,
    /// `stride` weights an output position, the ones beyond its count unused.
    weights: Vec<i32>,
    stride: usize,
}

impl Taps {
    /// Weights for the outputs `wanted` of `out_size`, over `part` of `in_size` samples.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positions lie within the source, which has less than 2^32 samples a side"
    )]
    pub(super) fn new(in_size: u32, part: Range<f32>, out_size: u32, wanted: Range<u32>) -> Self {
        let scale = f64::from(part.end - part.start) / f64::from(out_size);
        let stretch = scale.max(1.0);
        let reach = REACH * stretch;
        let stride = reach.ceil() as usize * 2 + 1;
        let mut taps = Self {
            starts: Vec::with_capacity(wanted.len()),
            counts: Vec::with_capacity(wanted.len()),
            weights: Vec::with_capacity(wanted.len() * stride),
            stride,
        };
        let mut exact = Vec::with_capacity(stride);
        for position in wanted {
            let center = f64::from(part.start) + (f64::from(position) + 0.5) * scale;
            // Casts cut towards zero and stop at it, which is the rounding wanted.
            let start = (center - reach + 0.5) as u32;
            let end = ((center + reach + 0.5) as u32).min(in_size);
            exact.clear();
            exact.extend(
                (start..end).map(|at| cubic((f64::from(at) - center + 0.5) * (1.0 / stretch))),
            );
            taps.push(start, &exact);
        }
        taps
    }

    fn push(&mut self, start: u32, exact: &[f64]) {
        let sum: f64 = exact.iter().sum();
        self.starts.push(start as usize);
        self.counts.push(exact.len());
        let row_end = self.weights.len() + self.stride;
        self.weights
            .extend(exact.iter().map(|weight| to_fixed(weight / sum)));
        self.weights.resize(row_end, 0);
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The first source sample of output `index`, and its weights.
    pub(super) fn get(&self, index: usize) -> (usize, &[i32]) {
        let weights = &self.weights[index * self.stride..];
        (self.starts[index], &weights[..self.counts[index]])
    }

    /// All source samples that any output needs. Both ends grow with the position.
    pub(super) fn reach(&self) -> Range<usize> {
        let last = self.len() - 1;
        self.starts[0]..self.starts[last] + self.counts[last]
    }
}

/// Keys' cubic convolution kernel with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// Rounded half away from zero.
#[expect(
    clippy::cast_possible_truncation,
    reason = "weights are below 2 in size"
)]
fn to_fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1u32 << WEIGHT_BITS);
    (scaled + 0.5f64.copysign(scaled)) as i32
}
