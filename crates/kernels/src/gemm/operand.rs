//! The left matrix of a product, in the form that the inner loop reads.
//!
//! Rows (tokens or pixels) stay rows: the loop spreads single words of them over its
//! lanes, so nothing is transposed. Kernels that make a layer's input (a norm, an
//! attention, an activation) write straight into an [`Operand`].

use std::ops::Range;

use super::encode::{Encode, EncodeRows, FindLargest, Largest, Scale, Scales};
use crate::dispatch::Cpu;
use crate::machine::Machine;
use crate::memory::{Pages, Shared};

/// How the numbers of a row are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bf16.
    Bf16,
    /// Scaled to -127..=127 by the row's largest magnitude, plus 128, as bytes.
    U8,
    /// Scaled likewise, as 16-bit integers.
    I16,
}

impl Layout {
    /// Numbers in a word.
    pub(super) const fn per_word(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16 | Self::I16 => 2,
            Self::U8 => 4,
        }
    }

    /// A word of zeros.
    const fn zero_word(self) -> u32 {
        match self {
            Self::F32 | Self::Bf16 | Self::I16 => 0,
            Self::U8 => 0x8080_8080,
        }
    }

    /// Whether rows have scales, and so are encoded only when complete.
    pub(super) const fn is_scaled(self) -> bool {
        matches!(self, Self::U8 | Self::I16)
    }
}

/// What an [`Operand`] is to look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    layout: Layout,
    /// Rows that share a scale.
    group: usize,
}

impl Form {
    /// `layout`, each row with a scale of its own if it has one.
    pub const fn rows(layout: Layout) -> Self {
        Self { layout, group: 1 }
    }

    /// `layout`, each run of `group` rows with one scale: what a convolution needs, whose
    /// windows mix the pixels of an image.
    ///
    /// # Panics
    /// If `group` is 0.
    pub const fn groups(layout: Layout, group: usize) -> Self {
        assert!(group > 0);
        Self { layout, group }
    }

    /// Whether numbers lose bits there.
    pub(super) fn is_rounded(self) -> bool {
        self.layout != Layout::F32
    }
}

impl From<Layout> for Form {
    fn from(layout: Layout) -> Self {
        Self::rows(layout)
    }
}

/// Rows are padded to a multiple of this, whatever the layout: the longest step of any loop.
pub(super) const COLUMN_MULTIPLE: usize = 4;
/// Words in a line of cache; rows start at one.
const LINE_WORDS: usize = 16;
/// Rows whose starts lie a multiple of this apart would crowd one set of the cache.
const CROWD_WORDS: usize = 1024;
/// Rows that a thread encodes at a time, at least.
const ROW_GRAIN: usize = 8;
/// Numbers among which a thread looks for the largest at a time.
const PART_FLOATS: usize = 16 * 1024;

/// A matrix of activations for [`super::Linear::multiply`], reused from pass to pass.
///
/// In the scaled layouts a row that contains an infinity or a NaN makes all
/// results of the row NaN.
#[derive(Debug, Default)]
pub struct Operand {
    form: Form,
    rows: usize,
    columns: usize,
    stride: usize,
    words: Pages<u32>,
    scales: Vec<f32>,
    /// Rows of a scaled layout that are still being put together.
    staged: Pages<f32>,
}

