//! One head of one sequence.

use super::{Attention, Span, Target};
use crate::dispatch::Cpu;
use crate::simd::{Kernel, MAX_LANES, Simd};
use crate::softmax::exponentials;

/// Queries that are worked on together, at most.
const BLOCK: usize = 6;

/// Places for a head's intermediate results, reused for the next head.
pub(super) struct Work {
    /// The keys, a row for each column of the head.
    keys: Vec<f32>,
    /// A row of weights for each query of a block.
    weights: Vec<f32>,
    /// Elements of a row of both.
    stride: usize,
    /// The results of a block.
    results: Vec<f32>,
}

impl Work {
    pub fn new(keys: usize, width: usize) -> Self {
        let stride = keys.next_multiple_of(MAX_LANES);
        Self {
            keys: vec![0.0; width * stride],
            weights: vec![0.0; BLOCK * stride],
            stride,
            results: vec![0.0; BLOCK * width],
        }
    }
}

pub(super) struct Head<'a> {
    pub attention: &'a Attention<'a>,
    pub span: &'a Span,
    pub index: usize,
    pub target: &'a Target<'a>,
    pub work: &'a mut Work,
    pub cpu: Cpu,
}

impl Kernel for Head<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.transpose_keys(s);
        let count = self.span.queries.len();
        let blocks = count.div_ceil(BLOCK);
        for block in 0..blocks {
            // blocks of equal size: nine of five or six queries rather than eight of six and a pair
            let first = count * block / blocks;
            match count * (block + 1) / blocks - first {
                1 => self.block::<S, 1>(s, first),
                2 => self.block::<S, 2>(s, first),
                3 => self.block::<S, 3>(s, first),
                4 => self.block::<S, 4>(s, first),
                5 => self.block::<S, 5>(s, first),
                _ => self.block::<S, BLOCK>(s, first),
            }
        }
    }
}

impl Head<'_> {
    /// As many keys at a time as a vector has lanes. What lies behind the last key is zeros.
    #[inline(always)]
    fn transpose_keys<S: Simd>(&mut self, s: S) {
        let Attention { keys, width, .. } = *self.attention;
        let stride = self.work.stride;
        let rows = self.span.keys.clone();
        for first in (0..rows.len()).step_by(S::LANES) {
            let group = (rows.len() - first).min(S::LANES);
            for column in (0..width).step_by(S::LANES) {
                let columns = (width - column).min(S::LANES);
                let mut lines = [s.splat(0.0); MAX_LANES];
                for (i, line) in lines[..group].iter_mut().enumerate() {
                    let key = keys.at(rows.start + first + i, self.index * width + column);
                    *line = if columns == S::LANES {
                        s.load(key)
                    } else {
                        s.load_head(&key[..columns])
                    };
                }
                let lines = transpose(s, lines);
                for (i, line) in lines[..columns].iter().enumerate() {
                    s.store(*line, &mut self.work.keys[(column + i) * stride + first..]);
                }
            }
        }
    }

    /// Computes the results of `R` queries, of which `first` is the first of the span's.
    #[inline(always)]
    fn block<S: Simd, const R: usize>(&mut self, s: S, first: usize) {
        let Attention {
            queries,
            values,
            width,
            causal,
            ..
        } = *self.attention;
        let span = self.span;
        let column = self.index * width;
        let Work {
            keys,
            weights,
            stride,
            results,
        } = &mut *self.work;
        let stride = *stride;
        // keys that query `r` sees
        let seen = |r: usize| {
            if causal {
                span.keys.len() - (span.queries.len() - 1 - (first + r))
            } else {
                span.keys.len()
            }
        };
        let most = seen(R - 1);

        let mut lefts = [&[][..]; R];
        for (r, left) in lefts.iter_mut().enumerate() {
            *left = &queries.at(span.queries.start + first + r, column)[..width];
        }
        // whole vectors of keys: what the surplus lanes hold is not looked at
        let padded = most.next_multiple_of(S::LANES);
        product(
            s,
            lefts,
            Right { rows: keys, stride },
            padded,
            weights,
            stride,
        );

        let scale = 1.0 / (width as f32).sqrt();
        let mut factors = [0.0; R];
        for (r, factor) in factors.iter_mut().enumerate() {
            let row = &mut weights[r * stride..][..most];
            let (row, hidden) = row.split_at_mut(seen(r));
            *factor = 1.0 / exponentials(s, row, scale);
            hidden.fill(0.0);
        }

        let mut lefts = [&[][..]; R];
        for (r, left) in lefts.iter_mut().enumerate() {
            *left = &weights[r * stride..][..most];
        }
        let right = Right {
            rows: values.at(span.keys.start, column),
            stride: values.stride,
        };
        product(s, lefts, right, width, results, width);
        for (r, factor) in factors.into_iter().enumerate() {
            let row = &mut results[r * width..][..width];
            let query = span.queries.start + first + r;
            match self.target {
                Target::Floats(to) => {
                    let start = query * self.attention.heads * width + column;
                    // SAFETY: the columns of one head in the rows of one span: no other piece has them.
                    let to = unsafe { to.part(start..start + width) };
                    for (to, from) in to.chunks_mut(S::LANES).zip(row.chunks(S::LANES)) {
                        s.store_head(s.mul(s.load_head(from), s.splat(factor)), to);
                    }
                }
                Target::Operand(writer) => {
                    scale_row(s, row, factor);
                    // SAFETY: as above, and heads do not share words.
                    unsafe { writer.part(self.cpu, query, column, row) };
                }
            }
        }
    }
}

