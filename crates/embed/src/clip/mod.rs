//! CLIP with a vision transformer, on candle: a folder in the Hugging Face layout to both towers in f32.
//!
//! This is the reference implementation; `docs/adr/0001-candle-core-without-candle-transformers.md` says why it is written
//! here. Correct means: cosine of at least 0.9999 to `PyTorch` and transformers, tested on the checkpoints of `tests/goldens`.

mod config;
mod text;
mod transformer;
mod vision;

use std::path::Path;
use std::thread;

use fs_err::File;
use lookalike_media::{Pixels, preprocess};
use rayon::prelude::*;

use self::config::{CONFIG, Config, PREPROCESSOR, Preprocessor, TOKENIZER, WEIGHTS};
use self::text::Text;
use self::vision::Vision;
use crate::encoder::{Encoder, EncoderInfo, PreparedImage, TextEmbedding};
use crate::error::{EmbedError, LoadError};
use crate::fingerprint::Fingerprint;
use crate::vector::normalise;
use crate::weights::TensorFile;

/// See the module.
pub(crate) struct Clip {
    info: EncoderInfo,
    shape: ClipShape,
    vision: Vision,
    text: Text,
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
    pub(crate) fn open(folder: &Path) -> Result<Self, LoadError> {
        let config = Config::read(folder)?;
        let side = u32::try_from(config.vision.image_size).expect("checked to be at most 4096");
        let preprocessor = Preprocessor::read(folder, side)?;
        let mut file = open_weights(folder)?;

        // Hashing reads the same pages as loading: side by side it costs next to nothing.
        let (fingerprint, towers) = thread::scope(|scope| {
            let hashing = scope.spawn(|| fingerprint(folder));
            let towers = Vision::read(&mut file, &config, &preprocessor)
                .and_then(|vision| Ok((vision, Text::read(&mut file, &config, folder)?)));
            (hashing.join().expect("hashing does not panic"), towers)
        });
        let (vision, text) = towers?;

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
            },
            shape: ClipShape {
                image_size: side,
                patch_size: u32::try_from(config.vision.patch_size)
                    .expect("checked to divide the image"),
            },
            vision,
            text,
        })
    }

    pub(crate) fn shape(&self) -> ClipShape {
        self.shape
    }

    fn embed_image(&self, image: &PreparedImage) -> Result<Vec<f32>, EmbedError> {
        image.expect_side(self.shape.image_size)?;
        let mut vector = self.vision.forward(&image.rgb)?;
        normalise(&mut vector);
        Ok(vector)
    }

    fn embed_text(&self, text: &str) -> Result<TextEmbedding, EmbedError> {
        let ids = self.text.tokenize(text)?;
        let mut vector = self.text.forward(&ids)?;
        normalise(&mut vector);
        let tokens = u32::try_from(ids.len()).expect("cut to the model's positions");
        Ok(TextEmbedding { vector, tokens })
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

    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        images
            .par_iter()
            .map(|image| self.embed_image(image))
            .collect()
    }

    fn embed_texts(&self, texts: &[&str]) -> Result<Vec<TextEmbedding>, EmbedError> {
        texts.par_iter().map(|text| self.embed_text(text)).collect()
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

fn fingerprint(folder: &Path) -> Result<String, LoadError> {
    let mut fingerprint = Fingerprint::new("clip-vit");
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
