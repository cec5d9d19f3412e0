//! What becomes of a tile's results that do not go to their place at once: an activation, another
//! number format, or a panel that is wider than the columns that exist.
//!
//! These lie in memory (in the first level of cache), not in registers, which keeps formats, activations and
//! sinks from multiplying with the instruction sets of the inner loop.

use crate::activation::{Activation, coarse_quick_gelu, gelu, quick_gelu};
use crate::memory::Shared;
use crate::simd::{Kernel, MAX_LANES, Simd};

/// Where results go; rows of `stride` elements.
pub(super) enum Sink<'a> {
    /// `to = result`
    Store(Shared<'a, f32>, usize),
    /// `to = result`, where the sum that it is made of includes what was there.
    Add(Shared<'a, f32>, usize),
    /// `to = result`, rounded to bf16.
    Bf16(Shared<'a, u16>, usize),
}

/// One tile's results.
pub(super) struct Finish<'a> {
    pub sums: &'a [f32],
    /// Elements from one row of sums to the next.
    pub width: usize,
    pub rows: usize,
    pub first_row: usize,
    /// Columns that exist; the panel may be wider.
    pub columns: usize,
    pub first_column: usize,
    pub activation: Activation,
    /// Whether results are rounded to fewer bits here or by who reads them next.
    pub rounded: bool,
    pub sink: &'a Sink<'a>,
}

impl Kernel for Finish<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.activation {
            Activation::None => self.then(s, Same),
            Activation::QuickGelu if self.rounded => self.then(s, CoarseQuickGelu),
            Activation::QuickGelu => self.then(s, QuickGelu),
            Activation::Gelu => self.then(s, Gelu),
            Activation::Relu => self.then(s, Clamp(f32::INFINITY)),
            Activation::Relu6 => self.then(s, Clamp(6.0)),
        }
    }
}

/// An activation as a type, so that each gets a loop of its own.
trait Activate: Copy {
    fn of<S: Simd>(self, s: S, x: S::Floats) -> S::Floats;
}

#[derive(Clone, Copy)]
struct Same;
impl Activate for Same {
    #[inline(always)]
    fn of<S: Simd>(self, _: S, x: S::Floats) -> S::Floats {
        x
    }
}

#[derive(Clone, Copy)]
struct QuickGelu;
impl Activate for QuickGelu {
    #[inline(always)]
    fn of<S: Simd>(self, s: S, x: S::Floats) -> S::Floats {
        quick_gelu(s, x)
    }
}

#[derive(Clone, Copy)]
struct CoarseQuickGelu;
impl Activate for CoarseQuickGelu {
    #[inline(always)]
    fn of<S: Simd>(self, s: S, x: S::Floats) -> S::Floats {
        coarse_quick_gelu(s, x)
    }
}

#[derive(Clone, Copy)]
struct Gelu;
impl Activate for Gelu {
    #[inline(always)]
    fn of<S: Simd>(self, s: S, x: S::Floats) -> S::Floats {
        gelu(s, x)
    }
}

/// From 0 to this.
#[derive(Clone, Copy)]
struct Clamp(f32);
impl Activate for Clamp {
    #[inline(always)]
    fn of<S: Simd>(self, s: S, x: S::Floats) -> S::Floats {
        s.min(s.splat(self.0), s.max(s.splat(0.0), x))
    }
}

impl Finish<'_> {
    /// Whole tiles of the widths that panels have; what remains goes vector by vector.
    #[inline(always)]
    fn then<S: Simd>(&self, s: S, activation: impl Activate) {
        let mut column = 0;
        if S::LANES == MAX_LANES {
            while self.columns - column >= 3 * S::LANES {
                self.vectors::<S, 3, true>(s, activation, column);
                column += 3 * S::LANES;
            }
        }
        while self.columns - column >= 2 * S::LANES {
            self.vectors::<S, 2, true>(s, activation, column);
            column += 2 * S::LANES;
        }
        while self.columns - column >= S::LANES {
            self.vectors::<S, 1, true>(s, activation, column);
            column += S::LANES;
        }
        if column < self.columns {
            self.vectors::<S, 1, false>(s, activation, column);
        }
    }

    /// All rows of `V` vectors of columns, of which `column` is the first. Not `WHOLE`: the
    /// last vector has fewer columns. It is computed whole, which the panel's padding
    /// allows, and stored in part.
    #[inline(always)]
    fn vectors<S: Simd, const V: usize, const WHOLE: bool>(
        &self,
        s: S,
        activation: impl Activate,
        column: usize,
    ) {
        let count = if WHOLE {
            V * S::LANES
        } else {
            self.columns - column
        };
        for row in 0..self.rows {
            let sums = &self.sums[row * self.width + column..];
            let mut values: [S::Floats; V] = load(s, sums);
            if let Sink::Add(to, stride) = self.sink {
                let before = self.place(to, *stride, (row, column), count);
                for (value, before) in values.iter_mut().zip(before.chunks(S::LANES)) {
                    *value = s.add(*value, s.load_head(before));
                }
            }
            for v in 0..V {
                values[v] = activation.of(s, values[v]);
            }
            match self.sink {
                Sink::Store(to, stride) | Sink::Add(to, stride) => {
                    let to = self.place(to, *stride, (row, column), count);
                    store::<S, V, WHOLE>(s, values, to);
                }
                Sink::Bf16(to, stride) => {
                    let to = self.place(to, *stride, (row, column), count);
                    if WHOLE {
                        for v in 0..V {
                            s.store_bf16(values[v], &mut to[v * S::LANES..]);
                        }
                    } else {
                        let mut whole = [0; MAX_LANES];
                        s.store_bf16(values[0], &mut whole);
                        to.copy_from_slice(&whole[..count]);
                    }
                }
            }
        }
    }

    /// Where `count` results of a row go.
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "tiles do not overlap, and each has one thread"
    )]
    fn place<'a, T>(
        &self,
        to: &'a Shared<'_, T>,
        stride: usize,
        (row, column): (usize, usize),
        count: usize,
    ) -> &'a mut [T] {
        let first = (self.first_row + row) * stride + self.first_column + column;
        // SAFETY: tiles do not overlap, each has one thread, and it holds one part at a time.
        unsafe { to.part(first..first + count) }
    }
}

#[inline(always)]
fn store<S: Simd, const V: usize, const WHOLE: bool>(s: S, values: [S::Floats; V], to: &mut [f32]) {
    if WHOLE {
        for v in 0..V {
            s.store(values[v], &mut to[v * S::LANES..]);
        }
    } else {
        s.store_head(values[0], to);
    }
}

#[inline(always)]
fn load<S: Simd, const V: usize>(s: S, from: &[f32]) -> [S::Floats; V] {
    let mut out = [s.load(from); V];
    for v in 1..V {
        out[v] = s.load(&from[v * S::LANES..]);
    }
    out
}
