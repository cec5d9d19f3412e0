//! The JSON files of a CLIP folder, read as transformers reads them: what is absent has the default of `CLIPTextConfig`,
//! `CLIPVisionConfig` or `CLIPImageProcessor`; what this release cannot do is refused with the field's name.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::LoadError;

pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const PREPROCESSOR: &str = "preprocessor_config.json";

/// `config.json`: the shape of both towers.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    model_type: String,
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
    pub(super) fn read(folder: &Path) -> Result<Self, LoadError> {
        let path = folder.join(CONFIG);
        if !path.exists() && folder.join("open_clip_config.json").exists() {
            return Err(LoadError::unsupported(
                folder.join("open_clip_config.json"),
                "this folder has open_clip's layout, which cannot be loaded yet; expected the Hugging Face layout with a config.json",
            ));
        }
        let config: Self = read_json(&path)?;
        config.check(&path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), LoadError> {
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

/// `preprocessor_config.json`: what happens to a picture before the model.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the file has these fields")]
pub(super) struct Preprocessor {
    do_resize: bool,
    do_center_crop: bool,
    do_rescale: bool,
    do_normalize: bool,
    resample: u32,
    rescale_factor: f64,
    size: Size,
    crop_size: Size,
    pub(super) image_mean: [f32; 3],
    pub(super) image_std: [f32; 3],
}

impl Default for Preprocessor {
    fn default() -> Self {
        Self {
            do_resize: true,
            do_center_crop: true,
            do_rescale: true,
            do_normalize: true,
            resample: BICUBIC,
            rescale_factor: 1.0 / 255.0,
            size: Size::Side(224),
            crop_size: Size::Side(224),
            image_mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            image_std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        }
    }
}

/// Pillow's number for its bicubic filter.
const BICUBIC: u32 = 3;

/// The three ways in which repositories write a size.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Side(u32),
    Shortest { shortest_edge: u32 },
    Box { height: u32, width: u32 },
}

impl Size {
    /// Whether a picture's short side becomes `side`, its shape kept.
    fn is_short_side(&self, side: u32) -> bool {
        match *self {
            Self::Side(edge)
            | Self::Shortest {
                shortest_edge: edge,
            } => edge == side,
            Self::Box { .. } => false,
        }
    }

    fn is_square(&self, side: u32) -> bool {
        match *self {
            Self::Side(edge) => edge == side,
            Self::Box { height, width } => (height, width) == (side, side),
            Self::Shortest { .. } => false,
        }
    }
}

impl Preprocessor {
    /// Reads the file and makes sure that it asks for what `lookalike_media` does: the short side resized to `side` with
    /// Pillow's bicubic filter, the middle cropped, bytes scaled to 0 to 1 and normalised.
    pub(super) fn read(folder: &Path, side: u32) -> Result<Self, LoadError> {
        let path = folder.join(PREPROCESSOR);
        let own: Self = read_json(&path)?;
        let refuse = |detail: String| Err(LoadError::unsupported(&path, detail));
        if !(own.do_resize && own.do_center_crop && own.do_rescale && own.do_normalize) {
            return refuse("one of do_resize, do_center_crop, do_rescale, do_normalize is false; expected all true".to_owned());
        }
        if own.resample != BICUBIC {
            return refuse(format!(
                "resample is {}; expected {BICUBIC} (bicubic)",
                own.resample
            ));
        }
        if (own.rescale_factor - 1.0 / 255.0).abs() > 1e-9 {
            return refuse(format!(
                "rescale_factor is {}; expected 1/255",
                own.rescale_factor
            ));
        }
        if own.image_std.iter().any(|&std| std <= 0.0) {
            return refuse(format!(
                "image_std is {:?}; expected positive values",
                own.image_std
            ));
        }
        if !own.size.is_short_side(side) {
            return refuse(format!(
                "size is {:?}; expected a shortest edge of {side}, the model's image_size",
                own.size
            ));
        }
        if !own.crop_size.is_square(side) {
            return refuse(format!(
                "crop_size is {:?}; expected {side} x {side}, the model's image_size",
                own.crop_size
            ));
        }
        Ok(own)
    }
}

fn read_json<T: DeserializeOwned>(path: &PathBuf) -> Result<T, LoadError> {
    let bytes = fs::read(path).map_err(|source| LoadError::Unreadable {
        path: path.clone(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|error| LoadError::damaged(path, error.to_string()))
}
