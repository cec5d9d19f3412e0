//! EfficientNet-Lite0 without its classifier: a square picture to an 8 x 8 grid of 1,280 features.
//!
//! After Google's TPU repository (`models/official/efficientnet/lite`); batch-norms are folded into the convolutions by
//! `models/builtin/build.py`, squeeze-and-excite does not exist in the Lite family. Intermediate results are rows of channels,
//! one a pixel.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use lookalike_kernels::image::{Depthwise, Grid, Padding, Window};
use lookalike_kernels::{Activation, Linear, Machine, Output, Packer, Precision, Scratch, Shape};

use super::assets::Assets;
use super::stem::Stem;
use crate::idle::Idle;

pub(super) const FEATURES: usize = 1280;

/// Floats of a block's widened lines that are worked on at a time: together with the filtered ones they stay in the second level
/// of cache.
const STRIP_FLOATS: usize = 192 << 10;
/// Rows of a strip, at least: neighbouring strips both compute the lines that their windows share.
const STRIP_ROWS: usize = 4;

pub(super) struct Trunk {
    blocks: Vec<Block>,
    head: Linear,
    /// Floats of the largest result of a block, or of the picture.
    largest: usize,
}

/// Inverted bottleneck (Sandler et al. 2018, arXiv:1801.04381): widen, convolve every channel alone, narrow again.
struct Block {
    widen: Widen,
    depthwise: Depthwise,
    project: Linear,
    residual: bool,
    /// Size of the widened result, and of the block's own.
    wide: Grid,
    places: Grid,
}

enum Widen {
    /// The first block's, which has nothing of its own to widen with.
    Stem(Box<Stem>),
    Expand(Linear),
}

impl Trunk {
    pub(super) fn load(assets: &Assets, packer: &mut Packer) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        for (index, &shape) in assets.config.blocks.iter().enumerate() {
            let before = blocks.last().map(|block| block.places);
            blocks.push(Block::load(assets, packer, (index, shape), before));
        }
        let channels = blocks.last().map_or(0, |block| block.project.outputs());
        let results = blocks.iter().map(Block::results);
        let pictures = blocks.iter().map(|block| block.widen.inputs());
        Self {
            head: pointwise(assets, packer, "image.head", (channels, FEATURES)),
            largest: results.chain(pictures).max().unwrap_or(0),
            blocks,
        }
    }

    /// Cells of the grid of features.
    pub(super) fn cells(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.places.pixels())
    }

    /// Floats that [`Self::forward`] needs.
    pub(super) fn scratch(&self) -> usize {
        2 * self.largest
    }

    /// `rgb` is a square of the model's side; `features` a row of [`FEATURES`] for each cell.
    pub(super) fn forward(
        &self,
        machine: &Machine,
        idle: &Idle<Scratch>,
        rgb: &[u8],
        (scratch, features): (&mut [f32], &mut [f32]),
    ) {
        let (mut x, mut y) = scratch.split_at_mut(self.largest);
        for block in &self.blocks {
            if let Widen::Stem(stem) = &block.widen {
                stem.normalise(rgb, &mut x[..stem.inputs()]);
            }
            block.forward(machine, idle, x, &mut y[..block.results()]);
            std::mem::swap(&mut x, &mut y);
        }
        let x = &x[..self.blocks.last().map_or(0, Block::results)];
        let store = Output::Store(features);
        self.head
            .multiply_floats(machine, x, store, Activation::Relu6);
    }
}

impl Block {
    /// `before` is the size of what goes in; `None` for the picture.
    fn load(
        assets: &Assets,
        packer: &mut Packer,
        (index, [kernel, stride, expand, input, output]): (usize, [usize; 5]),
        before: Option<Grid>,
    ) -> Self {
        let name = |part: &str| format!("image.blocks.{index}.{part}");
        let channels = input * expand;
        let (widen, wide) = if let Some(grid) = before {
            let expand = pointwise(assets, packer, &name("expand"), (input, channels));
            (Widen::Expand(expand), grid)
        } else {
            let stem = Stem::load(assets, packer, channels);
            let grid = stem.grid();
            (Widen::Stem(Box::new(stem)), grid)
        };
        let window = Window {
            size: kernel,
            stride,
            padding: Padding::Same,
        };
        let taps = assets.floats(&name("depthwise.weight"), channels * kernel * kernel);
        let bias = assets.floats(&name("depthwise.bias"), channels);
        Self {
            widen,
            depthwise: Depthwise::new(&taps, &bias, window, Activation::Relu6),
            project: pointwise(assets, packer, &name("project"), (channels, output)),
            residual: before.is_some() && stride == 1 && input == output,
            wide,
            places: window.places(wide),
        }
    }

