//! `open_clip_config.json` to the configuration of the towers.
//!
//! Defaults and meanings are those of `open_clip`'s `CLIPVisionCfg`, `CLIPTextCfg` and `CLIP` (`model.py`). The file describes
//! far more kinds of model than CLIP: whatever changes the result and is not done here is refused by its name.

use std::path::Path;

use lookalike_media::preprocess::{CropPlan, Margin};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::{Activation, Config, ImageTower, ResnetConfig, TextConfig, VisionConfig};
use super::layout::read_json;
use super::preprocessor::{CLIP_MEAN, CLIP_STD, Preprocessor};
use crate::error::LoadError;

#[derive(Debug, Deserialize)]
struct File {
    model_cfg: Model,
    #[serde(default)]
    preprocess_cfg: Preprocess,
}

#[derive(Debug, Deserialize)]
struct Model {
    embed_dim: usize,
    #[serde(default)]
    quick_gelu: bool,
    vision_cfg: Vision,
    text_cfg: Text,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Vision {
    #[serde(default = "defaults::image_size")]
    image_size: usize,
    layers: Layers,
    #[serde(default = "defaults::vision_width")]
    width: usize,
    #[serde(default = "defaults::head_width")]
    head_width: usize,
    #[serde(default = "defaults::mlp_ratio")]
    mlp_ratio: f64,
    patch_size: Option<usize>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A number for a transformer, one for each stage of a `ResNet`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Layers {
    Transformer(usize),
    Stages([usize; 4]),
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(default = "defaults::context_length")]
    context_length: usize,
    #[serde(default = "defaults::vocab_size")]
    vocab_size: usize,
    #[serde(default = "defaults::text_width")]
    width: usize,
    #[serde(default = "defaults::text_heads")]
    heads: usize,
    #[serde(default = "defaults::text_layers")]
    layers: usize,
    #[serde(default = "defaults::mlp_ratio")]
    mlp_ratio: f64,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Preprocess {
    mean: [f32; 3],
    std: [f32; 3],
    interpolation: String,
    resize_mode: String,
}

impl Default for Preprocess {
    fn default() -> Self {
        Self {
            mean: CLIP_MEAN,
            std: CLIP_STD,
            interpolation: "bicubic".to_owned(),
            resize_mode: "shortest".to_owned(),
        }
    }
}

mod defaults {
    pub(super) fn image_size() -> usize {
        224
    }
    pub(super) fn vision_width() -> usize {
        768
    }
    pub(super) fn head_width() -> usize {
        64
    }
    pub(super) fn mlp_ratio() -> f64 {
        4.0
    }
    pub(super) fn context_length() -> usize {
        77
    }
    pub(super) fn vocab_size() -> usize {
        49_408
    }
    pub(super) fn text_width() -> usize {
        512
    }
    pub(super) fn text_heads() -> usize {
        8
    }
    pub(super) fn text_layers() -> usize {
        12
    }
}

/// Fields that do not change a result once a model is trained, or that say where weights come from.
const HARMLESS: [&str; 10] = [
    "custom_text",
    "patch_dropout",
    "init_logit_scale",
    "init_logit_bias",
    "hf_model_pretrained",
    "timm_model_pretrained",
    "hf_tokenizer_name",
    "tokenizer_kwargs",
    "tokenizer_mode",
    "output_tokens",
];

/// Fields with the one value that CLIP has.
const EXPECTED: [(&str, &str); 6] = [
    ("pool_type", "tok"),
    ("pool_type", "argmax"),
    ("final_ln_after_pool", "false"),
    ("attn_pooler_heads", "8"),
    ("attn_pooler_queries", "256"),
    ("eos_id", "2"),
];

/// Reads and checks the file.
///
/// # Errors
/// [`LoadError`], naming the field that this release cannot honour.
pub(super) fn read(path: &Path) -> Result<(Config, Preprocessor), LoadError> {
    let file: File = read_json(path)?;
    let Model {
        embed_dim,
        quick_gelu,
        vision_cfg: vision,
        text_cfg: text,
        rest,
    } = file.model_cfg;
    for (section, rest) in [
        ("model_cfg", &rest),
        ("vision_cfg", &vision.rest),
        ("text_cfg", &text.rest),
    ] {
        if let Some((field, value)) = rest.iter().find(|(field, value)| !is_plain(field, value)) {
            return Err(LoadError::unsupported(
                path,
                format!(
                    "{section}.{field} is {value}, which is another kind of model than CLIP; expected it to be absent"
                ),
            ));
        }
    }
    let activation = if quick_gelu {
        Activation::QuickGelu
    } else {
        Activation::Gelu
    };
    let config = Config {
        model_type: "clip".to_owned(),
        projection_dim: embed_dim,
        text: TextConfig {
            hidden_size: text.width,
            intermediate_size: widened(text.width, text.mlp_ratio),
            num_attention_heads: text.heads,
            num_hidden_layers: text.layers,
            max_position_embeddings: text.context_length,
            vocab_size: text.vocab_size,
            // `open_clip` looks for the largest id, as transformers does for the first configurations.
            eos_token_id: 2,
            hidden_act: activation,
            layer_norm_eps: 1e-5,
        },
        vision: image_tower(&vision, activation),
    };
    config.check(path)?;
    let preprocessor = preprocessor(path, &file.preprocess_cfg, config.side())?;
    Ok((config, preprocessor))
}

fn image_tower(vision: &Vision, activation: Activation) -> ImageTower {
    let heads = |width: usize| width / vision.head_width.max(1);
    match vision.layers {
        Layers::Transformer(layers) => ImageTower::Vit(VisionConfig {
            hidden_size: vision.width,
            intermediate_size: widened(vision.width, vision.mlp_ratio),
            num_attention_heads: heads(vision.width),
            num_hidden_layers: layers,
            num_channels: 3,
            image_size: vision.image_size,
            patch_size: vision.patch_size.unwrap_or_default(),
            hidden_act: activation,
            layer_norm_eps: 1e-5,
        }),
        Layers::Stages(layers) => ImageTower::Resnet(ResnetConfig {
            image_size: vision.image_size,
            layers,
            width: vision.width,
            heads: heads(vision.width * 32),
        }),
    }
}

fn preprocessor(path: &Path, own: &Preprocess, side: u32) -> Result<Preprocessor, LoadError> {
    for (field, value, expected) in [
        ("interpolation", &own.interpolation, "bicubic"),
        ("resize_mode", &own.resize_mode, "shortest"),
    ] {
        if value != expected {
            return Err(LoadError::unsupported(
                path,
                format!("preprocess_cfg.{field} is {value:?}; expected {expected:?}"),
            ));
        }
    }
    Preprocessor {
        plan: CropPlan {
            short_edge: side,
            side,
            margin: Margin::HalfToEven,
        },
        image_mean: own.mean,
        image_std: own.std,
    }
    .check(path)
}

/// Whether a field that is not read leaves a CLIP as it is: it is known to, or switches something off.
fn is_plain(field: &str, value: &Value) -> bool {
    let is_off = match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Object(fields) => fields.is_empty(),
        Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    };
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    is_off
        || HARMLESS.contains(&field)
        || EXPECTED.iter().any(|expected| *expected == (field, &text))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "as Python's int(width * mlp_ratio)"
)]
fn widened(width: usize, ratio: f64) -> usize {
    (width as f64 * ratio) as usize
}
