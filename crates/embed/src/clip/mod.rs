//! CLIP: a folder in the Hugging Face or `open_clip` layout to both towers.
//!
//! The towers exist twice: on candle, the reference, and on `lookalike-kernels`, which serves on a CPU. Correct means: cosine of
//! at least 0.9999 to `PyTorch` and transformers in f32, 0.999 in bf16, tested on the checkpoints of `tests/goldens`.

mod candle;
mod config;
mod cpu;
mod layout;
mod open_clip;
mod preprocessor;
mod tokens;

use std::fmt;
use std::path::Path;
use std::thread;

use fs_err::File;
use lookalike_kernels::{Machine, Precision};
use lookalike_media::preprocess::CropPlan;
use lookalike_media::{Pixels, preprocess};

use self::candle::CandleTowers;
use self::config::Config;
use self::cpu::CpuTowers;
use self::layout::Files;
use self::preprocessor::Preprocessor;
use self::tokens::Reader;
use crate::device::{Backend, Device};
use crate::encoder::{Encoder, EncoderInfo, PreparedImage, TextEmbedding};
use crate::error::{EmbedError, LoadError};
use crate::fingerprint::Fingerprint;
use crate::vector::normalise;
use crate::weights::TensorFile;

/// See the module.
pub(crate) struct Clip {
    info: EncoderInfo,
    plan: CropPlan,
    shape: ClipShape,
    reader: Reader,
    towers: Box<dyn Towers>,
}

/// An implementation of both towers. Vectors are not normalised, and the same bits whatever else is in the batch.
trait Towers: Send + Sync {
    /// One vector a square of RGB bytes of the model's side.
    fn images(&self, machine: &Machine, pictures: &[&[u8]]) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// One vector a text, whose ids end with the end-of-text token.
    fn texts(&self, machine: &Machine, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, EmbedError>;
}

/// Reads both towers for a device.
fn read_towers(
    backend: &Backend,
    file: &mut TensorFile,
    config: &Config,
    preprocessor: &Preprocessor,
) -> Result<Box<dyn Towers>, LoadError> {
    Ok(match backend.device {
        Device::Cpu => Box::new(CpuTowers::read(file, config, preprocessor, backend)?),
        Device::Reference | Device::Cuda(_) | Device::Metal => {
            Box::new(CandleTowers::read(file, config, preprocessor, backend)?)
        }
    })
}

/// What tells the public CLIP models of equal dimension apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClipShape {
    /// Side of the picture that the model sees, in pixels.
    pub(crate) image_size: u32,
    pub(crate) tower: TowerShape,
}

/// The kind of image tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TowerShape {
    /// A transformer over patches of so many pixels a side.
    Vit { patch_size: u32 },
    /// A `ResNet` of so many blocks.
    Resnet { blocks: usize },
}

/// What such a model sees.
impl fmt::Display for ClipShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = self.image_size;
        match self.tower {
            TowerShape::Vit { patch_size } => {
                write!(formatter, "{side} pixels in patches of {patch_size}")
            }
            TowerShape::Resnet { blocks } => {
                write!(
                    formatter,
                    "{side} pixels through a ResNet of {blocks} blocks"
                )
            }
        }
    }
}

impl TowerShape {
    /// For the encoder's name.
    fn kind(self) -> &'static str {
        match self {
            Self::Vit { .. } => "clip-vit",
            Self::Resnet { .. } => "clip-resnet",
        }
    }
}

impl Clip {
    /// Reads, checks and hashes the four files of a folder. Takes about a second for a gigabyte of weights.
    ///
    /// # Errors
    /// [`LoadError`], naming the file and what was expected of it.
    pub(crate) fn open(folder: &Path, backend: &Backend) -> Result<Self, LoadError> {
        let files = Files::find(folder);
        let (config, preprocessor) = files.read()?;
        let mut file = files.open_weights()?;

        let precision = match backend.device {
            Device::Cpu => backend.precision,
            Device::Reference | Device::Cuda(_) | Device::Metal => Precision::F32,
        };

        // Hashing reads the same pages as loading: side by side it costs next to nothing.
        let (fingerprint, towers) = thread::scope(|scope| {
            let hashing = scope.spawn(|| fingerprint(&files, precision));
            let towers = read_towers(backend, &mut file, &config, &preprocessor);
            (hashing.join().expect("hashing does not panic"), towers)
        });
        let towers = towers?;

        let name = folder.file_name().map_or_else(
            || folder.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        Ok(Self {
            info: EncoderInfo {
                name: format!("{} ({name})", config.shape().tower.kind()),
                fingerprint: fingerprint?,
                dimension: config.dimension(),
                precision,
            },
            plan: preprocessor.plan,
            shape: config.shape(),
            reader: Reader::open(&files.tokenizer, &config.text)?,
            towers,
        })
    }

    pub(crate) fn shape(&self) -> ClipShape {
        self.shape
    }
}

impl Encoder for Clip {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn short_edge(&self) -> Option<u32> {
        Some(self.plan.short_edge)
    }

    fn prepare(&self, pixels: &Pixels) -> PreparedImage {
        PreparedImage::new(self.shape.image_size, preprocess::clip(pixels, &self.plan))
    }

    fn embed_images(
        &self,
        machine: &Machine,
        images: &[PreparedImage],
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        for image in images {
            image.expect_side(self.shape.image_size)?;
        }
        let pictures: Vec<&[u8]> = images.iter().map(|image| &image.rgb[..]).collect();
        let mut vectors = self.towers.images(machine, &pictures)?;
        for vector in &mut vectors {
            normalise(vector);
        }
        Ok(vectors)
    }

    fn embed_texts(
        &self,
        machine: &Machine,
        texts: &[&str],
    ) -> Result<Vec<TextEmbedding>, EmbedError> {
        let read: Vec<_> = texts
            .iter()
            .map(|text| self.reader.read(text))
            .collect::<Result<_, _>>()?;
        let ids: Vec<&[u32]> = read.iter().map(|tokens| &tokens.ids[..]).collect();
        let vectors = self.towers.texts(machine, &ids)?;
        Ok(vectors
            .into_iter()
            .zip(&read)
            .map(|(mut vector, tokens)| {
                normalise(&mut vector);
                let tokens = u32::try_from(tokens.count).expect("cut to the model's positions");
                TextEmbedding { vector, tokens }
            })
            .collect())
    }
}

/// Makes sure that a folder holds a CLIP, without reading all of its weights; its shape and dimension.
///
/// # Errors
/// [`LoadError`], naming the file and what was expected of it.
pub(crate) fn inspect(folder: &Path) -> Result<(ClipShape, u32), LoadError> {
    let files = Files::find(folder);
    let (config, _) = files.read()?;
    files.open_weights()?;
    Reader::open(&files.tokenizer, &config.text)?;
    Ok((config.shape(), config.dimension()))
}

/// The files, and the class of precision unless it is f32, in which all implementations agree.
fn fingerprint(files: &Files, precision: Precision) -> Result<String, LoadError> {
    let kind = match precision {
        Precision::F32 => "clip-vit",
        Precision::Bf16 => "clip-vit-bf16",
        Precision::Int8 => "clip-vit-int8",
    };
    let mut fingerprint = Fingerprint::new(kind);
    for path in files.all() {
        let unreadable = |source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        let name = path
            .file_name()
            .expect("made from a name")
            .to_string_lossy();
        fingerprint.add(&name, file).map_err(unreadable)?;
    }
    Ok(fingerprint.finish())
}
