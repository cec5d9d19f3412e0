//! Matrix products with weights that are packed once: `results = activation(left · weightsᵀ + bias)`.
//!
//! [`Packer`] lays the weights of a layer out for the processor at hand; a [`Linear`]
//! multiplies an [`Operand`] with them and finishes each tile of results while it is in
//! cache. Every result is summed in the same order whatever the number of rows
//! or threads, so an image alone equals itself in a batch, bit for bit.
//!
//! Numbers: f32 is IEEE with fused multiply-add where the processor has it. bf16 rounds the weights
//! and, on processors with bf16 products, the left side too; sums are f32. int8 rounds
//! weights by output and the left side by row; its integer sums are exact, and its
//! results without a GELU are the same bits on every processor.

mod convolution;
mod encode;
mod finish;
mod float;
mod kernels;
mod operand;
mod pack;
mod precision;
mod results;
mod tile;
mod tiling;

pub use convolution::{Convolution, by_tap};
use operand::COLUMN_MULTIPLE;
pub(crate) use operand::Writer;
pub use operand::{Form, Layout, Operand};
pub use pack::{MAX_INT8_INPUTS, Packer, Shape};
pub use precision::{Precision, UnknownPrecision};

use std::cell::Cell;
use std::ops::Range;

use crate::activation::Activation;
use crate::dispatch::Cpu;
use crate::machine::Machine;
use crate::memory::{Shared, Stored};
use crate::simd::MAX_LANES;
use encode::Largest;
use finish::{Finish, Sink};
use kernels::{Choice, LONE_VECTORS, Micro};
use results::{Bounds, Integers, Results};
use tile::{FEW_ROWS, LINE_WORDS, MAX_COLUMNS, MAX_ROWS, Offsets, Strip, Sums, Tile};
use tiling::{Bytes, Heights, Tiling};

