//! A graph of near neighbours in layers (HNSW: Malkov and Yashunin 2016,
//! arXiv:1603.09320) over the codes of a segment, in flat arrays.
//!
//! [`build`] makes one, [`walk`] searches it. Nodes are rows of the codes.
//! Invariants: every node of the lowest layer can be reached from the entry
//! ([`reach`] repairs what pruning cut off); a list of links has no gap and ends
//! at [`NONE`] or at its capacity; a node of a layer is in all layers below.

pub(crate) mod build;
pub(crate) mod node_set;
pub(crate) mod reach;
mod select;
pub(crate) mod tune;
pub(crate) mod walk;

use lookalike_kernels::memory::Pages;

/// Ends a list of links that is not full.
pub(crate) const NONE: u32 = u32::MAX;

/// How a graph is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Links that a new node asks for in a layer; the lowest keeps twice as many.
    pub m: usize,
    /// Candidates that a new node's links are chosen from.
    pub ef_construction: usize,
}

/// The layers, lowest first.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Shape `[nodes, 2 m]`.
    base: Pages<u32>,
    base_width: usize,
    upper: Vec<Layer>,
}

/// A layer above the lowest. Its nodes have numbers of their own.
#[derive(Debug, Default, Clone)]
pub(crate) struct Layer {
    /// The row of each node.
    pub rows: Vec<u32>,
    /// The number of each node in the layer below.
    pub below: Vec<u32>,
    /// Shape `[rows.len(), m]`, numbers of this layer.
    pub links: Vec<u32>,
}

/// A node with its distance to what is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Near {
    pub distance: f32,
    /// The node's number in its layer.
    pub node: u32,
}

impl Near {
    /// Nearest first, equals by number.
    pub fn order(self, other: Self) -> std::cmp::Ordering {
        self.distance
            .total_cmp(&other.distance)
            .then(self.node.cmp(&other.node))
    }
}

impl Graph {
    /// No nodes yet.
    pub fn new(shape: Shape) -> Self {
        Self {
            base: Pages::default(),
            base_width: 2 * shape.m,
            upper: Vec::new(),
        }
    }

    /// The links of the lowest layer and the layers above it.
    pub fn parts(&self) -> (&[u32], &[Layer]) {
        (&self.base, &self.upper)
    }

    pub fn from_parts(shape: Shape, base: Pages<u32>, upper: Vec<Layer>) -> Self {
        Self {
            base,
            base_width: 2 * shape.m,
            upper,
        }
    }

    /// Whether a graph that was written before is one of so many nodes, and all its
    /// links lead to nodes.
    pub fn is_valid(&self, nodes: usize) -> bool {
        let below = |count: usize| move |node: &u32| (*node as usize) < count;
        let leads = |count: usize| move |link: &u32| *link == NONE || (*link as usize) < count;
        let mut lower = nodes;
        let upper = self.upper.iter().all(|layer| {
            let count = layer.rows.len();
            let fits = count > 0
                && layer.below.len() == count
                && layer.links.len() == count * self.base_width / 2
                && layer.rows.iter().all(below(nodes))
                && layer.below.iter().all(below(lower))
                && layer.links.iter().all(leads(count));
            lower = count;
            fits
        });
        upper && self.base.len() == nodes * self.base_width && self.base.iter().all(leads(nodes))
    }

    /// How many nodes the lowest layer has.
    pub fn len(&self) -> usize {
        self.base.len() / self.base_width.max(1)
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        let upper = self
            .upper
            .iter()
            .map(|layer| 4 * (layer.rows.len() + layer.below.len() + layer.links.len()));
        size_of_val(&self.base[..]) + upper.sum::<usize>()
    }

    /// The links of a node of the lowest layer, [`NONE`]s at the end included.
    fn base_links(&self, node: u32) -> &[u32] {
        &self.base[node as usize * self.base_width..][..self.base_width]
    }

    /// The links of a node of layer `level`.
    fn links(&self, level: usize, node: u32) -> &[u32] {
        match level.checked_sub(1) {
            None => self.base_links(node),
            Some(above) => self.upper[above].links(node, self.base_width / 2),
        }
    }

    fn links_mut(&mut self, level: usize, node: u32) -> &mut [u32] {
        let (width, m) = (self.base_width, self.base_width / 2);
        match level.checked_sub(1) {
            None => &mut self.base[node as usize * width..][..width],
            Some(above) => &mut self.upper[above].links[node as usize * m..][..m],
        }
    }

    /// The row of a node of layer `level`.
    fn row(&self, level: usize, node: u32) -> u32 {
        match level.checked_sub(1) {
            None => node,
            Some(above) => self.upper[above].rows[node as usize],
        }
    }

    /// Where searches start: the highest layer and its first node.
    pub fn entry(&self) -> (usize, u32) {
        (self.upper.len(), 0)
    }

    /// The same graph for rows in another order, `order[new] = old`.
    pub fn reordered(&self, order: &[u32]) -> Self {
        let mut new_of = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            new_of[*old as usize] = u32::try_from(new).expect("rows are numbered by u32");
        }
        let renumber = |old: u32| {
            if old == NONE {
                NONE
            } else {
                new_of[old as usize]
            }
        };
        let mut base = Pages::zeroed(self.base.len());
        for (to, old) in base.chunks_exact_mut(self.base_width).zip(order) {
            for (to, link) in to.iter_mut().zip(self.base_links(*old)) {
                *to = renumber(*link);
            }
        }
        let mut upper = self.upper.clone();
        for (level, layer) in upper.iter_mut().enumerate() {
            layer.rows.iter_mut().for_each(|row| *row = renumber(*row));
            if level == 0 {
                layer.below.clone_from(&layer.rows);
            }
        }
        Self {
            base,
            base_width: self.base_width,
            upper,
        }
    }
}

impl Layer {
    fn links(&self, node: u32, m: usize) -> &[u32] {
        &self.links[node as usize * m..][..m]
    }
}

/// The links of a list before its end.
fn filled(links: &[u32]) -> &[u32] {
    let length = links
        .iter()
        .position(|link| *link == NONE)
        .unwrap_or(links.len());
    &links[..length]
}

#[cfg(test)]
mod tests;
