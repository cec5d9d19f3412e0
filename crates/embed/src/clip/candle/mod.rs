//! CLIP's towers on candle, in f32: the reference, and what runs on CUDA and Metal.
//!
//! Plain tensor operations, one picture or text at a time, so that a vector never depends on its batch; requests run side
//! by side. `docs/adr/0001-candle-core-without-candle-transformers.md` says why it is written here.

mod resnet;
mod text;
mod transformer;
mod vision;

use lookalike_kernels::Machine;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use self::resnet::Resnet;
use self::text::Text;
use self::vision::Vision;
use super::Towers;
use super::config::{Config, ImageTower};
use super::preprocessor::Preprocessor;
use crate::device::Backend;
use crate::error::{EmbedError, LoadError};
use crate::weights::TensorFile;

/// Where weights come from and go to.
struct Source<'a> {
    weights: &'a mut TensorFile,
    device: candle_core::Device,
}

/// Both towers.
pub(super) struct CandleTowers {
    vision: Image,
    text: Text,
    /// Candle finds its threads by rayon.
    pool: ThreadPool,
}

/// The image tower.
enum Image {
    Vit(Vision),
    Resnet(Resnet),
}

impl Image {
    fn forward(&self, rgb: &[u8]) -> candle_core::Result<Vec<f32>> {
        match self {
            Self::Vit(tower) => tower.forward(rgb),
            Self::Resnet(tower) => tower.forward(rgb),
        }
    }
}

impl CandleTowers {
    /// Reads the weights.
    ///
    /// # Errors
    /// [`LoadError`] for a tensor that is missing or of another shape.
    pub(super) fn read(
        weights: &mut TensorFile,
        config: &Config,
        preprocessor: &Preprocessor,
        backend: &Backend,
    ) -> Result<Self, LoadError> {
        // A graphics card is one: threads would only wait for each other.
        let threads = if backend.opened.is_cpu() {
            backend.threads
        } else {
            1
        };
        let file = &mut Source {
            weights,
            device: backend.opened.clone(),
        };
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("candle-{i}"))
            .build();
        let vision = match &config.vision {
            ImageTower::Vit(vision) => Image::Vit(Vision::read(
                file,
                (vision, config.projection_dim),
                preprocessor,
            )?),
            ImageTower::Resnet(resnet) => Image::Resnet(Resnet::read(
                file,
                (resnet, config.projection_dim),
                preprocessor,
            )?),
        };
        Ok(Self {
            pool: pool.map_err(|error| LoadError::Thread(std::io::Error::other(error)))?,
            vision,
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
