//! One vocabulary of vector arithmetic, so that a kernel is written once.
//!
//! A kernel implements [`Kernel`] with code generic over [`Simd`];
//! [`Cpu::run`] compiles it once for each instruction set inside a function that
//! enables these instructions, and calls the right one. The portable
//! implementation is plain safe Rust on arrays: the same kernel, without a
//! vector instruction, is the twin that tests compare the others with.
//!
//! The methods are safe: a value of a vector type's token (`Avx512`, …) exists
//! only where [`Cpu`] proved the instructions, and slices carry their length.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod simulated;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
pub use portable::Portable;
pub(crate) use portable::bf16_bits;

use crate::dispatch::{Cpu, Isa};

/// The most lanes that a vector of any instruction set has.
pub const MAX_LANES: usize = 16;

/// Vectors of [`Simd::LANES`] floats and what kernels do with them.
///
/// Every operation rounds to nearest, ties to even, and follows IEEE 754 for
/// infinities and NaN, except where its documentation says otherwise.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Floats in a vector; at most [`MAX_LANES`].
    const LANES: usize;
    /// A vector.
    type Floats: Copy;

    /// `value` in every lane.
    fn splat(self, value: f32) -> Self::Floats;
    /// The first [`Simd::LANES`] elements.
    ///
    /// # Panics
    /// If there are fewer.
    fn load(self, from: &[f32]) -> Self::Floats;
    /// All of `from`, at most [`Simd::LANES`] elements, and zeros behind.
    fn load_head(self, from: &[f32]) -> Self::Floats;
    /// All of `from`, at most [`Simd::LANES`] elements, and those lanes of `behind` that follow.
    fn load_before(self, from: &[f32], behind: Self::Floats) -> Self::Floats;
    /// The first `count` lanes, at most [`Simd::LANES`], and zeros behind.
    fn keep(self, value: Self::Floats, count: usize) -> Self::Floats;
    /// The low and the high halves of the first [`Simd::LANES`] words, which are bf16 numbers.
    ///
    /// # Panics
    /// If there are fewer.
    fn load_bf16_pairs(self, from: &[u32]) -> [Self::Floats; 2];
    /// Writes the first [`Simd::LANES`] elements.
    ///
    /// # Panics
    /// If there are fewer.
    fn store(self, value: Self::Floats, to: &mut [f32]);
    /// Fills `to`, at most [`Simd::LANES`] elements, with the first lanes.
    fn store_head(self, value: Self::Floats, to: &mut [f32]);
    /// Writes [`Simd::LANES`] numbers rounded to bf16, ties to even; NaN stays NaN, and denormals may become zeros.
    ///
    /// # Panics
    /// If `to` is shorter.
    fn store_bf16(self, value: Self::Floats, to: &mut [u16]);
    /// The numbers of `low` and behind them those of `high`, rounded as by [`Simd::store_bf16`], two in a lane: what
    /// [`Simd::load_bf16_pairs`] reads, by its bits.
    #[inline(always)]
    fn bf16_pairs(self, low: Self::Floats, high: Self::Floats) -> Self::Floats {
        simulated::bf16_pairs(self, low, high)
    }
    /// `c` and the products of the bf16 numbers that two vectors of [`Simd::bf16_pairs`] have in the same places. Rounded after
    /// each product or after both; denormals may be taken for zeros.
    #[inline(always)]
    fn add_bf16_products(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        simulated::add_bf16_products(self, a, b, c)
    }
    /// Writes [`Simd::LANES`] numbers of `-127.0..=127.0`, rounded to integers, ties to even.
    ///
    /// # Panics
    /// If `to` is shorter.
    fn store_i16(self, value: Self::Floats, to: &mut [i16]);
    /// As [`Simd::store_i16`], plus 128, as bytes.
    ///
    /// # Panics
    /// If `to` is shorter.
    fn store_u8(self, value: Self::Floats, to: &mut [u8]);
    /// The same of four vectors, one behind the other.
    ///
    /// # Panics
    /// If `to` is shorter than they are.
    #[inline(always)]
    fn store_four_u8(self, values: [Self::Floats; 4], to: &mut [u8]) {
        for i in 0..4 {
            self.store_u8(values[i], &mut to[i * Self::LANES..]);
        }
    }

    /// `a + b`
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a - b`
    fn sub(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b`
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b + c`, rounded once where the processor can, else twice.
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// `c - a * b`, rounded as [`Simd::mul_add`].
    fn neg_mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// The larger of each pair; `b` where either is NaN.
    fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// The smaller of each pair; `b` where either is NaN.
    fn min(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// Without the sign.
    fn abs(self, a: Self::Floats) -> Self::Floats;
    /// `|a|` or `b`, which has no sign, whichever is larger; a NaN is larger than all else.
    fn max_magnitude(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// The nearest whole number.
    fn round(self, a: Self::Floats) -> Self::Floats;
    /// `a * 2^n` for whole `n` in `-126.0..=127.0`.
    fn scale(self, a: Self::Floats, n: Self::Floats) -> Self::Floats;
    /// `a * 2^n` for `1.0 / 2.0 < |a| < 2.0` and any whole `n`, of a magnitude of at least `2^127` or at most `2^-125` where it does
    /// not fit.
    #[inline(always)]
    fn scale_far(self, a: Self::Floats, n: Self::Floats) -> Self::Floats {
        // in this order a NaN stays one
        let n = self.max(self.splat(-126.0), self.min(self.splat(127.0), n));
        self.scale(a, n)
    }
    /// `1 / a` for `1.0 <= |a| <= 1.7e38`, to two units in the last place; NaN stays NaN.
    fn reciprocal(self, a: Self::Floats) -> Self::Floats;
    /// `1 / a` for `1.0 <= a`, infinity included, to a relative error of 4e-4 or, where that is less than 1e-37, to 1e-37.
    #[inline(always)]
    fn reciprocal_estimate(self, a: Self::Floats) -> Self::Floats {
        self.reciprocal(self.min(self.splat(1.7e38), a))
    }
    /// The lanes of both in turns: those of the lower halves, and those of the upper halves.
    fn zip(self, a: Self::Floats, b: Self::Floats) -> [Self::Floats; 2];
    /// The sum of the lanes, in an order that depends on the instruction set only.
    fn sum(self, a: Self::Floats) -> f32;
    /// The largest lane; any of the lanes if one is NaN.
    fn largest(self, a: Self::Floats) -> f32;
}

/// A piece of work written once for every instruction set.
///
/// `run` must be `#[inline(always)]` and so must be the generic functions that it
/// calls: that is what gets them compiled with the instructions of their caller.
pub trait Kernel {
    /// What it computes.
    type Output;
    /// Does the work with the vectors of `simd`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

impl Cpu {
    /// Runs `kernel` with the widest float vectors of this level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.isa() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Cpu` of this level proves AVX2 and FMA.
            Isa::Avx2 | Isa::Avx2Vnni => unsafe { avx2::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Cpu` of this level proves AVX-512 F, BW, DQ and VL.
            Isa::Avx512 | Isa::Avx512Vnni => unsafe { avx512::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Cpu` of this level proves AVX512-BF16, too.
            Isa::Avx512Bf16 | Isa::Amx => unsafe { avx512::run_bf16(kernel) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: a `Cpu` of this level proves NEON.
            Isa::Neon => unsafe { neon::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            Isa::Portable | Isa::Neon => kernel.run(Portable),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Portable
            | Isa::Avx2
            | Isa::Avx2Vnni
            | Isa::Avx512
            | Isa::Avx512Vnni
            | Isa::Avx512Bf16
            | Isa::Amx => kernel.run(Portable),
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            Isa::Neon => kernel.run(Portable),
        }
    }

    /// Floats in a vector of [`Cpu::run`].
    pub fn lanes(self) -> usize {
        struct Lanes;
        impl Kernel for Lanes {
            type Output = usize;
            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> usize {
                S::LANES
            }
        }
        self.run(Lanes)
    }
}

#[cfg(test)]
mod tests;
