//! What of a `QueryContent` is searched by which path, decided before anything is embedded.

use super::{HybridSearch, QueryContent, hybrid::Fusion, mix::Sought, paths::PerPath};
use crate::{
    collection::Collection,
    engine::Inner,
    error::EngineError,
    lookup::{SparseRecipe, TextRecipe},
};

/// Paths of a query that turns full text on and names none (semantics.md, `QueryContent`).
const DEFAULT_PATHS: PerPath<bool> = PerPath {
    dense: true,
    sparse: false,
    full_text: true,
};

/// How a query is answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct ContentPlan {
    /// What is looked for by what.
    pub(super) paths: PerPath<bool>,
    /// `None` searches by vector alone.
    pub(super) fusion: Option<Fusion>,
}

impl ContentPlan {
    /// Checks what a query says of paths and of what there is to look for.
    pub(super) fn of(query: &QueryContent, collection: &Collection) -> Result<Self, EngineError> {
        let text = query.looked_for_text();
        if text.is_none() && query.image.is_none() {
            return Err(EngineError::invalid(
                "Content",
                "is empty and there is no FileUrl; a query needs one of them",
            ));
        }
        let Some(hybrid) = query.hybrid.checked()? else {
            let paths = PerPath {
                dense: true,
                ..PerPath::default()
            };
            return Ok(Self {
                paths,
                fusion: None,
            });
        };
        let no_text = text.is_none().then_some("Content is empty");
        let no_sparse = (!collection.has_sparse_vectors())
            .then_some("the collection was made without SupportSparse and SparseRetrievalFields");
        let obstacles = PerPath {
            dense: None,
            sparse: no_text.or(no_sparse),
            full_text: no_text,
        };
        let paths = hybrid.paths(DEFAULT_PATHS, obstacles)?;
        if query.image.is_some() && !paths.dense {
            return Err(EngineError::invalid(
                "FileUrl",
                "an image is looked for by the path dense, which HybridPathsSetting.paths does not \
                 name",
            ));
        }
        let fusion = hybrid.fusion_of(paths);
        if fusion.is_some() {
            check_alone(query.offset, &query.order_by)?;
        }
        Ok(Self { paths, fusion })
    }

    /// What is looked for besides the vector.
    pub(super) fn texts(&self, query: &QueryContent, collection: &Collection) -> Sought {
        let text = query.looked_for_text().unwrap_or_default();
        let (sparse, full_text) = (self.paths.sparse, self.paths.full_text);
        Sought {
            vector: None,
            sparse: sparse.then(|| SparseRecipe::of_query(collection, text)),
            words: full_text.then(|| TextRecipe::of_full_text(collection).analyzer.of_query(text)),
        }
    }
}

/// Pages and orders go with one kind of score only (semantics.md, `QueryContent`).
pub(super) fn check_alone(offset: Option<i64>, order_by: &str) -> Result<(), EngineError> {
    let refuse = |field| {
        Err(EngineError::invalid(
            field,
            "does not go with a hybrid search: leave it out, or HybridSearch, \
             UseFullTextRetrieval and HybridPathsSetting",
        ))
    };
    if offset.is_some_and(|offset| offset != 0) {
        return refuse("Offset");
    }
    if !order_by.trim().is_empty() {
        return refuse("OrderBy");
    }
    Ok(())
}

impl Inner {
    /// Bounds the text of a query, whatever it is looked for by.
    pub(super) fn check_query_text(&self, query: &QueryContent) -> Result<(), EngineError> {
        let is_used = query.image.is_none() || query.hybrid != HybridSearch::default();
        let text = query.looked_for_text().filter(|_| is_used);
        self.check_text_bytes(text.unwrap_or_default())
    }

    pub(super) fn check_text_bytes(&self, text: &str) -> Result<(), EngineError> {
        let max_bytes = self.config.limits.max_query_text_bytes;
        if text.len() <= max_bytes {
            return Ok(());
        }
        Err(EngineError::TooLarge {
            reason: format!(
                "Content has {} bytes, more than the limit of {max_bytes} (setting \
                 max_query_text_bytes)",
                text.len()
            ),
        })
    }
}
