//! Sparse vectors: those that came with the rows of a vector collection, those that are made of the
//! texts of a document collection.
//!
//! The service makes the latter by a model that nobody outside knows. Ours stand in for it: a word's
//! index is a hash of it, its value `count / (count + 1.2)`, so that more of the same word counts for
//! less; a query has 1 for each of its words.

use std::collections::BTreeMap;

use lookalike_index::SparseIndex;

use super::{Table, TextRecipe};
use crate::{
    collection::{Collection, CollectionKind},
    error::EngineError,
    rows::{SparseVector, check},
    store::row_content::{Parts, RowContent},
};

/// As in BM25: how soon more of the same word counts for less.
const SATURATION: f32 = 1.2;

/// Where the sparse vectors of a collection come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SparseRecipe {
    /// The caller brings them.
    Stored,
    /// They are made of texts.
    Made(TextRecipe),
}

impl SparseRecipe {
    pub(crate) fn of(collection: &Collection) -> Self {
        match collection.kind {
            CollectionKind::Vector => Self::Stored,
            CollectionKind::Document => Self::Made(TextRecipe::of_sparse(collection)),
        }
    }

    /// The sparse vector of a query's text.
    pub(crate) fn of_query(collection: &Collection, text: &str) -> Vec<(u32, f32)> {
        let words = TextRecipe::of_sparse(collection).analyzer.of_query(text);
        let indices: BTreeMap<u32, f32> = words.iter().map(|word| (index_of(word), 1.0)).collect();
        indices.into_iter().collect()
    }
}

impl Table for SparseIndex {
    type Recipe = SparseRecipe;

    fn parts(recipe: &SparseRecipe) -> Parts {
        match recipe {
            SparseRecipe::Stored => Parts {
                sparse: true,
                ..Parts::default()
            },
            SparseRecipe::Made(text) => text.parts(),
        }
    }

    fn put(&mut self, recipe: &SparseRecipe, row: RowContent) -> Result<(), EngineError> {
        match recipe {
            SparseRecipe::Stored => {
                if let Some(bytes) = &row.sparse {
                    let SparseVector { indices, values } = check::read_sparse(bytes)?;
                    let pairs: Vec<(u32, f32)> = indices.into_iter().zip(values).collect();
                    self.insert(row.key, &pairs);
                }
            }
            SparseRecipe::Made(text) => self.insert(row.key, &of_words(&text.words(&row)?)),
        }
        Ok(())
    }

    fn remove(&mut self, key: u64) {
        Self::remove(self, key);
    }

    fn len(&self) -> usize {
        Self::len(self)
    }
}

fn of_words(words: &[String]) -> Vec<(u32, f32)> {
    let mut counts = BTreeMap::<u32, f32>::new();
    for word in words {
        *counts.entry(index_of(word)).or_default() += 1.0;
    }
    counts
        .into_iter()
        .map(|(index, count)| (index, count / (count + SATURATION)))
        .collect()
}

/// FNV-1a: the same on every machine and for ever.
fn index_of(word: &str) -> u32 {
    word.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_indices_of_their_own_and_counts_wear_off() {
        // The published values of FNV-1a.
        assert_eq!(index_of(""), 0x811c_9dc5);
        assert_eq!(index_of("a"), 0xe40c_292c);
        let words = ["a", "b", "a"].map(str::to_owned);
        let made: BTreeMap<u32, f32> = of_words(&words).into_iter().collect();
        assert!((made[&index_of("a")] - 2.0 / 3.2).abs() < 1e-6);
        assert!((made[&index_of("b")] - 1.0 / 2.2).abs() < 1e-6);
    }
}
