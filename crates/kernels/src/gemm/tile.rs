//! The loop that all matrix products spend their time in, written once.
//!
//! A tile multiplies a few rows of the left matrix with one panel of packed
//! weights and keeps all its sums in registers. What differs between number
//! formats and instruction sets is a [`Dot`]; `gemm/kernels` compiles the loop with each.

use std::ops::Range;

use super::results::{Results, finish, starts};
use super::tiling::Heights;
use crate::memory::{in_order, prefetch};
use crate::simd::{MAX_LANES, Simd};

/// How one step of the inner loop multiplies and adds.
///
/// A step takes [`Dot::LEFT_WORDS`] words of each row of the left matrix and
/// [`Dot::RIGHT_WORDS`] words of the panel for each vector of sums.
pub(super) trait Dot: Copy {
    /// Columns in a vector of sums.
    const LANES: usize;
    /// Parts in which all rows take a step, because the registers do not hold the numbers of more: one or two.
    const PARTS: usize = 1;
    /// Products in a lane and part.
    const PRODUCTS: usize;
    /// Words of a left row in a step.
    const LEFT_WORDS: usize;
    /// Words of the panel in a step, for each vector of sums.
    const RIGHT_WORDS: usize;
    /// Whether a tile of dense rows and fewer than three vectors may take a part of a panel.
    const TAKES_PARTS: bool = false;
    /// A row's numbers in a part of a step, in every lane.
    type Left: Copy;
    /// The weights of a part of a step.
    type Right: Copy;
    /// A vector of sums, of 32 bits each.
    type Sum: Copy;

    fn zero(self) -> Self::Sum;
    /// Spreads a part of exactly [`Dot::LEFT_WORDS`] words.
    fn left(self, words: &[u32], part: usize) -> Self::Left;
    /// Loads a part of exactly [`Dot::RIGHT_WORDS`] words.
    fn right(self, words: &[u32], part: usize) -> Self::Right;
    /// `sum + left * right`
    fn dot(self, sum: Self::Sum, left: Self::Left, right: Self::Right) -> Self::Sum;

    /// The vectors that results are made with, of [`Dot::LANES`] lanes.
    type Simd: Simd;
    fn simd(self) -> Self::Simd;
    /// Integers: the sum and the first [`Dot::LANES`] corrections.
    #[inline(always)]
    fn corrected(self, sum: Self::Sum, _corrections: &[i32]) -> Self::Sum {
        sum
    }
    fn floats(self, sum: Self::Sum) -> Floats<Self>;
}

type Floats<D> = <<D as Dot>::Simd as Simd>::Floats;

/// The most rows, and the most columns, that a tile of any kernel has.
pub(super) const MAX_ROWS: usize = 32;
pub(super) const MAX_COLUMNS: usize = 48;

/// The results of one tile, row by row without gaps, where they cannot go to their place at once.
#[repr(align(64))]
pub(super) struct Sums(pub [f32; MAX_ROWS * MAX_COLUMNS]);

/// Where in the left matrix the words of a row begin.
#[derive(Clone, Copy)]
pub(super) enum Offsets<'a> {
    /// Row `r` at `r * stride`.
    Dense { stride: usize },
    /// Segment `s` of row `r` at `table[r * segments + s]`: a convolution, whose rows
    /// are gathered from the pixels under its window.
    Gathered { table: &'a [u32] },
}

/// Memory to ask for before it is needed: one line a step, from this address on, which may be any.
pub(super) type Ahead = *const u32;

pub(super) use crate::memory::prefetch::LINE_WORDS;

/// A tile of so few rows asks for two lines of the next panel a step, as one does that is alone: it is done before one would have
/// brought enough of it. Others have no register left for that.
pub(super) const FEW_ROWS: usize = 6;

/// One tile's work.
pub(super) struct Tile<'a> {
    /// The left matrix.
    pub left: &'a [u32],
    pub offsets: Offsets<'a>,
    pub first_row: usize,
    /// Runs of adjacent words that a row consists of, and the steps of each.
    pub segments: usize,
    pub segment_steps: usize,
    /// The weights: for each step, vectors × [`Dot::RIGHT_WORDS`] words. Those of the next panel lie behind them.
    pub panel: &'a [u32],
    /// Words from one step's weights to the next; more than the tile's where it takes a part of the panel.
    pub step_words: usize,
    /// What is multiplied next, to be asked for a line or two a step: weights, which go to the second
    /// level of cache, and rows, which go to the first.
    pub next_panel: Ahead,
    /// Words from what is asked of the next panel in one step to what is in the next: a line or a part of one.
    pub pace: usize,
    /// What the tiles before have asked of it.
    pub asked: usize,
    pub next_rows: Ahead,
    /// Likewise.
    pub row_pace: usize,
}

