//! Keeps every node within reach: pruning may cut the last link to one.

use super::walk::{Scratch, Walk};
use super::{Graph, NONE, Near};
use crate::quantise::{Cell, Codes, Target};

/// Candidates for linking a lost node.
const CANDIDATES: usize = 64;

/// No parent: not reached.
const LOST: u32 = u32::MAX;

/// Links every node of the lowest layer that cannot be reached from the entry to
/// a near one that can, in place of a link that reaches nothing new if need be.
pub(super) fn repair<C: Cell>(graph: &mut Graph, codes: &Codes<C>) {
    if graph.len() == 0 {
        return;
    }
    let mut tree = Tree::from(graph, base_entry(graph));
    let (mut scratch, mut target) = (Scratch::default(), Target::blank());
    for lost in 0..graph.len() as u32 {
        if tree.parents[lost as usize] != LOST {
            continue;
        }
        codes.aim(lost, &mut target);
        let walk = Walk {
            graph,
            codes,
            target: &target,
            between: true,
            entry: graph.entry(),
        };
        let start = walk.descend(0, &mut scratch);
        walk.search(0, start, CANDIDATES, &mut scratch);
        let near = scratch.pool.iter().map(|near: &Near| near.node);
        let any = tree.order.iter().copied();
        let place = near
            .chain(any)
            .filter(|node| tree.parents[*node as usize] != LOST)
            .find_map(|node| Some((node, tree.free_place(graph, node)?)));
        let (node, place) = place.expect("a tree has fewer links than its nodes have places");
        graph.links_mut(0, node)[place] = lost;
        tree.grow(graph, lost, node);
    }
}

/// The nodes in the order of a breadth-first walk: neighbours lie close together.
pub(crate) fn breadth_first(graph: &Graph) -> Vec<u32> {
    if graph.len() == 0 {
        return Vec::new();
    }
    Tree::from(graph, base_entry(graph)).order
}

/// The entry as a node of the lowest layer.
fn base_entry(graph: &Graph) -> u32 {
    let (level, node) = graph.entry();
    graph.row(level, node)
}

/// How each node is reached.
struct Tree {
    /// The node before each on its way from the entry; the entry's is itself.
    parents: Vec<u32>,
    /// The nodes reached.
    order: Vec<u32>,
}

impl Tree {
    fn from(graph: &Graph, root: u32) -> Self {
        let mut tree = Self {
            parents: vec![LOST; graph.len()],
            order: Vec::with_capacity(graph.len()),
        };
        tree.grow(graph, root, root);
        tree
    }

    /// Reaches a node from its parent, and all that is lost and reached from there.
    fn grow(&mut self, graph: &Graph, node: u32, parent: u32) {
        self.parents[node as usize] = parent;
        let mut next = self.order.len();
        self.order.push(node);
        while let Some(node) = self.order.get(next).copied() {
            next += 1;
            for link in graph
                .base_links(node)
                .iter()
                .take_while(|link| **link != NONE)
            {
                if self.parents[*link as usize] == LOST {
                    self.parents[*link as usize] = node;
                    self.order.push(*link);
                }
            }
        }
    }

    /// Where in a node's links a new one may go: the end, or else the last link by
    /// which nothing is reached.
    fn free_place(&self, graph: &Graph, node: u32) -> Option<usize> {
        let links = graph.base_links(node);
        let end = links.iter().position(|link| *link == NONE);
        let spare = |link: &u32| self.parents[*link as usize] != node;
        end.or_else(|| links.iter().rposition(spare))
    }
}
