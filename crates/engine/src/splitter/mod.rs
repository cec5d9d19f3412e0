//! Texts to chunks: what a request can ask for, checked when it is submitted, and the splitters (semantics.md,
//! `UploadDocumentAsync`).
//!
//! A chunk is a piece of the text as it stands, trimmed at both ends: nothing is lost but white space, nothing is reordered.
//! Lengths are characters (code points), as the splitters that the service names count them.
//!
//! Invariant: no chunk is longer than the size that was asked for, and none is empty.

mod markdown;
mod recursive;

use serde::{Deserialize, Serialize};

use self::recursive::Recursion;
use crate::{error::EngineError, name::FileName};

/// The most that `ChunkSize` may be (semantics.md).
pub const MAX_CHUNK_SIZE: usize = 2048;

/// The vendor's sample; no default is documented.
pub const DEFAULT_CHUNK_SIZE: usize = 250;

/// Separators that a request may give: each costs a walk through the text.
pub const MAX_SEPARATORS: usize = 100;

/// What `FileName` may end in.
pub(crate) const TEXT_EXTENSIONS: [&str; 2] = ["txt", "md"];

/// What a request says of splitting; texts and numbers are as it has them.
#[derive(Debug, Clone, Default)]
pub struct SplitOptions {
    /// Characters of a chunk.
    pub chunk_size: Option<i64>,
    /// Characters that a chunk repeats of the one before.
    pub chunk_overlap: Option<i64>,
    /// Where to cut, the best places first.
    pub separators: Option<Vec<String>>,
    /// The API's name of a splitter.
    pub splitter: Option<String>,
    /// The API's name of a loader; kept and shown.
    pub loader: Option<String>,
}

/// How a document is to be split; stored with its job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Splitting {
    pub(crate) splitter: Splitter,
    pub(crate) loader: String,
    size: usize,
    overlap: usize,
    separators: Option<Vec<String>>,
}

/// A splitter; [`Splitter::name`] is the API's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Splitter {
    /// Paragraphs, lines, words.
    Recursive,
    /// Paragraphs, lines, sentences and clauses, Chinese ones too.
    ChineseRecursive,
    /// Sentences.
    Sentences,
    /// The sections under headings.
    MarkdownHeadings,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) content: String,
    /// The headings it stands under, `Header 1` first.
    pub(crate) headings: Vec<(String, String)>,
}

/// The text would become more chunks than there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyChunks;

impl Splitter {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Recursive => "RecursiveCharacterTextSplitter",
            Self::ChineseRecursive => "ChineseRecursiveTextSplitter",
            Self::Sentences => "SpacyTextSplitter",
            Self::MarkdownHeadings => "MarkdownHeaderTextSplitter",
        }
    }

    /// What `file_name` gets, `.md` files their headings, unless `name` asks for another.
    fn choose(name: Option<&str>, is_markdown: bool) -> Result<Self, EngineError> {
        let invalid = |reason: String| Err(EngineError::invalid("TextSplitterName", reason));
        match name {
            None | Some("MarkdownHeaderTextSplitter") if is_markdown => Ok(Self::MarkdownHeadings),
            None | Some("ChineseRecursiveTextSplitter") => Ok(Self::ChineseRecursive),
            Some("RecursiveCharacterTextSplitter") => Ok(Self::Recursive),
            Some("SpacyTextSplitter") => Ok(Self::Sentences),
            Some("MarkdownHeaderTextSplitter") => {
                invalid("MarkdownHeaderTextSplitter splits .md files only".to_owned())
            }
            Some("LLMSplitter") => {
                invalid("LLMSplitter asks a language model, which there is none of here".to_owned())
            }
            Some(other) => invalid(format!(
                "'{other}' is not a splitter; valid are ChineseRecursiveTextSplitter, \
                 RecursiveCharacterTextSplitter, SpacyTextSplitter, MarkdownHeaderTextSplitter"
            )),
        }
    }
}

impl Splitting {
    /// Checks what a request says of splitting a file of this name.
    pub(crate) fn checked(
        options: &SplitOptions,
        file_name: &FileName,
    ) -> Result<Self, EngineError> {
        let is_markdown = file_name.extension().eq_ignore_ascii_case("md");
        let splitter = Splitter::choose(options.splitter.as_deref(), is_markdown)?;
        let size = match options.chunk_size {
            None => DEFAULT_CHUNK_SIZE,
            Some(size) => within("ChunkSize", size, 1, MAX_CHUNK_SIZE)?,
        };
        let overlap = match options.chunk_overlap {
            // The vendor's sample is a fifth, too.
            None => size / 5,
            Some(overlap) => within("ChunkOverlap", overlap, 0, size)?,
        };
        if let Some(separators) = &options.separators
            && separators.len() > MAX_SEPARATORS
        {
            return Err(EngineError::invalid(
                "Separators",
                format!(
                    "there are {} of them, more than the limit of {MAX_SEPARATORS}",
                    separators.len()
                ),
            ));
        }
        let default_loader = if is_markdown {
            "UnstructuredMarkdownLoader"
        } else {
            "UnstructuredFileLoader"
        };
        Ok(Self {
            splitter,
            loader: options
                .loader
                .clone()
                .unwrap_or_else(|| default_loader.to_owned()),
            size,
            overlap,
            separators: options
                .separators
                .clone()
                .filter(|separators| !separators.is_empty()),
        })
    }

    /// The chunks of a text in its order.
    pub(crate) fn split(&self, text: &str, max_chunks: usize) -> Result<Vec<Chunk>, TooManyChunks> {
        let recursion = Recursion::new(self, max_chunks);
        match self.splitter {
            Splitter::MarkdownHeadings => markdown::split(text, &recursion),
            Splitter::Recursive | Splitter::ChineseRecursive | Splitter::Sentences => {
                let contents = recursion.split(text, 0)?;
                Ok(contents
                    .into_iter()
                    .map(|content| Chunk {
                        content,
                        headings: Vec::new(),
                    })
                    .collect())
            }
        }
    }
}

fn within(
    field: &'static str,
    value: i64,
    least: usize,
    most: usize,
) -> Result<usize, EngineError> {
    usize::try_from(value)
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| {
            EngineError::invalid(
                field,
                format!("{value} is outside the range {least} to {most}"),
            )
        })
}

#[cfg(test)]
mod tests;
