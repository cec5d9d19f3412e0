//! Cuts a text at the best separators that make pieces short enough, then joins neighbours as long as they fit.
//!
//! The rules are those of `LangChain`'s `RecursiveCharacterTextSplitter`, which the service's splitters are made of: the first
//! separator that occurs cuts; pieces that are still too long are cut by the next ones; neighbours are joined up to the
//! size, and a chunk begins with as many whole pieces of the one before as the overlap allows. Where no separator is
//! left, a piece is cut by length.

use std::{collections::VecDeque, ops::Range};

use super::{Splitter, Splitting, TooManyChunks};

/// Where a separator stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// At the end of the piece before it: a full stop belongs to its sentence.
    Before,
    /// At the start of the piece behind it.
    Behind,
}

/// How to split; made once a document.
pub(super) struct Recursion {
    /// Alternatives that cut alike, the best places first.
    levels: Vec<Vec<String>>,
    side: Side,
    size: usize,
    overlap: usize,
    max_chunks: usize,
    /// Whether empty lines within a chunk become line breaks.
    join_lines: bool,
}

const RECURSIVE: [&[&str]; 3] = [&["\n\n"], &["\n"], &[" "]];
const CHINESE: [&[&str]; 7] = [
    &["\n\n"],
    &["\n"],
    &["。", "！", "？"],
    &[". ", "! ", "? ", ".\t", "!\t", "?\t"],
    &["；", "; "],
    &["，", ", "],
    &[" "],
];
const SENTENCES: [&[&str]; 3] = [
    &[
        ". ", "! ", "? ", ".\n", "!\n", "?\n", "。", "！", "？", "…", "\n\n",
    ],
    &["\n"],
    &[" "],
];

impl Recursion {
    pub(super) fn new(splitting: &Splitting, max_chunks: usize) -> Self {
        let (defaults, side): (&[&[&str]], Side) = match splitting.splitter {
            Splitter::Recursive | Splitter::MarkdownHeadings => (&RECURSIVE, Side::Behind),
            Splitter::ChineseRecursive => (&CHINESE, Side::Before),
            Splitter::Sentences => (&SENTENCES, Side::Before),
        };
        let levels = match &splitting.separators {
            // An empty one means "anywhere", which is what is left at the end in any case.
            Some(own) => own
                .iter()
                .take_while(|separator| !separator.is_empty())
                .map(|separator| vec![separator.clone()])
                .collect(),
            None => defaults
                .iter()
                .map(|level| level.iter().map(|one| (*one).to_owned()).collect())
                .collect(),
        };
        Self {
            levels,
            side,
            size: splitting.size,
            overlap: splitting.overlap,
            max_chunks,
            join_lines: splitting.splitter == Splitter::ChineseRecursive,
        }
    }

    /// The chunks of a text, of which there may be `max_chunks` less those that are `there` already.
    pub(super) fn split(&self, text: &str, there: usize) -> Result<Vec<String>, TooManyChunks> {
        let mut chunks = Chunks {
            text,
            found: Vec::new(),
            room: self.max_chunks.saturating_sub(there),
            join_lines: self.join_lines,
        };
        self.cut(0..text.len(), &self.levels, &mut chunks)?;
        Ok(chunks.found)
    }

    fn cut(
        &self,
        range: Range<usize>,
        levels: &[Vec<String>],
        chunks: &mut Chunks<'_>,
    ) -> Result<(), TooManyChunks> {
        let text = &chunks.text[range.clone()];
        let first = levels
            .iter()
            .position(|level| level.iter().any(|separator| text.contains(&**separator)));
        let Some(first) = first else {
            return self.cut_by_length(range, chunks);
        };
        let mut fitting = Vec::new();
        for piece in self.pieces(text, &levels[first]) {
            let piece = range.start + piece.start..range.start + piece.end;
            let length = length(&chunks.text[piece.clone()]);
            if length <= self.size {
                fitting.push((piece, length));
            } else {
                self.join(std::mem::take(&mut fitting), chunks)?;
                self.cut(piece, &levels[first + 1..], chunks)?;
            }
        }
        self.join(fitting, chunks)
    }

    /// The text cut at every separator of a level.
    fn pieces(&self, text: &str, level: &[String]) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let (mut start, mut at) = (0, 0);
        while let Some(character) = text[at..].chars().next() {
            let here = &text[at..];
            let separator = level
                .iter()
                .find(|separator| here.starts_with(&***separator));
            let Some(separator) = separator else {
                at += character.len_utf8();
                continue;
            };
            let end = match self.side {
                Side::Before => at + separator.len(),
                Side::Behind => at,
            };
            at += separator.len();
            if end > start {
                pieces.push(start..end);
                start = end;
            }
        }
        if start < text.len() {
            pieces.push(start..text.len());
        }
        pieces
    }

    /// Joins neighbours, given with their lengths, into chunks that overlap.
    fn join(
        &self,
        pieces: Vec<(Range<usize>, usize)>,
        chunks: &mut Chunks<'_>,
    ) -> Result<(), TooManyChunks> {
        let mut current: VecDeque<(Range<usize>, usize)> = VecDeque::new();
        let mut total = 0;
        for (piece, length) in pieces {
            if total + length > self.size && total > 0 {
                chunks.push(&current)?;
                while total > self.overlap || (total + length > self.size && total > 0) {
                    let (_, gone) = current.pop_front().expect("the total is theirs");
                    total -= gone;
                }
            }
            current.push_back((piece, length));
            total += length;
        }
        chunks.push(&current)
    }

    /// Where there is nothing to cut at.
    fn cut_by_length(
        &self,
        range: Range<usize>,
        chunks: &mut Chunks<'_>,
    ) -> Result<(), TooManyChunks> {
        let text = &chunks.text[range.clone()];
        let mut ends: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| range.start + at)
            .collect();
        ends.push(range.end);
        let characters = ends.len() - 1;
        let step = (self.size - self.overlap).max(1);
        let mut from = 0;
        loop {
            let to = (from + self.size).min(characters);
            chunks.push_range(ends[from]..ends[to])?;
            if to == characters {
                return Ok(());
            }
            from += step;
        }
    }
}

/// What was found so far.
struct Chunks<'a> {
    text: &'a str,
    found: Vec<String>,
    room: usize,
    join_lines: bool,
}

impl Chunks<'_> {
    fn push(&mut self, pieces: &VecDeque<(Range<usize>, usize)>) -> Result<(), TooManyChunks> {
        match (pieces.front(), pieces.back()) {
            (Some((first, _)), Some((last, _))) => self.push_range(first.start..last.end),
            _ => Ok(()),
        }
    }

    fn push_range(&mut self, range: Range<usize>) -> Result<(), TooManyChunks> {
        let content = self.text[range].trim();
        if content.is_empty() {
            return Ok(());
        }
        if self.found.len() >= self.room {
            return Err(TooManyChunks);
        }
        self.found.push(if self.join_lines {
            without_empty_lines(content)
        } else {
            content.to_owned()
        });
        Ok(())
    }
}

fn without_empty_lines(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

fn length(text: &str) -> usize {
    text.chars().count()
}
