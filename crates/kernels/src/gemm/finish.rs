//! From the sums of a tile to the layer's results: scale, bias, activation, and
//! where they go.
//!
//! A tile's sums arrive in memory (in the first level of cache), not in registers: that
//! costs one part in a hundred and keeps formats, activations and sinks from multiplying
//! with the instruction sets of the inner loop.

use super::tile::Sums;
use crate::activation::{Activation, gelu, quick_gelu};
use crate::memory::Shared;
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Where results go; rows of `stride` elements.
pub(super) enum Sink<'a> {
    /// `to = result`
    Store(Shared<'a, f32>, usize),
    /// `to += result`
    Add(Shared<'a, f32>, usize),
    /// `to = result`, rounded to bf16.
    Bf16(Shared<'a, u16>, usize),
}

/// What turns integer sums into numbers; slices begin at the tile's first row or column.
#[derive(Clone, Copy)]
pub(super) struct Integers<'a> {
    pub row_scales: &'a [f32],
    pub column_scales: &'a [f32],
    /// Added to the sums, to undo the offset of unsigned left sides.
    pub corrections: &'a [i32],
}

/// One tile's results.
pub(super) struct Finish<'a> {
    pub sums: &'a Sums,
    /// Elements from one row of sums to the next.
    pub width: usize,
    pub rows: usize,
    pub first_row: usize,
    /// Columns that exist; the panel may be wider.
    pub columns: usize,
    pub first_column: usize,
    /// From the tile's first column on, `width` elements.
    pub bias: &'a [f32],
    pub integers: Option<Integers<'a>>,
    pub activation: Activation,
    pub sink: &'a Sink<'a>,
}

impl Kernel for Finish<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.activation {
            Activation::None => self.then(s, Same),
            Activation::QuickGelu => self.then(s, QuickGelu),
            Activation::Gelu => self.then(s, Gelu),
            Activation::Relu => self.then(s, Relu),
            Activation::Relu6 => self.then(s, Relu6),
        }
    }
}

/// An activation as a type, so that each gets a loop of its own.
trait Activate: Copy {
    fn of<S: Simd>(self, s: S, x: S::Floats) -> S::Floats;
}

macro_rules! activate {
    ($($name:ident($s:ident, $x:ident) $body:expr;)*) => {
        $(
            #[derive(Clone, Copy)]
            struct $name;
            impl Activate for $name {
                #[inline(always)]
                fn of<S: Simd>(self, $s: S, $x: S::Floats) -> S::Floats {
                    $body
                }
            }
        )*
    };
}

activate! {
    Same(_s, x) x;
    QuickGelu(s, x) quick_gelu(s, x);
    Gelu(s, x) gelu(s, x);
    Relu(s, x) s.max(s.splat(0.0), x);
    Relu6(s, x) s.min(s.splat(6.0), s.max(s.splat(0.0), x));
}

impl Finish<'_> {
    #[inline(always)]
    fn then<S: Simd>(&self, s: S, activation: impl Activate) {
        for column in (0..self.columns).step_by(S::LANES) {
            let bias = s.load(&self.bias[column..]);
            let integers = self.integers.map(|integers| {
                let corrections = &integers.corrections[column..];
                let column_scales = &integers.column_scales[column..];
                (corrections, column_scales, integers.row_scales)
            });
            for row in 0..self.rows {
                let sums = &self.sums.0[row * self.width + column..];
                let value = match integers {
                    None => s.load(bytemuck::cast_slice(sums)),
                    Some((corrections, column_scales, row_scales)) => {
                        let value = s.load_integers(bytemuck::cast_slice(sums), corrections);
                        s.mul(
                            s.mul(value, s.load(column_scales)),
                            s.splat(row_scales[row]),
                        )
                    }
                };
                // never fused with the product before, so that int8 has the same bits everywhere
                let value = activation.of(s, s.add(value, bias));
                self.put(s, value, row, column);
            }
        }
    }

    /// Brings the results of one row and one vector of columns to their place.
    #[inline(always)]
    fn put<S: Simd>(&self, s: S, value: S::Floats, row: usize, column: usize) {
        let count = (self.columns - column).min(S::LANES);
        let row = self.first_row + row;
        let column = self.first_column + column;
        match self.sink {
            Sink::Store(to, stride) => {
                let first = row * stride + column;
                // SAFETY: tiles do not overlap, and each has one thread.
                let to = unsafe { to.part(first..first + count) };
                if count == S::LANES {
                    s.store(value, to);
                } else {
                    s.store_head(value, to);
                }
            }
            Sink::Add(to, stride) => {
                let first = row * stride + column;
                // SAFETY: tiles do not overlap, and each has one thread.
                let to = unsafe { to.part(first..first + count) };
                if count == S::LANES {
                    s.store(s.add(value, s.load(to)), to);
                } else {
                    s.store_head(s.add(value, s.load_head(to)), to);
                }
            }
            Sink::Bf16(to, stride) => {
                let first = row * stride + column;
                // SAFETY: tiles do not overlap, and each has one thread.
                let to = unsafe { to.part(first..first + count) };
                if count == S::LANES {
                    s.store_bf16(value, to);
                } else {
                    let mut whole = [0; MAX_LANES];
                    s.store_bf16(value, &mut whole);
                    to.copy_from_slice(&whole[..count]);
                }
            }
        }
    }
}
