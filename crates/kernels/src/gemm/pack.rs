//! Weights into the order in which the inner loop reads them, once, when a model is loaded.

use super::kernels::{Choice, Encoding, Micro};
use super::operand::{COLUMN_MULTIPLE, Layout};
use super::tile::LINE_WORDS;
use super::{Linear, Precision};
use crate::dispatch::Cpu;
use crate::memory::Vault;
use crate::simd::bf16_bits;

/// The most inputs of a layer in int8: more could overflow a 32-bit sum.
pub const MAX_INT8_INPUTS: usize = 65_536;

/// Packs the layers of one model for one processor.
#[derive(Debug)]
pub struct Packer {
    cpu: Cpu,
    vault: Vault,
}

/// The size of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of the weights.
    pub outputs: usize,
    /// Runs of inputs that are adjacent in the left matrix: 1 for a plain product,
    /// the pixels under the window for a convolution.
    pub segments: usize,
    /// Inputs of each.
    pub segment_inputs: usize,
}

impl Shape {
    /// A plain product.
    pub const fn new(outputs: usize, inputs: usize) -> Self {
        Self {
            outputs,
            segments: 1,
            segment_inputs: inputs,
        }
    }

    /// Inputs of an output.
    pub const fn inputs(self) -> usize {
        self.segments * self.segment_inputs
    }
}

impl Packer {
    /// For layers that run on `cpu`.
    pub fn new(cpu: Cpu) -> Self {
        Self {
            cpu,
            vault: Vault::new(),
        }
    }

    /// The processor that it packs for.
    pub fn cpu(&self) -> Cpu {
        self.cpu
    }

    /// Packs one layer.
    ///
    /// `weights` has a row for each output, its inputs segment by segment; `bias` an
    /// element for each output. In int8 each output has a scale of its own; a row
    /// with an infinity or a NaN makes that output NaN.
    ///
    /// # Panics
    /// If a length does not fit the shape, a dimension is 0, or an int8 layer has
    /// more than [`MAX_INT8_INPUTS`] inputs.
    pub fn linear(
        &mut self,
        precision: Precision,
        shape: Shape,
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> Linear {
        let micro = Micro::choose(self.cpu, precision);
        assert!(shape.outputs > 0 && shape.inputs() > 0, "{shape:?}");
        assert_eq!(weights.len(), shape.outputs * shape.inputs());
        assert!(bias.is_none_or(|bias| bias.len() == shape.outputs));
        assert!(precision != Precision::Int8 || shape.inputs() <= MAX_INT8_INPUTS);

        let padded = shape.outputs.next_multiple_of(micro.lanes);
        let segment_steps =
            shape.segment_inputs.next_multiple_of(COLUMN_MULTIPLE) / micro.encoding.step_inputs();
        let segment_steps = segment_steps.next_multiple_of(micro.depth);
        let steps = shape.segments * segment_steps;
        let rows: Vec<Row<'_>> = weights
            .chunks_exact(shape.inputs())
            .map(|weights| Row::new(weights, precision))
            .collect();
        let words = self
            .vault
            .store(micro.encoding.step_words(padded) * steps, |words| {
                let mut rest = words;
                for panel in 0..micro.panels(shape.outputs) {
                    let columns = micro.panel(shape.outputs, panel);
                    let length = micro.encoding.step_words(columns.len()) * steps;
                    let (words, behind) = std::mem::take(&mut rest).split_at_mut(length);
                    let panel_rows = &rows[columns.start..rows.len().min(columns.end)];
                    fill(words, columns.len(), panel_rows, shape, &micro);
                    rest = behind;
                }
            });
        let with_padding = |values: &mut dyn Iterator<Item = f32>| {
            let mut out: Vec<f32> = values.collect();
            out.resize(padded, 0.0);
            out
        };
        let mut corrections = vec![0; padded];
        if micro.layout == Layout::U8 {
            for (correction, row) in corrections.iter_mut().zip(&rows) {
                *correction = -128 * row.integers().map(i32::from).sum::<i32>();
            }
        }
        Linear {
            precision,
            shape,
            micro,
            segment_steps,
            words,
            bias: with_padding(&mut bias.unwrap_or(&[]).iter().copied()),
            scales: with_padding(&mut rows.iter().map(|row| row.scale)),
            corrections,
        }
    }
}

/// The weights of one output.
struct Row<'a> {
    weights: &'a [f32],
    /// What one unit of its integers is worth, and the factor that makes them.
    scale: f32,
    inverse: f32,
}

