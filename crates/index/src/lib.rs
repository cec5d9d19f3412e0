//! Vectors by key, and the nearest of them to a query.
//!
//! Called by the engine, which keeps the truth in its database: what lives
//! here can always be rebuilt. Nothing here panics on bad numbers: a vector of
//! the wrong length, one that is not finite, or one without a direction under
//! cosine is an [`IndexError`].

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the habits of numeric code: numbers of nodes fit u32, and estimates are rough"
)]

mod bitmap;
mod block;
mod delta;
mod error;
mod exact;
mod fold;
mod generation;
mod hnsw;
mod index;
mod inverted;
mod journal;
mod keymap;
mod metric;
mod options;
mod persist;
mod planner;
mod quantise;
mod scan;
mod segment;
mod snapshot;
mod topk;

pub use bitmap::Bitmap;
pub use error::{IndexError, SnapshotError};
pub use index::VectorIndex;
pub use inverted::{SparseIndex, TextIndex};
pub use metric::Metric;
pub use options::Options;
pub use planner::Plan;
pub use quantise::Precision;

/// Most dimensions a vector may have, the database's own limit.
pub const MAX_DIMENSION: usize = 8192;

/// Most hits one query may ask for. The API stops at 1,000; an offset and a
/// rescoring factor come on top of that inside the engine.
pub const MAX_K: usize = 10_000;

/// Largest norm a vector may have: beyond it, sums of squares could leave the
/// range of `f32`.
pub const MAX_NORM: f64 = 1e18;

/// Smallest norm a vector needs for its direction to mean anything (cosine).
pub const MIN_DIRECTION_NORM: f64 = 1e-6;

/// One question to an index.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// As many finite numbers as the index has dimensions.
    pub vector: &'a [f32],
    /// How many hits, 1 to [`MAX_K`].
    pub k: usize,
    /// How to score; one that differs from the index's own is answered by an
    /// exact scan.
    pub metric: Metric,
    /// Only keys in this set may answer; `None` allows all.
    pub allowed: Option<&'a Bitmap>,
}

/// One answer: a key and its score as [`Metric`] defines it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub key: u64,
    pub score: f32,
}

/// One change to an index.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Stores a vector under a key, in place of the key's former one.
    Insert { key: u64, vector: &'a [f32] },
    /// Forgets a key, if it is there.
    Remove { key: u64 },
}

/// How hard to look for the best hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// The cheapest way to the index's target recall.
    #[default]
    Planned,
    /// All of the best hits, whatever it costs.
    Exact,
    /// The graph, if there is one, with a pool of this many candidates.
    Graph { ef: usize },
}

/// The hits of a query and how they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Best first.
    pub hits: Vec<Hit>,
    pub plan: Plan,
}

/// What an index holds and how it was searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Keys stored.
    pub live: usize,
    /// Dead rows that the next rebuild leaves out.
    pub dead: usize,
    /// Rows that wait for folding, dead ones included.
    pub unfolded: usize,
    /// Distinct vectors with codes.
    pub nodes: usize,
    /// The pool size for ten hits, if there is a graph.
    pub graph_ef: Option<usize>,
    /// Bytes of the vectors themselves, read for the best candidates only.
    pub vector_bytes: usize,
    /// Bytes of everything else: codes, graph, keys.
    pub hot_bytes: usize,
    /// Bytes of the changes written since the last snapshot, for an index in a folder.
    pub log_bytes: u64,
    /// Bytes of the last snapshot.
    pub snapshot_bytes: u64,
    /// Why nothing is written any more, until the next snapshot.
    pub persistence_failure: Option<String>,
    /// How often each plan was taken.
    pub plans: [(Plan, u64); Plan::ALL.len()],
}
