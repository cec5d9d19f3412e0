//! Searching a graph: greedily down the upper layers, then best first among the
//! nodes of the lowest with a pool of candidates.
//!
//! Memory decides the speed: a step collects a node's unseen neighbours without
//! branches, measures them in one call that asks for their codes ahead, and asks
//! for the links of those that enter the pool before they are needed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use lookalike_kernels::score::{Rows, prefetch};

use super::node_set::NodeSet;
use super::{Graph, NONE, Near};
use crate::quantise::{Cell, Codes, Target};

/// Marks a node of the pool whose neighbours were looked at.
const DONE: u32 = 1 << 31;

/// Buffers that searches reuse.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    seen: NodeSet,
    /// The nodes found by the last search, nearest first.
    pub pool: Vec<Near>,
    fresh: Vec<u32>,
    rows: Vec<u32>,
    distances: Vec<f32>,
    frontier: BinaryHeap<Reverse<Ranked>>,
    best: BinaryHeap<Ranked>,
    /// Distances measured since it was last set to zero.
    pub measured: usize,
}

/// A [`Near`] that sorts by distance.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ranked(Near);

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.order(other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A graph with the codes of its nodes and what is looked for.
#[derive(Debug)]
pub(crate) struct Walk<'a, C: Cell> {
    pub graph: &'a Graph,
    pub codes: &'a Codes<C>,
    pub target: &'a Target<C>,
    /// Whether the target is a row of the codes.
    pub between: bool,
    /// The layer and its node where searches start.
    pub entry: (usize, u32),
}

