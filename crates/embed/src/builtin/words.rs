//! The text side: a bag of words, each a row of an int8 table that stays in the binary's read-only memory.
//!
//! A query of which nothing is understood becomes the last axis, which no picture uses: every score is then exactly 0.

use std::sync::LazyLock;

use tokenizers::Tokenizer;

use super::assets::{self, Assets};
use crate::encoder::TextEmbedding;
use crate::error::EmbedError;
use crate::vector::{norm, normalise};

/// Below this length there was no word with a meaning.
const TINY: f32 = 1e-6;

/// Parsing it takes longer than loading everything else, so all encoders have the same. It cuts nothing off.
static TOKENIZER: LazyLock<Uncut> = LazyLock::new(|| {
    const WHOLE: &str = "the embedded tokenizer is whole: a test loads it";
    let mut tokenizer = Tokenizer::from_bytes(assets::TOKENIZER).expect(WHOLE);
    let longest = tokenizer.get_truncation().expect(WHOLE).max_length;
    tokenizer.with_truncation(None).expect(WHOLE);
    Uncut { tokenizer, longest }
});

struct Uncut {
    tokenizer: Tokenizer,
    /// Tokens of a query that count.
    longest: usize,
}

/// The id of `[UNK]`.
const UNKNOWN: u32 = 0;

pub(super) struct Words {
    tokenizer: &'static Tokenizer,
    /// Tokens of a text that count.
    longest: usize,
    /// One row of `semantic` int8 values a token.
    table: &'static [u8],
    scales: Vec<f32>,
    semantic: usize,
    visual: usize,
    colour: usize,
    colour_ids: Vec<u32>,
    /// One row of `colour` values for every id above.
    colour_rows: Vec<f32>,
    colour_weight: f32,
    colour_word_semantics: f32,
}

/// What the table has of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// A meaning.
    Known,
    /// A row of zeros: "the", "of", single letters.
    Meaningless,
    /// Nothing.
    Unknown,
}

impl Words {
    pub(super) fn load(assets: &Assets) -> Self {
        let config = &assets.config;
        let table = assets.word_rows();
        let colour_ids = assets.color_ids();
        Self {
            tokenizer: &TOKENIZER.tokenizer,
            longest: TOKENIZER.longest,
            scales: assets.floats("text.table.scale", table.len() / config.semantic_dim),
            table,
            semantic: config.semantic_dim,
            visual: config.visual_dim,
            colour: config.color_dim,
            colour_rows: assets.floats("text.color.rows", colour_ids.len() * config.color_dim),
            colour_ids,
            colour_weight: config.text_color_weight,
            colour_word_semantics: config.text_color_word_semantics,
        }
    }

    /// The same for whole documents: nothing of a text is cut off.
    pub(super) fn load_for_documents(assets: &Assets) -> Self {
        Self {
            longest: usize::MAX,
            ..Self::load(assets)
        }
    }

    /// What the table says of a word, be it in the plural.
    pub(super) fn knows(&self, word: &str) -> Knowledge {
        let Ok(encoding) = self.tokenizer.encode_fast(word, false) else {
            return Knowledge::Unknown;
        };
        let ids = encoding.get_ids();
        let is_zero = |id: &u32| self.row(*id).iter().all(|value| *value == 0);
        if ids.contains(&UNKNOWN) {
            Knowledge::Unknown
        } else if ids.iter().all(is_zero) {
            Knowledge::Meaningless
        } else {
            Knowledge::Known
        }
    }

    pub(super) fn embed(&self, text: &str) -> Result<TextEmbedding, EmbedError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, false)
            .map_err(|error| EmbedError::Tokenize(error.to_string()))?;
        let ids = encoding.get_ids();
        let ids = &ids[..ids.len().min(self.longest)];
        let tokens = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        Ok(TextEmbedding {
            vector: self.vector(ids),
            tokens,
        })
    }

    fn vector(&self, ids: &[u32]) -> Vec<f32> {
        let mut things = vec![0.0; self.semantic];
        let mut colour_words = vec![0.0; self.semantic];
        let mut colours = vec![0.0; self.colour];
        for &id in ids {
            match self.colour_ids.iter().position(|&known| known == id) {
                Some(row) => {
                    self.add_word(id, &mut colour_words);
                    add(
                        &mut colours,
                        &self.colour_rows[row * self.colour..][..self.colour],
                        1.0,
                    );
                }
                None => self.add_word(id, &mut things),
            }
        }

        if norm(&things) > TINY {
            add(&mut things, &colour_words, self.colour_word_semantics);
            normalise(&mut things);
        } else {
            normalise(&mut colour_words);
            things = colour_words;
            scale(&mut things, self.colour_word_semantics);
        }
        normalise(&mut colours);
        scale(&mut colours, self.colour_weight);

        let mut vector = things;
        vector.resize(self.semantic + self.visual, 0.0);
        vector.extend(colours);
        if norm(&vector) < TINY
            && let Some(last) = vector.last_mut()
        {
            *last = 1.0;
        }
        normalise(&mut vector);
        vector
    }

    fn add_word(&self, id: u32, sum: &mut [f32]) {
        let scale = self.scales[id as usize];
        for (sum, value) in sum.iter_mut().zip(self.row(id)) {
            *sum += f32::from(value.cast_signed()) * scale;
        }
    }

    fn row(&self, id: u32) -> &'static [u8] {
        &self.table[id as usize * self.semantic..][..self.semantic]
    }
}

fn add(sum: &mut [f32], row: &[f32], weight: f32) {
    for (sum, x) in sum.iter_mut().zip(row) {
        *sum += weight * x;
    }
}

fn scale(vector: &mut [f32], factor: f32) {
    for x in vector {
        *x *= factor;
    }
}
