//! The image tower of CLIP's modified `ResNet`s: a stem of three convolutions, bottlenecks that average before they stride,
//! and a pooling by attention in which the mean asks all places. `clip/candle/resnet.rs` is the reference.
//!
//! Pixels are rows of channels, image after image. Batch norms are folded into their convolutions when a model is
//! loaded: without training they are a factor and an offset for each channel.

use std::mem;

use lookalike_kernels::image::{Grid, Padding, Window, average_pool, mean_rows};
use lookalike_kernels::{
    Activation, Attention, Convolution, Form, Linear, Machine, Numbers, Operand, Output, Shape,
    Span, Tokens, by_tap,
};

use super::Pass;
use super::transformer::Reader;
use crate::clip::config::{ResnetBlock, ResnetConfig};
use crate::clip::preprocessor::Preprocessor;
use crate::colours::{ColourTable, colour_table};
use crate::error::LoadError;

/// `eps` of `torch.nn.BatchNorm2d`.
const EPSILON: f64 = 1e-5;
/// Side of the squares that the stem averages.
const STEM_POOL: usize = 2;

pub(in crate::clip) struct Resnet {
    side: usize,
    colours: ColourTable,
    /// Its rows are what the window of 3 × 3 pixels sees, which is less than a copy of each pixel in a row of its own.
    first: Linear,
    stem: [Convolution; 2],
    blocks: Vec<Bottleneck>,
    /// So many of the first blocks, whose results are large, run image by image and find these in the cache; the
    /// others, whose weights are large, run on all images and read these once.
    alone: usize,
    pool: AttentionPool,
    /// Floats of the largest intermediate result before and after the images are joined, of one image.
    largest: usize,
    largest_together: usize,
}

struct Bottleneck {
    inputs: usize,
    stride: usize,
    narrow: Linear,
    middle: Convolution,
    widen: Linear,
    shortcut: Option<Linear>,
}

struct AttentionPool {
    heads: usize,
    channels: usize,
    positions: Vec<f32>,
    query: Linear,
    key_value: Linear,
    out: Linear,
}

/// Three places for intermediate results, whose contents are exchanged as names are.
struct Buffers<'a> {
    /// The current one.
    x: &'a mut [f32],
    y: &'a mut [f32],
    z: &'a mut [f32],
}

impl Resnet {
    pub(super) fn read(
        reader: &mut Reader<'_>,
        (config, dimension): (&ResnetConfig, usize),
        preprocessor: &Preprocessor,
    ) -> Result<Self, LoadError> {
        let width = config.width;
        let mut first = folded(reader, "visual.", ("conv1", "bn1"), (3, width / 2, 3))?;
        first.weights = by_tap(&first.weights, 27, 9);
        let first = pointwise(reader, 27, &first);
        let stem = [
            stem(reader, 2, (width / 2, width / 2))?,
            stem(reader, 3, (width / 2, width))?,
        ];
        let mut blocks = Vec::new();
        for block in config.blocks() {
            blocks.push(Bottleneck::read(reader, &block)?);
        }
        let alone = blocks.len() - config.layers[config.layers.len() - 1];
        let half = config.image_size.div_ceil(2);
        Ok(Self {
            side: config.image_size,
            colours: colour_table(|colour, byte| {
                let (mean, std) = (preprocessor.image_mean, preprocessor.image_std);
                (f32::from(byte) / 255.0 - mean[colour]) / std[colour]
            }),
            first,
            stem,
            blocks,
            alone,
            pool: AttentionPool::read(reader, config, dimension)?,
            // The stem's result at half size, the blocks of the first stage at a quarter.
            largest: width
                * (half * half)
                    .max((half / STEM_POOL) * (half / STEM_POOL) * ResnetBlock::EXPANSION),
            // Keys and values, twice the last stage's results; its input is as large as those are together.
            largest_together: (config.places() + 1) * 2 * config.channels(),
        })
    }

