//! `hnsw_rs`, the index that was first thought of: what ours is measured against
//! (docs/adr/0002). It knows neither plans nor exact searches.

use anyhow::{Result, ensure};
use hnsw_rs::prelude::{DistDot, Hnsw};
use lookalike_index::{Effort, Query};

use super::Searched;

pub(super) struct HnswRs {
    graph: Hnsw<'static, f32, DistDot>,
    bytes: usize,
}

impl HnswRs {
    /// A graph of unit vectors, made on one thread.
    pub(super) fn build(base: &[f32], dimension: usize, m: usize, ef_construction: usize) -> Self {
        const MAX_LAYERS: usize = 16;
        let before = resident_bytes();
        let count = base.len() / dimension;
        let graph = Hnsw::new(m, count, MAX_LAYERS, ef_construction, DistDot {});
        for (key, vector) in base.chunks_exact(dimension).enumerate() {
            graph.insert((vector, key));
        }
        Self {
            graph,
            bytes: resident_bytes().saturating_sub(before),
        }
    }
}

impl Searched for HnswRs {
    fn find(&self, query: &Query<'_>, effort: Effort) -> Result<(Vec<u64>, &'static str)> {
        let ef = match effort {
            Effort::Graph { ef } => ef,
            Effort::Planned | Effort::Exact => 80,
        };
        let found = match query.allowed {
            None => self.graph.search(query.vector, query.k, ef),
            Some(allowed) => {
                let keeps = |key: &usize| allowed.contains(*key as u64);
                self.graph
                    .search_filter(query.vector, query.k, ef, Some(&keeps))
            }
        };
        ensure!(found.len() <= query.k, "more hits than asked for");
        Ok((found.iter().map(|hit| hit.d_id as u64).collect(), "graph"))
    }

    fn knows(&self, effort: Effort) -> bool {
        effort != Effort::Exact
    }

    fn bytes(&self) -> (usize, usize) {
        (self.bytes, self.bytes)
    }
}

/// Memory of this process, as the system counts it; 0 where it does not say.
fn resident_bytes() -> usize {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}
