//! Floats into the numbers that a product's left side is made of.

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
}

/// Writes `values` as `layout` to `to`, zeros behind.
pub(super) struct Encode<'a> {
    pub layout: Layout,
    pub scale: Scale,
    pub values: &'a [f32],
    pub to: &'a mut [u32],
}

impl Kernel for Encode<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let factor = s.splat(self.scale.factor);
        match self.layout {
            Layout::F32 => {
                let to: &mut [f32] = bytemuck::cast_slice_mut(self.to);
                to[..self.values.len()].copy_from_slice(self.values);
                to[self.values.len()..].fill(0.0);
            }
            Layout::Bf16 => {
                bf16(s, self.values, bytemuck::cast_slice_mut(self.to));
            }
            Layout::U8 => {
                let to: &mut [u8] = bytemuck::cast_slice_mut(self.to);
                let mut chunks = to[..self.values.len()].chunks_exact_mut(S::LANES);
                let mut values = self.values.chunks_exact(S::LANES);
                for (to, values) in (&mut chunks).zip(&mut values) {
                    s.store_u8(s.mul(s.load(values), factor), to);
                }
                let mut tail = [0; MAX_LANES];
                s.store_u8(s.mul(s.load_head(values.remainder()), factor), &mut tail);
                let rest = chunks.into_remainder();
                rest.copy_from_slice(&tail[..rest.len()]);
                to[self.values.len()..].fill(0);
            }
            Layout::I16 => {
                let to: &mut [i16] = bytemuck::cast_slice_mut(self.to);
                let mut chunks = to[..self.values.len()].chunks_exact_mut(S::LANES);
                let mut values = self.values.chunks_exact(S::LANES);
                for (to, values) in (&mut chunks).zip(&mut values) {
                    s.store_i16(s.mul(s.load(values), factor), to);
                }
                let mut tail = [0; MAX_LANES];
                s.store_i16(s.mul(s.load_head(values.remainder()), factor), &mut tail);
                let rest = chunks.into_remainder();
                rest.copy_from_slice(&tail[..rest.len()]);
                to[self.values.len()..].fill(0);
            }
        }
    }
}

/// Rounds `values` to bf16, zeros behind.
#[inline(always)]
fn bf16<S: Simd>(s: S, values: &[f32], to: &mut [u16]) {
    let (to, padding) = to.split_at_mut(values.len());
    padding.fill(0);
    let mut chunks = to.chunks_exact_mut(S::LANES);
    let mut values = values.chunks_exact(S::LANES);
    for (to, values) in (&mut chunks).zip(&mut values) {
        s.store_bf16(s.load(values), to);
    }
    let mut tail = [0; MAX_LANES];
    s.store_bf16(s.load_head(values.remainder()), &mut tail);
    let rest = chunks.into_remainder();
    rest.copy_from_slice(&tail[..rest.len()]);
}

/// The scale that makes the largest of some numbers 127.
pub(super) struct FindScale<'a>(pub &'a [f32]);

impl Kernel for FindScale<'_> {
    type Output = Scale;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Scale {
        let (mut largest, mut probe) = (s.splat(0.0), s.splat(0.0));
        let mut chunks = self.0.chunks_exact(S::LANES);
        for values in &mut chunks {
            let value = s.load(values);
            largest = s.max(s.abs(value), largest);
            // 0 times anything but a finite number is NaN, and stays in the sum
            probe = s.mul_add(value, s.splat(0.0), probe);
        }
        let value = s.load_head(chunks.remainder());
        largest = s.max(s.abs(value), largest);
        probe = s.mul_add(value, s.splat(0.0), probe);
        let magnitude = s.largest(largest);
        let (unit, factor) = if s.sum(probe).is_nan() {
            (f32::NAN, 0.0)
        } else if magnitude < SMALLEST_MAGNITUDE {
            (0.0, 0.0)
        } else {
            (magnitude / 127.0, 127.0 / magnitude)
        };
        Scale { unit, factor }
    }
}
