//! Which candidates become links: near ones that lie in different directions.

use super::Near;
use crate::quantise::{Cell, Codes, Target};

/// Buffers for choosing links.
#[derive(Debug)]
pub(crate) struct Selector<C: Cell> {
    target: Target<C>,
    rows: Vec<u32>,
    distances: Vec<f32>,
}

/// Chosen links that a candidate is compared with in one call.
const GROUP: usize = 4;

impl<C: Cell> Selector<C> {
    pub fn new() -> Self {
        Self {
            target: Target::blank(),
            rows: Vec::new(),
            distances: Vec::new(),
        }
    }

    /// At most `count` of the candidates, sorted by their squared distance from a
    /// centre: each one that is nearer to the centre than to any chosen before (the
    /// heuristic of the paper's algorithm 4). The nearest is always chosen.
    /// `row` gives the row of a candidate's node.
    pub fn select(
        &mut self,
        codes: &Codes<C>,
        candidates: &[Near],
        count: usize,
        row: impl Fn(u32) -> u32,
    ) -> Vec<u32> {
        let mut chosen = Vec::with_capacity(count.min(candidates.len()));
        self.rows.clear();
        for candidate in candidates {
            if chosen.len() == count {
                break;
            }
            let at = row(candidate.node);
            codes.aim(at, &mut self.target);
            let own = codes.squared_norm(at);
            let apart = self.rows.chunks(GROUP).all(|group| {
                let distances = &mut [0.0; GROUP][..group.len()];
                codes.distances_between(&self.target, group, distances);
                distances
                    .iter()
                    .all(|distance| distance + own >= candidate.distance)
            });
            if apart {
                chosen.push(candidate.node);
                self.rows.push(at);
            }
        }
        chosen
    }

    /// The given nodes with their squared distances from a row, nearest first.
    pub fn around(
        &mut self,
        codes: &Codes<C>,
        centre: u32,
        nodes: &[u32],
        row: impl Fn(u32) -> u32,
    ) -> Vec<Near> {
        self.rows.clear();
        self.rows.extend(nodes.iter().map(|node| row(*node)));
        codes.aim(centre, &mut self.target);
        self.distances.resize(nodes.len(), 0.0);
        codes.distances_between(&self.target, &self.rows, &mut self.distances);
        let own = codes.squared_norm(centre);
        let near = |(node, distance): (&u32, &f32)| Near {
            distance: distance + own,
            node: *node,
        };
        let mut nears: Vec<Near> = nodes.iter().zip(&self.distances).map(near).collect();
        nears.sort_unstable_by(|a, b| a.order(*b));
        nears
    }
}
