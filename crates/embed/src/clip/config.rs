//! The shape of both towers. `config.json` is read as transformers reads it: what is absent has the default of
//! `CLIPTextConfig` or `CLIPVisionConfig`; what this release cannot do is refused with the field's name.
//!
//! `open_clip` fills the same structs from the other layout.

use std::path::Path;

use serde::Deserialize;

use super::{ClipShape, TowerShape};
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
    pub(super) vision: ImageTower,
}

/// The image tower. Hugging Face's layout knows transformers only.
#[derive(Debug, Deserialize)]
#[serde(from = "VisionConfig")]
pub(super) enum ImageTower {
    Vit(VisionConfig),
    Resnet(ResnetConfig),
}

impl From<VisionConfig> for ImageTower {
    fn from(config: VisionConfig) -> Self {
        Self::Vit(config)
    }
}

impl Default for ImageTower {
    fn default() -> Self {
        Self::Vit(VisionConfig::default())
    }
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

/// A `ModifiedResNet` of `open_clip`.
#[derive(Debug)]
pub(super) struct ResnetConfig {
    pub(super) image_size: usize,
    /// Blocks of each of the four stages.
    pub(super) layers: [usize; 4],
    /// Channels behind the stem.
    pub(super) width: usize,
    /// Of the pooling by attention.
    pub(super) heads: usize,
}

/// One block of a [`ResnetConfig`].
#[derive(Debug)]
pub(super) struct ResnetBlock {
    /// What its tensors' names begin with.
    pub(super) name: String,
    pub(super) inputs: usize,
    pub(super) planes: usize,
    pub(super) stride: usize,
}

/// The stem and the four stages halve a side five times.
const RESNET_SHRINKS: usize = 32;

impl ResnetConfig {
    /// All blocks in order.
    pub(super) fn blocks(&self) -> Vec<ResnetBlock> {
        let mut blocks = Vec::new();
        let mut inputs = self.width;
        for (stage, count) in self.layers.into_iter().enumerate() {
            for index in 0..count {
                let block = ResnetBlock {
                    name: format!("visual.layer{}.{index}.", stage + 1),
                    inputs,
                    planes: self.width << stage,
                    stride: if stage > 0 && index == 0 { 2 } else { 1 },
                };
                inputs = block.outputs();
                blocks.push(block);
            }
        }
        blocks
    }

    /// Channels behind the last stage.
    pub(super) fn channels(&self) -> usize {
        RESNET_SHRINKS * self.width
    }

    /// Pixels behind the last stage.
    pub(super) fn places(&self) -> usize {
        let side = self.image_size / RESNET_SHRINKS;
        side * side
    }
}

impl ResnetBlock {
    /// Channels that a block gives for each of its planes.
    pub(super) const EXPANSION: usize = 4;

    pub(super) fn outputs(&self) -> usize {
        self.planes * Self::EXPANSION
    }

    /// Whether what goes around the block is brought into another shape.
    pub(super) fn has_shortcut(&self) -> bool {
        self.stride > 1 || self.inputs != self.outputs()
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
        let side = match &self.vision {
            ImageTower::Vit(vision) => vision.image_size,
            ImageTower::Resnet(resnet) => resnet.image_size,
        };
        u32::try_from(side).expect("checked to be at most 4096")
    }

    /// What tells it from other CLIPs.
    pub(super) fn shape(&self) -> ClipShape {
        let tower = match &self.vision {
            ImageTower::Vit(vision) => TowerShape::Vit {
                patch_size: u32::try_from(vision.patch_size).expect("checked to divide the image"),
            },
            ImageTower::Resnet(resnet) => TowerShape::Resnet {
                blocks: resnet.layers.iter().sum(),
            },
        };
        ClipShape {
            image_size: self.side(),
            tower,
        }
    }

    /// Length of its vectors.
    pub(super) fn dimension(&self) -> u32 {
        u32::try_from(self.projection_dim).expect("checked to be at most 8192")
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
        let text = &self.text;
        if let Some(detail) =
            uneven_heads("text_config", text.hidden_size, text.num_attention_heads)
        {
            return refuse(detail);
        }
        let (complaint, side) = match &self.vision {
            ImageTower::Vit(vision) => (vision.complaint(), vision.image_size),
            ImageTower::Resnet(resnet) => (resnet.complaint(), resnet.image_size),
        };
        if let Some(detail) = complaint {
            return refuse(detail);
        }
        if side > 4096
            || self.projection_dim == 0
            || self.projection_dim > 8192
            || text.max_position_embeddings < 2
        {
            return refuse("image_size above 4096, projection_dim outside 1 to 8192 or max_position_embeddings below 2".to_owned());
        }
        Ok(())
    }
}

impl VisionConfig {
    /// What is wrong with it, if anything.
    fn complaint(&self) -> Option<String> {
        if self.patch_size == 0
            || self.image_size == 0
            || !self.image_size.is_multiple_of(self.patch_size)
        {
            return Some(format!(
                "vision_config.image_size {} is not a multiple of patch_size {}",
                self.image_size, self.patch_size
            ));
        }
        if self.num_channels != 3 {
            return Some(format!(
                "vision_config.num_channels is {}; expected 3",
                self.num_channels
            ));
        }
        uneven_heads("vision_config", self.hidden_size, self.num_attention_heads)
    }
}

impl ResnetConfig {
    /// What is wrong with it, if anything.
    fn complaint(&self) -> Option<String> {
        if self.image_size == 0 || !self.image_size.is_multiple_of(RESNET_SHRINKS) {
            return Some(format!(
                "vision_cfg.image_size {} is not a multiple of {RESNET_SHRINKS}, by which a ResNet shrinks it",
                self.image_size
            ));
        }
        if self.layers.contains(&0) || !self.width.is_multiple_of(2) || self.width > 1024 {
            return Some(format!(
                "vision_cfg.layers is {:?} and width {}; expected no empty stage, and an even width of at most 1024",
                self.layers, self.width
            ));
        }
        uneven_heads("vision_cfg", self.channels(), self.heads)
    }
}

fn uneven_heads(tower: &str, hidden: usize, heads: usize) -> Option<String> {
    if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
        return Some(format!(
            "{tower}.hidden_size {hidden} is not a multiple of num_attention_heads {heads}"
        ));
    }
    None
}