impl<C: Cell> Walk<'_, C> {
    /// Leaves the nearest `ef` nodes that a search finds, of those kept, in
    /// `scratch.pool`. False if a filtered search gave up at its budget of distances.
    pub fn find(
        &self,
        ef: usize,
        keep: Option<&NodeSet>,
        budget: usize,
        scratch: &mut Scratch,
    ) -> bool {
        let start = self.descend(0, scratch);
        if let Some(keep) = keep {
            return self.search_kept(start, ef, keep, budget, scratch);
        }
        self.search(0, start, ef, scratch);
        true
    }

    /// Where to begin in `level`, which is not above the entry: the nearest node
    /// found in the layers above, and the entry itself, from which all is reached.
    /// The graph has nodes.
    pub fn descend(&self, level: usize, scratch: &mut Scratch) -> [Near; 2] {
        let (top, node) = self.entry;
        scratch.fresh.clear();
        scratch.fresh.push(node);
        self.measure(top, scratch);
        let mut best = Near {
            distance: scratch.distances[0],
            node,
        };
        let mut origin = best;
        for level in (level + 1..=top).rev() {
            loop {
                scratch.fresh.clear();
                let links = self.graph.links(level, best.node).iter();
                scratch
                    .fresh
                    .extend(links.take_while(|link| **link != NONE));
                self.measure(level, scratch);
                let before = best;
                for (node, distance) in scratch.fresh.iter().zip(&scratch.distances) {
                    if *distance < best.distance {
                        best = Near {
                            distance: *distance,
                            node: *node,
                        };
                    }
                }
                if best == before {
                    break;
                }
            }
            let below = &self.graph.upper[level - 1].below;
            best.node = below[best.node as usize];
            origin.node = below[origin.node as usize];
        }
        [best, origin]
    }

    /// Leaves the `ef` nearest nodes of a layer that a search from `start` finds in
    /// `scratch.pool`, nearest first.
    pub fn search(&self, level: usize, start: [Near; 2], ef: usize, scratch: &mut Scratch) {
        scratch.seen.reset(self.nodes(level));
        scratch.pool.clear();
        for near in start {
            if scratch.seen.insert_new(near.node) == 1 && scratch.pool.len() < ef {
                scratch.pool.push(near);
            }
        }
        let mut next = 0;
        while next < scratch.pool.len() {
            let node = scratch.pool[next].node;
            if node & DONE != 0 {
                next += 1;
                continue;
            }
            scratch.pool[next].node |= DONE;
            self.collect(level, node, scratch);
            self.measure(level, scratch);
            let mut lowest = usize::MAX;
            for (node, distance) in scratch.fresh.iter().zip(&scratch.distances) {
                let full = scratch.pool.len() == ef;
                if full && scratch.pool[ef - 1].distance <= *distance {
                    continue;
                }
                let at = scratch
                    .pool
                    .partition_point(|near| near.distance <= *distance);
                if full {
                    scratch.pool.pop();
                }
                scratch.pool.insert(
                    at,
                    Near {
                        distance: *distance,
                        node: *node,
                    },
                );
                lowest = lowest.min(at);
                prefetch(self.graph.links(level, *node));
            }
            next = if lowest <= next { lowest } else { next + 1 };
        }
        for near in &mut scratch.pool {
            near.node &= !DONE;
        }
    }

    /// As [`Walk::search`] in the lowest layer, but only nodes of `keep` enter the
    /// pool; the walk goes through all. False, with the pool undefined, if it
    /// measured more than `budget` distances without an end.
    pub fn search_kept(
        &self,
        start: [Near; 2],
        ef: usize,
        keep: &NodeSet,
        budget: usize,
        scratch: &mut Scratch,
    ) -> bool {
        let budget = scratch.measured.saturating_add(budget);
        scratch.seen.reset(self.nodes(0));
        scratch.frontier.clear();
        scratch.best.clear();
        for near in start {
            if scratch.seen.insert_new(near.node) == 1 {
                scratch.frontier.push(Reverse(Ranked(near)));
                if keep.contains(near.node) && scratch.best.len() < ef {
                    scratch.best.push(Ranked(near));
                }
            }
        }
        while let Some(Reverse(Ranked(near))) = scratch.frontier.pop() {
            let worst = scratch
                .best
                .peek()
                .map_or(f32::INFINITY, |worst| worst.0.distance);
            if scratch.best.len() >= ef && near.distance > worst {
                break;
            }
            if scratch.measured > budget {
                return false;
            }
            self.collect(0, near.node, scratch);
            self.measure(0, scratch);
            for (node, distance) in scratch.fresh.iter().zip(&scratch.distances) {
                let worst = scratch
                    .best
                    .peek()
                    .map_or(f32::INFINITY, |worst| worst.0.distance);
                if scratch.best.len() >= ef && *distance >= worst {
                    continue;
                }
                let near = Ranked(Near {
                    distance: *distance,
                    node: *node,
                });
                scratch.frontier.push(Reverse(near));
                if keep.contains(*node) {
                    scratch.best.push(near);
                    if scratch.best.len() > ef {
                        scratch.best.pop();
                    }
                }
            }
        }
        scratch.pool.clear();
        scratch
            .pool
            .extend(scratch.best.drain().map(|ranked| ranked.0));
        scratch.pool.sort_unstable_by(|a, b| a.order(*b));
        true
    }

    /// Leaves the neighbours of a node that were not seen yet in `scratch.fresh`.
    #[inline]
    fn collect(&self, level: usize, node: u32, scratch: &mut Scratch) {
        let links = self.graph.links(level, node);
        scratch.fresh.resize(links.len(), 0);
        let mut count = 0;
        for link in links {
            if *link == NONE {
                break;
            }
            scratch.fresh[count] = *link;
            count += scratch.seen.insert_new(*link);
        }
        scratch.fresh.truncate(count);
    }

    /// Leaves the distances of `scratch.fresh` in `scratch.distances`.
    #[inline]
    fn measure(&self, level: usize, scratch: &mut Scratch) {
        scratch.measured += scratch.fresh.len();
        scratch.distances.resize(scratch.fresh.len(), 0.0);
        let rows = if level == 0 {
            &scratch.fresh
        } else {
            scratch.rows.clear();
            let fresh = scratch.fresh.iter();
            scratch
                .rows
                .extend(fresh.map(|node| self.graph.row(level, *node)));
            &scratch.rows
        };
        if self.between {
            self.codes
                .distances_between(self.target, rows, &mut scratch.distances);
        } else {
            self.codes
                .distances(self.target, Rows::Listed(rows), &mut scratch.distances);
        }
    }

    fn nodes(&self, level: usize) -> usize {
        match level.checked_sub(1) {
            None => self.graph.len(),
            Some(above) => self.graph.upper[above].rows.len(),
        }
    }
}
