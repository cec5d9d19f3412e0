//! Multi-head attention (Vaswani et al., 2017) over sequences of different lengths that
//! lie back to back.
//!
//! A piece of work is one head of one sequence: its keys are transposed once, then a few
//! queries at a time are multiplied with all keys, turned into weights, and multiplied
//! with all values, without leaving the first level of cache.

mod head;

use std::ops::Range;

use crate::dispatch::Cpu;
use crate::gemm::{Layout, Operand, Precision, Writer};
use crate::machine::Machine;
use crate::memory::{Shared, prefetch};
use head::{Head, Work};

/// Columns of a matrix that hold a vector for each token, head after head.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// The matrix.
    pub rows: &'a [f32],
    /// Elements of a row.
    pub stride: usize,
    /// The first of the columns.
    pub first: usize,
}

impl<'a> Tokens<'a> {
    /// The elements of `row` from column `column` of the tokens' on.
    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> &'a [f32] {
        &self.rows[row * self.stride + self.first + column..]
    }

    /// Asks for the elements of `row` from column `column` on, before they are needed.
    #[inline(always)]
    fn ask(&self, row: usize, column: usize, width: usize) {
        let row = self.at(row, column);
        for line in row[..width].chunks(prefetch::LINE_WORDS) {
            prefetch::to_second_level(line.as_ptr().cast());
        }
    }

    fn assert_holds(&self, rows: usize, columns: usize) {
        let last = rows.checked_sub(1);
        assert!(
            last.is_none_or(|row| row * self.stride + self.first + columns <= self.rows.len())
                && self.first + columns <= self.stride,
            "{rows} rows of {columns} columns"
        );
    }
}

/// What the two products of an attention are made of; the softmax between them and all sums are f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Floats.
    F32,
    /// Floats rounded to bf16 where they are read, two products at a time.
    Bf16,
}

impl Numbers {
    /// The fastest of a model whose layers are of `precision`: bf16 only where it costs no exactness that the layers have.
    pub fn fastest(cpu: Cpu, precision: Precision) -> Self {
        if precision != Precision::F32 && cpu.multiplies_bf16_faster() {
            Self::Bf16
        } else {
            Self::F32
        }
    }
}

/// One sequence: which rows ask, and which rows they look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Rows of the queries, and of the result.
    pub queries: Range<usize>,
    /// Rows of the keys and values.
    pub keys: Range<usize>,
}

impl Span {
    /// Sequences of the given lengths, one behind the other, every token asking.
    pub fn whole(lengths: impl IntoIterator<Item = usize>) -> Vec<Self> {
        let mut first = 0;
        lengths
            .into_iter()
            .map(|length| {
                let rows = first..first + length;
                first += length;
                Self {
                    queries: rows.clone(),
                    keys: rows,
                }
            })
            .collect()
    }

    /// Sequences of the given lengths, one behind the other, of which one token each
    /// asks: the only one that the last layer of an encoder is wanted for.
    pub fn single(lengths: impl IntoIterator<Item = usize>) -> Vec<Self> {
        let mut spans = Self::whole(lengths);
        for (i, span) in spans.iter_mut().enumerate() {
            span.queries = i..i + 1;
        }
        spans
    }
}

/// `softmax(queries · keysᵀ / √width) · values`, head by head.
///
/// A NaN or infinity makes the results of the queries that see it NaN, and perhaps those
/// of other queries of the same head and sequence (a hidden value is multiplied with 0), but no others.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// Heads.
    pub heads: usize,
    /// Columns of a head.
    pub width: usize,
    /// Who asks.
    pub queries: Tokens<'a>,
    /// What is compared with.
    pub keys: Tokens<'a>,
    /// What is averaged.
    pub values: Tokens<'a>,
    /// The sequences. Their queries are the rows of the result, in order and without gaps.
    pub spans: &'a [Span],
    /// Whether a query sees only its own and earlier keys; the last query sees all.
    pub causal: bool,
    /// What is multiplied.
    pub numbers: Numbers,
}

impl Attention<'_> {
    /// Writes the results to `to`, a row of `heads * width` for each query.
    ///
    /// # Panics
    /// If a span lies outside the matrices, has no key for a query, or the spans' queries
    /// are not the rows of `to` in order.
    pub fn apply(&self, machine: &Machine, to: &mut [f32]) {
        let rows = self.check();
        assert_eq!(to.len(), rows * self.heads * self.width);
        self.run(machine, &Target::Floats(Shared::new(to)));
    }

    /// Makes `to` the results in `layout`.
    ///
    /// # Panics
    /// As [`Attention::apply`].
    pub fn apply_to_operand(&self, machine: &Machine, layout: Layout, to: &mut Operand) {
        let rows = self.check();
        to.reset(layout.into(), rows, self.heads * self.width);
        // two heads must not share a word
        if layout == Layout::F32 || layout == Layout::Bf16 && self.width.is_multiple_of(2) {
            self.run(machine, &Target::Operand(to.writer()));
        } else {
            let rows = to.rows();
            self.run(machine, &Target::Floats(Shared::new(to.stage(rows))));
            to.encode_staged(machine, 0..rows);
        }
    }

    /// The number of queries, after checking that everything they touch exists.
    fn check(&self) -> usize {
        let columns = self.heads * self.width;
        assert!(columns > 0);
        let mut rows = 0;
        let mut keys = 0;
        for span in self.spans {
            assert_eq!(
                span.queries.start, rows,
                "queries in order and without gaps"
            );
            assert!(span.queries.start <= span.queries.end && span.keys.start < span.keys.end);
            assert!(!self.causal || span.queries.len() <= span.keys.len());
            rows = span.queries.end;
            keys = keys.max(span.keys.end);
        }
        self.queries.assert_holds(rows, columns);
        self.keys.assert_holds(keys, columns);
        self.values.assert_holds(keys, columns);
        rows
    }

    fn run(&self, machine: &Machine, target: &Target<'_>) {
        let longest = self.spans.iter().map(|span| span.keys.len()).max();
        let Some(longest) = longest else { return };
        let pieces = self.spans.len() * self.heads;
        machine.pool.run_ranges(pieces, 1, |range| {
            let mut work = Work::new(self.numbers, longest, self.width);
            let place = |piece| (&self.spans[piece / self.heads], piece % self.heads);
            for piece in range.clone() {
                let (span, index) = place(piece);
                machine.cpu.run(Head {
                    attention: self,
                    span,
                    index,
                    next: (piece + 1 < range.end).then(|| place(piece + 1)),
                    target,
                    work: &mut work,
                    cpu: machine.cpu,
                });
            }
        });
    }
}

/// Where the results go.
enum Target<'a> {
    Floats(Shared<'a, f32>),
    Operand(Writer<'a>),
}

#[cfg(test)]
mod tests;
