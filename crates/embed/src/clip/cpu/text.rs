//! The text tower: tokens, causal layers, and the projection of the end-of-text token.
//!
//! Nothing looks to the right, so texts are neither padded nor read past their end, and texts of different lengths
//! share one product, back to back.

use lookalike_kernels::{LayerNorm, Linear, Machine};

use super::Pass;
use super::transformer::{Buffers, Reader, Sizes, Transformer};
use crate::clip::config::Config;
use crate::error::LoadError;

pub(super) struct Text {
    hidden: usize,
    /// A row for each token of the vocabulary.
    tokens: Vec<f32>,
    /// A row for each place in a text.
    positions: Vec<f32>,
    layers: Transformer,
    norm_after: LayerNorm,
    projection: Linear,
}

impl Text {
    pub(super) fn read(reader: &mut Reader<'_>, config: &Config) -> Result<Self, LoadError> {
        let text = &config.text;
        let hidden = text.hidden_size;
        let sizes = Sizes {
            hidden,
            intermediate: text.intermediate_size,
            heads: text.num_attention_heads,
            layers: text.num_hidden_layers,
            activation: text.hidden_act,
            epsilon: text.layer_norm_eps,
            causal: true,
        };
        let name = |part: &str| format!("text_model.embeddings.{part}.weight");
        Ok(Self {
            hidden,
            tokens: reader.floats(&name("token_embedding"), &[text.vocab_size, hidden])?,
            positions: reader.floats(
                &name("position_embedding"),
                &[text.max_position_embeddings, hidden],
            )?,
            layers: Transformer::read(reader, "text_model", sizes)?,
            norm_after: reader.norm("text_model.final_layer_norm", sizes)?,
            projection: reader.linear_without_bias(
                "text_projection.weight",
                hidden,
                config.projection_dim,
            )?,
        })
    }

    /// Each text's ids end with its end-of-text token; the answers have the projection's length and are not normalised.
    pub(super) fn forward(
        &self,
        machine: &Machine,
        pass: &mut Pass,
        texts: &[&[u32]],
    ) -> Vec<Vec<f32>> {
        let Pass { operands, scratch } = pass;
        let hidden = self.hidden;
        let lengths: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        let total = lengths.iter().sum();
        let [tokens, mixed, chosen, queries] =
            scratch.slices(self.layers.lengths(total, texts.len()));

        let places = texts
            .iter()
            .flat_map(|ids| ids.iter().zip(self.positions.chunks_exact(hidden)));
        for (to, (id, position)) in tokens.chunks_exact_mut(hidden).zip(places) {
            let token = &self.tokens[*id as usize * hidden..][..hidden];
            for ((to, token), position) in to.iter_mut().zip(token).zip(position) {
                *to = token + position;
            }
        }
        let mut row = 0;
        let ends: Vec<usize> = lengths
            .iter()
            .map(|length| {
                row += length;
                row - 1
            })
            .collect();
        let mut buffers = Buffers {
            tokens,
            mixed,
            chosen,
            queries,
        };
        self.layers
            .forward(machine, operands, &mut buffers, (&lengths, &ends));
        super::project(
            (machine, operands),
            (&self.norm_after, &self.projection),
            buffers.chosen,
        )
    }
}
