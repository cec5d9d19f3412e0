//! What a folder of weights holds, found out without reading all of them.

use std::path::Path;

use crate::bert;
use crate::catalogue::{ModelEntry, ModelKind};
use crate::clip::{self, ClipShape};
use crate::error::LoadError;
use crate::models::{misfit, text_misfit};

/// A model that can be loaded, with the dimension of its vectors.
pub(super) enum Inspected {
    Clip(ClipShape, u32),
    Bert(u32),
}

impl Inspected {
    /// # Errors
    /// [`LoadError`], naming the file and what was expected of it.
    pub(super) fn of(folder: &Path) -> Result<Self, LoadError> {
        // A CLIP comes with one of them, and a text model with neither.
        let of_pictures = ["preprocessor_config.json", "open_clip_config.json"];
        if of_pictures.iter().any(|name| folder.join(name).exists()) {
            let (shape, dimension) = clip::inspect(folder)?;
            return Ok(Self::Clip(shape, dimension));
        }
        Ok(Self::Bert(bert::inspect(folder)?))
    }

    /// How it differs from the model that a name stands for, if it does.
    pub(super) fn misfit(&self, entry: &ModelEntry) -> Option<String> {
        match (self, entry.kind) {
            (Self::Clip(shape, dimension), ModelKind::Image) => misfit(entry, *shape, *dimension),
            (Self::Bert(dimension), ModelKind::Text) => text_misfit(entry, *dimension),
            (Self::Clip(..), ModelKind::Text) => {
                Some("they are a CLIP, the model is one of texts".to_owned())
            }
            (Self::Bert(_), ModelKind::Image) => {
                Some("they embed texts, the model pictures, too".to_owned())
            }
        }
    }
}