/// Exchanges rows and columns of a square of as many lines as there are lanes: perfect shuffles of the lines do it.
#[inline(always)]
fn transpose<S: Simd>(s: S, mut lines: [S::Floats; MAX_LANES]) -> [S::Floats; MAX_LANES] {
    let half = S::LANES / 2;
    for _ in 0..S::LANES.ilog2() {
        let mut shuffled = lines;
        for i in 0..half {
            [shuffled[2 * i], shuffled[2 * i + 1]] = s.zip(lines[i], lines[i + half]);
        }
        lines = shuffled;
    }
    lines
}

#[inline(always)]
fn scale_row<S: Simd>(s: S, row: &mut [f32], factor: f32) {
    let factor = s.splat(factor);
    for chunk in row.chunks_mut(S::LANES) {
        let value = s.mul(s.load_head(chunk), factor);
        s.store_head(value, chunk);
    }
}

/// The right side of a small product: rows of `stride` elements, of which the first are used.
#[derive(Clone, Copy)]
struct Right<'a> {
    rows: &'a [f32],
    stride: usize,
}

/// `to = lefts · right`: `R` rows of `columns` columns, `pitch` apart. The lefts' lengths
/// are equal and say how many rows of the right side take part.
#[inline(always)]
fn product<S: Simd, const R: usize>(
    s: S,
    lefts: [&[f32]; R],
    right: Right<'_>,
    columns: usize,
    to: &mut [f32],
    pitch: usize,
) {
    // as many sums as fit the registers: 6 × 4 of 32, or 6 × 2 of 16
    let mut column = 0;
    if S::LANES == MAX_LANES {
        while columns - column >= 4 * S::LANES {
            panel::<S, R, 4>(s, lefts, right, column, to, pitch);
            column += 4 * S::LANES;
        }
    }
    while columns - column >= 2 * S::LANES {
        panel::<S, R, 2>(s, lefts, right, column, to, pitch);
        column += 2 * S::LANES;
    }
    if columns - column >= S::LANES {
        panel::<S, R, 1>(s, lefts, right, column, to, pitch);
        column += S::LANES;
    }
    if column < columns {
        tail(s, lefts, right, column..columns, to, pitch);
    }
}

#[inline(always)]
fn panel<S: Simd, const R: usize, const V: usize>(
    s: S,
    lefts: [&[f32]; R],
    right: Right<'_>,
    column: usize,
    to: &mut [f32],
    pitch: usize,
) {
    let depth = lefts[0].len();
    let mut sums = [[s.splat(0.0); V]; R];
    for k in 0..depth {
        let row = &right.rows[k * right.stride + column..][..V * S::LANES];
        let mut rights = [s.load(row); V];
        for v in 1..V {
            rights[v] = s.load(&row[v * S::LANES..]);
        }
        for r in 0..R {
            let left = s.splat(lefts[r][k]);
            for v in 0..V {
                sums[r][v] = s.mul_add(left, rights[v], sums[r][v]);
            }
        }
    }
    for r in 0..R {
        for v in 0..V {
            s.store(sums[r][v], &mut to[r * pitch + column + v * S::LANES..]);
        }
    }
}

/// As [`panel`], for fewer columns than a vector has.
#[inline(always)]
fn tail<S: Simd, const R: usize>(
    s: S,
    lefts: [&[f32]; R],
    right: Right<'_>,
    columns: std::ops::Range<usize>,
    to: &mut [f32],
    pitch: usize,
) {
    let mut sums = [s.splat(0.0); R];
    for k in 0..lefts[0].len() {
        let row = &right.rows[k * right.stride..];
        let weights = s.load_head(&row[columns.clone()]);
        for r in 0..R {
            sums[r] = s.mul_add(s.splat(lefts[r][k]), weights, sums[r]);
        }
    }
    for r in 0..R {
        s.store_head(sums[r], &mut to[r * pitch..][columns.clone()]);
    }
}