    /// Floats of the result.
    fn results(&self) -> usize {
        self.places.pixels() * self.project.outputs()
    }

    /// The widened result is several times as large as what goes in and comes out. So it is made, filtered and
    /// narrowed in strips, and never leaves the cache. A block small enough to be one strip is shared out inside its layers instead.
    fn forward(&self, machine: &Machine, idle: &Idle<Scratch>, x: &[f32], y: &mut [f32]) {
        let strips = self.strips(machine.pool.threads());
        let length = self.places.width * self.project.outputs();
        let mut rest = y;
        let parts: Vec<_> = (0..strips)
            .map(|i| {
                let height = self.places.height;
                let rows = height * i / strips..height * (i + 1) / strips;
                let part;
                (part, rest) = std::mem::take(&mut rest).split_at_mut(rows.len() * length);
                Mutex::new((rows, part))
            })
            .collect();
        machine.pool.run(strips, |i| {
            let mut part = parts[i].lock().unwrap_or_else(PoisonError::into_inner);
            let (rows, to) = &mut *part;
            idle.with(|scratch| self.strip(machine, scratch, x, (rows.clone(), to)));
        });
    }

    fn strips(&self, threads: usize) -> usize {
        let floats = self.wide.pixels() * self.widen.channels();
        match floats.div_ceil(STRIP_FLOATS) {
            1 => 1,
            strips => strips
                .next_multiple_of(threads)
                .min(self.places.height / STRIP_ROWS),
        }
    }

    /// Computes `rows` of the result.
    fn strip(
        &self,
        machine: &Machine,
        scratch: &mut Scratch,
        x: &[f32],
        (rows, to): (Range<usize>, &mut [f32]),
    ) {
        let channels = self.widen.channels();
        let window = self.depthwise.window();
        let lines = window.lines(rows.clone(), self.wide.height);
        let [more, wide, filtered] = scratch.slices([
            self.widen.scratch(lines.len()),
            lines.len() * self.wide.width * channels,
            rows.len() * self.places.width * channels,
        ]);
        match &self.widen {
            Widen::Stem(stem) => stem.lines(machine, x, lines, (more, wide)),
            Widen::Expand(expand) => {
                let length = self.wide.width * expand.inputs();
                let x = &x[lines.start * length..lines.end * length];
                let store = Output::Store(wide);
                expand.multiply_floats(machine, x, store, Activation::Relu6);
            }
        }
        self.depthwise
            .apply_rows(machine, wide, self.wide, rows.clone(), filtered);
        let output = if self.residual {
            let first = rows.start * self.places.width * self.project.outputs();
            to.copy_from_slice(&x[first..][..to.len()]);
            Output::Add(to)
        } else {
            Output::Store(to)
        };
        self.project
            .multiply_floats(machine, filtered, output, Activation::None);
    }
}

impl Widen {
    /// Of the widened result.
    fn channels(&self) -> usize {
        match self {
            Self::Stem(stem) => stem.channels(),
            Self::Expand(expand) => expand.outputs(),
        }
    }

    /// Floats of a picture that goes in; 0 where it is another block's result.
    fn inputs(&self) -> usize {
        match self {
            Self::Stem(stem) => stem.inputs(),
            Self::Expand(_) => 0,
        }
    }

    /// Floats needed beside the result, for so many lines of it.
    fn scratch(&self, lines: usize) -> usize {
        match self {
            Self::Stem(stem) => stem.scratch(lines),
            Self::Expand(_) => 0,
        }
    }
}

/// A 1x1 convolution: a matrix product over the channels of every pixel.
pub(super) fn pointwise(
    assets: &Assets,
    packer: &mut Packer,
    name: &str,
    (inputs, outputs): (usize, usize),
) -> Linear {
    let weights = assets.floats(&format!("{name}.weight"), outputs * inputs);
    let bias = assets.floats(&format!("{name}.bias"), outputs);
    let shape = Shape::new(outputs, inputs);
    packer.linear(Precision::F32, shape, &weights, Some(&bias))
}
