//! The weights of Pillow's bicubic filter, for one direction of a resize.

use std::ops::Range;

use lookalike_kernels::image::resample::{Taps, WEIGHT_BITS};

/// Pixels to each side that the cubic reaches at scale 1.
const REACH: f64 = 2.0;

/// Weights for the outputs `wanted` of `out_size`, over `part` of `in_size` samples.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions lie within the source, which has less than 2^32 samples a side"
)]
pub(super) fn bicubic(in_size: u32, part: Range<f32>, out_size: u32, wanted: Range<u32>) -> Taps {
    let scale = f64::from(part.end - part.start) / f64::from(out_size);
    let stretch = scale.max(1.0);
    let reach = REACH * stretch;
    let most = reach.ceil() as usize * 2 + 1;
    let mut taps = Taps::with_capacity(wanted.len(), most);
    let mut exact = Vec::with_capacity(most);
    let mut weights = Vec::with_capacity(most);
    for position in wanted {
        let center = f64::from(part.start) + (f64::from(position) + 0.5) * scale;
        // Casts cut towards zero and stop at it, which is the rounding wanted.
        let start = (center - reach + 0.5) as u32;
        let end = ((center + reach + 0.5) as u32).min(in_size);
        exact.clear();
        exact
            .extend((start..end).map(|at| cubic((f64::from(at) - center + 0.5) * (1.0 / stretch))));
        let sum: f64 = exact.iter().sum();
        weights.clear();
        weights.extend(exact.iter().map(|weight| to_fixed(weight / sum)));
        taps.push(start as usize, &weights);
    }
    taps
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
