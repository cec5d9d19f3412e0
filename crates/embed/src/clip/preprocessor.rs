//! What happens to a picture before the model, as `preprocessor_config.json` says: absent fields have the defaults of
//! `CLIPImageProcessor`, and what `lookalike_media` does not do is refused with the field's name.

use std::path::Path;

use lookalike_media::preprocess::{CropPlan, Margin};
use serde::Deserialize;

use super::layout::read_json;
use crate::error::LoadError;

/// How pictures become a model's input.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Preprocessor {
    /// Resizing and cropping.
    pub(super) plan: CropPlan,
    /// Of the colours, subtracted when bytes are scaled to 0 to 1.
    pub(super) image_mean: [f32; 3],
    /// What is left is divided by this.
    pub(super) image_std: [f32; 3],
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the file has these fields")]
struct Fields {
    do_resize: bool,
    do_center_crop: bool,
    do_rescale: bool,
    do_normalize: bool,
    resample: u32,
    rescale_factor: f64,
    size: Size,
    crop_size: Size,
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

/// `OPENAI_CLIP_MEAN` and `OPENAI_CLIP_STD` of transformers, which `open_clip` has too.
pub(super) const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
pub(super) const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

impl Default for Fields {
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
            image_mean: CLIP_MEAN,
            image_std: CLIP_STD,
        }
    }
}

/// Pillow's number for its bicubic filter.
const BICUBIC: u32 = 3;

/// Pillow's filters by their numbers.
const FILTERS: [&str; 6] = [
    "nearest", "lanczos", "bilinear", "bicubic", "box", "hamming",
];

/// The three ways in which repositories write a size.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Side(u32),
    Shortest { shortest_edge: u32 },
    Box { height: u32, width: u32 },
}

impl Size {
    /// What a picture's short side becomes, its shape kept.
    fn short_side(&self) -> Option<u32> {
        match *self {
            Self::Side(edge)
            | Self::Shortest {
                shortest_edge: edge,
            } => Some(edge),
            Self::Box { .. } => None,
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

/// Stops a short side that would make every picture a huge one.
const MAX_SHORT_SIDE: u32 = 8192;

impl Preprocessor {
    /// Reads the file and makes sure that it asks for what `lookalike_media` does: the short side resized with Pillow's
    /// bicubic filter, a middle square of `side` cut out, bytes scaled to 0 to 1 and normalised.
    ///
    /// # Errors
    /// [`LoadError`], naming the field.
    pub(super) fn read(path: &Path, side: u32) -> Result<Self, LoadError> {
        let own: Fields = read_json(path)?;
        let refuse = |detail: String| Err(LoadError::unsupported(path, detail));
        if !(own.do_resize && own.do_center_crop && own.do_rescale && own.do_normalize) {
            return refuse("one of do_resize, do_center_crop, do_rescale, do_normalize is false; expected all true".to_owned());
        }
        if own.resample != BICUBIC {
            let name = FILTERS.get(own.resample as usize).unwrap_or(&"unknown");
            return refuse(format!(
                "resample is {} ({name}); expected {BICUBIC} (bicubic)",
                own.resample
            ));
        }
        if (own.rescale_factor - 1.0 / 255.0).abs() > 1e-9 {
            return refuse(format!(
                "rescale_factor is {}; expected 1/255",
                own.rescale_factor
            ));
        }
        let short_edge = match own.size.short_side() {
            Some(edge) if (side..=MAX_SHORT_SIDE).contains(&edge) => edge,
            Some(_) | None => {
                return refuse(format!(
                    "size is {:?}; expected a shortest edge of {side}, the model's image_size, to {MAX_SHORT_SIDE}",
                    own.size
                ));
            }
        };
        if !own.crop_size.is_square(side) {
            return refuse(format!(
                "crop_size is {:?}; expected {side} x {side}, the model's image_size",
                own.crop_size
            ));
        }
        let plan = CropPlan {
            short_edge,
            side,
            margin: Margin::Down,
        };
        Self {
            plan,
            image_mean: own.image_mean,
            image_std: own.image_std,
        }
        .check(path)
    }

    /// # Errors
    /// [`LoadError`] for deviations that nothing can be divided by.
    pub(super) fn check(self, path: &Path) -> Result<Self, LoadError> {
        let is_sound = |values: [f32; 3]| values.iter().all(|value| value.is_finite());
        if !is_sound(self.image_mean)
            || !is_sound(self.image_std)
            || self.image_std.iter().any(|&std| std <= 0.0)
        {
            return Err(LoadError::unsupported(
                path,
                format!(
                    "image_mean is {:?} and image_std {:?}; expected numbers, the latter positive",
                    self.image_mean, self.image_std
                ),
            ));
        }
        Ok(self)
    }
}
