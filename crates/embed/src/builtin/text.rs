//! The stand-in for text models: the built-in table of English words, and what texts have in common by their letters.
//!
//! A text collection holds no pictures, so the block of a vector that only pictures use is free: it takes [`super::lexical`]'s hashed
//! pieces of words. A text is `[meaning, letters, colour]`: words that the table knows count by what they mean, all words that
//! mean anything by how they are written, so that names, numbers and other languages find themselves. It is no language model, and
//! never shown as one.

use lookalike_kernels::{Machine, Precision};

use super::FINGERPRINT;
use super::assets::Assets;
use super::lexical::{Lexical, add_letters};
use super::words::Words;
use crate::catalogue::ModelKind;
use crate::encoder::{Encoder, EncoderInfo, TextEmbedding};
use crate::error::EmbedError;
use crate::fingerprint::Fingerprint;
use crate::vector::normalise;

/// Name under which start-up, listings and replies show this encoder. The number is raised whenever its vectors change.
pub const NAME: &str = "builtin-word-table-1";

/// Squared length of the meaning in a text all of whose words are known; the letters have the rest.
const SHARE_OF_MEANING: f32 = 0.6;

/// See the module.
pub(crate) struct BuiltinText {
    info: EncoderInfo,
    words: Words,
    semantic: usize,
    visual: usize,
}

impl BuiltinText {
    /// Parses the tokenizer if no other encoder has: some tens of milliseconds.
    pub(crate) fn load() -> Self {
        let assets = Assets::open();
        let mut fingerprint = Fingerprint::new(NAME);
        fingerprint
            .add("table", FINGERPRINT.as_bytes())
            .expect("memory can be read");
        Self {
            info: EncoderInfo {
                name: NAME.to_owned(),
                fingerprint: fingerprint.finish(),
                dimension: assets.config.embed_dim,
                precision: Precision::F32,
            },
            words: Words::load_for_documents(&assets),
            semantic: assets.config.semantic_dim,
            visual: assets.config.visual_dim,
        }
    }

    fn embed(&self, text: &str) -> Result<TextEmbedding, EmbedError> {
        let lexical = Lexical::read(text, |word| self.words.knows(word));
        let meaning = self.words.embed(text)?;
        // Where nothing is known, the table gives its axis for nonsense, on which all texts would be one.
        let mut vector = match (lexical.known, lexical.is_empty()) {
            (0, false) => vec![0.0; meaning.vector.len()],
            _ => meaning.vector,
        };
        if !lexical.is_empty() {
            let share = SHARE_OF_MEANING * lexical.share_of_known();
            for x in &mut vector {
                *x *= share.sqrt();
            }
            let free = &mut vector[self.semantic..][..self.visual];
            add_letters(&lexical, (1.0 - share).sqrt(), free);
            normalise(&mut vector);
        }
        Ok(TextEmbedding {
            vector,
            tokens: lexical.tokens.max(1),
        })
    }
}

impl Encoder for BuiltinText {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn kind(&self) -> ModelKind {
        ModelKind::Text
    }

    fn embed_texts(&self, _: &Machine, texts: &[&str]) -> Result<Vec<TextEmbedding>, EmbedError> {
        texts.iter().map(|text| self.embed(text)).collect()
    }
}
