//! Which files a folder's CLIP consists of, and how they are to be read.
//!
//! Two layouts are known: Hugging Face's (`config.json` and companions) and `open_clip`'s (`open_clip_config.json`). Repositories
//! may hold both, and timm's hold a `config.json` that says something else; the rules are in [`Files::find`].

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::config::Config;
use super::open_clip;
use super::preprocessor::Preprocessor;
use crate::error::LoadError;
use crate::weights::{Naming, TensorFile};

const CONFIG: &str = "config.json";
const OPEN_CLIP_CONFIG: &str = "open_clip_config.json";
const TOKENIZER: &str = "tokenizer.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
/// Weights by preference, as each layout names them.
const WEIGHTS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
const OPEN_CLIP_WEIGHTS: [&str; 2] = ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"];

/// The files of a folder that matter to its vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    layout: Layout,
    pub(super) weights: PathBuf,
    config: PathBuf,
    pub(super) tokenizer: PathBuf,
    /// `open_clip` keeps this in the configuration.
    preprocessor: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    HuggingFace,
    OpenClip,
}

impl Files {
    /// The files that `folder` has or should have. Hugging Face's layout counts unless there is an `open_clip` one and
    /// `config.json` is not that of a CLIP, or has no weights beside it.
    pub(crate) fn find(folder: &Path) -> Self {
        let is_open_clip = folder.join(OPEN_CLIP_CONFIG).exists()
            && !(holds_clip(&folder.join(CONFIG))
                && WEIGHTS.iter().any(|name| folder.join(name).exists()));
        if is_open_clip {
            Self {
                layout: Layout::OpenClip,
                weights: first_present(folder, OPEN_CLIP_WEIGHTS),
                config: folder.join(OPEN_CLIP_CONFIG),
                tokenizer: folder.join(TOKENIZER),
                preprocessor: None,
            }
        } else {
            Self {
                layout: Layout::HuggingFace,
                weights: first_present(folder, WEIGHTS),
                config: folder.join(CONFIG),
                tokenizer: folder.join(TOKENIZER),
                preprocessor: Some(folder.join(PREPROCESSOR)),
            }
        }
    }

    /// All of them, the weights first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Path> {
        [&self.weights, &self.config, &self.tokenizer]
            .into_iter()
            .chain(&self.preprocessor)
            .map(PathBuf::as_path)
    }

    /// Reads and checks everything but the weights and the tokenizer.
    ///
    /// # Errors
    /// [`LoadError`] naming the file, and the field that this release cannot honour.
    pub(super) fn read(&self) -> Result<(Config, Preprocessor), LoadError> {
        match (self.layout, &self.preprocessor) {
            (Layout::HuggingFace, Some(preprocessor)) => {
                let config: Config = read_json(&self.config)?;
                config.check(&self.config)?;
                let preprocessor = Preprocessor::read(preprocessor, config.side())?;
                Ok((config, preprocessor))
            }
            (Layout::HuggingFace | Layout::OpenClip, _) => open_clip::read(&self.config),
        }
    }

    /// Opens the weights and makes sure that both towers are in there.
    ///
    /// # Errors
    /// [`LoadError`] naming the file and what was found in it instead.
    pub(super) fn open_weights(&self) -> Result<TensorFile, LoadError> {
        let (namings, whole) = match self.layout {
            Layout::HuggingFace => (
                &[Naming::HuggingFace][..],
                "a whole CLIPModel of transformers",
            ),
            Layout::OpenClip => (&Naming::OPEN_CLIP[..], "a whole CLIP of open_clip"),
        };
        let file = TensorFile::open(&self.weights, namings)?;
        let has_image_tower = IMAGE_TOWERS.iter().any(|name| file.contains(name));
        if has_image_tower && file.contains(TEXT_TOWER) {
            return Ok(file);
        }
        let detail = format!(
            "it does not have both towers of a CLIP but {}, …; expected {whole}",
            file.sample_names()
        );
        Err(LoadError::unsupported(&self.weights, detail))
    }
}

/// A tensor of every text tower, and one of each kind of image tower.
const TEXT_TOWER: &str = "text_projection.weight";
const IMAGE_TOWERS: [&str; 2] = ["visual_projection.weight", "visual.attnpool.c_proj.weight"];

fn first_present(folder: &Path, names: [&str; 2]) -> PathBuf {
    let [preferred, other] = names.map(|name| folder.join(name));
    if !preferred.exists() && other.exists() {
        other
    } else {
        preferred
    }
}

/// Whether a `config.json` is a CLIP's; a damaged one is, so that it is named.
fn holds_clip(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        model_type: Option<String>,
    }
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice::<Kind>(&bytes)
            .map_or(true, |kind| kind.model_type.as_deref() == Some("clip")),
        Err(_) => false,
    }
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LoadError> {
    let bytes = fs::read(path).map_err(|source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|error| LoadError::damaged(path, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> (Layout, String) {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            fs::write(folder.path().join(name), content).expect("a file");
        }
        let files = Files::find(folder.path());
        let name = files.weights.file_name().expect("a file's name");
        (files.layout, name.to_string_lossy().into_owned())
    }

    const CLIP: (&str, &str) = ("config.json", r#"{"model_type":"clip"}"#);
    const OPEN_CLIP: (&str, &str) = ("open_clip_config.json", "{}");

    #[test]
    fn transformers_layout_is_preferred_where_it_is_whole() {
        let both = [CLIP, OPEN_CLIP, ("pytorch_model.bin", "")];
        assert_eq!(
            found(&both),
            (Layout::HuggingFace, "pytorch_model.bin".to_owned())
        );
        let without_weights = [CLIP, OPEN_CLIP, ("open_clip_pytorch_model.bin", "")];
        assert_eq!(
            found(&without_weights),
            (Layout::OpenClip, "open_clip_pytorch_model.bin".to_owned())
        );
    }

    #[test]
    fn config_of_timm_does_not_hide_open_clips() {
        let timm = ("config.json", r#"{"architecture":"resnet50_clip"}"#);
        let files = [timm, OPEN_CLIP, ("model.safetensors", "")];
        assert_eq!(
            found(&files),
            (Layout::OpenClip, "open_clip_model.safetensors".to_owned())
        );
    }

    #[test]
    fn empty_folder_is_expected_to_be_hugging_faces() {
        assert_eq!(
            found(&[]),
            (Layout::HuggingFace, "model.safetensors".to_owned())
        );
    }
}
