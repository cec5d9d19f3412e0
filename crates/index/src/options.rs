//! What may be chosen about an index.

use crate::generation::Recipe;
use crate::hnsw::Shape;
use crate::{IndexError, MAX_DIMENSION, Metric, Precision};

/// What may be chosen about an index. [`Options::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct Options {
    /// Elements of a vector, 1 to [`MAX_DIMENSION`].
    pub dimension: usize,
    /// The metric that vectors are checked for and that searches are fast for.
    pub metric: Metric,
    /// What vectors are rounded to for searching.
    pub precision: Precision,
    /// `HnswM`: links that a node asks for; taken as 2 to 1000.
    pub m: usize,
    /// `HnswEfConstruction`: candidates that links are chosen from; taken as at
    /// least `m`, at most 4000.
    pub ef_construction: usize,
    /// Codes of fewer bytes are scanned, without a graph: 8 MiB is 16,384 vectors
    /// of 512 dimensions, which a core scans in some 0.15 ms.
    pub graph_min_bytes: usize,
    /// The part of the true hits that a search of the graph should find.
    pub target_recall: f64,
    /// New vectors are scanned as they are until there are so many, or a part of the
    /// index; then they are folded into codes and graph.
    pub fold_rows: usize,
    /// Threads that fold; 0 for one a core.
    pub fold_threads: usize,
    /// A fold writes a snapshot when the logs have grown by an eighth of the last one,
    /// and by at least so many bytes.
    pub snapshot_min_bytes: u64,
    /// Whether folding starts by itself, in the background, when it is due.
    pub fold_in_background: bool,
}

impl Options {
    /// The defaults for vectors of a dimension, compared by a metric.
    pub fn new(dimension: usize, metric: Metric) -> Self {
        Self {
            dimension,
            metric,
            precision: Precision::Int8,
            m: 16,
            ef_construction: 200,
            graph_min_bytes: 8 << 20,
            target_recall: 0.99,
            fold_rows: 1024,
            fold_threads: 0,
            snapshot_min_bytes: 16 << 20,
            fold_in_background: true,
        }
    }

    pub(crate) fn recipe(&self) -> Result<Recipe, IndexError> {
        if !(1..=MAX_DIMENSION).contains(&self.dimension) {
            return Err(IndexError::Dimension(self.dimension));
        }
        let m = self.m.clamp(2, 1000);
        Ok(Recipe {
            dimension: self.dimension,
            metric: self.metric,
            precision: self.precision,
            shape: Shape {
                m,
                ef_construction: self.ef_construction.clamp(m, 4000),
            },
            graph_min_bytes: self.graph_min_bytes,
            target_recall: self.target_recall,
        })
    }
}
