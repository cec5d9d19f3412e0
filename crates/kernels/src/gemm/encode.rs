//! Floats into the numbers that a product's left side is made of.

use std::sync::atomic::{AtomicU32, Ordering};

use super::operand::Layout;
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Below this a row is taken for zero: the reciprocal of its scale would overflow.
const SMALLEST_MAGNITUDE: f32 = 1e-30;

/// How numbers become integers.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    /// What one unit of the integers is worth: NaN if a number is not finite.
    pub unit: f32,
    /// What the numbers are multiplied with.
    factor: f32,
}

impl Scale {
    /// For layouts that have none.
    pub const ONE: Self = Self {
        unit: 1.0,
        factor: 1.0,
    };

    /// The scale that makes the largest magnitude of some numbers 127.
    #[inline(always)]
    pub fn of(largest: f32) -> Self {
        if !(SMALLEST_MAGNITUDE..=f32::MAX).contains(&largest) {
            return Self::of_odd(largest);
        }
        Self {
            unit: largest / 127.0,
            factor: 127.0 / largest,
        }
    }

    /// Apart, so that a row does not wait for the choice between the two.
    #[cold]
    #[inline(never)]
    fn of_odd(largest: f32) -> Self {
        let zeros = largest < SMALLEST_MAGNITUDE;
        Self {
            unit: if zeros { 0.0 } else { f32::NAN },
            factor: 0.0,
        }
    }
}

/// Writes `values` as `layout`, which has no scales, to `to`, zeros behind.
pub(super) struct Encode<'a> {
    pub layout: Layout,
    pub values: &'a [f32],
    pub to: &'a mut [u32],
}

impl Kernel for Encode<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.layout {
            Layout::F32 => copy(self.values, self.to),
            Layout::Bf16 => {
                let to = bytemuck::cast_slice_mut(self.to);
                round::<S, u16>(s, s.splat(1.0), self.values, to);
            }
            Layout::U8 | Layout::I16 => unreachable!("a layout with scales"),
        }
    }
}

/// Writes `values` as they are, zeros behind.
fn copy(values: &[f32], to: &mut [u32]) {
    let (to, padding) = to.split_at_mut(values.len());
    to.copy_from_slice(bytemuck::cast_slice(values));
    padding.fill(0);
}

/// What numbers are rounded to. A trait and no closure: a closure has not the instructions of the function around it, and what it
/// calls is then called indeed (bf16 took fifty times as long).
trait Rounded: bytemuck::Pod {
    /// Writes a vector of numbers, times `factor` if there are scales.
    fn store<S: Simd>(s: S, values: S::Floats, factor: S::Floats, to: &mut [Self]);
    /// Writes four of them.
    #[inline(always)]
    fn store_four<S: Simd>(s: S, values: [S::Floats; 4], factor: S::Floats, to: &mut [Self]) {
        for i in 0..4 {
            Self::store(s, values[i], factor, &mut to[i * S::LANES..]);
        }
    }
}

impl Rounded for u16 {
    #[inline(always)]
    fn store<S: Simd>(s: S, values: S::Floats, _: S::Floats, to: &mut [Self]) {
        s.store_bf16(values, to);
    }
}

impl Rounded for u8 {
    #[inline(always)]
    fn store<S: Simd>(s: S, values: S::Floats, factor: S::Floats, to: &mut [Self]) {
        s.store_u8(s.mul(values, factor), to);
    }
    #[inline(always)]
    fn store_four<S: Simd>(s: S, values: [S::Floats; 4], factor: S::Floats, to: &mut [Self]) {
        let mut scaled = values;
        for i in 0..4 {
            scaled[i] = s.mul(values[i], factor);
        }
        s.store_four_u8(scaled, to);
    }
}

impl Rounded for i16 {
    #[inline(always)]
    fn store<S: Simd>(s: S, values: S::Floats, factor: S::Floats, to: &mut [Self]) {
        s.store_i16(s.mul(values, factor), to);
    }
}

