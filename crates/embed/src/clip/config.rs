//! The shape of both towers. `config.json` is read as transformers reads it: what is absent has the default of
//! `CLIPTextConfig` or `CLIPVisionConfig`; what this release cannot do is refused with the field's name.
//!
//! `open_clip` fills the same structs from the other layout.

use std::path::Path;

use serde::Deserialize;

use crate::error::LoadError;

/// `config.json`: the shape of both towers.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    pub(super) model_type: String,
    #[serde(default = "defaults::projection_dim")]
    pub(super) projection_dim: usize,
    #[serde(default, rename = "text_config")]
    pub(super) text: TextConfig,
    #[serde(default, rename = "vision_config")]
    pub(super) vision: VisionConfig,
}

/// The text tower; defaults of `CLIPTextConfig`.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct TextConfig {
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_attention_heads: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) vocab_size: usize,
    pub(super) eos_token_id: u32,
    pub(super) hidden_act: Activation,
    pub(super) layer_norm_eps: f64,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            hidden_size: 512,
            intermediate_size: 2048,
            num_attention_heads: 8,
            num_hidden_layers: 12,
            max_position_embeddings: 77,
            vocab_size: 49_408,
            eos_token_id: 49_407,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

/// The image tower; defaults of `CLIPVisionConfig`.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct VisionConfig {
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_attention_heads: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_channels: usize,
    pub(super) image_size: usize,
    pub(super) patch_size: usize,
    pub(super) hidden_act: Activation,
    pub(super) layer_norm_eps: f64,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_attention_heads: 12,
            num_hidden_layers: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

/// Between the two layers of an MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Activation {
    /// `x * sigmoid(1.702 x)`, that of the first CLIP models.
    QuickGelu,
    /// By the error function.
    Gelu,
}

mod defaults {
    pub(super) fn projection_dim() -> usize {
        512
    }
}

impl Config {
    /// Side of the picture that the model sees, in pixels.
    pub(super) fn side(&self) -> u32 {
        u32::try_from(self.vision.image_size).expect("checked to be at most 4096")
    }

    /// # Errors
    /// [`LoadError`] for what no CLIP can be, and for what this release cannot do; `path` is the file to name.
    pub(super) fn check(&self, path: &Path) -> Result<(), LoadError> {
        let refuse = |detail: String| Err(LoadError::unsupported(path, detail));
        if self.model_type != "clip" {
            return refuse(format!(
                "model_type is {:?}; expected \"clip\"",
                self.model_type
            ));
        }
        let (text, vision) = (&self.text, &self.vision);
        for (tower, hidden, heads) in [
            ("text_config", text.hidden_size, text.num_attention_heads),
            (
                "vision_config",
                vision.hidden_size,
                vision.num_attention_heads,
            ),
        ] {
            if heads == 0 || hidden == 0 || hidden % heads != 0 {
                return refuse(format!(
                    "{tower}.hidden_size {hidden} is not a multiple of num_attention_heads {heads}"
                ));
            }
        }
        if vision.patch_size == 0
            || vision.image_size == 0
            || !vision.image_size.is_multiple_of(vision.patch_size)
        {
            return refuse(format!(
                "vision_config.image_size {} is not a multiple of patch_size {}",
                vision.image_size, vision.patch_size
            ));
        }
        if vision.num_channels != 3 {
            return refuse(format!(
                "vision_config.num_channels is {}; expected 3",
                vision.num_channels
            ));
        }
        if vision.image_size > 4096
            || self.projection_dim == 0
            || self.projection_dim > 8192
            || text.max_position_embeddings < 2
        {
            return refuse("image_size above 4096, projection_dim outside 1 to 8192 or max_position_embeddings below 2".to_owned());
        }
        Ok(())
    }
}
