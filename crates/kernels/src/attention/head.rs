//! One head of one sequence.

use std::ops::Range;

use super::{Attention, Numbers, Span, Target};
use crate::dispatch::Cpu;
use crate::simd::{Kernel, MAX_LANES, Simd};
use crate::softmax::exponentials;

/// Queries that are worked on together, at most.
const BLOCK: usize = 6;

/// Places for a head's intermediate results, reused for the next head. Words hold a number or a pair.
pub(super) struct Work {
    /// The keys, a row for each word of a key.
    keys: Vec<u32>,
    /// Of pairs, the values: a row for every two.
    values: Vec<u32>,
    /// A row of weights for each query of a block.
    weights: Vec<f32>,
    /// Elements of a row of keys and of weights.
    stride: usize,
    /// Of pairs, the left sides of a block's products.
    lefts: Vec<u32>,
    /// The results of a block.
    results: Vec<f32>,
}

impl Work {
    pub fn new(numbers: Numbers, keys: usize, width: usize) -> Self {
        let stride = keys.next_multiple_of(MAX_LANES);
        let padded = width.next_multiple_of(MAX_LANES);
        let (values, lefts) = match numbers {
            Numbers::F32 => (0, 0),
            Numbers::Bf16 => (
                keys.div_ceil(2) * padded,
                BLOCK * left_words::<2>(keys.max(width)),
            ),
        };
        Self {
            keys: vec![0; width * stride],
            values: vec![0; values],
            weights: vec![0.0; BLOCK * stride],
            stride,
            lefts: vec![0; lefts],
            results: vec![0.0; BLOCK * width],
        }
    }
}

/// Words of a row of so many numbers, `P` of them in a word, in whole vectors.
const fn left_words<const P: usize>(numbers: usize) -> usize {
    numbers.div_ceil(P).next_multiple_of(MAX_LANES)
}

pub(super) struct Head<'a> {
    pub attention: &'a Attention<'a>,
    pub span: &'a Span,
    pub index: usize,
    /// What the thread goes on with: another head, or the first of another span.
    pub next: Option<(&'a Span, usize)>,
    pub target: &'a Target<'a>,
    pub work: &'a mut Work,
    pub cpu: Cpu,
}

impl Kernel for Head<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.attention.numbers {
            Numbers::F32 => self.all::<S, 1>(s),
            Numbers::Bf16 => self.all::<S, 2>(s),
        }
    }
}

