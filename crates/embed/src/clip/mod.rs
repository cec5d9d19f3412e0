//! CLIP with a vision transformer: a folder in the Hugging Face layout to both towers.
//!
//! The towers exist twice: on candle, the reference, and on `lookalike-kernels`, which serves on a CPU. Correct means: cosine of
//! at least 0.9999 to `PyTorch` and transformers in f32, 0.999 in bf16, tested on the checkpoints of `tests/goldens`.

mod candle;
mod config;
mod cpu;
mod tokens;

use std::path::Path;
use std::thread;

use fs_err::File;
use lookalike_kernels::{Machine, Precision};
use lookalike_media::{Pixels, preprocess};

use self::candle::CandleTowers;
use self::config::{CONFIG, Config, PREPROCESSOR, Preprocessor, TOKENIZER, WEIGHTS};
use self::cpu::CpuTowers;
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
        Device::Reference => Box::new(CandleTowers::read(
            file,
            config,
            preprocessor,
            backend.threads,
        )?),
    })
}

/// What tells the public CLIP models of equal dimension apart; in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClipShape {
    pub(crate) image_size: u32,
    pub(crate) patch_size: u32,
}

impl Clip {
    /// Reads, checks and hashes the four files of a folder. Takes about a second for a gigabyte of weights.
    ///
    /// # Errors
    /// [`LoadError`], naming the file and what was expected of it.
    pub(crate) fn open(folder: &Path, backend: &Backend) -> Result<Self, LoadError> {
        let config = Config::read(folder)?;
        let side = u32::try_from(config.vision.image_size).expect("checked to be at most 4096");
        let preprocessor = Preprocessor::read(folder, side)?;
        let mut file = open_weights(folder)?;

        let precision = match backend.device {
            Device::Cpu => backend.precision,
            Device::Reference => Precision::F32,
        };

        // Hashing reads the same pages as loading: side by side it costs next to nothing.
        let (fingerprint, towers) = thread::scope(|scope| {
            let hashing = scope.spawn(|| fingerprint(folder, precision));
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
                name: format!("clip-vit ({name})"),
                fingerprint: fingerprint?,
                dimension: u32::try_from(config.projection_dim)
                    .expect("checked to be at most 8192"),
                precision,
            },
            shape: ClipShape {
                image_size: side,
                patch_size: u32::try_from(config.vision.patch_size)
                    .expect("checked to divide the image"),
            },
            reader: Reader::open(folder, &config.text)?,
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

    fn prepare(&self, pixels: &Pixels) -> PreparedImage {
        PreparedImage::new(
            self.shape.image_size,
            preprocess::clip(pixels, self.shape.image_size),
        )
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

/// Opens the weights and makes sure that both towers are in there.
fn open_weights(folder: &Path) -> Result<TensorFile, LoadError> {
    let path = folder.join(WEIGHTS);
    if !path.exists() && folder.join("pytorch_model.bin").exists() {
        let detail = format!(
            "PyTorch's pickle format cannot be loaded; expected the same weights as {WEIGHTS}"
        );
        return Err(LoadError::unsupported(
            folder.join("pytorch_model.bin"),
            detail,
        ));
    }
    let file = TensorFile::open(&path)?;
    for tower in ["visual_projection.weight", "text_projection.weight"] {
        if !file.contains(tower) {
            let detail = format!(
                "it has no tensor {tower} but {}, …; expected a whole CLIPModel of transformers",
                file.sample_names()
            );
            return Err(LoadError::unsupported(&path, detail));
        }
    }
    Ok(file)
}

/// The files, and the class of precision unless it is f32, in which all implementations agree.
fn fingerprint(folder: &Path, precision: Precision) -> Result<String, LoadError> {
    let kind = match precision {
        Precision::F32 => "clip-vit",
        Precision::Bf16 => "clip-vit-bf16",
        Precision::Int8 => "clip-vit-int8",
    };
    let mut fingerprint = Fingerprint::new(kind);
    for name in [WEIGHTS, CONFIG, TOKENIZER, PREPROCESSOR] {
        let path = folder.join(name);
        let unreadable = |source| LoadError::Unreadable {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(unreadable)?;
        fingerprint.add(name, file).map_err(unreadable)?;
    }
    Ok(fingerprint.finish())
}