/// Where the results of a product go.
#[derive(Debug)]
pub enum Output<'a> {
    /// Rows without gaps, overwritten.
    Store(&'a mut [f32]),
    /// Rows without gaps, to which the products are added before the activation (a residual connection).
    Add(&'a mut [f32]),
    /// The left side of a layer that takes this form.
    Operand(&'a mut Operand, Form),
}

/// Multiplies and adds `steps` times in the inner loop of `precision`, but on numbers that
/// stay in registers: what no product can exceed on one core. Answers the number of operations, two for
/// each product and sum; `None` where `cpu` has no single instruction for it.
pub fn peak(cpu: Cpu, precision: Precision, steps: usize) -> Option<u64> {
    let products = Micro::choose(cpu, precision).run_registers(steps)?;
    Some(2 * products as u64)
}

/// A layer, packed.
#[derive(Debug)]
pub struct Linear {
    precision: Precision,
    shape: Shape,
    micro: Choice,
    segment_steps: usize,
    words: Stored,
    // padded to whole vectors of columns
    bias: Vec<f32>,
    scales: Vec<f32>,
    corrections: Vec<i32>,
}

/// Tiles that a thread takes at a time, at least.
const TILE_GRAIN: usize = 4;

impl Linear {
    /// Results of a row.
    pub fn outputs(&self) -> usize {
        self.shape.outputs
    }

    /// Columns of the left side.
    pub fn inputs(&self) -> usize {
        self.shape.inputs()
    }

    /// The numbers it multiplies.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The layout that the left side must have.
    pub fn layout(&self) -> Layout {
        self.micro.layout
    }

    /// `output = activation(left · weightsᵀ + bias)`; [`Output::Add`] adds what is there to the sum.
    ///
    /// # Panics
    /// If the left side has another layout or number of columns, the layer
    /// is a convolution, or `output` does not have a place for each result.
    pub fn multiply(
        &self,
        machine: &Machine,
        left: &Operand,
        output: Output<'_>,
        activation: Activation,
    ) {
        assert_eq!(
            self.shape.segments, 1,
            "a convolution is not a plain product"
        );
        assert_eq!(left.layout(), self.micro.layout);
        assert_eq!(left.columns(), self.shape.segment_inputs);
        let rows = Rows {
            count: left.rows(),
            words: left.words(),
            offsets: Offsets::Dense {
                stride: left.stride(),
            },
            scales: left.scales(),
        };
        self.run(machine, rows, output, activation);
    }

    /// Whether [`Linear::multiply_floats`] is for this layer: its layout is [`Layout::F32`] and it has a multiple of 4 inputs.
    pub fn reads_floats(&self) -> bool {
        let whole = self.shape.segment_inputs.is_multiple_of(COLUMN_MULTIPLE);
        self.micro.layout == Layout::F32 && self.shape.segments == 1 && whole
    }

    /// The same of rows of floats without gaps, which are read where they lie.
    ///
    /// # Panics
    /// If the layer does not [read floats](Linear::reads_floats), `left` is not a whole number of rows, or as [`Linear::multiply`].
    pub fn multiply_floats(
        &self,
        machine: &Machine,
        left: &[f32],
        output: Output<'_>,
        activation: Activation,
    ) {
        let inputs = self.shape.segment_inputs;
        assert!(self.reads_floats() && left.len().is_multiple_of(inputs));
        let rows = Rows {
            count: left.len() / inputs,
            words: bytemuck::cast_slice(left),
            offsets: Offsets::Dense { stride: inputs },
            scales: &[],
        };
        self.run(machine, rows, output, activation);
    }

    /// The product of `rows`, which have the layer's layout.
    fn run(&self, machine: &Machine, rows: Rows<'_>, output: Output<'_>, activation: Activation) {
        let outputs = self.shape.outputs;
        let rounded = matches!(&output, Output::Operand(_, form) if form.is_rounded());
        let job = |rows: Rows<'_>, sink: &Sink<'_>, largest: Option<&Largest>| {
            self.run_into(machine, rows, sink, (activation, rounded), largest);
        };
        match output {
            Output::Store(to) => {
                assert_eq!(to.len(), rows.count * outputs);
                job(rows, &Sink::Store(Shared::new(to), outputs), None);
            }
            Output::Add(to) => {
                assert_eq!(to.len(), rows.count * outputs);
                job(rows, &Sink::Add(Shared::new(to), outputs), None);
            }
            Output::Operand(operand, form) => {
                operand.reset(form, rows.count, outputs);
                match operand.layout() {
                    Layout::F32 => {
                        let (words, stride) = operand.words_mut();
                        let floats = bytemuck::cast_slice_mut(words);
                        job(rows, &Sink::Store(Shared::new(floats), stride), None);
                    }
                    Layout::Bf16 => {
                        let (words, stride) = operand.words_mut();
                        let halves = bytemuck::cast_slice_mut(words);
                        job(rows, &Sink::Bf16(Shared::new(halves), 2 * stride), None);
                    }
                    Layout::U8 | Layout::I16 => {
                        let bytes = self
                            .micro
                            .staged_bytes
                            .saturating_mul(machine.pool.threads());
                        let mut at_once = operand.staged_at_once(bytes);
                        if operand.group() == 1 {
                            // whole tiles
                            at_once = at_once.next_multiple_of(self.micro.rows);
                        }
                        for first in (0..rows.count).step_by(at_once) {
                            let block = first..rows.count.min(first + at_once);
                            let one_scale = block.len() > 1 && block.len() == operand.group();
                            let largest =
                                (one_scale && self.is_whole(activation)).then(Largest::default);
                            let stage = Shared::new(operand.stage(block.len()));
                            let part = rows.part(block.clone(), self.shape.segments);
                            job(part, &Sink::Store(stage, outputs), largest.as_ref());
                            operand.encode_known(machine, block, largest);
                        }
                    }
                }
            }
        }
    }

    /// Whether tiles bring all their results to their place at once.
    fn is_whole(&self, activation: Activation) -> bool {
        self.shape.outputs.is_multiple_of(self.micro.lanes) && Bounds::of(activation).is_some()
    }

    /// The product of rows whose results go to one place, all threads at it; and whether they are rounded there. Who asks for
    /// the largest must know that the layer is whole.
    fn run_into(
        &self,
        machine: &Machine,
        rows: Rows<'_>,
        sink: &Sink<'_>,
        (activation, rounded): (Activation, bool),
        largest: Option<&Largest>,
    ) {
        let is_dense = matches!(rows.offsets, Offsets::Dense { .. });
        let lone = is_dense && self.micro.is_lone(rows.count);
        let tiles = if lone {
            1
        } else {
            rows.count.div_ceil(self.micro.rows)
        };
        let tiling = Tiling::new(
            (tiles, self.micro.panels(self.shape.outputs)),
            Bytes {
                rows: size_of_val(rows.words),
                weights: size_of_val(&self.words[..]),
                results: rows.count * self.shape.outputs * size_of::<f32>(),
            },
            self.micro.kept_bytes,
            machine.pool.threads(),
        );
        let job = Job {
            linear: self,
            rows,
            sink,
            activation,
            rounded,
            largest,
            lone,
            heights: Heights::new(rows.count, tiling.tiles),
        };
        machine
            .pool
            .run_ranges(tiling.count(), TILE_GRAIN, |range| {
                let mut sums = Sums([0.0; MAX_ROWS * MAX_COLUMNS]);
                tiling.visit(range, |panel, tiles| job.panel(panel, &tiles, &mut sums));
            });
    }
}

/// The rows of a product's left side.
#[derive(Clone, Copy)]
struct Rows<'a> {
    count: usize,
    /// Where they are.
    words: &'a [u32],
    offsets: Offsets<'a>,
    /// One for each row, where the layout has them.
    scales: &'a [f32],
}

impl Rows<'_> {
    /// Some of them, of a layer with so many segments.
    fn part(&self, rows: Range<usize>, segments: usize) -> Self {
        let (words, offsets) = match self.offsets {
            Offsets::Dense { stride } => (
                &self.words[rows.start * stride..rows.end * stride],
                self.offsets,
            ),
            Offsets::Gathered { table } => {
                let table = &table[rows.start * segments..rows.end * segments];
                (self.words, Offsets::Gathered { table })
            }
        };
        let scales = if self.scales.is_empty() {
            self.scales
        } else {
            &self.scales[rows.clone()]
        };
        Self {
            count: rows.len(),
            words,
            offsets,
            scales,
        }
    }
}