impl Tile<'_> {
    /// Makes this the tile below, whose first row is `rows` further down.
    #[inline(always)]
    pub fn advance(&mut self, rows: usize) {
        self.first_row += rows;
        self.asked += self.segments * self.segment_steps * self.pace;
        // the first tiles ask for the next panel, a line a step; asking for the one at hand costs nothing
        self.next_panel = if self.asked < self.panel.len() {
            let ahead = self.panel.len() + self.asked;
            self.panel.as_ptr().wrapping_add(ahead)
        } else {
            self.panel.as_ptr()
        };
        if let Offsets::Dense { stride } = self.offsets {
            self.next_rows = self.next_rows.wrapping_add(rows * stride);
        }
    }
}

/// Tiles below each other.
pub(super) struct Strip<'a> {
    /// The first of them; at last, the one behind them. It is changed in place, because what was just written in pieces is read
    /// slowly as a whole.
    pub tile: Tile<'a>,
    pub tiles: Range<usize>,
    pub heights: Heights,
}

/// The most rows of a tile whose sums are in registers.
pub(super) const MAX_REGISTER_ROWS: usize = 12;

/// Does something for each row of a tile, without a loop: a long one is unrolled so late that the compiler leaves the sums
/// in memory, to be cleared there, loaded before each segment and stored behind it. (Where a row is one vector the loop is
/// short, and where there are no vectors at all, in the portable twins, the compiler makes them of loops only.)
macro_rules! each_row {
    ($row:ident of $rows:ident by $vectors:ident $body:block) => {
        const { assert!($rows <= $crate::gemm::tile::MAX_REGISTER_ROWS) };
        if $vectors == 1 {
            for $row in 0..$rows $body
        } else {
            each_row!(@ $row $rows $body 0 1 2 3 4 5 6 7 8 9 10 11);
        }
    };
    (@ $row:ident $rows:ident $body:block $($number:literal)*) => {
        $(if $number < $rows {
            let $row: usize = $number;
            $body
        })*
    };
}

pub(super) use each_row;

/// Computes the results of `R` rows and `V` vectors of columns.
#[inline(always)]
pub(super) fn multiply<D: Dot, const R: usize, const V: usize>(
    dot: D,
    tile: &Tile<'_>,
    results: &Results<'_>,
) {
    let segment_words = tile.segment_steps * D::LEFT_WORDS;
    let steps = tile.segments * tile.segment_steps;
    assert!(steps > 0 && tile.step_words >= V * D::RIGHT_WORDS);
    let is_dense = matches!(tile.offsets, Offsets::Dense { .. });
    assert!(is_dense && takes_part::<D, V>() || tile.step_words == V * D::RIGHT_WORDS);
    assert!(tile.panel.len() >= (steps - 1) * tile.step_words + V * D::RIGHT_WORDS);
    results.ask::<R>(tile.first_row, V * D::LANES);
    let mut totals = [starts::<D, V>(dot, results); R];
    match tile.offsets {
        Offsets::Dense { stride } => {
            assert_eq!(tile.segments, 1);
            let first = tile.first_row * stride;
            let left = &tile.left[first..][..(R - 1) * stride + segment_words];
            let mut rows = [left.as_ptr(); R];
            for (r, row) in rows.iter_mut().enumerate() {
                // SAFETY: a row of `segment_words` words begins there, as the slice's length says.
                *row = unsafe { row.add(r * stride) };
            }
            // SAFETY: the rows have so many words, and so has the panel.
            totals = unsafe { segment::<D, R, V, true>(dot, totals, tile, rows, 0) };
        }
        Offsets::Gathered { table } => {
            let table = &table[tile.first_row * tile.segments..][..R * tile.segments];
            let last = tile.left.len().checked_sub(segment_words);
            let last = last.expect("a segment fits the left matrix");
            for index in 0..tile.segments {
                let mut rows = [tile.left.as_ptr(); R];
                for (r, row) in rows.iter_mut().enumerate() {
                    let at = table[r * tile.segments + index] as usize;
                    assert!(at <= last);
                    // SAFETY: `segment_words` words of the left matrix begin there.
                    *row = unsafe { row.add(at) };
                }
                // SAFETY: the rows have so many words, and so has the panel.
                totals = unsafe { segment::<D, R, V, false>(dot, totals, tile, rows, index) };
            }
        }
    }
    finish(dot, totals, results, tile.first_row);
}

/// Whether so many vectors may be a part of a panel, if rows are dense: gathered ones leave no register for the words of a step.
const fn takes_part<D: Dot, const V: usize>() -> bool {
    D::TAKES_PARTS && V < 3
}

