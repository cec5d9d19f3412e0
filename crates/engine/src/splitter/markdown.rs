//! Markdown: a section at a time, each chunk with the headings that it stands under.
//!
//! Only headings with number signs count (`CommonMark`'s ATX headings), and none within a fenced block of code. The line of a
//! heading stays in the text, so that a section is found by its title.

use super::{Chunk, TooManyChunks, recursive::Recursion};

/// Levels of headings there are.
const LEVELS: usize = 6;

pub(super) fn split(text: &str, recursion: &Recursion) -> Result<Vec<Chunk>, TooManyChunks> {
    let mut chunks = Vec::new();
    for section in sections(text) {
        for content in recursion.split(section.text, chunks.len())? {
            chunks.push(Chunk {
                content,
                headings: section.headings.clone(),
            });
        }
    }
    Ok(chunks)
}

/// A part of the text and its headings.
struct Section<'a> {
    text: &'a str,
    headings: Vec<(String, String)>,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = Vec::new();
    let mut titles: [Option<&str>; LEVELS] = [None; LEVELS];
    let mut fence = None;
    // Whether the section that is open has more than headings: one that has not goes on into the next.
    let (mut start, mut at, mut has_text) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        let marker = fence_of(line);
        match (fence, marker) {
            (None, Some(_)) => fence = marker,
            (Some(open), Some(close)) if closes(open, close) => fence = None,
            _ => {}
        }
        let heading = heading(line).filter(|_| fence.is_none());
        if let Some((level, title)) = heading {
            if has_text {
                sections.push(Section {
                    text: &text[start..at],
                    headings: listed(&titles),
                });
                (start, has_text) = (at, false);
            }
            titles[level - 1] = Some(title);
            titles[level..].fill(None);
        } else {
            has_text |= !line.trim().is_empty();
        }
        at += line.len();
    }
    sections.push(Section {
        text: &text[start..],
        headings: listed(&titles),
    });
    sections
}

fn listed(titles: &[Option<&str>]) -> Vec<(String, String)> {
    let present = titles.iter().enumerate();
    present
        .filter_map(|(level, title)| {
            title.map(|title| (format!("Header {}", level + 1), title.to_owned()))
        })
        .collect()
}

/// The level and title of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let line = line.trim_end();
    let indent = line.len() - line.trim_start_matches(' ').len();
    let rest = line.trim_start_matches(' ');
    let title = rest.trim_start_matches('#');
    let level = rest.len() - title.len();
    let is_heading = indent <= 3
        && (1..=LEVELS).contains(&level)
        && (title.is_empty() || title.starts_with([' ', '\t']));
    is_heading.then(|| (level, title.trim().trim_end_matches('#').trim_end()))
}

/// The sign and length of a fence.
fn fence_of(line: &str) -> Option<(char, usize)> {
    let line = line.trim_start();
    let sign = line
        .chars()
        .next()
        .filter(|sign| matches!(sign, '`' | '~'))?;
    let length = line.chars().take_while(|other| *other == sign).count();
    (length >= 3).then_some((sign, length))
}

fn closes(open: (char, usize), close: (char, usize)) -> bool {
    open.0 == close.0 && close.1 >= open.1
}
