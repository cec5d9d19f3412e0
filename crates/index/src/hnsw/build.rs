//! Making a graph, in parallel and with one result whatever the threads.
//!
//! Nodes join in batches. All nodes of a batch look for their links in the graph
//! as it was before the batch, and among the batch's nodes before them; then the
//! links are set, and each node that got new links chooses the best of them.
//! Every step reads what the step before wrote and nothing else, so threads
//! change the time only (the idea of `ParlayANN`, arXiv:2305.04359).

use std::sync::atomic::{AtomicBool, Ordering};

use lookalike_kernels::memory::Pages;
use rayon::prelude::*;

use super::select::Selector;
use super::walk::{Scratch, Walk};
use super::{Graph, Layer, NONE, Near, Shape, filled, reach};
use crate::quantise::{Cell, Codes, Target};

/// Most nodes that join at once.
const MAX_BATCH: usize = 256;

/// A batch is at most this part of the graph it joins, so that little of what it
/// should have seen is missing.
const BATCH_PART: usize = 16;

/// Layers above the lowest that a graph may have.
const MAX_LEVEL: usize = 12;

/// The construction was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped;

/// Links that a node has chosen in each of its layers, lowest first.
type Chosen = Vec<Vec<u32>>;

/// A node's number in each of its layers, lowest first.
type Numbers = Vec<u32>;

/// Adds rows `graph.len()..count` of the codes to a graph made with the same shape.
///
/// # Errors
/// [`Stopped`] if `stop` was set meanwhile.
pub(crate) fn extend<C: Cell>(
    graph: &Graph,
    codes: &Codes<C>,
    count: usize,
    shape: Shape,
    stop: &AtomicBool,
) -> Result<Graph, Stopped> {
    let mut joined = graph.len();
    let mut builder = Builder {
        graph: graph.with_room(count),
        codes,
        shape,
    };
    while joined < count {
        if stop.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        let size = (joined / BATCH_PART)
            .clamp(1, MAX_BATCH)
            .min(count - joined);
        builder.join(joined, size);
        joined += size;
    }
    reach::repair(&mut builder.graph, codes);
    Ok(builder.graph)
}

struct Builder<'a, C: Cell> {
    graph: Graph,
    codes: &'a Codes<C>,
    shape: Shape,
}

impl Graph {
    /// A copy with unlinked nodes up to `count`.
    fn with_room(&self, count: usize) -> Self {
        let mut base = Pages::zeroed(count * self.base_width);
        let (old, new) = base.split_at_mut(self.base.len());
        old.copy_from_slice(&self.base);
        new.fill(NONE);
        Self {
            base,
            base_width: self.base_width,
            upper: self.upper.clone(),
        }
    }
}