/// One product under way.
struct Job<'a> {
    linear: &'a Linear,
    rows: Rows<'a>,
    sink: &'a Sink<'a>,
    activation: Activation,
    /// Whether results are rounded by who reads them next, or by the sink.
    rounded: bool,
    /// Who asks for the largest result.
    largest: Option<&'a Largest>,
    /// Whether its only tile takes panels in parts.
    lone: bool,
    heights: Heights,
}

/// Words of a panel that the second level of cache holds beside the next one, with room for all else.
const SHORT_PANEL: usize = 64 << 10;

impl Job<'_> {
    /// Computes some tiles of one panel's columns.
    fn panel(&self, panel: usize, range: &Range<usize>, sums: &mut Sums) {
        let micro = &self.linear.micro;
        let padded = micro.panel(self.linear.shape.outputs, panel);
        let vectors = padded.len() / micro.lanes;
        let width = if self.lone { LONE_VECTORS } else { vectors };
        for first in (0..vectors).step_by(width) {
            let part = first..vectors.min(first + width);
            self.part(&padded, part, range.clone(), sums);
        }
    }

    /// Computes some tiles of a part of the vectors of a panel, whose columns are `padded`.
    fn part(
        &self,
        padded: &Range<usize>,
        part: Range<usize>,
        range: Range<usize>,
        sums: &mut Sums,
    ) {
        let linear = self.linear;
        let micro = &linear.micro;
        let steps = linear.shape.segments * linear.segment_steps;
        let step_words = micro.encoding.step_words(padded.len());
        let first_word = micro.encoding.step_words(padded.start) * steps;
        let words = &linear.words[first_word..][..step_words * steps];

        let vectors = part.len();
        let (first_column, width) = (
            padded.start + part.start * micro.lanes,
            vectors * micro.lanes,
        );
        let columns = width.min(linear.shape.outputs - first_column);
        let words_before = micro.encoding.step_words(part.start * micro.lanes);

        let (heights, here) = (self.heights, words.as_ptr());
        // a tile that is alone reads the panel once, which then need not stay beside the next one
        let hurries = self.lone || heights.most() <= FEW_ROWS && words.len() <= SHORT_PANEL;
        // spread over the tiles: more requests at once than the processor keeps track of delay all others
        let pace = match range.len() / vectors {
            // so few rows that reading the panel is most of the work
            0 if hurries => 2 * LINE_WORDS,
            0 | 1 => LINE_WORDS,
            2 | 3 => LINE_WORDS / 2,
            _ => LINE_WORDS / 4,
        };
        let first_row = heights.start(range.start);
        let (next_rows, row_pace) = match self.rows.offsets {
            Offsets::Dense { stride } => {
                let next = (first_row + heights.of(range.start)) * stride;
                let words = heights.most() * stride;
                (
                    self.rows.words.as_ptr().wrapping_add(next),
                    words.div_ceil(steps),
                )
            }
            Offsets::Gathered { .. } => (here, 0),
        };
        let tile = Tile {
            left: self.rows.words,
            offsets: self.rows.offsets,
            first_row,
            segments: linear.shape.segments,
            segment_steps: linear.segment_steps,
            panel: &words[words_before..],
            step_words,
            next_panel: here.wrapping_add(words.len() + words_before * steps),
            pace,
            asked: 0,
            next_rows,
            row_pace,
        };
        let mut strip = Strip {
            tile,
            tiles: range.clone(),
            heights,
        };
        if columns == width
            && let Some(bounds) = Bounds::of(self.activation)
            && let Sink::Store(to, stride) | Sink::Add(to, stride) = self.sink
        {
            let lanes = Cell::new([0.0; MAX_LANES]);
            let results = Results {
                first: first_column,
                add: matches!(self.sink, Sink::Add(..)),
                bounds,
                largest: self.largest.map(|_| &lanes),
                ..self.results(first_column, to, *stride)
            };
            micro.run(&mut strip, vectors, &results);
            if let Some(largest) = self.largest {
                largest.raise(lanes.get());
            }
            return;
        }
        assert!(self.largest.is_none(), "only whole layers find the largest");
        let staged = Shared::new(&mut sums.0);
        let mut results = self.results(first_column, &staged, width);
        for index in range {
            let (first_row, rows) = (strip.tile.first_row, heights.of(index));
            results.top = first_row;
            strip.tiles = index..index + 1;
            micro.run(&mut strip, vectors, &results);
            micro.cpu().run(Finish {
                // SAFETY: they are this thread's, and the tile is done.
                sums: unsafe { staged.part(0..rows * width) },
                width,
                rows,
                first_row,
                columns,
                first_column,
                activation: self.activation,
                rounded: self.rounded,
                sink: self.sink,
            });
        }
    }

    /// Results from a column on, unbounded, in rows of `stride` elements.
    fn results<'a>(&'a self, column: usize, to: &'a Shared<'a, f32>, stride: usize) -> Results<'a> {
        let linear = self.linear;
        Results {
            bias: &linear.bias[column..],
            integers: (linear.precision == Precision::Int8).then(|| Integers {
                row_scales: self.rows.scales,
                column_scales: &linear.scales[column..],
                corrections: &linear.corrections[column..],
            }),
            top: 0,
            to,
            first: 0,
            stride,
            add: false,
            bounds: Bounds::NONE,
            largest: None,
        }
    }
}

#[cfg(test)]
mod tests;
