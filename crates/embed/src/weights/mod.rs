//! Weights of a CLIP from whatever file holds them: one tensor at a time, by transformers' name, checked for shape,
//! widened to f32.
//!
//! The towers ask for what they need by the names of the Hugging Face layout and never learn which format
//! ([`safetensors`], [`pickle`]) or which layout ([`names`]) the file has.
//!
//! Tensors are read straight into the memory they stay in. Mapping the file would save nothing, since every weight is copied
//! (widened or rearranged) once, and a file that is cut short meanwhile is then an error instead of a SIGBUS.

mod names;
mod pickle;
mod safetensors;

use std::ops::Range;
use std::path::{Path, PathBuf};

pub(crate) use self::names::Naming;
use self::pickle::Pickle;
use self::safetensors::Safetensors;
pub(crate) use self::safetensors::widen;
use crate::error::LoadError;

/// A tensor of every text tower.
const TEXT_TOWER: &str = "text_model.embeddings.token_embedding.weight";

/// A file of weights whose table of contents has been read.
pub(crate) struct TensorFile {
    path: PathBuf,
    format: Format,
    naming: Naming,
}

enum Format {
    Safetensors(Safetensors),
    Pickle(Pickle),
}

impl TensorFile {
    /// Opens a file; what does not end in `.safetensors` is taken for one of `torch.save`. Its names are those of the
    /// first of `namings` under which it has a text tower, or of the very first.
    ///
    /// # Errors
    /// [`LoadError`] for a file that is missing, cut short, or of another format.
    pub(crate) fn open(path: &Path, namings: &[Naming]) -> Result<Self, LoadError> {
        let is_safetensors = path.extension().is_some_and(|ext| ext == "safetensors");
        let format = if is_safetensors {
            Format::Safetensors(Safetensors::open(path)?)
        } else {
            Format::Pickle(Pickle::open(path)?)
        };
        let mut file = Self {
            path: path.to_owned(),
            format,
            naming: namings[0],
        };
        let fits = |naming: &Naming| file.shape_of(&naming.stored(TEXT_TOWER).name).is_some();
        if let Some(naming) = namings.iter().copied().find(fits) {
            file.naming = naming;
        }
        Ok(file)
    }

    /// Whether the file has the tensor that transformers calls `name`.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.shape_of(&self.naming.stored(name).name).is_some()
    }

    /// Some tensor names, for a message that says what was found instead.
    pub(crate) fn sample_names(&self) -> String {
        let names = match &self.format {
            Format::Safetensors(file) => file.names(),
            Format::Pickle(file) => file.names(),
        };
        names.into_iter().take(3).collect::<Vec<_>>().join(", ")
    }

    /// Reads a tensor of exactly `shape` as f32, in row-major order; `name` is transformers'.
    ///
    /// # Errors
    /// [`LoadError`] for a tensor that is missing, of another shape, or of a type that is no float.
    pub(crate) fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let stored = self.naming.stored(name);
        let expected = stored.shape(shape);
        let Some(found) = self.shape_of(&stored.name) else {
            return Err(LoadError::damaged(
                &self.path,
                format!(
                    "it has no tensor {}; expected one of shape {expected:?}",
                    stored.name
                ),
            ));
        };
        if found != expected {
            let detail = format!(
                "tensor {} has shape {found:?}; the configuration asks for {expected:?}",
                stored.name
            );
            return Err(LoadError::unsupported(&self.path, detail));
        }
        let values = self.read_rows(&stored.name, stored.rows(shape))?;
        Ok(stored.arrange(values, shape))
    }

    fn shape_of(&self, stored_name: &str) -> Option<&[usize]> {
        match &self.format {
            Format::Safetensors(file) => file.shape(stored_name),
            Format::Pickle(file) => file.shape(stored_name),
        }
    }

    /// `rows` of a tensor's first dimension; all of it for one without dimensions.
    fn read_rows(&mut self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, LoadError> {
        match &mut self.format {
            Format::Safetensors(file) => file.read(name, rows),
            Format::Pickle(file) => file.read(name, rows),
        }
    }
}
