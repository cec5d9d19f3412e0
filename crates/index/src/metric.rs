//! The three ways to compare vectors, and the gate every vector passes.
//!
//! Scores are the database's own: `contract/semantics.md`, "Score and metric
//! definitions". Inside the crate every metric is ranked by one number that is
//! larger for a better match, so that the searches know no metric.

use std::cmp::Ordering;

use lookalike_kernels::dot::{dot_rows, squared_distance_rows};

use crate::{IndexError, MAX_NORM, MIN_DIRECTION_NORM};

/// How two vectors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Cosine similarity, -1 to 1, larger is better.
    Cosine,
    /// Inner product, unbounded, larger is better.
    InnerProduct,
    /// Euclidean distance (not squared), from 0, smaller is better.
    L2,
}

impl Metric {
    /// Orders two scores, the better one first.
    pub fn compare(self, a: f32, b: f32) -> Ordering {
        match self {
            Self::Cosine | Self::InnerProduct => b.total_cmp(&a),
            Self::L2 => a.total_cmp(&b),
        }
    }

    /// The score shown for a rank.
    pub(crate) fn score(self, rank: f32) -> f32 {
        match self {
            Self::Cosine | Self::InnerProduct => rank,
            // 0.0 - rank, unlike -rank, gives an identical vector 0 and not -0.
            Self::L2 => 0.0 - rank,
        }
    }

    /// Checks a vector that is to be stored or asked with.
    ///
    /// Returns its squared norm, the kernel's own `f32` sum.
    pub(crate) fn check(self, dimension: usize, vector: &[f32]) -> Result<f32, IndexError> {
        if vector.len() != dimension {
            return Err(IndexError::Length {
                expected: dimension,
                found: vector.len(),
            });
        }
        if let Some(position) = vector.iter().position(|value| !value.is_finite()) {
            return Err(IndexError::NotFinite {
                position,
                value: vector[position],
            });
        }
        let norm = (vector.iter().map(|value| f64::from(*value).powi(2)))
            .sum::<f64>()
            .sqrt();
        if norm > MAX_NORM {
            return Err(IndexError::TooLong { norm });
        }
        if self == Self::Cosine && norm < MIN_DIRECTION_NORM {
            return Err(IndexError::NoDirection { norm });
        }
        Ok(lookalike_kernels::dot::dot(vector, vector))
    }
}

/// A checked query, ready to be compared with rows.
#[derive(Debug)]
pub(crate) struct Ranker<'a> {
    pub metric: Metric,
    vector: &'a [f32],
    squared_norm: f32,
}

impl<'a> Ranker<'a> {
    pub fn new(metric: Metric, dimension: usize, vector: &'a [f32]) -> Result<Self, IndexError> {
        let squared_norm = metric.check(dimension, vector)?;
        Ok(Self {
            metric,
            vector,
            squared_norm,
        })
    }

    /// Ranks of `rows`, shape `[ranks.len(), dimension]`; larger is better.
    /// Under cosine a row without direction ranks NaN, which no collector takes.
    pub fn rank(&self, rows: &[f32], squared_norms: &[f32], ranks: &mut [f32]) {
        match self.metric {
            Metric::InnerProduct => dot_rows(rows, self.vector, ranks),
            Metric::L2 => {
                squared_distance_rows(rows, self.vector, ranks);
                for rank in ranks {
                    *rank = -rank.sqrt();
                }
            }
            Metric::Cosine => {
                dot_rows(rows, self.vector, ranks);
                for (rank, row) in ranks.iter_mut().zip(squared_norms) {
                    *rank = cosine(*rank, *row, self.squared_norm);
                }
            }
        }
    }
}

/// Cosine similarity from an inner product and two squared norms.
///
/// In double precision, so that a vector's similarity to itself, where all
/// three are the same number, is exactly 1.
fn cosine(dot: f32, squared_norm: f32, other: f32) -> f32 {
    const MIN_SQUARE: f64 = MIN_DIRECTION_NORM * MIN_DIRECTION_NORM * 0.999;
    let squared_norm = f64::from(squared_norm);
    if squared_norm < MIN_SQUARE {
        return f32::NAN;
    }
    let similarity = f64::from(dot) / (squared_norm * f64::from(other)).sqrt();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to the score's type"
    )]
    {
        similarity.clamp(-1.0, 1.0) as f32
    }
}
