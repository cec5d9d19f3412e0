//! The numbers that codes are made of, and how vectors are rounded to them.

use bytemuck::{Pod, Zeroable};
use lookalike_kernels::score::{Bf16, Code};

/// Bytes in a line of memory.
const LINE_BYTES: usize = 64;

/// A cell of a row of codes.
pub(crate) trait Cell: Code + Pod + std::fmt::Debug {
    /// Cells in a row for a number of dimensions: long rows start at a line of memory.
    fn width(dimension: usize) -> usize;
    /// Rounds a vector to the head of a row. Returns what a step is worth and the
    /// length of what was cut off.
    fn round(vector: &[f32], row: &mut [Self]) -> (f32, f32);
    /// Makes a row a query, and returns what its products then have too much of.
    fn query(row: &[Self], query: &mut Vec<Self::Query>) -> Self::Sum;
    /// A product of zero.
    fn no_product() -> Self::Sum;
    /// A product less its surplus.
    fn product(sum: Self::Sum, surplus: Self::Sum) -> f32;
}

/// Signed integers from -127 to 127, kept with 128 added: the processor
/// multiplies unsigned bytes with signed ones.
impl Cell for u8 {
    fn width(dimension: usize) -> usize {
        let step = if dimension < LINE_BYTES {
            16
        } else {
            LINE_BYTES
        };
        dimension.next_multiple_of(step)
    }

    fn round(vector: &[f32], row: &mut [Self]) -> (f32, f32) {
        /// Adding and subtracting it leaves the nearest whole number.
        const ROUNDER: f32 = 12_582_912.0;
        row.fill(128);
        let largest = vector
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = largest / 127.0;
        let inverse = 127.0 / largest;
        if !inverse.is_finite() || scale < f32::MIN_POSITIVE {
            return (0.0, length(vector.iter().copied()));
        }
        let nearest = |value: &f32| (value * inverse + ROUNDER) - ROUNDER;
        for (cell, value) in row.iter_mut().zip(vector) {
            *cell = (nearest(value) + 128.0) as u8;
        }
        let cut = vector.iter().map(|value| value - nearest(value) * scale);
        (scale, length(cut))
    }

    fn query(row: &[Self], query: &mut Vec<i8>) -> i32 {
        query.clear();
        query.extend(row.iter().map(|cell| (cell ^ 128).cast_signed()));
        128 * query.iter().map(|cell| i32::from(*cell)).sum::<i32>()
    }

    fn no_product() -> i32 {
        0
    }

    #[inline]
    fn product(sum: i32, surplus: i32) -> f32 {
        (sum - surplus) as f32
    }
}

impl Cell for Bf16 {
    fn width(dimension: usize) -> usize {
        let step = if dimension < LINE_BYTES / 2 {
            8
        } else {
            LINE_BYTES / 2
        };
        dimension.next_multiple_of(step)
    }

    fn round(vector: &[f32], row: &mut [Self]) -> (f32, f32) {
        row.fill(Self::zeroed());
        for (cell, value) in row.iter_mut().zip(vector) {
            *cell = Self::nearest(*value);
        }
        let cut = vector
            .iter()
            .zip(&*row)
            .map(|(value, cell)| value - f32::from(*cell));
        (1.0, length(cut))
    }

    fn query(row: &[Self], query: &mut Vec<Self>) -> f32 {
        query.clear();
        query.extend_from_slice(row);
        0.0
    }

    fn no_product() -> f32 {
        0.0
    }

    #[inline]
    fn product(sum: f32, _: f32) -> f32 {
        sum
    }
}

impl Cell for f32 {
    fn width(dimension: usize) -> usize {
        dimension
    }

    fn round(vector: &[f32], row: &mut [Self]) -> (f32, f32) {
        row[..vector.len()].copy_from_slice(vector);
        (1.0, 0.0)
    }

    fn query(row: &[Self], query: &mut Vec<Self>) -> f32 {
        query.clear();
        query.extend_from_slice(row);
        0.0
    }

    fn no_product() -> f32 {
        0.0
    }

    #[inline]
    fn product(sum: f32, _: f32) -> f32 {
        sum
    }
}

/// The Euclidean length, summed in lanes that the compiler vectorises.
pub(super) fn length(values: impl Iterator<Item = f32>) -> f32 {
    let mut lanes = [0.0_f32; 16];
    for (at, value) in values.enumerate() {
        lanes[at % 16] += value * value;
    }
    lanes.iter().sum::<f32>().sqrt()
}