/// `P` is how many numbers a word holds: one float, or two of bf16.
impl Head<'_> {
    #[inline(always)]
    fn all<S: Simd, const P: usize>(mut self, s: S) {
        self.transpose_keys::<S, P>(s);
        if P == 2 {
            self.pair_values(s);
        }
        let count = self.span.queries.len();
        let blocks = count.div_ceil(BLOCK);
        for block in 0..blocks {
            // blocks of equal size: nine of five or six queries rather than eight of six and a pair
            let first = count * block / blocks;
            self.ask_next(block, blocks);
            match count * (block + 1) / blocks - first {
                1 => self.block::<S, P, 1>(s, first),
                2 => self.block::<S, P, 2>(s, first),
                3 => self.block::<S, P, 3>(s, first),
                4 => self.block::<S, P, 4>(s, first),
                5 => self.block::<S, P, 5>(s, first),
                _ => self.block::<S, P, BLOCK>(s, first),
            }
        }
    }

    /// Asks for a share of what the next head reads: it lies in short pieces far apart, which no processor foresees.
    #[inline(always)]
    fn ask_next(&self, block: usize, blocks: usize) {
        let Some((span, index)) = self.next else {
            return;
        };
        let (attention, column) = (self.attention, index * self.attention.width);
        let part = |rows: &Range<usize>| {
            rows.start + rows.len() * block / blocks..rows.start + rows.len() * (block + 1) / blocks
        };
        for row in part(&span.keys) {
            attention.keys.ask(row, column, attention.width);
            attention.values.ask(row, column, attention.width);
        }
        for row in part(&span.queries) {
            attention.queries.ask(row, column, attention.width);
        }
    }

    /// As many keys at a time as a vector has lanes. What lies behind the last key is zeros.
    #[inline(always)]
    fn transpose_keys<S: Simd, const P: usize>(&mut self, s: S) {
        let Attention { keys, width, .. } = *self.attention;
        let stride = self.work.stride;
        let rows = self.span.keys.clone();
        let to: &mut [f32] = bytemuck::cast_slice_mut(&mut self.work.keys);
        for first in (0..rows.len()).step_by(S::LANES) {
            let group = (rows.len() - first).min(S::LANES);
            for column in (0..width).step_by(P * S::LANES) {
                let columns = (width - column).min(P * S::LANES);
                let mut lines = [s.splat(0.0); MAX_LANES];
                for (i, line) in lines[..group].iter_mut().enumerate() {
                    let key = keys.at(rows.start + first + i, self.index * width + column);
                    *line = words::<S, P>(s, &key[..columns]);
                }
                let lines = transpose(s, lines);
                for (i, line) in lines[..columns.div_ceil(P)].iter().enumerate() {
                    s.store(*line, &mut to[(column / P + i) * stride + first..]);
                }
            }
        }
    }

    /// Every two values, number beside number.
    #[inline(always)]
    fn pair_values<S: Simd>(&mut self, s: S) {
        let Attention { values, width, .. } = *self.attention;
        let rows = self.span.keys.clone();
        let padded = width.next_multiple_of(MAX_LANES);
        let to: &mut [f32] = bytemuck::cast_slice_mut(&mut self.work.values);
        for (row, to) in rows.clone().step_by(2).zip(to.chunks_exact_mut(padded)) {
            for column in (0..width).step_by(S::LANES) {
                let columns = (width - column).min(S::LANES);
                let at = self.index * width + column;
                let one = s.load_head(&values.at(row, at)[..columns]);
                let other = if row + 1 < rows.end {
                    s.load_head(&values.at(row + 1, at)[..columns])
                } else {
                    s.splat(0.0)
                };
                let [low, high] = s.zip(one, other);
                s.store(s.bf16_pairs(low, high), &mut to[column..]);
            }
        }
    }

    /// Computes the results of `R` queries, of which `first` is the first of the span's.
    #[inline(always)]
    fn block<S: Simd, const P: usize, const R: usize>(&mut self, s: S, first: usize) {
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
            values: pairs,
            weights,
            stride,
            lefts: places,
            results,
        } = &mut *self.work;
        let stride = *stride;
        let query = |r: usize| span.queries.start + first + r;
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
            *left = &queries.at(query(r), column)[..width];
        }
        // whole vectors of keys: what the surplus lanes hold is not looked at
        let padded = most.next_multiple_of(S::LANES);
        let right = Right { rows: keys, stride };
        let left = left_sides::<S, P, R>(s, lefts, places);
        product::<S, P, R>(s, left, right, padded, rows(weights, stride), [1.0; R]);

        let scale = 1.0 / (width as f32).sqrt();
        let mut factors = [0.0; R];
        for (r, factor) in factors.iter_mut().enumerate() {
            let row = &mut weights[r * stride..][..padded];
            *factor = 1.0 / exponentials(s, row, seen(r), scale);
        }

        let mut lefts = [&[][..]; R];
        for (r, left) in lefts.iter_mut().enumerate() {
            *left = &weights[r * stride..][..most];
        }
        let right = if P == 2 {
            Right {
                rows: pairs,
                stride: width.next_multiple_of(MAX_LANES),
            }
        } else {
            Right {
                rows: bytemuck::cast_slice(values.at(span.keys.start, column)),
                stride: values.stride,
            }
        };
        let left = left_sides::<S, P, R>(s, lefts, places);
        match self.target {
            Target::Floats(to) => {
                let mut places = std::array::from_fn::<&mut [f32], R, _>(|_| &mut []);
                for (r, place) in places.iter_mut().enumerate() {
                    let start = query(r) * self.attention.heads * width + column;
                    // SAFETY: the columns of one head in the rows of one span: no other piece has them.
                    *place = unsafe { to.part(start..start + width) };
                }
                product::<S, P, R>(s, left, right, width, places, factors);
            }
            Target::Operand(writer) => {
                let places = rows(results, width);
                product::<S, P, R>(s, left, right, width, places, factors);
                for r in 0..R {
                    let row = &results[r * width..][..width];
                    // SAFETY: as above, and heads do not share words.
                    unsafe { writer.part(self.cpu, query(r), column, row) };
                }
            }
        }
    }
}

/// The first rows of a matrix.
#[inline(always)]
fn rows<const R: usize>(matrix: &mut [f32], stride: usize) -> [&mut [f32]; R] {
    let mut rows = std::array::from_fn::<&mut [f32], R, _>(|_| &mut []);
    let mut rest = matrix;
    for row in &mut rows {
        (*row, rest) = rest.split_at_mut(stride);
    }
    rows
}

/// A vector of words of these numbers, and zeros behind.
#[inline(always)]
fn words<S: Simd, const P: usize>(s: S, numbers: &[f32]) -> S::Floats {
    if P == 2 {
        let (low, high) = numbers.split_at(numbers.len().min(S::LANES));
        s.bf16_pairs(s.load_head(low), s.load_head(high))
    } else {
        s.load_head(numbers)
    }
}