impl Operand {
    /// An empty matrix, to be filled by [`Operand::assign`] or by a kernel.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Makes this the matrix `values`, row by row, of `columns` columns.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn assign(
        &mut self,
        machine: &Machine,
        form: impl Into<Form>,
        values: &[f32],
        columns: usize,
    ) {
        assert!(columns > 0 && values.len().is_multiple_of(columns));
        let rows = values.len() / columns;
        self.reset(form.into(), rows, columns);
        self.encode(machine, 0..rows, values, None);
    }

    /// Makes this a matrix of `rows` rows of `columns` columns, each of which `write` puts into
    /// the slice it is given (whose contents are those of another row before).
    ///
    /// # Panics
    /// If `columns` is 0.
    pub fn fill(
        &mut self,
        machine: &Machine,
        layout: Layout,
        (rows, columns): (usize, usize),
        write: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        assert!(columns > 0);
        self.reset(layout.into(), rows, columns);
        let writer = self.writer();
        machine.pool.run_ranges(rows, ROW_GRAIN, |range| {
            let mut values = vec![0.0; ROW_GRAIN * columns];
            for first in range.clone().step_by(ROW_GRAIN) {
                let rows = first..range.end.min(first + ROW_GRAIN);
                let values = &mut values[..rows.len() * columns];
                for (row, values) in rows.clone().zip(values.chunks_exact_mut(columns)) {
                    write(row, values);
                }
                // SAFETY: each row is in one range.
                unsafe { writer.rows(machine.cpu, rows, None, values) };
            }
        });
    }

    /// Encodes `values` as these rows, whole groups; if they are a single one, their largest magnitude may be given.
    fn encode(
        &mut self,
        machine: &Machine,
        rows: Range<usize>,
        values: &[f32],
        mut known: Option<Largest>,
    ) {
        let Form { layout, group } = self.form;
        let (columns, start) = (self.columns, rows.start);
        let writer = self.writer();
        let part = |rows: &Range<usize>| {
            &values[(rows.start - start) * columns..(rows.end - start) * columns]
        };
        if layout.is_scaled() && group == 1 {
            machine.pool.run_ranges(rows.len(), ROW_GRAIN, |range| {
                let rows = start + range.start..start + range.end;
                // SAFETY: each row is in one range.
                unsafe { writer.rows(machine.cpu, rows.clone(), None, part(&rows)) };
            });
            return;
        }
        // rows without scales are one group
        let group = if layout.is_scaled() {
            group
        } else {
            rows.len()
        };
        for first in rows.clone().step_by(group.max(1)) {
            let rows = first..rows.end.min(first + group);
            let scale = if layout.is_scaled() {
                let found = known
                    .take()
                    .unwrap_or_else(|| largest(machine, part(&rows)));
                Scale::of(found.get())
            } else {
                Scale::ONE
            };
            machine.pool.run_ranges(rows.len(), ROW_GRAIN, |range| {
                let rows = first + range.start..first + range.end;
                // SAFETY: each row is in one range.
                unsafe { writer.rows(machine.cpu, rows.clone(), Some(scale), part(&rows)) };
            });
        }
    }

    /// Makes this a matrix of the given form whose rows are yet to be written.
    ///
    /// Behind them stands a row of zeros, which convolutions read beyond the edges.
    pub(crate) fn reset(&mut self, form: Form, rows: usize, columns: usize) {
        let layout = form.layout;
        let padded = columns.next_multiple_of(COLUMN_MULTIPLE);
        let words = padded / layout.per_word();
        let mut stride = words.next_multiple_of(LINE_WORDS);
        if stride.is_multiple_of(CROWD_WORDS) {
            stride += LINE_WORDS;
        }
        let total = (rows + 1) * stride;
        if self.words.len() < total {
            self.words = Pages::default();
            self.words = Pages::zeroed(total);
        }
        if layout.is_scaled() && self.scales.len() < rows {
            self.scales.resize(rows, 0.0);
        }
        (self.form, self.rows, self.columns, self.stride) = (form, rows, columns, stride);
        self.words[rows * stride..total].fill(layout.zero_word());
        let first = columns / layout.per_word();
        let line = words.next_multiple_of(LINE_WORDS);
        if first != line {
            // padding must be finite: it is multiplied with the weights' zeros
            for row in 0..rows {
                self.words[row * stride + first..row * stride + line].fill(0);
            }
        }
    }

    /// Access for kernels that write rows, or parts of rows, from several threads.
    pub(crate) fn writer(&mut self) -> Writer<'_> {
        Writer {
            layout: self.form.layout,
            columns: self.columns,
            stride: self.stride,
            words: Shared::new(&mut self.words),
            scales: Shared::new(&mut self.scales),
        }
    }

    /// How many rows to stage at a time: about as many as `bytes` of floats hold, in whole groups.
    pub(crate) fn staged_at_once(&self, bytes: usize) -> usize {
        let group = self.form.group;
        let groups = self.rows.div_ceil(group).max(1);
        let staged = size_of::<f32>() * self.columns * self.rows;
        let parts = staged.saturating_add(bytes / 2) / bytes.max(1);
        groups.div_ceil(parts.clamp(1, groups)) * group
    }

    /// Some rows as floats, to be filled in any order and then completed by
    /// [`Operand::encode_staged`]; for scaled layouts, whose rows are encoded whole.
    pub(crate) fn stage(&mut self, rows: usize) -> &mut [f32] {
        let length = rows * self.columns;
        if self.staged.len() < length {
            self.staged = Pages::default();
            self.staged = Pages::zeroed(length);
        }
        &mut self.staged[..length]
    }

    /// Encodes what [`Operand::stage`] lent for these rows, whole groups.
    pub(crate) fn encode_staged(&mut self, machine: &Machine, rows: Range<usize>) {
        self.encode_known(machine, rows, None);
    }

    /// The same; if the rows are a single group, its largest magnitude may be known.
    pub(super) fn encode_known(
        &mut self,
        machine: &Machine,
        rows: Range<usize>,
        largest: Option<Largest>,
    ) {
        let staged = std::mem::take(&mut self.staged);
        let values = &staged[..rows.len() * self.columns];
        self.encode(machine, rows, values, largest);
        self.staged = staged;
    }

    pub(crate) fn layout(&self) -> Layout {
        self.form.layout
    }

    /// Rows that share a scale, where rows have scales.
    pub(super) fn group(&self) -> usize {
        self.form.group
    }

    /// Words from the start of a row to the next one's.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// All rows, for a kernel that overwrites them, and the stride.
    pub(super) fn words_mut(&mut self) -> (&mut [u32], usize) {
        (&mut self.words[..self.rows * self.stride], self.stride)
    }

    /// All rows, and the row of zeros behind them.
    pub(super) fn words(&self) -> &[u32] {
        &self.words[..(self.rows + 1) * self.stride]
    }

    /// Factors that turn a row's integers into its numbers; empty where rows have none.
    pub(super) fn scales(&self) -> &[f32] {
        if self.form.layout.is_scaled() {
            &self.scales[..self.rows]
        } else {
            &[]
        }
    }
}

