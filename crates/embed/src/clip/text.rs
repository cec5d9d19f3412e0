//! The text tower, after transformers' `CLIPTextTransformer`: tokens, causal layers, and the projection of the end-of-text token.
//!
//! Nothing looks to the right, so what follows the end of the text cannot matter: texts are neither padded to 77 tokens nor
//! read past their end. The result is the same, and a short query costs a small part of a full one.

use std::panic::catch_unwind;
use std::path::Path;

use candle_core::{Device, Result, Tensor};
use serde::de::IgnoredAny;
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

use super::config::{Config, TOKENIZER};
use super::transformer::{Linear, Norm, Shape, Transformer, read};
use crate::error::{EmbedError, LoadError};
use crate::weights::TensorFile;

/// The first CLIP configurations say 2 for the end of the text, which no text holds: transformers then looks for the largest id.
const LEGACY_END: u32 = 2;

pub(super) struct Text {
    tokenizer: Tokenizer,
    end: u32,
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
        file: &mut TensorFile,
        config: &Config,
        folder: &Path,
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
            tokenizer: read_tokenizer(
                &folder.join(TOKENIZER),
                longest,
                text.vocab_size,
                text.eos_token_id,
            )?,
            end: text.eos_token_id,
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
            mask: causal_mask(longest),
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

    /// Token ids of a text, cut to what the model can read with the end-of-text token kept.
    pub(super) fn tokenize(&self, text: &str) -> std::result::Result<Vec<u32>, EmbedError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, true)
            .map_err(|error| EmbedError::Tokenize(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The answer has the projection's length and is not normalised.
    pub(super) fn forward(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let length = end_position(ids, self.end) + 1;
        let ids = Tensor::from_slice(&ids[..length], length, &Device::Cpu)?;
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

/// Where the text ends: the first end-of-text token, or, with The first CLIP configurations, the first largest id.
/// Position 0 when there is none, as in transformers.
fn end_position(ids: &[u32], end: u32) -> usize {
    let wanted = if end == LEGACY_END {
        ids.iter().copied().max()
    } else {
        Some(end)
    };
    ids.iter().position(|&id| Some(id) == wanted).unwrap_or(0)
}

fn causal_mask(longest: usize) -> Tensor {
    let values = (0..longest * longest)
        .map(|i| {
            if i % longest > i / longest {
                f32::NEG_INFINITY
            } else {
                0.0
            }
        })
        .collect();
    Tensor::from_vec(values, (longest, longest), &Device::Cpu).expect("a square of values")
}

fn read_tokenizer(
    path: &Path,
    longest: usize,
    vocabulary: usize,
    end: u32,
) -> std::result::Result<Tokenizer, LoadError> {
    let bytes = fs_err::read(path).map_err(|source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice::<IgnoredAny>(&bytes)
        .map_err(|error| LoadError::damaged(path, error.to_string()))?;
    // The library panics on some JSON that is no tokenizer.
    let mut tokenizer = catch_unwind(|| Tokenizer::from_bytes(&bytes))
        .map_err(|_| {
            LoadError::damaged(
                path,
                "it is JSON, but no tokenizer; expected CLIP's tokenizer",
            )
        })?
        .map_err(|error| LoadError::damaged(path, error.to_string()))?;
    if tokenizer.get_vocab_size(true) > vocabulary {
        let known = tokenizer.get_vocab_size(true);
        return Err(LoadError::unsupported(
            path,
            format!("it has {known} tokens; config.json has a vocab_size of {vocabulary}"),
        ));
    }
    let cut = TruncationParams {
        direction: TruncationDirection::Right,
        max_length: longest,
        strategy: TruncationStrategy::LongestFirst,
        stride: 0,
    };
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(Some(cut))
        .map_err(|error| LoadError::damaged(path, error.to_string()))?;

    // A tokenizer of another model would give vectors that look fine and mean nothing.
    let probe = tokenizer
        .encode_fast("a", true)
        .map_err(|error| LoadError::damaged(path, error.to_string()))?;
    let ids = probe.get_ids();
    if ids.len() < 2 || end_position(ids, end) != ids.len() - 1 {
        return Err(LoadError::unsupported(
            path,
            format!(
                "it reads \"a\" as {ids:?}, which does not end with the end-of-text token; expected CLIP's tokenizer"
            ),
        ));
    }
    Ok(tokenizer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_at_the_first_end_token() {
        assert_eq!(end_position(&[7, 3, 9, 5, 9], 9), 2);
    }

    #[test]
    fn legacy_configuration_means_the_largest_id() {
        assert_eq!(end_position(&[7, 3, 2, 8, 8], LEGACY_END), 3);
    }

    #[test]
    fn text_without_end_is_read_at_its_start_as_in_transformers() {
        assert_eq!(end_position(&[7, 3], 9), 0);
    }
}
