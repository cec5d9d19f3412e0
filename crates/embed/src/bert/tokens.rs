//! Texts to the token ids that a BERT reads, by the model's own tokenizer.

use std::panic::catch_unwind;
use std::path::Path;

use serde::de::IgnoredAny;
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

use super::config::unreadable;
use crate::error::{EmbedError, LoadError};

/// See the module.
pub(super) struct Reader {
    tokenizer: Tokenizer,
}

impl Reader {
    /// `longest` counts the tokens that the tokenizer puts around a text, too.
    ///
    /// # Errors
    /// [`LoadError`] for a file that is missing, damaged, or of another model.
    pub(super) fn open(path: &Path, longest: usize, vocabulary: usize) -> Result<Self, LoadError> {
        let bytes = fs_err::read(path).map_err(|source| unreadable(path, source))?;
        serde_json::from_slice::<IgnoredAny>(&bytes)
            .map_err(|error| LoadError::damaged(path, error.to_string()))?;
        // The library panics on some JSON that is no tokenizer.
        let mut tokenizer = catch_unwind(|| Tokenizer::from_bytes(&bytes))
            .map_err(|_| LoadError::damaged(path, "it is JSON, but no tokenizer"))?
            .map_err(|error| LoadError::damaged(path, error.to_string()))?;
        let known = tokenizer.get_vocab_size(true);
        if known > vocabulary {
            return Err(LoadError::unsupported(
                path,
                format!("it has {known} tokens; config.json has a vocab_size of {vocabulary}"),
            ));
        }
        let cut = TruncationParams {
            direction: TruncationDirection::Right,
            max_length: longest,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(cut))
            .map_err(|error| LoadError::damaged(path, error.to_string()))?;

        // Without a token before and one behind it, a text is not what the model was trained on.
        let empty = tokenizer
            .encode_fast("", true)
            .map_err(|error| LoadError::damaged(path, error.to_string()))?;
        if empty.get_ids().len() < 2 {
            return Err(LoadError::unsupported(
                path,
                format!(
                    "it reads an empty text as {:?}; expected a token at its start and one at its end",
                    empty.get_ids()
                ),
            ));
        }
        Ok(Self { tokenizer })
    }

    /// Token ids of a text, cut to what the model can read.
    ///
    /// # Errors
    /// [`EmbedError::Tokenize`].
    pub(super) fn read(&self, text: &str) -> Result<Vec<u32>, EmbedError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, true)
            .map_err(|error| EmbedError::Tokenize(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }
}
