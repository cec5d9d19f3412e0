//! The built-in encoder `builtin-imagenet-words`: small, part of the binary, so that a fresh machine without network answers
//! "dog" with dogs.
//!
//! It is no CLIP and never passed off as one: it knows the 1,000 classes of `ImageNet` and words near them, and reads a query as
//! a bag of English words. `models/builtin/README.md` tells how it is made and what it cannot do.
//! An image vector is `[sqrt(.45) semantic, sqrt(.45) visual, sqrt(.1) colour]`, a text vector `[semantic, 0, colour]`.

mod assets;
mod colour;
mod head;
mod lexical;
mod stem;
mod text;
mod trunk;
mod words;

use std::sync::OnceLock;
use std::thread;

use lookalike_kernels::{Cpu, Machine, Packer, Precision, Scratch, dispatch};
use lookalike_media::{Pixels, preprocess};

use self::assets::Assets;
use self::colour::Colour;
use self::head::Head;
pub(crate) use self::text::BuiltinText;
pub use self::text::NAME as TEXT_NAME;
use self::trunk::{FEATURES, Trunk};
use self::words::Words;
use crate::encoder::{Encoder, EncoderInfo, PreparedImage, TextEmbedding};
use crate::error::EmbedError;
use crate::idle::Idle;

/// Name under which start-up, listings and replies show this encoder.
pub const NAME: &str = "builtin-imagenet-words";

/// Hashing 21 MB at every start would cost more than loading it; a test recomputes this.
const FINGERPRINT: &str = "3bf9b1a7cde9fcfe11e45fe881984df3b65ee847b680ac64e443cbade362c0d7";

/// See the module.
pub(crate) struct Builtin {
    info: EncoderInfo,
    side: u32,
    semantic_length: f32,
    visual_length: f32,
    colour_length: f32,
    trunk: Trunk,
    head: Head,
    colour: Colour,
    words: Words,
    /// Memory of passes that are over.
    idle: Idle<Scratch>,
}

impl Builtin {
    /// Packs the embedded weights and, meanwhile, parses the tokenizer: some tens of milliseconds.
    pub(crate) fn load() -> Self {
        Self::load_for(dispatch::cpu())
    }

    fn load_for(cpu: Cpu) -> Self {
        let assets = Assets::open();
        let config = &assets.config;
        let mut packer = Packer::new(cpu);
        let (words, trunk, head) = thread::scope(|scope| {
            let words = scope.spawn(|| Words::load(&assets));
            let trunk = Trunk::load(&assets, &mut packer);
            let head = Head::load(&assets, &mut packer);
            (words.join().expect("the words load"), trunk, head)
        });
        Self {
            info: EncoderInfo {
                name: NAME.to_owned(),
                fingerprint: FINGERPRINT.to_owned(),
                dimension: config.embed_dim,
                precision: Precision::F32,
            },
            side: config.image_size,
            semantic_length: (1.0 - config.share_visual - config.share_color).sqrt(),
            visual_length: config.share_visual.sqrt(),
            colour_length: config.share_color.sqrt(),
            trunk,
            head,
            colour: Colour::load(&assets),
            words,
            idle: Idle::default(),
        }
    }

    fn embed_image(&self, machine: &Machine, rgb: &[u8]) -> Vec<f32> {
        let (semantic, visual) = self.idle.with(|scratch| {
            let cells = self.trunk.cells();
            let [scratch, features, logits] = scratch.slices([
                self.trunk.scratch(),
                cells * FEATURES,
                self.head.scratch(cells),
            ]);
            self.trunk
                .forward(machine, &self.idle, rgb, (scratch, features));
            self.head.forward(machine, features, logits)
        });
        let colour = self.colour.forward(machine.cpu, rgb, self.side as usize);
        let blocks = [
            (semantic, self.semantic_length),
            (visual, self.visual_length),
            (colour, self.colour_length),
        ];
        blocks
            .into_iter()
            .flat_map(|(block, length)| block.into_iter().map(move |x| x * length))
            .collect()
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
        for image in images {
            image.expect_side(self.side)?;
        }
        // As many pictures for each thread; all threads together do what does not go round evenly.
        let threads = machine.pool.threads();
        let even = images.len() / threads * threads;
        let answers: Vec<OnceLock<Vec<f32>>> = vec![OnceLock::new(); images.len()];
        let embed = |i: usize| {
            answers[i].get_or_init(|| self.embed_image(machine, &images[i].rgb));
        };
        machine.pool.run(even, embed);
        (even..images.len()).for_each(embed);
        Ok(answers
            .into_iter()
            .map(|answer| answer.into_inner().expect("every picture was embedded"))
            .collect())
    }

    fn embed_texts(&self, _: &Machine, texts: &[&str]) -> Result<Vec<TextEmbedding>, EmbedError> {
        texts.iter().map(|text| self.words.embed(text)).collect()
    }

    fn text_at_once(&self, text: &str) -> Option<Result<TextEmbedding, EmbedError>> {
        Some(self.words.embed(text))
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

    /// `tests/it/builtin.rs` holds the level of this process to the recorded vectors.
    #[test]
    fn every_level_of_instructions_and_any_number_of_threads_agree() {
        let rgb = (0..256_u32 * 256 * 3)
            .map(|i| u8::try_from((i / 7 * (i % 3 + 1) + i / 768) % 256).unwrap())
            .collect();
        let image = PreparedImage::new(256, Pixels::new(256, 256, rgb).unwrap());
        let vector = |cpu, threads| {
            let machine = Machine::new(cpu, threads);
            let images = std::slice::from_ref(&image);
            let mut vectors = Builtin::load_for(cpu)
                .embed_images(&machine, images)
                .unwrap();
            vectors.remove(0)
        };
        let expected = vector(dispatch::cpu(), 1);
        for cpu in Cpu::available() {
            let found = vector(cpu, 1);
            let cosine: f32 = found.iter().zip(&expected).map(|(a, b)| a * b).sum();
            assert!(cosine > 0.999_999, "{}: cosine {cosine}", cpu.isa());
            assert_eq!(vector(cpu, 3), found, "{}", cpu.isa());
        }
    }
}
