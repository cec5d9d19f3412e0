//! The filter language: the text of a WHERE clause in, the set of rows that match out.
//!
//! `QueryContent` and the operations on vector collections call [`Filter::parse`] and
//! [`OrderBy::parse`], then [`crate::columns`] for the rows. The text is split by `token`, parsed
//! by `sqlparser` in `PostgreSQL`'s dialect, type-checked by `check` into the small language of
//! `expression`, and run over columns in memory by `evaluate`. It never reaches a database
//! (semantics.md row 36).
//!
//! Invariant: whatever the text, parsing ends in a [`Filter`] or in an error that says where; a
//! filter that was parsed means what `PostgreSQL` means by it (rows 37 and 38), and can fail only
//! where a cast meets a value that it cannot read.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's trees have hundreds of kinds of nodes, of which the language takes some; a \
              pair of values of unlike kinds is NULL or refused"
)]

mod cast;
mod check;
mod column;
mod comparison;
mod datum;
mod error;
mod evaluate;
mod expression;
mod json;
mod like;
mod moment;
mod order;
mod parser;
mod token;

pub(crate) use self::{
    column::{Column, Fixed, Origin, Source, StoredRow},
    error::FilterError,
    order::OrderBy,
};
use self::{expression::Predicate, token::Language};
use crate::metadata::Columns;

/// What a filter or an order may cost before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterLimits {
    /// Bytes of the text.
    pub max_bytes: usize,
    /// Names, words and operators; literals and commas are free.
    pub max_terms: usize,
    /// Brackets within brackets, and operators on operators; a field or a literal is a level too.
    pub max_depth: usize,
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self {
            max_bytes: 256 * 1024,
            max_terms: 4096,
            max_depth: 50,
        }
    }
}

/// The columns a filter may name.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) metadata: &'a Columns,
    /// Those that the kind of collection has; a declared one of the same name goes first.
    pub(crate) fixed: &'static [Fixed],
}

impl<'a> Fields<'a> {
    fn names(&self) -> impl Iterator<Item = &'a str> {
        let metadata = self.metadata.iter().map(|column| column.name.as_str());
        metadata.chain(self.fixed.iter().map(|fixed| fixed.name()))
    }

    /// The field of this very name.
    fn exactly(&self, name: &str) -> Option<&'a str> {
        self.names().find(|field| *field == name)
    }

    /// The field that a word without quotes means: of this very name, or else the only one that
    /// differs in case alone, as `PostgreSQL` does not tell them apart.
    fn of_word(&self, word: &str) -> Result<Option<&'a str>, String> {
        if let Some(name) = self.exactly(word) {
            return Ok(Some(name));
        }
        let mut similar = self.names().filter(|name| name.eq_ignore_ascii_case(word));
        match (similar.next(), similar.next()) {
            (Some(one), Some(other)) if one != other => Err(format!(
                "'{word}' could be the field \"{one}\" or \"{other}\"; put the one that is meant in \
                 double quotes"
            )),
            (found, _) => Ok(found),
        }
    }

    /// The source of a field that was found.
    fn source(&self, name: &str) -> Option<Source> {
        let declared = self
            .metadata
            .iter()
            .find(|column| column.name.as_str() == name);
        let fixed = || self.fixed.iter().find(|fixed| fixed.name() == name);
        declared
            .map(Source::metadata)
            .or_else(|| fixed().map(|fixed| Source::fixed(*fixed)))
    }

    fn unknown(&self, name: &str) -> String {
        const SHOWN: usize = 50;
        let mut names: Vec<&str> = self.names().take(SHOWN + 1).collect();
        if names.len() > SHOWN {
            names[SHOWN] = "…";
        }
        format!(
            "there is no field '{name}'; the fields are {}",
            names.join(", ")
        )
    }
}

/// A filter that was understood.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    text: String,
    predicate: Predicate,
    sources: Vec<Source>,
}

impl Filter {
    /// Reads the text of a WHERE clause over the columns of a collection.
    pub(crate) fn parse(
        text: &str,
        fields: &Fields<'_>,
        limits: &FilterLimits,
    ) -> Result<Self, FilterError> {
        let (tokens, positions) = token::read(text, Language::Filter, fields, limits)?;
        let expression = parser::filter(tokens, &positions, limits)?;
        let (predicate, sources) = check::filter(&expression, fields, &positions, limits)?;
        Ok(Self {
            text: text.to_owned(),
            predicate,
            sources,
        })
    }

    /// The text it was read from, which tells it from others over the same columns.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The columns it needs, in the order in which [`Filter::rows`] takes them.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The rows of `active` (a bit a row) that match. An error is a value that a cast in the filter
    /// cannot read.
    pub(crate) fn rows(&self, columns: &[&Column], active: &[u64]) -> Result<Vec<u64>, String> {
        evaluate::rows(&self.predicate, columns, active)
    }
}

#[cfg(test)]
mod tests;
