//! The image tower: patches, a class token, layers, and that token's projection.

use lookalike_kernels::{Activation, LayerNorm, Linear, Machine, Output, Shape};

use super::Pass;
use super::transformer::{Buffers, Reader, Sizes, Transformer};
use crate::clip::config::VisionConfig;
use crate::clip::preprocessor::Preprocessor;
use crate::error::LoadError;

/// Subtracted from each byte of a picture: what is left fits 8 bits of mantissa, so that not even bf16 rounds it.
const MIDDLE: u8 = 128;

pub(super) struct Vision {
    side: usize,
    patch: usize,
    hidden: usize,
    patches: Linear,
    /// The class token, its position added.
    class: Vec<f32>,
    /// A row for each patch.
    positions: Vec<f32>,
    norm_before: LayerNorm,
    layers: Transformer,
    norm_after: LayerNorm,
    projection: Linear,
}

impl Vision {
    pub(super) fn read(
        reader: &mut Reader<'_>,
        (vision, dimension): (&VisionConfig, usize),
        preprocessor: &Preprocessor,
    ) -> Result<Self, LoadError> {
        let (hidden, patch) = (vision.hidden_size, vision.patch_size);
        let sizes = Sizes {
            hidden,
            intermediate: vision.intermediate_size,
            heads: vision.num_attention_heads,
            layers: vision.num_hidden_layers,
            activation: vision.hidden_act,
            epsilon: vision.layer_norm_eps,
            causal: false,
        };
        let grid = vision.image_size / patch;
        let name = |part: &str| format!("vision_model.embeddings.{part}");
        let kernels = reader.floats(&name("patch_embedding.weight"), &[hidden, 3, patch, patch])?;
        let (kernels, bias) = fold_normalisation(&kernels, hidden, preprocessor);
        let shape = Shape::new(hidden, 3 * patch * patch);
        let patches = reader
            .packer
            .linear(reader.precision, shape, &kernels, Some(&bias));
        let mut class = reader.floats(&name("class_embedding"), &[hidden])?;
        let mut positions = reader.floats(
            &name("position_embedding.weight"),
            &[1 + grid * grid, hidden],
        )?;
        for (class, position) in class.iter_mut().zip(positions.drain(..hidden)) {
            *class += position;
        }
        Ok(Self {
            side: vision.image_size,
            patch,
            hidden,
            patches,
            class,
            positions,
            // The name is misspelt in transformers, and so in every checkpoint.
            norm_before: reader.norm("vision_model.pre_layrnorm", sizes)?,
            layers: Transformer::read(reader, "vision_model", sizes)?,
            norm_after: reader.norm("vision_model.post_layernorm", sizes)?,
            projection: reader.linear_without_bias(
                "visual_projection.weight",
                hidden,
                dimension,
            )?,
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
        let hidden = self.hidden;
        let count = self.positions.len() / hidden;
        let rows = images.len() * count;
        let [tokens, mixed, chosen, queries] =
            self.layers.lengths(rows + images.len(), images.len());
        let [patches, tokens, mixed, chosen, queries] =
            scratch.slices([rows * hidden, tokens, mixed, chosen, queries]);

        operands.narrow.fill(
            machine,
            self.patches.layout(),
            (rows, self.patches.inputs()),
            |row, values| self.cut(images[row / count], row % count, values),
        );
        self.patches.multiply(
            machine,
            &operands.narrow,
            Output::Store(patches),
            Activation::None,
        );
        let embedded = &mut mixed[..tokens.len()];
        let sequences = embedded.chunks_exact_mut((1 + count) * hidden);
        for (to, patches) in sequences.zip(patches.chunks_exact(count * hidden)) {
            let (class, to) = to.split_at_mut(hidden);
            class.copy_from_slice(&self.class);
            for ((to, patch), position) in to.iter_mut().zip(patches).zip(&self.positions) {
                *to = patch + position;
            }
        }
        self.norm_before.apply(machine, embedded, tokens);

        let lengths = vec![1 + count; images.len()];
        let classes: Vec<usize> = (0..images.len()).map(|i| i * (1 + count)).collect();
        let mut buffers = Buffers {
            tokens,
            mixed,
            chosen,
            queries,
        };
        self.layers
            .forward(machine, operands, &mut buffers, (&lengths, &classes));
        super::project(
            (machine, operands),
            (&self.norm_after, &self.projection),
            buffers.chosen,
        )
    }

    /// Puts the bytes of a patch, line by line, into `values`.
    fn cut(&self, rgb: &[u8], index: usize, values: &mut [f32]) {
        let (side, patch) = (self.side, self.patch);
        let grid = side / patch;
        let (top, left) = (index / grid * patch, index % grid * patch);
        for (y, values) in values.chunks_exact_mut(3 * patch).enumerate() {
            let line = &rgb[((top + y) * side + left) * 3..][..3 * patch];
            for (value, byte) in values.iter_mut().zip(line) {
                *value = f32::from(i16::from(*byte) - i16::from(MIDDLE));
            }
        }
    }
}

/// The patches' weights and bias for bytes less [`MIDDLE`] instead of normalised colours, and in the order in which bytes
/// lie in a picture: normalising is linear, so it costs nothing once it is part of the weights.
fn fold_normalisation(
    kernels: &[f32],
    hidden: usize,
    preprocessor: &Preprocessor,
) -> (Vec<f32>, Vec<f32>) {
    let pixels = kernels.len() / hidden / 3;
    let (mut weights, mut bias) = (Vec::with_capacity(kernels.len()), Vec::new());
    for kernel in kernels.chunks_exact(3 * pixels) {
        let mut sum = 0.0;
        for (pixel, colour) in (0..pixels).flat_map(|pixel| (0..3).map(move |c| (pixel, c))) {
            let weight = f64::from(kernel[colour * pixels + pixel]);
            let mean = f64::from(preprocessor.image_mean[colour]);
            let std = f64::from(preprocessor.image_std[colour]);
            weights.push(narrow(weight / (255.0 * std)));
            sum += weight * (f64::from(MIDDLE) / 255.0 - mean) / std;
        }
        bias.push(narrow(sum));
    }
    (weights, bias)
}

#[expect(clippy::cast_possible_truncation, reason = "rounded once, to f32")]
fn narrow(x: f64) -> f32 {
    x as f32
}
