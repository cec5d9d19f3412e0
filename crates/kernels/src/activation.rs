//! The exponential and the activations of the models, on vectors of any width.
//!
//! Called from inside other kernels (the end of a matrix product, softmax), and
//! on whole slices through [`apply`]. Accuracy is stated with each function and
//! tested on every instruction set against `f64`.

use crate::dispatch::Cpu;
use crate::simd::{Kernel, Simd};

/// What is done with each element of a layer's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `x * sigmoid(1.702 x)`, the GELU of the original CLIP models.
    QuickGelu,
    /// `x * Φ(x)` with the exact normal distribution: the GELU of LAION's models.
    Gelu,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
}

/// Replaces each element `x` by `activation(x)`.
///
/// NaN stays NaN. Of `-∞` the two GELUs make a NaN or a value of no use, as `PyTorch` does.
pub fn apply(cpu: Cpu, activation: Activation, values: &mut [f32]) {
    cpu.run(Apply { activation, values });
}

struct Apply<'a> {
    activation: Activation,
    values: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut chunks = self.values.chunks_exact_mut(S::LANES);
        for chunk in &mut chunks {
            let value = activate(s, self.activation, s.load(chunk));
            s.store(value, chunk);
        }
        let tail = chunks.into_remainder();
        let value = activate(s, self.activation, s.load_head(tail));
        s.store_head(value, tail);
    }
}

/// `activation` of each lane.
#[inline(always)]
pub(crate) fn activate<S: Simd>(s: S, activation: Activation, x: S::Floats) -> S::Floats {
    match activation {
        Activation::None => x,
        Activation::QuickGelu => quick_gelu(s, x),
        Activation::Gelu => gelu(s, x),
        Activation::Relu => s.max(s.splat(0.0), x),
        Activation::Relu6 => s.min(s.splat(6.0), s.max(s.splat(0.0), x)),
    }
}

/// `e^x` to a relative error of 2.5e-7 for `-87 <= x <= 87`; beyond, the value at the
/// nearer end (so `e^-∞` is 1.6e-38, not 0). NaN stays NaN.
///
/// Cody and Waite's two-step reduction by ln 2 and a polynomial of degree 6 fitted for
/// the least largest relative error on ±ln 2 / 2 (1.9e-9 before rounding).
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    const COEFFICIENTS: [f32; 6] = [
        0.008_374_824,
        0.041_668_225,
        0.166_664_2,
        0.499_999_9,
        1.0,
        1.0,
    ];
    let x = s.max(s.splat(-87.0), s.min(s.splat(87.0), x));
    let n = s.round(s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    // ln 2 in two parts; the first has so few bits that n times it is exact
    let r = s.neg_mul_add(n, s.splat(0.693_359_4), x);
    let r = s.neg_mul_add(n, s.splat(-2.121_944_4e-4), r);
    let mut p = s.splat(0.001_383_683_6);
    for coefficient in COEFFICIENTS {
        p = s.mul_add(p, r, s.splat(coefficient));
    }
    s.scale(p, n)
}

/// `2^x` to a relative error of 2e-7 for `-126 <= x <= 126`; beyond, the value at the nearer
/// end. NaN stays NaN. A third cheaper than [`exp`], whose argument would lose as much by
/// being divided by ln 2 as it is large.
///
/// A polynomial of degree 5 fitted for the least largest relative error on ±½ (7.5e-8 before rounding).
#[inline(always)]
fn exp2<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    const COEFFICIENTS: [f32; 5] = [
        0.009_675_544,
        0.055_507_133,
        0.240_221_2,
        std::f32::consts::LN_2,
        1.000_000_1,
    ];
    let x = s.max(s.splat(-126.0), s.min(s.splat(126.0), x));
    let n = s.round(x);
    let r = s.sub(x, n);
    let mut p = s.splat(0.001_327_647);
    for coefficient in COEFFICIENTS {
        p = s.mul_add(p, r, s.splat(coefficient));
    }
    s.scale(p, n)
}