impl<C: Cell> Builder<'_, C> {
    /// Adds the nodes `first..first + size`.
    fn join(&mut self, first: usize, size: usize) {
        let entry = self.graph.entry();
        let rows = first..first + size;
        let batch: Vec<Numbers> = rows.map(|row| self.enter(row as u32)).collect();
        let chosen: Vec<Chosen> = (0..size)
            .into_par_iter()
            .map_init(
                || (Scratch::default(), Selector::new(), Target::blank()),
                |(scratch, selector, target), at| {
                    let old = (first > 0).then_some(entry);
                    self.choose(&batch[..=at], first as u32, old, scratch, selector, target)
                },
            )
            .collect();
        let mut backward = Vec::new();
        for (numbers, layers) in batch.iter().zip(&chosen) {
            for (level, (number, links)) in numbers.iter().zip(layers).enumerate() {
                self.graph.links_mut(level, *number)[..links.len()].copy_from_slice(links);
                backward.extend(links.iter().map(|link| (level, *link, *number)));
            }
        }
        backward.sort_unstable();
        let groups: Vec<_> = backward.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).collect();
        let updated: Vec<Vec<u32>> = groups
            .par_iter()
            .with_min_len(32)
            .map_init(Selector::new, |selector, group| {
                self.link_back(group, selector)
            })
            .collect();
        for (group, links) in groups.iter().zip(updated) {
            let list = self.graph.links_mut(group[0].0, group[0].1);
            list[..links.len()].copy_from_slice(&links);
            list[links.len()..].fill(NONE);
        }
    }

    /// Gives a row its place, without links, in the layers that chance gives it.
    fn enter(&mut self, row: u32) -> Numbers {
        let mut numbers = vec![row];
        for level in 0..level_of(row, self.shape.m) {
            if self.graph.upper.len() == level {
                self.graph.upper.push(Layer::default());
            }
            let layer = &mut self.graph.upper[level];
            layer.rows.push(row);
            layer.below.push(numbers[level]);
            layer.links.resize(layer.rows.len() * self.shape.m, NONE);
            numbers.push((layer.rows.len() - 1) as u32);
        }
        numbers
    }

    /// The links of the last node of the batch, whose first row is `first`: among the
    /// nodes before it and, from `entry`, those of the graph before the batch.
    fn choose(
        &self,
        batch: &[Numbers],
        first: u32,
        entry: Option<(usize, u32)>,
        scratch: &mut Scratch,
        selector: &mut Selector<C>,
        target: &mut Target<C>,
    ) -> Chosen {
        let (numbers, before) = batch.split_last().expect("the node itself");
        let row = numbers[0];
        let own = self.codes.squared_norm(row);
        self.codes.aim(row, target);
        let companions: Vec<u32> = (first..row).collect();
        let mut distances = vec![0.0; companions.len()];
        self.codes
            .distances_between(target, &companions, &mut distances);

        let mut walk = entry.map(|entry| Walk {
            graph: &self.graph,
            codes: self.codes,
            target,
            between: true,
            entry,
        });
        let mut start = None;
        let mut chosen = vec![Vec::new(); numbers.len()];
        for level in (0..numbers.len()).rev() {
            scratch.pool.clear();
            if let Some(walk) = walk.as_mut().filter(|walk| level <= walk.entry.0) {
                let from = start.unwrap_or_else(|| walk.descend(level, scratch));
                walk.search(level, from, self.shape.ef_construction, scratch);
                start = level.checked_sub(1).map(|above| {
                    let below = &self.graph.upper[above].below;
                    let lower = |near: Near| Near {
                        node: below[near.node as usize],
                        ..near
                    };
                    [lower(scratch.pool[0]), lower(from[1])]
                });
            }
            for (companion, distance) in before.iter().zip(&distances) {
                if let Some(node) = companion.get(level) {
                    scratch.pool.push(Near {
                        distance: *distance,
                        node: *node,
                    });
                }
            }
            scratch.pool.sort_unstable_by(|a, b| a.order(*b));
            scratch.pool.truncate(self.shape.ef_construction);
            for near in &mut scratch.pool {
                near.distance += own;
            }
            let row = |node| self.graph.row(level, node);
            chosen[level] = selector.select(self.codes, &scratch.pool, self.shape.m, row);
        }
        chosen
    }

    /// The links of a node after others have linked to it, each of them given as
    /// (layer, node, other), and all for the same node.
    fn link_back(&self, group: &[(usize, u32, u32)], selector: &mut Selector<C>) -> Vec<u32> {
        let (level, node, _) = group[0];
        let list = self.graph.links(level, node);
        let mut links = filled(list).to_vec();
        for (_, _, other) in group {
            if !links.contains(other) {
                links.push(*other);
            }
        }
        if links.len() > list.len() {
            let row = |node| self.graph.row(level, node);
            let nears = selector.around(self.codes, row(node), &links, row);
            links = selector.select(self.codes, &nears, list.len(), row);
        }
        links
    }
}

/// In how many layers above the lowest a row is: geometrically distributed, by a
/// fixed hash of its number.
fn level_of(row: u32, m: usize) -> usize {
    let mut bits = (u64::from(row) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    let uniform = ((bits >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
    let level = -uniform.ln() / (m.max(2) as f64).ln();
    (level as usize).min(MAX_LEVEL)
}