/// Adds the products of one segment: the innermost loop.
///
/// # Safety
/// Each row must have the words of a segment, which are not none, and the panel those of all segments.
#[inline(always)]
unsafe fn segment<D: Dot, const R: usize, const V: usize, const DENSE: bool>(
    dot: D,
    mut totals: [[D::Sum; V]; R],
    tile: &Tile<'_>,
    rows: [*const u32; R],
    index: usize,
) -> [[D::Sum; V]; R] {
    // a constant where it can be one, which is a register less
    let takes_part = DENSE && takes_part::<D, V>();
    let step_words = if takes_part {
        tile.step_words
    } else {
        V * D::RIGHT_WORDS
    };
    let first = index * tile.segment_steps;
    // SAFETY: the caller's promise.
    let mut panel = unsafe { tile.panel.as_ptr().add(first * step_words) };
    // copies, so that nothing of the tile is read again in each step
    let (pace, row_pace, steps) = (tile.pace, tile.row_pace, tile.segment_steps);
    let mut next_panel = tile.next_panel.wrapping_add(first * pace);
    let mut next_rows = tile.next_rows.wrapping_add(first * row_pace);
    // at least one step, or the sums in front of the loop would be kept beside those in it
    let mut step = 0;
    loop {
        prefetch::to_second_level(next_panel);
        if R <= FEW_ROWS || takes_part {
            prefetch::to_second_level(next_panel.wrapping_add(LINE_WORDS));
        }
        prefetch::to_first_level(next_rows);
        next_panel = next_panel.wrapping_add(pace);
        next_rows = next_rows.wrapping_add(row_pace);
        let at = step * D::LEFT_WORDS;
        // no loop over the parts: see `each_row`
        const { assert!(D::PARTS <= 2) };
        // SAFETY: the caller's promise; at last, the end of the panel.
        unsafe {
            totals = add_part(dot, totals, panel, rows, at, 0);
            if D::PARTS == 2 {
                totals = add_part(dot, totals, panel, rows, at, 1);
            }
            panel = panel.add(step_words);
        }
        step += 1;
        if step >= steps {
            return totals;
        }
    }
}

/// Adds the products of a part of a step, whose words begin at `panel` and in each row at `at`.
///
/// # Safety
/// The panel and each row must have the words of a step there.
#[inline(always)]
unsafe fn add_part<D: Dot, const R: usize, const V: usize>(
    dot: D,
    mut totals: [[D::Sum; V]; R],
    panel: *const u32,
    rows: [*const u32; R],
    mut at: usize,
    part: usize,
) -> [[D::Sum; V]; R] {
    // a second part loads its words again, for which there is no register either
    let first = if part == 0 { 0 } else { in_order(0) };
    // SAFETY: the caller's promise.
    let words = unsafe { std::slice::from_raw_parts(panel.add(first), V * D::RIGHT_WORDS) };
    let mut rights = [dot.right(&words[..D::RIGHT_WORDS], part); V];
    for v in 1..V {
        rights[v] = dot.right(&words[v * D::RIGHT_WORDS..(v + 1) * D::RIGHT_WORDS], part);
    }
    each_row!(r of R by V {
        // where sums take twelve of sixteen registers, all rows' numbers loaded at once would drive them out
        if D::LANES < MAX_LANES {
            at = in_order(at);
        }
        // SAFETY: the caller's promise.
        let left = unsafe {
            let words = rows[r].add(at);
            std::slice::from_raw_parts(words, D::LEFT_WORDS)
        };
        let left = dot.left(left, part);
        for v in 0..V {
            totals[r][v] = dot.dot(totals[r][v], left, rights[v]);
        }
    });
    totals
}

/// What [`multiply`] does in its innermost loop, `steps` times, but on numbers that
/// stay in registers: the most that this `Dot` can reach. Answers the number of products.
///
/// Of no use for a `Dot` that multiplies and adds in two instructions, because the
/// compiler then multiplies only once.
#[inline(always)]
pub(super) fn multiply_registers<D: Dot, const R: usize, const V: usize>(
    dot: D,
    steps: usize,
) -> usize {
    let words = std::hint::black_box([0_u32; MAX_COLUMNS]);
    let left = dot.left(&words[..D::LEFT_WORDS], 0);
    let right = dot.right(&words[..D::RIGHT_WORDS], 0);
    let mut totals = [[dot.zero(); V]; R];
    for _ in 0..steps {
        for r in 0..R {
            for v in 0..V {
                totals[r][v] = dot.dot(totals[r][v], left, right);
            }
        }
    }
    let s = dot.simd();
    let mut sums = [0.0; MAX_COLUMNS];
    for total in totals.into_iter().flatten() {
        s.store(dot.floats(total), &mut sums);
        std::hint::black_box(&sums);
    }
    steps * R * V * D::LANES * D::PRODUCTS
}
