//! Reading a `tokenizer.json`, which CLIP and BERT have alike. What a text must look like behind it is theirs to check.

use std::panic::catch_unwind;
use std::path::Path;

use serde::de::IgnoredAny;
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

use crate::error::LoadError;

/// The tokenizer in a file that was read. It cuts texts to `longest` tokens, those that it puts around them included.
///
/// # Errors
/// [`LoadError`] for a file that is damaged, or has more tokens than the model's `vocabulary`.
pub(crate) fn open(
    path: &Path,
    bytes: &[u8],
    (longest, vocabulary): (usize, usize),
) -> Result<Tokenizer, LoadError> {
    serde_json::from_slice::<IgnoredAny>(bytes)
        .map_err(|error| LoadError::damaged(path, error.to_string()))?;
    // The library panics on some JSON that is no tokenizer.
    let mut tokenizer = catch_unwind(|| Tokenizer::from_bytes(bytes))
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
    Ok(tokenizer)
}
