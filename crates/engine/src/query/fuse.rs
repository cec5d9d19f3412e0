//! One score out of several: what the modes of `HybridSearch` compute (semantics.md, "Score and metric
//! definitions").
//!
//! Called by [`super::mix`]. Nothing here knows rows or indexes.
//!
//! Invariant: a row's fused score depends on its own ranks and scores only.

use lookalike_index::{Hit, Metric};

use super::{
    hybrid::Fusion,
    paths::{Path, PerPath, RetrievalSource},
};

/// A row that some path found.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Candidate {
    pub(super) key: u64,
    /// Its place among the hits of each path that found it, from 1.
    pub(super) ranks: PerPath<Option<u32>>,
    /// Its score by each path that has one for it, whether it was among the hits or not.
    pub(super) scores: PerPath<Option<f32>>,
}

impl Candidate {
    fn source(&self) -> RetrievalSource {
        let by_vector = self.ranks.dense.or(self.ranks.sparse).is_some();
        match (by_vector, self.ranks.full_text.is_some()) {
            (true, true) => RetrievalSource::Both,
            (false, true) => RetrievalSource::FullText,
            (true | false, false) => RetrievalSource::Vector,
        }
    }
}

/// A row with the score it ends up with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    pub(super) key: u64,
    pub(super) score: f32,
    pub(super) source: RetrievalSource,
}

/// How to fuse, and over what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) fusion: Fusion,
    /// What the dense scores are.
    pub(super) metric: Metric,
    /// The paths that were taken.
    pub(super) taken: PerPath<bool>,
}

/// The candidates with their fused scores, best first, then by key. A larger score is better,
/// whatever the metric.
pub(super) fn fuse(rule: Rule, candidates: &[Candidate]) -> Vec<Scored> {
    let mut found: Vec<Scored> = candidates
        .iter()
        .map(|candidate| Scored {
            key: candidate.key,
            score: narrow(fused_score(rule, candidate)),
            source: candidate.source(),
        })
        .collect();
    found.sort_unstable_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| one.key.cmp(&other.key))
    });
    found
}

fn fused_score(rule: Rule, candidate: &Candidate) -> f64 {
    let score = |path| {
        let score = candidate.scores[path]?;
        Some(match path {
            Path::Dense => larger(score, rule.metric),
            Path::Sparse | Path::FullText => f64::from(score),
        })
    };
    match rule.fusion {
        Fusion::ReciprocalRank { k } => Path::ALL
            .iter()
            .filter_map(|path| candidate.ranks[*path])
            .map(|rank| 1.0 / (f64::from(k) + f64::from(rank)))
            .sum(),
        Fusion::Weighted(weights) => {
            let weights = weights.of(rule.taken);
            let part = |path| {
                let score = score(path).unwrap_or(0.0);
                weights[path]
                    * match path {
                        Path::Dense => score,
                        Path::Sparse | Path::FullText => bounded(score),
                    }
            };
            Path::ALL.into_iter().map(part).sum()
        }
        // A cascade has one score in the end.
        Fusion::AsTheyAre | Fusion::Cascaded => Path::ALL
            .into_iter()
            .filter_map(score)
            .fold(f64::NEG_INFINITY, f64::max),
    }
}

/// A dense score of which the larger one is better: a distance becomes a likeness between 0 and 1.
fn larger(score: f32, metric: Metric) -> f64 {
    match metric {
        Metric::L2 => 1.0 / (1.0 + f64::from(score)),
        Metric::Cosine | Metric::InnerProduct => f64::from(score),
    }
}

/// A score without bounds between −1 and 1, as `ts_rank` does with its normalisation 32.
fn bounded(score: f64) -> f64 {
    score / (1.0 + score.abs())
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "scores are shown in single precision, whatever they are computed in"
)]
fn narrow(score: f64) -> f32 {
    score as f32
}

/// The places of hits that are sorted best first. Equal scores share a place, so that it does not
/// depend on which row came first.
pub(super) fn ranks(hits: &[Hit]) -> impl Iterator<Item = (Hit, u32)> + '_ {
    let mut shared = 0;
    (1..).zip(hits).map(move |(place, hit)| {
        let is_tie = place > 1 && hits[place as usize - 2].score.to_bits() == hit.score.to_bits();
        if !is_tie {
            shared = place;
        }
        (*hit, shared)
    })
}

#[cfg(test)]
mod tests;
