//! The text tower, after transformers' `CLIPTextTransformer`: tokens, causal layers, and the projection of the end-of-text token.
//!
//! Nothing looks to the right, so what follows the end of the text cannot matter: texts are neither padded to 77 tokens nor
//! read past their end. The result is the same, and a short query costs a small part of a full one.

use super::Source;
use super::transformer::{Linear, Norm, Shape, Transformer, read};
use crate::clip::config::Config;
use crate::error::LoadError;
use candle_core::{Device, Result, Tensor};

pub(super) struct Text {
    /// `[vocabulary, hidden]`.
    tokens: Tensor,
    /// `[longest text, hidden]`.
    positions: Tensor,
    /// `[longest text, longest text]`: minus infinity right of the diagonal.
    mask: Tensor,
    layers: Transformer,
    norm_after: Norm,
    projection: Linear,
}

impl Text {
    pub(super) fn read(
        file: &mut Source<'_>,
        config: &Config,
    ) -> std::result::Result<Self, LoadError> {
        let text = &config.text;
        let (hidden, longest, epsilon) = (
            text.hidden_size,
            text.max_position_embeddings,
            text.layer_norm_eps,
        );
        let shape = Shape {
            hidden,
            intermediate: text.intermediate_size,
            heads: text.num_attention_heads,
            layers: text.num_hidden_layers,
            activation: text.hidden_act,
            epsilon,
        };
        Ok(Self {
            tokens: read(
                file,
                "text_model.embeddings.token_embedding.weight",
                &[text.vocab_size, hidden],
            )?,
            positions: read(
                file,
                "text_model.embeddings.position_embedding.weight",
                &[longest, hidden],
            )?,
            mask: causal_mask(longest, &file.device)
                .map_err(|error| LoadError::Device(error.to_string()))?,
            layers: Transformer::read(file, "text_model", shape)?,
            norm_after: Norm::read(file, "text_model.final_layer_norm", hidden, epsilon)?,
            projection: Linear::read_without_bias(
                file,
                "text_projection",
                hidden,
                config.projection_dim,
            )?,
        })
    }

    /// `ids` end with the end-of-text token; the answer has the projection's length and is not normalised.
    pub(super) fn forward(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let length = ids.len();
        let ids = Tensor::from_slice(ids, length, self.tokens.device())?;
        let x = self
            .tokens
            .embedding(&ids)?
            .add(&self.positions.narrow(0, 0, length)?)?;
        let mask = self
            .mask
            .narrow(0, 0, length)?
            .narrow(1, 0, length)?
            .contiguous()?;
        let x = self.layers.forward(x, Some(&mask))?;
        let last = self.norm_after.forward(&x.narrow(0, length - 1, 1)?)?;
        self.projection.forward(&last)?.flatten_all()?.to_vec1()
    }
}

fn causal_mask(longest: usize, device: &Device) -> Result<Tensor> {
    let values = (0..longest * longest)
        .map(|i| {
            if i % longest > i / longest {
                f32::NEG_INFINITY
            } else {
                0.0
            }
        })
        .collect::<Vec<f32>>();
    Tensor::from_vec(values, (longest, longest), device)
}
