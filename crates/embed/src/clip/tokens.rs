//! Texts to the token ids that a text tower reads, by CLIP's own tokenizer.

use std::path::Path;

use tokenizers::Tokenizer;

use super::config::TextConfig;
use crate::error::{EmbedError, LoadError};
use crate::tokenizer;

/// The first CLIP configurations say 2 for the end of the text, which no text holds: transformers then looks for the largest id.
const LEGACY_END: u32 = 2;

/// See the module.
pub(super) struct Reader {
    tokenizer: Tokenizer,
    end: u32,
}

/// A text as its tower reads it.
pub(super) struct Tokens {
    /// Up to the end-of-text token: what follows cannot matter to a causal tower.
    pub(super) ids: Vec<u32>,
    /// Tokens of the whole text, after cutting it to the model's positions.
    pub(super) count: usize,
}

impl Reader {
    /// # Errors
    /// [`LoadError`] for a file that is missing, damaged, or of another model.
    pub(super) fn open(file: &Path, text: &TextConfig) -> Result<Self, LoadError> {
        let (longest, vocabulary, end) = (
            text.max_position_embeddings,
            text.vocab_size,
            text.eos_token_id,
        );
        let tokenizer = read_tokenizer(file, longest, vocabulary, end)?;
        Ok(Self { tokenizer, end })
    }

    /// Token ids of a text, cut to what the model can read with the end-of-text token kept.
    ///
    /// # Errors
    /// [`EmbedError::Tokenize`].
    pub(super) fn read(&self, text: &str) -> Result<Tokens, EmbedError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, true)
            .map_err(|error| EmbedError::Tokenize(error.to_string()))?;
        let ids = encoding.get_ids();
        Ok(Tokens {
            ids: ids[..=end_position(ids, self.end)].to_vec(),
            count: ids.len(),
        })
    }
}

/// Where the text ends: the first end-of-text token, or, with the first CLIP configurations, the first largest id.
/// Position 0 when there is none, as in transformers.
fn end_position(ids: &[u32], end: u32) -> usize {
    let wanted = if end == LEGACY_END {
        ids.iter().copied().max()
    } else {
        Some(end)
    };
    ids.iter().position(|&id| Some(id) == wanted).unwrap_or(0)
}

fn read_tokenizer(
    path: &Path,
    longest: usize,
    vocabulary: usize,
    end: u32,
) -> Result<Tokenizer, LoadError> {
    let bytes = fs_err::read(path).map_err(|source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let tokenizer = tokenizer::open(path, &bytes, (longest, vocabulary))?;
    // A tokenizer of another model would give vectors that look fine and mean nothing.
    let probe = tokenizer
        .encode_fast("a", true)
        .map_err(|error| LoadError::damaged(path, error.to_string()))?;
    let ids = probe.get_ids();
    if ids.len() < 2 || end_position(ids, end) != ids.len() - 1 {
        return Err(LoadError::unsupported(
            path,
            format!(
                "it reads \"a\" as {ids:?}, which does not end with the end-of-text token; expected CLIP's tokenizer"
            ),
        ));
    }
    Ok(tokenizer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_at_the_first_end_token() {
        assert_eq!(end_position(&[7, 3, 9, 5, 9], 9), 2);
    }

    #[test]
    fn legacy_configuration_means_the_largest_id() {
        assert_eq!(end_position(&[7, 3, 2, 8, 8], LEGACY_END), 3);
    }

    #[test]
    fn text_without_end_is_read_at_its_start_as_in_transformers() {
        assert_eq!(end_position(&[7, 3], 9), 0);
    }
}
