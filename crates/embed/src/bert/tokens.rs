//! Texts to the token ids that a BERT reads, by the model's own tokenizer.

use std::path::Path;

use tokenizers::Tokenizer;

use super::config::unreadable;
use crate::error::{EmbedError, LoadError};
use crate::tokenizer;

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
        let tokenizer = tokenizer::open(path, &bytes, (longest, vocabulary))?;
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
