//! The built-in encoder `builtin-imagenet-words`: small, part of the binary, so that a fresh machine without network answers
//! "dog" with dogs.
//!
//! It is no CLIP and never passed off as one: it knows the 1,000 classes of `ImageNet` and words near them, and reads a query as
//! a bag of English words. `models/builtin/README.md` tells how it is made and what it cannot do.
//! An image vector is `[sqrt(.45) semantic, sqrt(.45) visual, sqrt(.1) colour]`, a text vector `[semantic, 0, colour]`.

mod assets;
mod colour;
mod convolution;
mod head;
mod lexical;
mod text;
mod trunk;
mod words;

use std::sync::OnceLock;

use lookalike_kernels::{Machine, Precision};
use lookalike_media::{Pixels, preprocess};

use self::assets::Assets;
use self::colour::Colour;
use self::head::Head;
pub(crate) use self::text::BuiltinText;
pub use self::text::NAME as TEXT_NAME;
use self::trunk::Trunk;
use self::words::Words;
use crate::encoder::{Encoder, EncoderInfo, PreparedImage, TextEmbedding};
use crate::error::EmbedError;

/// Name under which start-up, listings and replies show this encoder.
pub const NAME: &str = "builtin-imagenet-words";

/// Hashing 21 MB at every start would cost more than loading it; a test recomputes this.
const FINGERPRINT: &str = "3bf9b1a7cde9fcfe11e45fe881984df3b65ee847b680ac64e443cbade362c0d7";

/// See the module.
pub(crate) struct Builtin {
    info: EncoderInfo,
    side: u32,
    mean: [f32; 3],
    std: [f32; 3],
    semantic_length: f32,
    visual_length: f32,
    colour_length: f32,
    trunk: Trunk,
    head: Head,
    colour: Colour,
    words: Words,
}

impl Builtin {
    /// Widens the embedded weights and parses the tokenizer: some tens of milliseconds.
    pub(crate) fn load() -> Self {
        let assets = Assets::open();
        let config = &assets.config;
        Self {
            info: EncoderInfo {
                name: NAME.to_owned(),
                fingerprint: FINGERPRINT.to_owned(),
                dimension: config.embed_dim,
                precision: Precision::F32,
            },
            side: config.image_size,
            mean: config.mean,
            std: config.std,
            semantic_length: (1.0 - config.share_visual - config.share_color).sqrt(),
            visual_length: config.share_visual.sqrt(),
            colour_length: config.share_color.sqrt(),
            trunk: Trunk::load(&assets),
            head: Head::load(&assets),
            colour: Colour::load(&assets),
            words: Words::load(&assets),
        }
    }

    fn embed_image(&self, image: &PreparedImage) -> Result<Vec<f32>, EmbedError> {
        image.expect_side(self.side)?;
        let side = self.side as usize;
        let normalised: Vec<f32> = image
            .rgb
            .chunks_exact(3)
            .flat_map(|pixel| [0, 1, 2].map(|i| (f32::from(pixel[i]) - self.mean[i]) / self.std[i]))
            .collect();
        let (semantic, visual) = self.head.forward(&self.trunk.forward(&normalised, side)?)?;
        let colour = self.colour.forward(&image.rgb, side);
        let blocks = [
            (semantic, self.semantic_length),
            (visual, self.visual_length),
            (colour, self.colour_length),
        ];
        Ok(blocks
            .into_iter()
            .flat_map(|(block, length)| block.into_iter().map(move |x| x * length))
            .collect())
    }
}

impl Encoder for Builtin {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn prepare(&self, pixels: &Pixels) -> PreparedImage {
        PreparedImage::new(self.side, preprocess::center_square_256(pixels))
    }

    fn embed_images(
        &self,
        machine: &Machine,
        images: &[PreparedImage],
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        // One network run a picture, shared out by picture: the sums then never depend on the batch.
        let answers: Vec<_> = images.iter().map(|_| OnceLock::new()).collect();
        machine.pool.run(images.len(), |i| {
            answers[i].get_or_init(|| self.embed_image(&images[i]));
        });
        answers
            .into_iter()
            .map(|answer| answer.into_inner().expect("every piece was done"))
            .collect()
    }

    fn embed_texts(&self, _: &Machine, texts: &[&str]) -> Result<Vec<TextEmbedding>, EmbedError> {
        texts.iter().map(|text| self.words.embed(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::assets::{CONFIG, MODEL, TOKENIZER};
    use super::*;
    use crate::fingerprint::Fingerprint;

    #[test]
    fn fingerprint_is_that_of_the_embedded_files() {
        let mut fingerprint = Fingerprint::new(NAME);
        for (name, content) in [
            ("model.safetensors", MODEL),
            ("config.json", CONFIG),
            ("tokenizer.json", TOKENIZER),
        ] {
            fingerprint.add(name, content).unwrap();
        }
        assert_eq!(
            fingerprint.finish(),
            FINGERPRINT,
            "paste the left value into FINGERPRINT after changing the model"
        );
    }
}