/// What the quick GELU's argument is multiplied with to be an exponent of 2.
const QUICK_FACTOR: f32 = -1.702 * std::f32::consts::LOG2_E;

/// `x / (1 + e^(-1.702 x))` to an absolute error of 3e-7 times `max(1, |x|)`.
#[inline(always)]
pub(crate) fn quick_gelu<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    let power = exp2(s, s.mul(x, s.splat(QUICK_FACTOR)));
    s.mul(x, s.reciprocal(s.add(s.splat(1.0), power)))
}

/// [`quick_gelu`] to a relative error of 6e-4 (or an absolute one of 1e-37 times `|x|`): for results that are rounded to bf16 or
/// bytes next, in two thirds of the time.
///
/// A polynomial of degree 3 fitted for the least largest relative error on ±½ (7.5e-5), and a reciprocal of 12 bits.
#[inline(always)]
pub(crate) fn coarse_quick_gelu<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    const COEFFICIENTS: [f32; 3] = [0.242_611_1, 0.693_261, 0.999_928_06];
    let power = s.mul(x, s.splat(QUICK_FACTOR));
    let n = s.round(power);
    let r = s.sub(power, n);
    let mut p = s.splat(0.055_171_67);
    for coefficient in COEFFICIENTS {
        p = s.mul_add(p, r, s.splat(coefficient));
    }
    let power = s.scale_far(p, n);
    s.mul(x, s.reciprocal_estimate(s.add(s.splat(1.0), power)))
}

/// `x Φ(x)` to an absolute error of 3e-7 times `max(1, |x|)`.
///
/// Written as `max(x, 0) - |x| Q(|x|)`, where the upper tail `Q(a)` is `e^(-a²/2)` times a
/// polynomial in `1 / (1 + 0.3 a)` (the form of Abramowitz and Stegun 7.1.26, coefficients
/// fitted for the least largest error of the product, 6.6e-9 before rounding).
#[inline(always)]
pub(crate) fn gelu<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    const COEFFICIENTS: [f32; 6] = [
        0.088_608_06,
        0.221_980_82,
        -0.089_270_234,
        0.239_329_02,
        0.084_739_91,
        0.004_072_312,
    ];
    const FACTOR: f32 = -0.5 * std::f32::consts::LOG2_E;
    let a = s.abs(x);
    let t = s.reciprocal(s.mul_add(a, s.splat(0.3), s.splat(1.0)));
    let mut p = s.splat(-0.049_460_154);
    for coefficient in COEFFICIENTS {
        p = s.mul_add(p, t, s.splat(coefficient));
    }
    let density = exp2(s, s.mul(s.mul(a, a), s.splat(FACTOR)));
    s.neg_mul_add(s.mul(a, density), p, s.max(s.splat(0.0), x))
}

