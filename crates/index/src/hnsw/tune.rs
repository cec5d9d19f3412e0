//! How wide a search of a graph has to be: measured against the exact scan with
//! vectors that the graph does not hold yet.
//!
//! Called while a segment is made. Random data, for which no width suffices, is
//! noticed here, and the graph thrown away.

use rayon::prelude::*;

use super::Graph;
use super::node_set::NodeSet;
use super::walk::{Scratch, Walk};
use crate::quantise::{Cell, Codes};
use crate::scan::{Range, scan};

/// What a recall check found out, and when.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Tuning {
    /// Nodes when the segment was last laid out.
    pub laid_out: usize,
    /// Nodes when the graph was last checked.
    pub checked: usize,
    /// Nodes when a graph was last found useless; 0 if never.
    pub rejected: usize,
    /// Pool sizes that reach the target recall of 10 and of 100 hits; 0 if none does.
    pub ef: [usize; 2],
    /// Distances that a search measures: a constant, and that many for each of the pool.
    pub measured: [f32; 2],
}

/// The numbers of hits that are checked.
const HITS: [usize; 2] = [10, 100];

/// Pool sizes that are tried. A wider search costs as much as a scan of 100,000.
const WIDTHS: [usize; 13] = [12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768];

impl Tuning {
    /// The pool size for `k` hits; `None` if no graph is worth searching.
    pub fn ef(&self, k: usize) -> Option<usize> {
        let [few, many] = self.ef;
        if few == 0 {
            return None;
        }
        if k <= HITS[0] {
            return Some(few);
        }
        if many == 0 {
            return None;
        }
        // Between the two by a straight line, beyond in proportion.
        if k >= HITS[1] {
            return Some((many * k).div_ceil(HITS[1]));
        }
        let rise = many.saturating_sub(few) * (k - HITS[0]);
        Some(few + rise.div_ceil(HITS[1] - HITS[0]))
    }

    /// How many distances a search with a pool of `ef` measures, about.
    pub fn distances(&self, ef: usize) -> f64 {
        f64::from(self.measured[0]) + f64::from(self.measured[1]) * ef as f64
    }
}

/// The data of a check.
pub(crate) struct Check<'a, C: Cell> {
    /// A graph of the first rows of the codes.
    pub graph: &'a Graph,
    pub codes: &'a Codes<C>,
    /// The exact rank of a row's vector for a query.
    pub rank: &'a (dyn Fn(&[f32], u32) -> f32 + Sync),
}

impl<C: Cell> Check<'_, C> {
    /// The pool sizes with which searches for `queries` reach the target recall, and
    /// what they cost, as [`Tuning`] keeps them.
    pub fn run(&self, queries: &[Vec<f32>], target_recall: f64) -> ([usize; 2], [f32; 2]) {
        let nodes = self.graph.len();
        let hits = HITS.map(|hits| hits.min(nodes));
        let truths: Vec<[f32; 2]> = queries
            .par_iter()
            .map(|query| self.truth(query, hits))
            .collect();
        let mut ef = [0; 2];
        let mut costs = Vec::new();
        for width in WIDTHS
            .into_iter()
            .filter(|width| *width <= nodes.max(WIDTHS[0]))
        {
            let found: Vec<([usize; 2], usize)> = queries
                .par_iter()
                .zip(&truths)
                .map_init(Scratch::default, |scratch, (query, truth)| {
                    self.found(query, *truth, hits, width, scratch)
                })
                .collect();
            let measured: usize = found.iter().map(|found| found.1).sum();
            costs.push((width as f32, measured as f32 / queries.len() as f32));
            for (which, ef) in ef.iter_mut().enumerate() {
                let total: usize = found.iter().map(|found| found.0[which]).sum();
                let recall = total as f64 / (queries.len() * hits[which]) as f64;
                if *ef == 0 && width >= hits[which] && recall >= target_recall {
                    *ef = width;
                }
            }
            if ef.iter().all(|ef| *ef > 0) && costs.len() > 1 {
                break;
            }
        }
        (ef, line(&costs))
    }

    /// The exact ranks of the last of the best hits.
    fn truth(&self, query: &[f32], hits: [usize; 2]) -> [f32; 2] {
        let target = self.codes.target(query);
        let keep = NodeSet::below(self.graph.len(), self.codes.len());
        let candidates = scan(self.codes, &target, Range::Kept(&keep), hits[1]);
        let ranks = candidates
            .iter()
            .map(|candidate| (self.rank)(query, candidate.node));
        let mut ranks: Vec<f32> = ranks.collect();
        ranks.sort_unstable_by(|a, b| b.total_cmp(a));
        hits.map(|hits| ranks[hits - 1])
    }

    /// How many of the best hits a search finds, and how many distances it measures.
    fn found(
        &self,
        query: &[f32],
        truth: [f32; 2],
        hits: [usize; 2],
        width: usize,
        scratch: &mut Scratch,
    ) -> ([usize; 2], usize) {
        let target = self.codes.target(query);
        let walk = Walk {
            graph: self.graph,
            codes: self.codes,
            target: &target,
            between: false,
            entry: self.graph.entry(),
        };
        scratch.measured = 0;
        let start = walk.descend(0, scratch);
        walk.search(0, start, width, scratch);
        let rescored = scratch.pool.iter().take(4 * hits[1]);
        let ranks: Vec<f32> = rescored.map(|near| (self.rank)(query, near.node)).collect();
        let count = |which: usize| ranks.iter().filter(|rank| **rank >= truth[which]).count();
        (
            [0, 1].map(|which| count(which).min(hits[which])),
            scratch.measured,
        )
    }
}

/// The straight line through the first and the last of some points.
fn line(points: &[(f32, f32)]) -> [f32; 2] {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return [0.0; 2];
    };
    let slope = (last.1 - first.1) / (last.0 - first.0).max(1.0);
    [first.1 - slope * first.0, slope]
}
