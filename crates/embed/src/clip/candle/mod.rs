//! CLIP's towers on candle, in f32: the reference.
//!
//! Plain tensor operations, one picture or text at a time, so that a vector never depends on its batch; requests run side
//! by side. `docs/adr/0001-candle-core-without-candle-transformers.md` says why it is written here.

mod text;
mod transformer;
mod vision;

use lookalike_kernels::Machine;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use self::text::Text;
use self::vision::Vision;
use super::Towers;
use super::config::Config;
use super::preprocessor::Preprocessor;
use crate::error::{EmbedError, LoadError};
use crate::weights::TensorFile;

/// Both towers.
pub(super) struct CandleTowers {
    vision: Vision,
    text: Text,
    /// Candle finds its threads by rayon.
    pool: ThreadPool,
}

impl CandleTowers {
    /// Reads the weights.
    ///
    /// # Errors
    /// [`LoadError`] for a tensor that is missing or of another shape.
    pub(super) fn read(
        file: &mut TensorFile,
        config: &Config,
        preprocessor: &Preprocessor,
        threads: usize,
    ) -> Result<Self, LoadError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("candle-{i}"))
            .build();
        Ok(Self {
            pool: pool.map_err(|error| LoadError::Thread(std::io::Error::other(error)))?,
            vision: Vision::read(file, config, preprocessor)?,
            text: Text::read(file, config)?,
        })
    }
}

impl Towers for CandleTowers {
    fn images(&self, _: &Machine, pictures: &[&[u8]]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let vectors = pictures.par_iter().map(|rgb| self.vision.forward(rgb));
        Ok(self
            .pool
            .install(|| vectors.collect::<candle_core::Result<_>>())?)
    }

    fn texts(&self, _: &Machine, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let vectors = texts.par_iter().map(|ids| self.text.forward(ids));
        Ok(self
            .pool
            .install(|| vectors.collect::<candle_core::Result<_>>())?)
    }
}