/// As [`apply`], as exactly as results are that are rounded next.
#[cfg(test)]
pub(crate) fn apply_coarsely(cpu: Cpu, activation: Activation, values: &mut [f32]) {
    struct Coarse<'a>(&'a mut [f32]);
    impl Kernel for Coarse<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for chunk in self.0.chunks_mut(S::LANES) {
                let value = coarse_quick_gelu(s, s.load_head(chunk));
                s.store_head(value, chunk);
            }
        }
    }
    if activation == Activation::QuickGelu {
        cpu.run(Coarse(values));
    } else {
        apply(cpu, activation, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(activation: Activation, x: f64) -> f64 {
        match activation {
            Activation::None => x,
            Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
            Activation::Gelu => x * 0.5 * erfc(-x / std::f64::consts::SQRT_2),
            Activation::Relu => x.max(0.0),
            Activation::Relu6 => x.clamp(0.0, 6.0),
        }
    }

    /// The complementary error function by its Taylor series near 0 and its
    /// continued fraction elsewhere (Abramowitz and Stegun 7.1.6 and 7.1.14).
    fn erfc(x: f64) -> f64 {
        let scale = 2.0 / std::f64::consts::PI.sqrt();
        if x.abs() < 2.5 {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= 2.0 * x * x / f64::from(2 * n + 1);
                sum += term;
            }
            return 1.0 - scale * (-x * x).exp() * sum;
        }
        if x < 0.0 {
            return 2.0 - erfc(-x);
        }
        let fraction = (1..200).rev().fold(x, |f, n| x + f64::from(n) / 2.0 / f);
        scale / 2.0 * (-x * x).exp() / fraction
    }

    const ALL: [Activation; 5] = [
        Activation::None,
        Activation::QuickGelu,
        Activation::Gelu,
        Activation::Relu,
        Activation::Relu6,
    ];

    fn samples() -> Vec<f32> {
        let mut values: Vec<f32> = (-40_000..=40_000).map(|i| i as f32 * 5e-4).collect();
        values.extend([
            -1e30, -1e4, -87.5, -60.0, 60.0, 87.5, 1e4, 1e30, -0.0, 1e-40,
        ]);
        values
    }

    #[test]
    fn every_activation_keeps_its_stated_accuracy_on_every_level() {
        for cpu in Cpu::available() {
            for activation in ALL {
                let inputs = samples();
                let mut outputs = inputs.clone();
                apply(cpu, activation, &mut outputs);
                for (x, y) in inputs.iter().zip(&outputs) {
                    let want = reference(activation, f64::from(*x));
                    let error = (f64::from(*y) - want).abs();
                    assert!(
                        error <= 3e-7 * f64::from(x.abs()).max(1.0),
                        "{activation:?} on {:?}: {x} gives {y}, not {want}",
                        cpu.isa()
                    );
                }
            }
        }
    }

    #[test]
    fn coarse_quick_gelu_keeps_its_stated_accuracy_on_every_level() {
        for cpu in Cpu::available() {
            let inputs = samples();
            let mut outputs = inputs.clone();
            apply_coarsely(cpu, Activation::QuickGelu, &mut outputs);
            for (x, y) in inputs.iter().zip(&outputs) {
                let want = reference(Activation::QuickGelu, f64::from(*x));
                let error = (f64::from(*y) - want).abs();
                assert!(
                    error <= 6e-4 * want.abs() + 1e-37 * f64::from(x.abs()),
                    "{:?}: {x} gives {y}, not {want}",
                    cpu.isa()
                );
            }
            let mut nan = [f32::NAN];
            apply_coarsely(cpu, Activation::QuickGelu, &mut nan);
            assert!(nan[0].is_nan());
        }
    }

    struct Exp<'a>(&'a mut [f32]);
    impl Kernel for Exp<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for chunk in self.0.chunks_mut(S::LANES) {
                let value = exp(s, s.load_head(chunk));
                s.store_head(value, chunk);
            }
        }
    }

    #[test]
    fn the_exponential_keeps_its_stated_accuracy_on_every_level() {
        for cpu in Cpu::available() {
            let inputs: Vec<f32> = (-86_999..=86_999).map(|i| i as f32 * 1e-3).collect();
            let mut outputs = inputs.clone();
            cpu.run(Exp(&mut outputs));
            for (x, y) in inputs.iter().zip(&outputs) {
                let error = f64::from(*y) / f64::from(*x).exp() - 1.0;
                assert!(
                    error.abs() < 2.5e-7,
                    "{:?}: e^{x} off by {error:e}",
                    cpu.isa()
                );
            }
            let mut ends = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN, -1e9];
            cpu.run(Exp(&mut ends));
            assert!(ends[0] > 0.0 && ends[0] < 2e-38);
            assert!(ends[1] > 6e37 && ends[1].is_finite());
            assert!(ends[2].is_nan());
            assert_eq!(ends[3].to_bits(), ends[0].to_bits());
        }
    }

    #[test]
    fn nan_stays_nan_in_every_lane_and_tail() {
        for cpu in Cpu::available() {
            for activation in ALL {
                for length in 0..40 {
                    let mut values = vec![f32::NAN; length];
                    apply(cpu, activation, &mut values);
                    assert!(values.iter().all(|x| x.is_nan()), "{activation:?} {length}");
                }
            }
        }
    }
}