/// Writes `values`, rounded, to `to`, zeros behind.
#[inline(always)]
fn round<S: Simd, T: Rounded>(s: S, factor: S::Floats, values: &[f32], to: &mut [T]) {
    let (to, padding) = to.split_at_mut(values.len());
    let mut fours = to.chunks_exact_mut(4 * S::LANES);
    let mut values = values.chunks_exact(4 * S::LANES);
    for (to, values) in (&mut fours).zip(&mut values) {
        let mut four = [s.load(values); 4];
        for i in 1..4 {
            four[i] = s.load(&values[i * S::LANES..]);
        }
        T::store_four(s, four, factor, to);
    }
    let mut chunks = fours.into_remainder().chunks_exact_mut(S::LANES);
    let mut values = values.remainder().chunks_exact(S::LANES);
    for (to, values) in (&mut chunks).zip(&mut values) {
        T::store(s, s.load(values), factor, to);
    }
    let rest = chunks.into_remainder();
    // a call for nothing would cost more than a short row does
    if !rest.is_empty() {
        let mut tail = [T::zeroed(); MAX_LANES];
        T::store(s, s.load_head(values.remainder()), factor, &mut tail);
        rest.copy_from_slice(&tail[..rest.len()]);
    }
    if !padding.is_empty() {
        padding.fill(T::zeroed());
    }
}

/// What the rows of a layout are scaled by.
pub(super) enum Scales<'a> {
    /// All by this.
    Shared(Scale),
    /// Each by its own largest number; its unit goes here.
    Own(&'a mut [f32]),
}

/// Writes whole rows of `columns` values to rows of `stride` words.
pub(super) struct EncodeRows<'a> {
    pub layout: Layout,
    pub scales: Scales<'a>,
    pub values: &'a [f32],
    pub columns: usize,
    pub to: &'a mut [u32],
    pub stride: usize,
    /// Words of a row that are written: the values and zeros behind.
    pub words: usize,
}

impl Kernel for EncodeRows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.layout {
            Layout::F32 => {
                let rows = self.to.chunks_mut(self.stride);
                for (values, to) in self.values.chunks_exact(self.columns).zip(rows) {
                    copy(values, &mut to[..self.words]);
                }
            }
            Layout::Bf16 => self.round::<S, u16>(s),
            Layout::U8 => self.round::<S, u8>(s),
            Layout::I16 => self.round::<S, i16>(s),
        }
    }
}

impl EncodeRows<'_> {
    #[inline(always)]
    fn round<S: Simd, T: Rounded>(mut self, s: S) {
        let per_word = size_of::<u32>() / size_of::<T>();
        let to: &mut [T] = bytemuck::cast_slice_mut(self.to);
        let rows = to.chunks_mut(self.stride * per_word);
        for (row, (values, to)) in self.values.chunks_exact(self.columns).zip(rows).enumerate() {
            let scale = match &mut self.scales {
                Scales::Shared(scale) => *scale,
                Scales::Own(units) => {
                    let scale = Scale::of(largest_lane(FindLargest(values).run(s)));
                    units[row] = scale.unit;
                    scale
                }
            };
            let to = &mut to[..self.words * per_word];
            round(s, s.splat(scale.factor), values, to);
        }
    }
}

/// Vectors among which [`FindLargest`] looks independently.
const AT_ONCE: usize = 4;

/// The largest magnitudes of some numbers, lane by lane.
pub(super) struct FindLargest<'a>(pub &'a [f32]);

impl Kernel for FindLargest<'_> {
    type Output = [f32; MAX_LANES];
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> [f32; MAX_LANES] {
        // several at a time, which do not wait for each other
        let mut largest = [s.splat(0.0); AT_ONCE];
        let mut blocks = self.0.chunks_exact(AT_ONCE * S::LANES);
        for block in &mut blocks {
            for i in 0..AT_ONCE {
                largest[i] = s.max_magnitude(s.load(&block[i * S::LANES..]), largest[i]);
            }
        }
        for values in blocks.remainder().chunks(S::LANES) {
            largest[0] = s.max_magnitude(s.load_head(values), largest[0]);
        }
        for i in 1..AT_ONCE {
            largest[0] = s.max_magnitude(largest[i], largest[0]);
        }
        let mut lanes = [0.0; MAX_LANES];
        s.store(largest[0], &mut lanes);
        lanes
    }
}

/// The largest of some magnitudes, which are ordered as their bits are: infinity behind all, and NaN behind that.
#[inline(always)]
fn largest_lane(lanes: [f32; MAX_LANES]) -> f32 {
    let bits = lanes.map(f32::to_bits).into_iter().max().unwrap_or(0);
    f32::from_bits(bits)
}

/// The largest magnitude of numbers that several threads look at.
#[derive(Default)]
pub(super) struct Largest(AtomicU32);

impl Largest {
    /// Takes in the largest magnitudes that a thread has seen.
    pub fn raise(&self, lanes: [f32; MAX_LANES]) {
        let bits = largest_lane(lanes).to_bits();
        self.0.fetch_max(bits, Ordering::Relaxed);
    }

    /// The largest of all.
    pub fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }
}
