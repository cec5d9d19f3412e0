//! The first layer: a full 3x3 convolution of stride 2 over the colours of a picture.
//!
//! Padding is TensorFlow's SAME. For an even side and stride 2 that is one line of zeros below and one column to the right, with
//! which [`Stem::normalise`] makes the picture, so that no window has an edge case. The convolution is a matrix product whose rows are
//! the pixels under the windows.

use std::ops::Range;

use lookalike_kernels::image::Grid;
use lookalike_kernels::{Activation, Linear, Machine, Output, Packer, Precision, Shape, by_tap};

use super::assets::Assets;
use crate::colours::{ColourTable, colour_table};

const COLOURS: usize = 3;
const SIZE: usize = 3;
const STRIDE: usize = 2;
/// Floats of one line under a window.
const LINE: usize = SIZE * COLOURS;
/// Floats under a window, padded to what a product reads.
const WINDOW: usize = (SIZE * LINE).next_multiple_of(4);

pub(super) struct Stem {
    normalised: ColourTable,
    side: usize,
    convolution: Linear,
}

impl Stem {
    pub(super) fn load(assets: &Assets, packer: &mut Packer, channels: usize) -> Self {
        let config = &assets.config;
        let side = config.image_size as usize;
        assert!(
            side.is_multiple_of(STRIDE),
            "an even side is padded at its end only"
        );
        let stored = assets.floats("image.stem.weight", channels * COLOURS * SIZE * SIZE);
        // From `PyTorch`'s order, colour by colour, to that of the pixels.
        let by_pixel = by_tap(&stored, SIZE * LINE, SIZE * SIZE);
        let mut weights = vec![0.0; channels * WINDOW];
        let windows = weights.chunks_exact_mut(WINDOW);
        for (to, from) in windows.zip(by_pixel.chunks_exact(SIZE * LINE)) {
            to[..SIZE * LINE].copy_from_slice(from);
        }
        let bias = assets.floats("image.stem.bias", channels);
        let shape = Shape::new(channels, WINDOW);
        Self {
            normalised: colour_table(|colour, byte| {
                (f32::from(byte) - config.mean[colour]) / config.std[colour]
            }),
            side,
            convolution: packer.linear(Precision::F32, shape, &weights, Some(&bias)),
        }
    }

    /// Size of the result.
    pub(super) fn grid(&self) -> Grid {
        Grid {
            height: self.side / STRIDE,
            width: self.side / STRIDE,
        }
    }

    pub(super) fn channels(&self) -> usize {
        self.convolution.outputs()
    }

    /// Floats that [`Self::normalise`] makes of a picture.
    pub(super) fn inputs(&self) -> usize {
        (self.side + 1) * (self.side + 1) * COLOURS
    }

    /// From RGB bytes to what the network sees, with the padding.
    pub(super) fn normalise(&self, rgb: &[u8], to: &mut [f32]) {
        let length = (self.side + 1) * COLOURS;
        let (inside, below) = to.split_at_mut(self.side * length);
        below.fill(0.0);
        let lines = inside.chunks_exact_mut(length);
        for (to, rgb) in lines.zip(rgb.chunks_exact(self.side * COLOURS)) {
            for (to, pixel) in to.chunks_exact_mut(COLOURS).zip(rgb.chunks_exact(COLOURS)) {
                for (colour, (to, byte)) in to.iter_mut().zip(pixel).enumerate() {
                    *to = self.normalised[colour][usize::from(*byte)];
                }
            }
            to[self.side * COLOURS..].fill(0.0);
        }
    }

    /// Floats that [`Self::lines`] needs for so many lines.
    pub(super) fn scratch(&self, lines: usize) -> usize {
        lines * self.grid().width * WINDOW
    }

    /// Writes the given lines of the result.
    pub(super) fn lines(
        &self,
        machine: &Machine,
        normalised: &[f32],
        lines: Range<usize>,
        (windows, to): (&mut [f32], &mut [f32]),
    ) {
        let width = self.grid().width;
        let length = (self.side + 1) * COLOURS;
        for (y, windows) in lines.zip(windows.chunks_exact_mut(width * WINDOW)) {
            let seen = &normalised[y * STRIDE * length..][..SIZE * length];
            for (x, window) in windows.chunks_exact_mut(WINDOW).enumerate() {
                for row in 0..SIZE {
                    let from = &seen[row * length + x * STRIDE * COLOURS..][..LINE];
                    window[row * LINE..][..LINE].copy_from_slice(from);
                }
                window[SIZE * LINE..].fill(0.0);
            }
        }
        let store = Output::Store(to);
        self.convolution
            .multiply_floats(machine, windows, store, Activation::Relu6);
    }
}
