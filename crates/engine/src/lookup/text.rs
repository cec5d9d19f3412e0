//! What full text looks into: a row's content and the fields of `FullTextRetrievalFields`.

use lookalike_index::TextIndex;

use super::Table;
use crate::{
    collection::Collection,
    error::EngineError,
    metadata::Columns,
    store::row_content::{Parts, RowContent},
    words::Analyzer,
};

/// How the text of a row is made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextRecipe {
    pub(crate) analyzer: Analyzer,
    columns: Columns,
    fields: Vec<String>,
}

impl TextRecipe {
    /// For full text in a collection.
    pub(crate) fn of_full_text(collection: &Collection) -> Self {
        Self::of_fields(collection, &collection.settings.full_text_fields)
    }

    /// For sparse vectors that are made of texts.
    pub(super) fn of_sparse(collection: &Collection) -> Self {
        Self::of_fields(collection, &collection.settings.sparse_fields)
    }

    fn of_fields(collection: &Collection, fields: &[String]) -> Self {
        Self {
            analyzer: Analyzer::named(&collection.settings.parser),
            columns: collection.columns.clone(),
            fields: fields.to_vec(),
        }
    }

    pub(super) fn parts(&self) -> Parts {
        Parts {
            content: true,
            metadata: !self.fields.is_empty(),
            sparse: false,
        }
    }

    /// The words of a row.
    pub(super) fn words(&self, row: &RowContent) -> Result<Vec<String>, EngineError> {
        let mut words = self
            .analyzer
            .of_row(row.content.as_deref().unwrap_or_default());
        if let Some(metadata) = &row.metadata {
            let stored = serde_json::from_str(metadata).map_err(EngineError::internal)?;
            for (_, text) in self.columns.texts(&stored, Some(&self.fields)) {
                words.extend(self.analyzer.of_row(&text));
            }
        }
        Ok(words)
    }
}

impl Table for TextIndex {
    type Recipe = TextRecipe;

    fn parts(recipe: &TextRecipe) -> Parts {
        recipe.parts()
    }

    fn put(&mut self, recipe: &TextRecipe, row: RowContent) -> Result<(), EngineError> {
        self.insert(row.key, recipe.words(&row)?);
        Ok(())
    }

    fn remove(&mut self, key: u64) {
        Self::remove(self, key);
    }

    fn len(&self) -> usize {
        Self::len(self)
    }
}