    /// `images` are squares of RGB bytes of the model's side; the answers have the projection's length and are not
    /// normalised.
    pub(super) fn forward(
        &self,
        machine: &Machine,
        pass: &mut Pass,
        images: &[&[u8]],
    ) -> Vec<Vec<f32>> {
        let Pass { operands, scratch } = pass;
        let [left, right] = operands.both();
        let size = self.largest.max(images.len() * self.largest_together);
        let [x, y, z, joined] = scratch.slices([size; 4]);
        let mut buffers = Buffers { x, y, z };
        let mut grid = Grid {
            height: self.side,
            width: self.side,
        };
        let (alone, together) = self.blocks.split_at(self.alone);
        let mut length = 0;
        for image in images {
            grid = self.stem(machine, (left, right), &mut buffers, image);
            for block in alone {
                grid = block.forward(machine, (left, right), &mut buffers, (1, grid));
            }
            let result = &buffers.x[..grid.pixels() * together[0].inputs];
            joined[length..length + result.len()].copy_from_slice(result);
            length += result.len();
        }
        buffers.x = joined;
        for block in together {
            grid = block.forward(machine, (left, right), &mut buffers, (images.len(), grid));
        }
        self.pool
            .forward(machine, left, buffers, (images.len(), grid))
    }

    /// Leaves the stem's result in `x`, and says its size.
    fn stem(
        &self,
        machine: &Machine,
        (left, right): (&mut Operand, &mut Operand),
        buffers: &mut Buffers<'_>,
        rgb: &[u8],
    ) -> Grid {
        let half = Grid {
            height: self.side.div_ceil(2),
            width: self.side.div_ceil(2),
        };
        let [second, third] = &self.stem;
        let layout = self.first.layout();
        left.fill(
            machine,
            layout,
            (half.pixels(), self.first.inputs()),
            |place, values| self.see(rgb, (place / half.width, place % half.width), values),
        );
        let to_second = Output::Operand(right, shared_scale(second, half));
        self.first
            .multiply(machine, left, to_second, Activation::Relu);
        let to_third = Output::Operand(left, shared_scale(third, half));
        second.apply(machine, (right, half), to_third, Activation::Relu);
        let channels = third.linear().outputs();
        let out = &mut buffers.y[..half.pixels() * channels];
        third.apply(machine, (left, half), Output::Store(out), Activation::Relu);
        let quarter = shrunk(half, STEM_POOL);
        let pooled = &mut buffers.x[..quarter.pixels() * channels];
        average_pool(machine, (out, half), channels, STEM_POOL, pooled);
        quarter
    }

    /// What the stem's first window sees at a place: it begins a pixel before each second one, and sees zeros beyond
    /// the edges.
    fn see(&self, rgb: &[u8], (y, x): (usize, usize), values: &mut [f32]) {
        let within = |at: usize| at.checked_sub(1).filter(|at| *at < self.side);
        for (tap, values) in values.chunks_exact_mut(3).enumerate() {
            match (within(2 * y + tap / 3), within(2 * x + tap % 3)) {
                (Some(y), Some(x)) => {
                    let pixel = &rgb[(y * self.side + x) * 3..][..3];
                    for ((value, byte), colours) in values.iter_mut().zip(pixel).zip(&self.colours)
                    {
                        *value = colours[usize::from(*byte)];
                    }
                }
                _ => values.fill(0.0),
            }
        }
    }
}

impl Bottleneck {
    fn read(reader: &mut Reader<'_>, block: &ResnetBlock) -> Result<Self, LoadError> {
        let (inputs, planes, outputs) = (block.inputs, block.planes, block.outputs());
        let name = &block.name;
        let narrow = folded(reader, name, ("conv1", "bn1"), (inputs, planes, 1))?;
        let middle = folded(reader, name, ("conv2", "bn2"), (planes, planes, 3))?;
        let widen = folded(reader, name, ("conv3", "bn3"), (planes, outputs, 1))?;
        let shortcut = if block.has_shortcut() {
            let names = ("downsample.0", "downsample.1");
            let folded = folded(reader, name, names, (inputs, outputs, 1))?;
            Some(pointwise(reader, inputs, &folded))
        } else {
            None
        };
        let window = Window {
            size: 3,
            stride: 1,
            padding: Padding::Each(1),
        };
        let middle = (&middle.weights[..], &middle.bias[..]);
        Ok(Self {
            inputs,
            stride: block.stride,
            narrow: pointwise(reader, inputs, &narrow),
            middle: Convolution::new(reader.packer, reader.precision, middle, window),
            widen: pointwise(reader, planes, &widen),
            shortcut,
        })
    }

