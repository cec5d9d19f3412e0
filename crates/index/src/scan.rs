//! Exact search of codes: reads all of them, or those of some nodes, in order,
//! and keeps every node that could be among the best by what rounding may have
//! cost it.
//!
//! Called by the segment, which rescores the candidates with the vectors.
//! Invariant: whatever is not returned is worse than the k-th best.

use lookalike_kernels::score::Rows;

use crate::hnsw::node_set::NodeSet;
use crate::quantise::{Cell, Codes, Target};

/// Rows measured at a time.
const BLOCK: usize = 128;

/// A node that may be among the best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    /// The least that its exact distance can be.
    pub at_least: f32,
    /// The most that its exact distance can be.
    at_most: f32,
    pub node: u32,
}

/// Which nodes a scan reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Range<'a> {
    /// All.
    All,
    /// All, of which these may be returned.
    Kept(&'a NodeSet),
    /// These only.
    Matches(&'a NodeSet),
}

/// The nodes that may be among the `k` nearest to the target, the most promising first.
pub(crate) fn scan<C: Cell>(
    codes: &Codes<C>,
    target: &Target<C>,
    range: Range<'_>,
    k: usize,
) -> Vec<Candidate> {
    let mut best = Best {
        codes,
        target,
        k,
        candidates: Vec::with_capacity(2 * k + BLOCK),
        limit: f32::INFINITY,
        slack: codes.largest_error_bound(target),
    };
    let mut distances = [0.0; BLOCK];
    match range {
        Range::All | Range::Kept(_) => {
            let keep = match range {
                Range::Kept(keep) => Some(keep),
                Range::All | Range::Matches(_) => None,
            };
            for first in (0..codes.len()).step_by(BLOCK) {
                let distances = &mut distances[..BLOCK.min(codes.len() - first)];
                codes.distances(target, Rows::From(first), distances);
                best.offer(distances, |at| (first + at) as u32, keep);
            }
        }
        Range::Matches(nodes) => {
            let mut list = Vec::with_capacity(BLOCK);
            let mut nodes = nodes.iter();
            loop {
                list.clear();
                list.extend(nodes.by_ref().take(BLOCK));
                if list.is_empty() {
                    break;
                }
                let distances = &mut distances[..list.len()];
                codes.distances(target, Rows::Listed(&list), distances);
                best.offer(distances, |at| list[at], None);
            }
        }
    }
    best.into_candidates()
}

struct Best<'a, C: Cell> {
    codes: &'a Codes<C>,
    target: &'a Target<C>,
    k: usize,
    candidates: Vec<Candidate>,
    /// At least k nodes are certainly at most this far.
    limit: f32,
    /// No distance is off by more.
    slack: f32,
}

impl<C: Cell> Best<'_, C> {
    /// Takes what may be among the best of a block.
    #[inline]
    fn offer(&mut self, distances: &[f32], node: impl Fn(usize) -> u32, keep: Option<&NodeSet>) {
        let mut worth = self.limit + self.slack;
        // One vectorised look that almost always ends the matter.
        let count: u32 = distances
            .iter()
            .map(|distance| u32::from(*distance <= worth))
            .sum();
        if count == 0 {
            return;
        }
        for (at, distance) in distances.iter().enumerate() {
            if *distance > worth {
                continue;
            }
            let node = node(at);
            if keep.is_some_and(|keep| !keep.contains(node)) {
                continue;
            }
            let error = self.codes.error_bound(self.target, node);
            if distance - error > self.limit {
                continue;
            }
            self.candidates.push(Candidate {
                at_least: distance - error,
                at_most: distance + error,
                node,
            });
            if self.candidates.len() == self.candidates.capacity() {
                self.cut();
                worth = self.limit + self.slack;
            }
        }
    }

    /// Finds how far the k-th best is at most and drops what is certainly farther.
    fn cut(&mut self) {
        if self.candidates.len() > self.k {
            let by_most = |a: &Candidate, b: &Candidate| a.at_most.total_cmp(&b.at_most);
            let (_, kth, _) = self.candidates.select_nth_unstable_by(self.k - 1, by_most);
            self.limit = kth.at_most;
            let limit = self.limit;
            self.candidates
                .retain(|candidate| candidate.at_least <= limit);
        }
        // Many equals may all have to stay: room for them keeps cuts rare.
        if self.candidates.len() * 2 > self.candidates.capacity() {
            self.candidates.reserve(self.candidates.len() + BLOCK);
        }
    }

    fn into_candidates(mut self) -> Vec<Candidate> {
        self.cut();
        let by_least = |a: &Candidate, b: &Candidate| a.at_least.total_cmp(&b.at_least);
        self.candidates.sort_unstable_by(by_least);
        self.candidates
    }
}
