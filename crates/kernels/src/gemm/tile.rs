//! The loop that all matrix products spend their time in, written once.
//!
//! A tile multiplies a few rows of the left matrix with one panel of packed
//! weights and keeps all its sums in registers. What differs between number
//! formats and instruction sets is a [`Dot`]; `gemm/kernels` compiles the loop with each.

use crate::memory::prefetch;

/// How one step of the inner loop multiplies and adds.
///
/// A step takes [`Dot::LEFT_WORDS`] words of each row of the left matrix and
/// [`Dot::RIGHT_WORDS`] words of the panel for each vector of sums.
pub(super) trait Dot: Copy {
    /// Columns in a vector of sums.
    const LANES: usize;
    /// Products in a lane and step.
    const PRODUCTS: usize;
    /// Words of a left row in a step.
    const LEFT_WORDS: usize;
    /// Words of the panel in a step, for each vector of sums.
    const RIGHT_WORDS: usize;
    /// A row's numbers in a step, in every lane.
    type Left: Copy;
    /// The weights of a step.
    type Right: Copy;
    /// A vector of sums, of 32 bits each.
    type Sum: Copy;

    fn zero(self) -> Self::Sum;
    /// Spreads exactly [`Dot::LEFT_WORDS`] words.
    fn left(self, words: &[u32]) -> Self::Left;
    /// Loads exactly [`Dot::RIGHT_WORDS`] words.
    fn right(self, words: &[u32]) -> Self::Right;
    /// `sum + left * right`
    fn dot(self, sum: Self::Sum, left: Self::Left, right: Self::Right) -> Self::Sum;
    /// Writes exactly [`Dot::LANES`] words.
    fn store(self, sum: Self::Sum, to: &mut [u32]);
}

/// The most rows, and the most columns, that a tile of any kernel has.
pub(super) const MAX_ROWS: usize = 8;
pub(super) const MAX_COLUMNS: usize = 48;

/// The sums of one tile, row by row without gaps: floats or integers, as the kernel makes.
#[repr(align(64))]
pub(super) struct Sums(pub [u32; MAX_ROWS * MAX_COLUMNS]);

/// Where in the left matrix the words of a row begin.
#[derive(Clone, Copy)]
pub(super) enum Offsets<'a> {
    /// Row `r` at `r * stride`.
    Dense { stride: usize },
    /// Segment `s` of row `r` at `table[r * segments + s]`: a convolution, whose rows
    /// are gathered from the pixels under its window.
    Gathered { table: &'a [u32] },
}

/// Memory to ask for before it is needed.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    line: *const u32,
    words: usize,
}

impl Ahead {
    /// One line a step, from the given one on; any address will do.
    pub fn from(line: *const u32) -> Self {
        Self {
            line,
            words: LINE_WORDS,
        }
    }

    /// Nothing new: always the given line.
    pub fn nothing(line: *const u32) -> Self {
        Self { line, words: 0 }
    }

    fn next(&mut self) -> *const u32 {
        let line = self.line;
        self.line = line.wrapping_add(self.words);
        line
    }
}

/// Words in a line of cache.
pub(super) const LINE_WORDS: usize = 16;

/// One tile's work.
pub(super) struct Tile<'a> {
    /// The left matrix.
    pub left: &'a [u32],
    pub offsets: Offsets<'a>,
    pub first_row: usize,
    /// Runs of adjacent words that a row consists of, and the steps of each.
    pub segments: usize,
    pub segment_steps: usize,
    /// The weights: steps × vectors × [`Dot::RIGHT_WORDS`] words.
    pub panel: &'a [u32],
    /// What is multiplied next, to be asked for a line a step: weights, which go to the second
    /// level of cache, and rows, which go to the first.
    pub next_panel: Ahead,
    pub next_rows: Ahead,
}

/// Writes the sums of `R` rows and `V` vectors of columns to `sums`.
#[inline(always)]
pub(super) fn multiply<D: Dot, const R: usize, const V: usize>(
    dot: D,
    tile: &Tile<'_>,
    sums: &mut Sums,
) {
    let step_words = V * D::RIGHT_WORDS;
    let segment_words = tile.segment_steps * D::LEFT_WORDS;
    assert_eq!(
        tile.panel.len(),
        tile.segments * tile.segment_steps * step_words
    );
    let mut panel = 0;
    let (mut next_panel, mut next_rows) = (tile.next_panel, tile.next_rows);
    let mut totals = [[dot.zero(); V]; R];
    for segment in 0..tile.segments {
        let mut rows = [0; R];
        for (r, row) in rows.iter_mut().enumerate() {
            let row_index = tile.first_row + r;
            *row = match tile.offsets {
                Offsets::Dense { stride } => row_index * stride,
                Offsets::Gathered { table } => table[row_index * tile.segments + segment] as usize,
            };
            assert!(*row <= tile.left.len() && segment_words <= tile.left.len() - *row);
        }
        for step in 0..tile.segment_steps {
            prefetch::to_second_level(next_panel.next());
            prefetch::to_first_level(next_rows.next());
            // SAFETY: `panel` counts the steps done, so the range is within the length asserted above.
            let words = unsafe { tile.panel.get_unchecked(panel..panel + step_words) };
            panel += step_words;
            let mut rights = [dot.right(&words[..D::RIGHT_WORDS]); V];
            for v in 1..V {
                rights[v] = dot.right(&words[v * D::RIGHT_WORDS..(v + 1) * D::RIGHT_WORDS]);
            }
            for r in 0..R {
                let at = rows[r] + step * D::LEFT_WORDS;
                // SAFETY: the row's segment lies within the left matrix, asserted above.
                let left = unsafe { tile.left.get_unchecked(at..at + D::LEFT_WORDS) };
                let left = dot.left(left);
                for v in 0..V {
                    totals[r][v] = dot.dot(totals[r][v], left, rights[v]);
                }
            }
        }
    }
    for r in 0..R {
        for v in 0..V {
            let at = (r * V + v) * D::LANES;
            dot.store(totals[r][v], &mut sums.0[at..at + D::LANES]);
        }
    }
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
    let left = dot.left(&words[..D::LEFT_WORDS]);
    let right = dot.right(&words[..D::RIGHT_WORDS]);
    let mut totals = [[dot.zero(); V]; R];
    for _ in 0..steps {
        for r in 0..R {
            for v in 0..V {
                totals[r][v] = dot.dot(totals[r][v], left, right);
            }
        }
    }
    let mut sums = [0; MAX_COLUMNS];
    for total in totals.into_iter().flatten() {
        dot.store(total, &mut sums[..D::LANES]);
        std::hint::black_box(&sums);
    }
    steps * R * V * D::LANES * D::PRODUCTS
}