    /// From `x` to `x`; says the result's size.
    fn forward(
        &self,
        machine: &Machine,
        (left, right): (&mut Operand, &mut Operand),
        buffers: &mut Buffers<'_>,
        (count, grid): (usize, Grid),
    ) -> Grid {
        let Buffers { x, y, z } = buffers;
        let (planes, outputs) = (self.narrow.outputs(), self.widen.outputs());
        let small = shrunk(grid, self.stride);
        let (pixels, fewer) = (count * grid.pixels(), count * small.pixels());

        let to_middle = Output::Operand(right, shared_scale(&self.middle, grid));
        let input = &x[..pixels * self.inputs];
        let relu = Activation::Relu;
        multiply((&self.narrow, input), machine, left, (to_middle, relu));

        // The other way round the block, into `y`.
        if let Some(shortcut) = &self.shortcut {
            let out = Output::Store(&mut y[..fewer * outputs]);
            let input = if self.stride > 1 {
                let pooled = &mut z[..fewer * self.inputs];
                average_pool(machine, (input, grid), self.inputs, self.stride, pooled);
                pooled
            } else {
                input
            };
            multiply((shortcut, input), machine, left, (out, Activation::None));
            mem::swap(x, y);
        }

        let (sum, relu) = (&mut x[..fewer * outputs], Activation::Relu);
        if self.stride > 1 {
            let out = &mut y[..pixels * planes];
            let store = Output::Store(out);
            self.middle.apply(machine, (right, grid), store, relu);
            let pooled = &mut z[..fewer * planes];
            average_pool(machine, (out, grid), planes, self.stride, pooled);
            let add = (Output::Add(sum), relu);
            multiply((&self.widen, pooled), machine, left, add);
        } else {
            let to_widen = Output::Operand(left, self.widen.layout().into());
            self.middle.apply(machine, (right, grid), to_widen, relu);
            self.widen.multiply(machine, left, Output::Add(sum), relu);
        }
        small
    }
}

impl AttentionPool {
    fn read(
        reader: &mut Reader<'_>,
        config: &ResnetConfig,
        dimension: usize,
    ) -> Result<Self, LoadError> {
        let channels = config.channels();
        let name = |part: &str| format!("visual.attnpool.{part}");
        Ok(Self {
            heads: config.heads,
            channels,
            positions: reader.floats(
                &name("positional_embedding"),
                &[config.places() + 1, channels],
            )?,
            query: reader.joined(&[name("q_proj")], channels, channels)?,
            key_value: reader.joined(&[name("k_proj"), name("v_proj")], channels, channels)?,
            out: reader.joined(&[name("c_proj")], channels, dimension)?,
        })
    }

    fn forward(
        &self,
        machine: &Machine,
        operand: &mut Operand,
        buffers: Buffers<'_>,
        (count, grid): (usize, Grid),
    ) -> Vec<Vec<f32>> {
        let Buffers { x, y, z } = buffers;
        let channels = self.channels;
        let length = 1 + grid.pixels();
        let tokens = &mut y[..count * length * channels];
        let images = x[..count * grid.pixels() * channels].chunks_exact(grid.pixels() * channels);
        for (tokens, pixels) in tokens.chunks_exact_mut(length * channels).zip(images) {
            let (mean, places) = tokens.split_at_mut(channels);
            mean_rows(machine.cpu, pixels, mean);
            places.copy_from_slice(pixels);
            for (token, position) in tokens.iter_mut().zip(&self.positions) {
                *token += position;
            }
        }
        let keys_values = &mut z[..count * length * 2 * channels];
        operand.assign(machine, self.key_value.layout(), tokens, channels);
        let store = Output::Store(&mut *keys_values);
        self.key_value
            .multiply(machine, operand, store, Activation::None);
        let (means, queries) = x.split_at_mut(count * channels);
        for (mean, tokens) in means
            .chunks_exact_mut(channels)
            .zip(tokens.chunks_exact(length * channels))
        {
            mean.copy_from_slice(&tokens[..channels]);
        }
        let queries = &mut queries[..count * channels];
        operand.assign(machine, self.query.layout(), means, channels);
        let store = Output::Store(&mut *queries);
        self.query
            .multiply(machine, operand, store, Activation::None);

        let part = |first| Tokens {
            rows: &*keys_values,
            stride: 2 * channels,
            first,
        };
        let attention = Attention {
            heads: self.heads,
            width: channels / self.heads,
            queries: Tokens {
                rows: queries,
                stride: channels,
                first: 0,
            },
            keys: part(0),
            values: part(channels),
            spans: &Span::single(std::iter::repeat_n(length, count)),
            causal: false,
            numbers: Numbers::fastest(machine.cpu, self.out.precision()),
        };
        attention.apply_to_operand(machine, self.out.layout(), operand);
        let outputs = self.out.outputs();
        let mut vectors = vec![0.0; count * outputs];
        let store = Output::Store(&mut vectors);
        self.out.multiply(machine, operand, store, Activation::None);
        vectors.chunks_exact(outputs).map(<[f32]>::to_vec).collect()
    }
}

