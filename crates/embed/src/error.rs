//! What can go wrong in this crate: reading weights, choosing a model, embedding.
//!
//! Every message is meant for the person at the keyboard: it names the file, model or limit and says what was expected.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::device::DeviceError;

/// Why a folder of weights could not be used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file is absent or cannot be read.
    #[error("cannot read {}: {source}; expected a CLIP folder in the Hugging Face layout: config.json, model.safetensors, tokenizer.json, preprocessor_config.json (or open_clip's: open_clip_config.json, open_clip_model.safetensors, tokenizer.json)", path.display())]
    Unreadable {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The same of a text encoder's folder.
    #[error("cannot read {}: {source}; expected a BERT folder in the Hugging Face layout: config.json, model.safetensors or pytorch_model.bin, tokenizer.json", path.display())]
    UnreadableText {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is there but is cut short or not of its format.
    #[error("{} is damaged: {detail}", path.display())]
    Damaged {
        /// The offending file.
        path: PathBuf,
        /// What was found and what was expected.
        detail: String,
    },
    /// A sound file that belongs to something this release cannot run.
    #[error("{} does not fit: {detail}", path.display())]
    Unsupported {
        /// The offending file.
        path: PathBuf,
        /// What was found and what was expected.
        detail: String,
    },
    /// The device has no room for the weights, or fails.
    #[error("the device refused the weights: {0}")]
    Device(String),
    /// The model fails at the first input.
    #[error("the model fails on a trial input: {0}")]
    Trial(EmbedError),
    /// The operating system refused a thread.
    #[error("cannot start the model's thread: {0}")]
    Thread(io::Error),
}

impl LoadError {
    pub(crate) fn damaged(path: impl Into<PathBuf>, detail: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.into(),
            detail: detail.into(),
        }
    }

    pub(crate) fn unsupported(path: impl Into<PathBuf>, detail: impl Into<String>) -> Self {
        Self::Unsupported {
            path: path.into(),
            detail: detail.into(),
        }
    }
}

/// Why a model name cannot be served as asked.
#[derive(Debug, Error)]
pub enum ModelError {
    /// No model of the contract has this name.
    #[error("unknown embedding model {name:?}; valid are {}", valid.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// Every model of the kind that was wanted, in the catalogue's order.
        valid: Vec<String>,
    },
    /// A model that embeds pictures where one for texts was wanted.
    #[error("embedding model {name} is an image model; the text models are {}", valid.join(", "))]
    ImageModel {
        /// The name asked for.
        name: String,
        /// Every text model, in the catalogue's order.
        valid: Vec<String>,
    },
    /// The model exists, but not with this many dimensions.
    #[error(
        "embedding model {name} has no dimension {asked}; it has {}",
        list(allowed)
    )]
    Dimension {
        /// The model's name.
        name: String,
        /// The dimension asked for.
        asked: u32,
        /// What the contract offers, default first.
        allowed: Vec<u32>,
    },
    /// The contract offers the dimension, but the encoder at hand has more and cannot be shortened without loss.
    #[error(
        "embedding model {name} cannot be served with dimension {asked} here: its stand-in {encoder} has {native} dimensions and only lifts upwards; use one of {}",
        list(possible)
    )]
    TooSmallForStandIn {
        /// The model's name.
        name: String,
        /// The dimension asked for.
        asked: u32,
        /// Name of the encoder that would have to stand in.
        encoder: String,
        /// That encoder's own dimension.
        native: u32,
        /// The model's dimensions that it can serve.
        possible: Vec<u32>,
    },
    /// The weights given for a name are sound but belong to another model.
    #[error("the weights in {} are not {name}: {detail}", path.display())]
    WrongWeights {
        /// The model's name.
        name: String,
        /// The folder given for it.
        path: PathBuf,
        /// Which property differs, and both values.
        detail: String,
    },
    /// What the towers are to run on is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The weights given for a name could not be loaded.
    #[error("cannot load {name}: {source}")]
    Load {
        /// The model's name, or the folder's path when it was opened without a name.
        name: String,
        /// The cause.
        source: LoadError,
    },
}

fn list(dimensions: &[u32]) -> String {
    dimensions
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Why an input got no vector. The model's thread goes on after each of these.
#[derive(Debug, Clone, Error)]
pub enum EmbedError {
    /// The numerical library refused; never the caller's input.
    #[error("the model failed: {0}")]
    Model(String),
    /// The tokenizer refused the text.
    #[error("the text could not be tokenized: {0}")]
    Tokenize(String),
    /// A picture prepared by one encoder was handed to another.
    #[error(
        "the picture was prepared for {found} x {found} pixels, this model takes {expected} x {expected}"
    )]
    WrongInput {
        /// Side in pixels that the model takes.
        expected: u32,
        /// Side in pixels of the picture.
        found: u32,
    },
    /// A picture was handed to a model that embeds texts only.
    #[error("the model embeds texts only")]
    TextOnly,
    /// The result held NaN or infinity, so it could not be compared with anything.
    #[error("the model's output is not finite; its weights may be damaged")]
    NotFinite,
    /// The model panicked on this input. Only this request is lost.
    #[error("the model panicked: {0}")]
    Panicked(String),
    /// The model's thread has ended.
    #[error("the model is shut down")]
    Closed,
}

impl From<candle_core::Error> for EmbedError {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(error.to_string())
    }
}