impl<'a> Row<'a> {
    fn new(weights: &'a [f32], precision: Precision) -> Self {
        let (mut scale, mut inverse) = (1.0, 1.0);
        if precision == Precision::Int8 {
            let magnitude = weights.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
            (scale, inverse) = if weights.iter().any(|w| !w.is_finite()) {
                (f32::NAN, 0.0)
            } else if magnitude < 1e-30 {
                (0.0, 0.0)
            } else {
                (magnitude / 127.0, 127.0 / magnitude)
            };
        }
        Self {
            weights,
            scale,
            inverse,
        }
    }

    /// Rounds to even by arithmetic, which leaves no digits behind the point: `round_ties_even` is a call, and took half of the
    /// loading. What is not finite stays so, and becomes 0 as the factor is 0.
    fn integer(&self, weight: f32) -> i8 {
        const NO_DIGITS: f32 = 12_582_912.0;
        (weight * self.inverse + NO_DIGITS - NO_DIGITS) as i8
    }

    fn integers(&self) -> impl Iterator<Item = i8> + '_ {
        self.weights.iter().map(|weight| self.integer(*weight))
    }
}

/// Writes one panel: steps, in each step its columns, in each column its inputs.
fn fill(panel: &mut [u32], columns: usize, rows: &[Row<'_>], shape: Shape, micro: &Choice) {
    if micro.encoding == Encoding::F32 {
        return fill_floats(panel, columns, rows, shape);
    }
    let step_inputs = micro.encoding.step_inputs();
    let segment_steps = panel.len() / micro.encoding.step_words(columns) / shape.segments;
    for (column, row) in rows.iter().enumerate() {
        for (s, inputs) in row.weights.chunks_exact(shape.segment_inputs).enumerate() {
            for (i, inputs) in inputs.chunks(step_inputs).enumerate() {
                let step = s * segment_steps + i;
                let place = step * columns + column;
                let at = |i: usize| inputs.get(i).copied().unwrap_or(0.0);
                match micro.encoding {
                    Encoding::F32 => unreachable!("written by lines"),
                    Encoding::Bf16Pairs => {
                        let [low, high] = [at(0), at(1)].map(bf16_bits).map(u32::from);
                        panel[place] = low | high << 16;
                    }
                    Encoding::Int8Pairs => {
                        let pair = [at(0), at(1)].map(|w| row.integer(w).cast_unsigned());
                        let halves: &mut [[u8; 2]] = bytemuck::cast_slice_mut(panel);
                        halves[place] = pair;
                    }
                    Encoding::Int8Quads => {
                        let quad = [at(0), at(1), at(2), at(3)];
                        let quad = quad.map(|w| row.integer(w).cast_unsigned());
                        panel[place] = u32::from_le_bytes(quad);
                    }
                }
            }
        }
    }
}

/// The same for floats, sixteen rows at a time: what is written then is one line of each step.
fn fill_floats(panel: &mut [u32], columns: usize, rows: &[Row<'_>], shape: Shape) {
    let segment_words = panel.len() / shape.segments;
    for (group, rows) in rows.chunks(LINE_WORDS).enumerate() {
        for (s, panel) in panel.chunks_exact_mut(segment_words).enumerate() {
            let mut sources = [&[][..]; LINE_WORDS];
            for (source, row) in sources.iter_mut().zip(rows) {
                *source = &row.weights[s * shape.segment_inputs..][..shape.segment_inputs];
            }
            let steps = panel.chunks_exact_mut(columns).take(shape.segment_inputs);
            for (step, columns) in steps.enumerate() {
                let line = &mut columns[group * LINE_WORDS..][..rows.len()];
                for (word, source) in line.iter_mut().zip(&sources) {
                    *word = source[step].to_bits();
                }
            }
        }
    }
}
