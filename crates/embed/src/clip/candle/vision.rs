//! The image tower, after transformers' `CLIPVisionTransformer`: patches, a class token, layers, and that token's projection.

use candle_core::{Result, Tensor};

use super::Source;
use super::transformer::{Linear, Norm, Shape, Transformer, read};
use crate::clip::config::VisionConfig;
use crate::clip::preprocessor::Preprocessor;
use crate::error::LoadError;

pub(super) struct Vision {
    side: usize,
    patch: usize,
    mean: [f32; 3],
    std: [f32; 3],
    patches: Linear,
    /// `[1, hidden]`.
    class: Tensor,
    /// `[1 + patches, hidden]`.
    positions: Tensor,
    norm_before: Norm,
    layers: Transformer,
    norm_after: Norm,
    projection: Linear,
}

impl Vision {
    pub(super) fn read(
        file: &mut Source<'_>,
        (vision, dimension): (&VisionConfig, usize),
        preprocessor: &Preprocessor,
    ) -> std::result::Result<Self, LoadError> {
        let (hidden, patch, epsilon) =
            (vision.hidden_size, vision.patch_size, vision.layer_norm_eps);
        let shape = Shape {
            hidden,
            intermediate: vision.intermediate_size,
            heads: vision.num_attention_heads,
            layers: vision.num_hidden_layers,
            activation: vision.hidden_act,
            epsilon,
        };
        let grid = vision.image_size / patch;
        let kernels = read(
            file,
            "vision_model.embeddings.patch_embedding.weight",
            &[hidden, 3, patch, patch],
        )?;
        let class = read(file, "vision_model.embeddings.class_embedding", &[hidden])?;
        Ok(Self {
            side: vision.image_size,
            patch,
            mean: preprocessor.image_mean,
            std: preprocessor.image_std,
            patches: Linear::from_stored(&kernels).expect("a stored tensor can be flattened"),
            class: class.unsqueeze(0).expect("a vector is one row"),
            positions: read(
                file,
                "vision_model.embeddings.position_embedding.weight",
                &[1 + grid * grid, hidden],
            )?,
            // The name is misspelt in transformers, and so in every checkpoint.
            norm_before: Norm::read(file, "vision_model.pre_layrnorm", hidden, epsilon)?,
            layers: Transformer::read(file, "vision_model", shape)?,
            norm_after: Norm::read(file, "vision_model.post_layernorm", hidden, epsilon)?,
            projection: Linear::read_without_bias(file, "visual_projection", hidden, dimension)?,
        })
    }

    /// `rgb` is a square of the model's side; the answer has the projection's length and is not normalised.
    pub(super) fn forward(&self, rgb: &[u8]) -> Result<Vec<f32>> {
        let patches = self.patches.forward(&self.cut(rgb)?)?;
        let x = Tensor::cat(&[&self.class, &patches], 0)?.add(&self.positions)?;
        let x = self.layers.forward(self.norm_before.forward(&x)?, None)?;
        let class = self.norm_after.forward(&x.narrow(0, 0, 1)?)?;
        self.projection.forward(&class)?.flatten_all()?.to_vec1()
    }

    /// One row a patch: its normalised values, colour by colour, as the convolution's kernels are stored.
    fn cut(&self, rgb: &[u8]) -> Result<Tensor> {
        let (side, patch) = (self.side, self.patch);
        let grid = side / patch;
        let mut values = Vec::with_capacity(side * side * 3);
        for top in (0..side).step_by(patch) {
            for left in (0..side).step_by(patch) {
                for colour in 0..3 {
                    let (mean, std) = (self.mean[colour], self.std[colour]);
                    for y in top..top + patch {
                        let row = &rgb[(y * side + left) * 3..][..patch * 3];
                        values.extend(
                            row.chunks_exact(3)
                                .map(|pixel| (f32::from(pixel[colour]) / 255.0 - mean) / std),
                        );
                    }
                }
            }
        }
        Tensor::from_vec(
            values,
            (grid * grid, 3 * patch * patch),
            self.class.device(),
        )
    }
}
