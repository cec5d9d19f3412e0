//! `RerankFactor` and `RerankModel`: more candidates than wanted, compared with the query once more, the best ones kept.
//!
//! The service asks a cross-encoder; there is none here. The collection's own text encoder stands in for it: the score is the
//! cosine of query and text. It changes the order where the search had another one: hybrid search, another metric, or fields
//! that are to be read with the text. Images carry no text and are left as they are (row 42).

use lookalike_embed::ServedModel;
use serde_json::{Map, Value};

use super::{Match, conditions::Conditions, embed_error};
use crate::{
    engine::Inner,
    error::EngineError,
    metadata::Columns,
    store::{self, collection::CollectionRow},
};

/// Candidates that are compared at most, unless `TopK` itself is more (semantics.md: "should not pass 50").
const MAX_CANDIDATES: usize = 50;

/// Names of `RerankModel`; the second takes no instruction.
const MODELS: [&str; 2] = ["qwen3-rerank", "gte-rerank-v2"];

/// What a request says of reranking, as it has it.
#[derive(Debug, Clone, Default)]
pub struct RerankOptions {
    /// Candidates for each match that is wanted: above 1, at most 5.
    pub factor: Option<f64>,
    /// The API's name of a model.
    pub model: Option<String>,
    /// Comma list of metadata fields that are read with the text.
    pub metadata_fields: String,
}

/// The same, checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rerank {
    factor: f64,
    fields: Vec<String>,
}

impl Rerank {
    /// `None` when nothing was asked for.
    pub(super) fn checked(
        options: &RerankOptions,
        columns: &Columns,
    ) -> Result<Option<Self>, EngineError> {
        if let Some(model) = &options.model
            && !MODELS.contains(&model.as_str())
        {
            return Err(EngineError::invalid(
                "RerankModel",
                format!("'{model}' is not a model; valid are {}", MODELS.join(", ")),
            ));
        }
        let fields = columns.field_list("RerankModel", &options.metadata_fields)?;
        let fits = |factor: f64| factor > 1.0 && factor <= 5.0;
        match options.factor {
            Some(factor) if !fits(factor) => Err(EngineError::invalid(
                "RerankFactor",
                format!("{factor} is not above 1 and at most 5"),
            )),
            Some(factor) => Ok(Some(Self { factor, fields })),
            None if options.model.is_some() || !fields.is_empty() => Ok(Some(Self {
                factor: 1.0,
                fields,
            })),
            None => Ok(None),
        }
    }

    /// How many rows to find for `top_k` wanted ones.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 5 times 1000, and not negative"
    )]
    pub(super) fn candidates(&self, top_k: usize) -> usize {
        let wanted = (top_k as f64 * self.factor).ceil() as usize;
        wanted.min(MAX_CANDIDATES).max(top_k)
    }
}

impl Inner {
    /// The candidates with their scores, best first.
    pub(super) async fn reranked(
        &self,
        row: &CollectionRow,
        (model, query): (&ServedModel, &[f32]),
        rerank: &Rerank,
        mut candidates: Vec<Match>,
    ) -> Result<Vec<Match>, EngineError> {
        let mut texts = Vec::with_capacity(candidates.len());
        for found in &candidates {
            texts.push(self.rerank_text(row, rerank, found).await?);
        }
        let embedded = model.embed_document_texts(texts).await;
        for (found, text) in candidates
            .iter_mut()
            .zip(embedded.map_err(|error| embed_error(&error))?)
        {
            found.rerank_score = Some(cosine(query, &text.vector));
        }
        let score = |found: &Match| found.rerank_score.unwrap_or(f32::NEG_INFINITY);
        candidates.sort_by(|one, other| score(other).total_cmp(&score(one)));
        Ok(candidates)
    }

    /// What is compared with the query: the text, and the fields that were asked for below it.
    async fn rerank_text(
        &self,
        row: &CollectionRow,
        rerank: &Rerank,
        found: &Match,
    ) -> Result<String, EngineError> {
        let mut text = found.content.clone();
        if rerank.fields.is_empty() {
            return Ok(text);
        }
        let mut connection = self.store.reader().await?;
        let own = (0, 0);
        for near in store::text_chunk::neighbours(&mut connection, row.id, &found.id, own).await? {
            let stored: Map<String, Value> =
                serde_json::from_str(&near.metadata).map_err(EngineError::internal)?;
            let columns = &row.collection.columns;
            for (_, value) in columns.texts(&stored, Some(&rerank.fields)) {
                text.push('\n');
                text.push_str(&value);
            }
        }
        Ok(text)
    }
}

/// Leaves the page that was asked for: the matches behind `offset`, `top_k` at most. Where the request orders the matches
/// itself, the best are put back into that order.
pub(super) fn page(
    reranked: Vec<Match>,
    found: &[String],
    conditions: &Conditions,
    (offset, top_k): (usize, usize),
) -> Vec<Match> {
    let mut matches: Vec<Match> = reranked.into_iter().skip(offset).take(top_k).collect();
    if conditions.order.is_some() {
        matches.sort_by_key(|one| found.iter().position(|id| *id == one.id));
    }
    matches
}

/// Of unit vectors.
pub(crate) fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(factor: Option<f64>, model: Option<&str>) -> Result<Option<Rerank>, EngineError> {
        let options = RerankOptions {
            factor,
            model: model.map(str::to_owned),
            metadata_fields: String::new(),
        };
        Rerank::checked(&options, &Columns::parse("", &[]).unwrap())
    }

    #[test]
    fn factor_is_above_one_and_at_most_five() {
        for good in [1.0001, 2.0, 5.0] {
            assert!(checked(Some(good), None).unwrap().is_some());
        }
        for bad in [1.0, 0.0, -2.0, 5.0001, f64::NAN, f64::INFINITY] {
            assert!(checked(Some(bad), None).is_err(), "{bad}");
        }
        assert_eq!(checked(None, None).unwrap(), None);
        assert!(checked(None, Some("gte-rerank-v2")).unwrap().is_some());
        assert!(checked(None, Some("bge")).is_err());
    }

    #[test]
    fn candidates_stay_below_fifty_unless_more_are_wanted() {
        let candidates = |factor, top_k| {
            let rerank = checked(Some(factor), None).unwrap().unwrap();
            rerank.candidates(top_k)
        };
        assert_eq!(candidates(1.5, 3), 5);
        assert_eq!(candidates(5.0, 10), 50);
        assert_eq!(candidates(5.0, 11), 50);
        assert_eq!(candidates(2.0, 60), 60);
    }
}