/// A product of floats, which go through `operand` unless the layer reads them where they lie.
fn multiply(
    (layer, floats): (&Linear, &[f32]),
    machine: &Machine,
    operand: &mut Operand,
    (output, activation): (Output<'_>, Activation),
) {
    if layer.reads_floats() {
        layer.multiply_floats(machine, floats, output, activation);
    } else {
        operand.assign(machine, layer.layout(), floats, layer.inputs());
        layer.multiply(machine, operand, output, activation);
    }
}

/// The form in which a convolution reads images of size `grid`.
fn shared_scale(convolution: &Convolution, grid: Grid) -> Form {
    Form::groups(convolution.linear().layout(), grid.pixels())
}

/// Size after averaging squares.
fn shrunk(grid: Grid, size: usize) -> Grid {
    Grid {
        height: grid.height / size,
        width: grid.width / size,
    }
}

/// A convolution whose batch norm has become part of it.
struct Folded {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

fn stem(
    reader: &mut Reader<'_>,
    index: usize,
    (inputs, outputs): (usize, usize),
) -> Result<Convolution, LoadError> {
    let (name, norm) = (format!("conv{index}"), format!("bn{index}"));
    let folded = folded(reader, "visual.", (&name, &norm), (inputs, outputs, 3))?;
    let window = Window {
        size: 3,
        stride: 1,
        padding: Padding::Each(1),
    };
    let layer = (&folded.weights[..], &folded.bias[..]);
    Ok(Convolution::new(
        reader.packer,
        reader.precision,
        layer,
        window,
    ))
}

fn pointwise(reader: &mut Reader<'_>, inputs: usize, folded: &Folded) -> Linear {
    let shape = Shape::new(folded.bias.len(), inputs);
    reader
        .packer
        .linear(reader.precision, shape, &folded.weights, Some(&folded.bias))
}

fn folded(
    reader: &mut Reader<'_>,
    prefix: &str,
    (name, norm): (&str, &str),
    (inputs, outputs, size): (usize, usize, usize),
) -> Result<Folded, LoadError> {
    let mut weights = reader.floats(
        &format!("{prefix}{name}.weight"),
        &[outputs, inputs, size, size],
    )?;
    let mut channels = |part: &str| reader.floats(&format!("{prefix}{norm}.{part}"), &[outputs]);
    let (gain, offset) = (channels("weight")?, channels("bias")?);
    let (mean, variance) = (channels("running_mean")?, channels("running_var")?);
    let mut bias = Vec::with_capacity(outputs);
    for (channel, weights) in weights.chunks_exact_mut(inputs * size * size).enumerate() {
        let factor = f64::from(gain[channel]) / (f64::from(variance[channel]) + EPSILON).sqrt();
        for weight in weights {
            *weight = narrow(f64::from(*weight) * factor);
        }
        bias.push(narrow(
            f64::from(offset[channel]) - f64::from(mean[channel]) * factor,
        ));
    }
    Ok(Folded { weights, bias })
}

#[expect(clippy::cast_possible_truncation, reason = "rounded once, to f32")]
fn narrow(x: f64) -> f32 {
    x as f32
}
