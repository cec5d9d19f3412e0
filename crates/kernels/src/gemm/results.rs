//! From a tile's sums, while they are in registers, to numbers at their place.

use std::cell::Cell;

use super::tile::{Dot, LINE_WORDS, each_row};
use crate::activation::Activation;
use crate::memory::{Shared, prefetch};
use crate::simd::{MAX_LANES, Simd};

/// What turns integer sums into numbers; slices begin at the product's first row and the panel's first column.
#[derive(Clone, Copy)]
pub(super) struct Integers<'a> {
    pub row_scales: &'a [f32],
    pub column_scales: &'a [f32],
    /// What sums begin with, to undo the offset of unsigned left sides.
    pub corrections: &'a [i32],
}

/// From the sums of tiles to numbers, and where these go: whole vectors of columns.
#[derive(Clone, Copy)]
pub(super) struct Results<'a> {
    /// From the panel's first column on.
    pub bias: &'a [f32],
    pub integers: Option<Integers<'a>>,
    pub to: &'a Shared<'a, f32>,
    /// The row of the product that comes first there, where it begins, and elements to the next.
    pub top: usize,
    pub first: usize,
    pub stride: usize,
    /// Whether they are added to what is there.
    pub add: bool,
    /// What they are cut off to at last.
    pub bounds: Bounds,
    /// The largest magnitude of each lane so far, where somebody asks for it.
    pub largest: Option<&'a Cell<[f32; MAX_LANES]>>,
}

impl Results<'_> {
    /// Asks for the places of `R` rows of so many columns, which are far apart, long before they are written.
    #[inline(always)]
    pub fn ask<const R: usize>(&self, first_row: usize, columns: usize) {
        let first = self.first + (first_row - self.top) * self.stride;
        for r in 0..R {
            for line in (0..columns).step_by(LINE_WORDS) {
                prefetch::to_first_level(self.to.address(first + r * self.stride + line).cast());
            }
        }
    }
}

/// The range of an activation that is linear between two bounds.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub low: Option<f32>,
    pub high: Option<f32>,
}

impl Bounds {
    pub const NONE: Self = Self {
        low: None,
        high: None,
    };

    /// `None` for an activation that is a curve.
    pub const fn of(activation: Activation) -> Option<Self> {
        let (low, high) = match activation {
            Activation::None => return Some(Self::NONE),
            Activation::Relu => (Some(0.0), None),
            Activation::Relu6 => (Some(0.0), Some(6.0)),
            Activation::QuickGelu | Activation::Gelu => return None,
        };
        Some(Self { low, high })
    }
}

/// What the sums of a row begin with.
#[inline(always)]
pub(super) fn starts<D: Dot, const V: usize>(dot: D, results: &Results<'_>) -> [D::Sum; V] {
    let mut starts = [dot.zero(); V];
    if let Some(integers) = results.integers {
        let corrections = &integers.corrections[..V * D::LANES];
        for v in 0..V {
            starts[v] = dot.corrected(starts[v], &corrections[v * D::LANES..]);
        }
    }
    starts
}

/// Brings sums to their place while they are in registers; `first_row` is that of the first.
#[inline(always)]
pub(super) fn finish<D: Dot, const R: usize, const V: usize>(
    dot: D,
    totals: [[D::Sum; V]; R],
    results: &Results<'_>,
    first_row: usize,
) {
    let s = dot.simd();
    let width = V * D::LANES;
    // SAFETY: tiles do not overlap, and each has one thread.
    let to = unsafe {
        let first = results.first + (first_row - results.top) * results.stride;
        let end = first + (R - 1) * results.stride + width;
        results.to.part(first..end)
    };
    let (to, bias) = (to.as_mut_ptr(), &results.bias[..width]);
    // SAFETY: `to` ends where the last row does. A slice of it would be checked again for each row.
    let row =
        |r: usize| unsafe { std::slice::from_raw_parts_mut(to.add(r * results.stride), width) };
    match results.integers {
        None => {
            each_row!(r of R by V {
                // no closure: it has not the instructions of the function around it
                let mut values = [s.splat(0.0); V];
                for v in 0..V {
                    values[v] = dot.floats(totals[r][v]);
                }
                put(s, values, bias, results, row(r));
            });
        }
        Some(integers) => {
            let column_scales = &integers.column_scales[..width];
            let row_scales = &integers.row_scales[first_row..][..R];
            each_row!(r of R by V {
                let row_scale = s.splat(row_scales[r]);
                let mut values = [row_scale; V];
                for v in 0..V {
                    let at = v * D::LANES;
                    let value = dot.floats(totals[r][v]);
                    let value = s.mul(value, s.load(&column_scales[at..]));
                    values[v] = s.mul(value, row_scale);
                }
                put(s, values, bias, results, row(r));
            });
        }
    }
    if let Some(largest) = results.largest {
        // read again from the first level of cache: no register is left for it beside the sums
        let mut lanes = largest.get();
        let mut found = s.load(&lanes);
        for r in 0..R {
            let row = row(r);
            for v in 0..V {
                found = s.max_magnitude(s.load(&row[v * D::LANES..]), found);
            }
        }
        s.store(found, &mut lanes);
        largest.set(lanes);
    }
}

/// `to = values + bias`, or `+=`, within the bounds. Never fused with what made the values, so that int8 has
/// the same bits everywhere.
#[inline(always)]
fn put<S: Simd, const V: usize>(
    s: S,
    values: [S::Floats; V],
    bias: &[f32],
    results: &Results<'_>,
    to: &mut [f32],
) {
    let mut values = values;
    for v in 0..V {
        values[v] = s.add(values[v], s.load(&bias[v * S::LANES..]));
    }
    if results.add {
        for v in 0..V {
            values[v] = s.add(values[v], s.load(&to[v * S::LANES..]));
        }
    }
    // in this order a NaN stays one
    if let Some(low) = results.bounds.low {
        for v in 0..V {
            values[v] = s.max(s.splat(low), values[v]);
        }
    }
    if let Some(high) = results.bounds.high {
        for v in 0..V {
            values[v] = s.min(s.splat(high), values[v]);
        }
    }
    for v in 0..V {
        s.store(values[v], &mut to[v * S::LANES..]);
    }
}