/// Rows of equal length as the words of a product's left side: floats where they lie, pairs in `places`.
#[inline(always)]
fn left_sides<'a, S: Simd, const P: usize, const R: usize>(
    s: S,
    rows: [&'a [f32]; R],
    places: &'a mut [u32],
) -> [&'a [u32]; R] {
    let mut lefts = [&[][..]; R];
    if P == 1 {
        for (left, row) in lefts.iter_mut().zip(rows) {
            *left = bytemuck::cast_slice(row);
        }
        return lefts;
    }
    let length = rows[0].len();
    let mut places = places;
    for r in 0..R {
        let (place, rest) = places.split_at_mut(left_words::<P>(length));
        let to: &mut [f32] = bytemuck::cast_slice_mut(place);
        let mut to = to.chunks_exact_mut(S::LANES);
        for numbers in rows[r].chunks(P * S::LANES) {
            let to = to.next().expect("a vector for as many numbers");
            s.store(words::<S, P>(s, numbers), to);
        }
        (lefts[r], places) = (&place[..length.div_ceil(P)], rest);
    }
    lefts
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

/// The right side of a small product: rows of `stride` words, of which the first are used.
#[derive(Clone, Copy)]
struct Right<'a> {
    rows: &'a [u32],
    stride: usize,
}

/// `to = factors · lefts · right`: `R` rows, of which the first `columns` columns are written. The lefts' lengths
/// are equal and say how many rows of the right side take part.
#[inline(always)]
fn product<S: Simd, const P: usize, const R: usize>(
    s: S,
    lefts: [&[u32]; R],
    right: Right<'_>,
    columns: usize,
    mut to: [&mut [f32]; R],
    factors: [f32; R],
) {
    // as many sums as fit the registers: 6 × 4 of 32, or 6 × 2 of 16
    let mut column = 0;
    if S::LANES == MAX_LANES {
        while columns - column >= 4 * S::LANES {
            panel::<S, P, R, 4>(s, lefts, right, column, &mut to, factors);
            column += 4 * S::LANES;
        }
    }
    while columns - column >= 2 * S::LANES {
        panel::<S, P, R, 2>(s, lefts, right, column, &mut to, factors);
        column += 2 * S::LANES;
    }
    if columns - column >= S::LANES {
        panel::<S, P, R, 1>(s, lefts, right, column, &mut to, factors);
        column += S::LANES;
    }
    if column < columns {
        tail::<S, P, R>(s, lefts, right, column..columns, &mut to, factors);
    }
}

#[inline(always)]
fn panel<S: Simd, const P: usize, const R: usize, const V: usize>(
    s: S,
    lefts: [&[u32]; R],
    right: Right<'_>,
    column: usize,
    to: &mut [&mut [f32]; R],
    factors: [f32; R],
) {
    let depth = lefts[0].len();
    let lefts = lefts.map(|left| &left[..depth]);
    let mut sums = [[s.splat(0.0); V]; R];
    for k in 0..depth {
        let row = &right.rows[k * right.stride + column..][..V * S::LANES];
        let row: &[f32] = bytemuck::cast_slice(row);
        let mut rights = [s.load(row); V];
        for v in 1..V {
            rights[v] = s.load(&row[v * S::LANES..]);
        }
        for r in 0..R {
            let left = s.splat(f32::from_bits(lefts[r][k]));
            for v in 0..V {
                sums[r][v] = add_products::<S, P>(s, left, rights[v], sums[r][v]);
            }
        }
    }
    for r in 0..R {
        let to = &mut to[r][column..][..V * S::LANES];
        for v in 0..V {
            let value = s.mul(sums[r][v], s.splat(factors[r]));
            s.store(value, &mut to[v * S::LANES..]);
        }
    }
}

/// As [`panel`], for fewer columns than a vector has.
#[inline(always)]
fn tail<S: Simd, const P: usize, const R: usize>(
    s: S,
    lefts: [&[u32]; R],
    right: Right<'_>,
    columns: Range<usize>,
    to: &mut [&mut [f32]; R],
    factors: [f32; R],
) {
    let mut sums = [s.splat(0.0); R];
    for k in 0..lefts[0].len() {
        let row = &right.rows[k * right.stride..][columns.clone()];
        let rights = s.load_head(bytemuck::cast_slice(row));
        for r in 0..R {
            let left = s.splat(f32::from_bits(lefts[r][k]));
            sums[r] = add_products::<S, P>(s, left, rights, sums[r]);
        }
    }
    for r in 0..R {
        let value = s.mul(sums[r], s.splat(factors[r]));
        s.store_head(value, &mut to[r][columns.clone()]);
    }
}

/// `sum` and the products of words.
#[inline(always)]
fn add_products<S: Simd, const P: usize>(
    s: S,
    left: S::Floats,
    right: S::Floats,
    sum: S::Floats,
) -> S::Floats {
    if P == 2 {
        s.add_bf16_products(left, right, sum)
    } else {
        s.mul_add(left, right, sum)
    }
}
