//! Encoders: pictures and texts to vectors of one space.
//!
//! Lives here: the catalogue of model names that the API knows ([`catalogue`]), the built-in encoders, CLIP, BERT, and
//! what serves them ([`Models`], [`ServedModel`]). The engine is the caller; this crate knows neither HTTP nor storage.
//!
//! Invariant: the same input gives the same bits, alone or in a batch, on one thread or many.

mod batcher;
mod bert;
mod builtin;
pub mod catalogue;
mod clip;
mod colours;
mod device;
mod encoder;
mod error;
mod fingerprint;
mod idle;
pub mod library;
mod machines;
mod models;
mod served;
mod tokenizer;
mod vector;
mod weights;

pub use self::batcher::{Priority, panic_text};
pub use lookalike_kernels::dispatch::{CpuError, force as force_cpu};
pub use lookalike_kernels::{Gate, Precision, give_way, step_back_behind};

pub use self::builtin::{NAME as BUILTIN_NAME, TEXT_NAME as BUILTIN_TEXT_NAME};
pub use self::device::{Device, DeviceError, UnknownDevice};
pub use self::encoder::{Encoder, EncoderInfo, PreparedImage, TextEmbedding};
pub use self::error::{EmbedError, LoadError, ModelError};
pub use self::models::{
    ModelStatus, Models, ModelsConfig, open_builtin, open_encoder, open_folder,
};
pub use self::served::ServedModel;