/// The largest magnitude of `values`, found by all threads.
fn largest(machine: &Machine, values: &[f32]) -> Largest {
    let largest = Largest::default();
    let parts = values.len().div_ceil(PART_FLOATS);
    machine.pool.run_ranges(parts, 1, |range| {
        let part = range.start * PART_FLOATS..values.len().min(range.end * PART_FLOATS);
        largest.raise(machine.cpu.run(FindLargest(&values[part])));
    });
    largest
}

/// Writes the rows of an [`Operand`].
pub(crate) struct Writer<'a> {
    layout: Layout,
    columns: usize,
    stride: usize,
    words: Shared<'a, u32>,
    scales: Shared<'a, f32>,
}

impl Writer<'_> {
    /// Encodes a whole row, with a scale of its own if the layout has one.
    ///
    /// # Safety
    /// No other thread may write the row at the same time.
    #[inline]
    pub unsafe fn row(&self, cpu: Cpu, row: usize, values: &[f32]) {
        // SAFETY: as the caller promises.
        unsafe { self.rows(cpu, row..row + 1, None, values) };
    }

    /// Encodes whole rows, with one scale or, if the layout has any, each with its own.
    ///
    /// # Safety
    /// No other thread may write the rows at the same time.
    unsafe fn rows(&self, cpu: Cpu, rows: Range<usize>, scale: Option<Scale>, values: &[f32]) {
        assert_eq!(values.len(), rows.len() * self.columns);
        let scales = if self.layout.is_scaled() {
            // SAFETY: the caller is alone with the rows.
            let units = unsafe { self.scales.part(rows.clone()) };
            match scale {
                Some(scale) => {
                    units.fill(scale.unit);
                    Scales::Shared(scale)
                }
                None => Scales::Own(units),
            }
        } else {
            Scales::Shared(Scale::ONE)
        };
        cpu.run(EncodeRows {
            layout: self.layout,
            scales,
            values,
            columns: self.columns,
            // SAFETY: the caller is alone with the rows.
            to: unsafe {
                let rows = rows.start * self.stride..rows.end * self.stride;
                self.words.part(rows)
            },
            stride: self.stride,
            words: self.columns.next_multiple_of(COLUMN_MULTIPLE) / self.layout.per_word(),
        });
    }

    /// Encodes the columns of a row from `column` on, in words of their own; for
    /// layouts without scales.
    ///
    /// # Safety
    /// No other thread may write these columns, or one that shares a word with them, at the same time.
    #[inline(always)]
    pub unsafe fn part(&self, cpu: Cpu, row: usize, column: usize, values: &[f32]) {
        let per_word = self.layout.per_word();
        assert!(!self.layout.is_scaled() && column.is_multiple_of(per_word));
        assert!(column + values.len() <= self.columns);
        let first = row * self.stride + column / per_word;
        // SAFETY: the caller is alone with these words.
        let to = unsafe {
            self.words
                .part(first..first + values.len().div_ceil(per_word))
        };
        cpu.run(Encode {
            layout: self.layout,
            values,
            to,
        });
    }
}

/// Equal if the inner loop would read the same.
#[cfg(test)]
impl PartialEq for Operand {
    fn eq(&self, other: &Self) -> bool {
        let width = self.columns.next_multiple_of(COLUMN_MULTIPLE) / self.layout().per_word();
        let rows = |operand: &Self| -> Vec<u32> {
            let rows = operand.words().chunks(operand.stride());
            rows.take(operand.rows)
                .flat_map(|row| row[..width].to_vec())
                .collect()
        };
        (self.form, self.rows, self.columns) == (other.form, other.rows, other.columns)
            && rows(self) == rows(other)
            && self.scales() == other.scales()
    }
}
