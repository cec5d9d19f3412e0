//! A generation of the index: vectors that no longer change, their codes and
//! perhaps a graph over them.
//!
//! Built by `generation.rs` in the background, searched by all threads without a
//! lock. Only death changes it: a removed row is marked, and its node with it
//! when all of the node's rows are dead. Identical vectors are one node with a
//! list of rows, so a thousand copies of a placeholder image cost the graph no
//! more than one. Invariants: rows are ranked by ascending key; every row has one
//! node and every node at least one row.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::block::{Blocks, Moment, NOW};
use crate::generation::Recipe;
use crate::hnsw::node_set::NodeSet;
use crate::hnsw::tune::Tuning;
use crate::hnsw::walk::{Scratch, Walk};
use crate::hnsw::{Graph, Near};
use crate::keymap::KeyMap;
use crate::metric::Ranker;
use crate::quantise::{AnyCodes, Cell, Codes, Space, Target, with_codes};
use crate::scan::{self, Range};
use crate::topk::TopK;
use crate::{Bitmap, exact};

/// Marks a node whose rows are in the list of twins.
const TWINS: u32 = 1 << 31;

/// Vectors that no longer change.
#[derive(Debug)]
pub(crate) struct Segment {
    pub blocks: Blocks,
    pub keys: KeyMap,
    /// The slot of each row, by the rank of its key.
    pub slots: Vec<u32>,
    /// The node of each row, by the rank of its key.
    pub nodes: Vec<u32>,
    pub owners: Owners,
    pub codes: AnyCodes,
    pub graph: Option<Graph>,
    /// What the recall check found out about the graph.
    pub tuning: Tuning,
    /// One bit a node whose rows are all dead.
    dead_nodes: Vec<AtomicU64>,
    /// Of the rows that were alive when the segment was made, how many are dead.
    dead_rows: AtomicUsize,
    /// Whether some nodes were dead when the segment was made.
    has_ghosts: bool,
}

/// What a segment is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub blocks: Blocks,
    /// (key, slot, node) of every living row, ascending.
    pub rows: Vec<(u64, u32, u32)>,
    pub owners: Owners,
    pub codes: AnyCodes,
    pub graph: Option<Graph>,
    pub tuning: Tuning,
}

/// The rows of each node.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// The slot of a node's only row, or of one of its rows and [`TWINS`].
    slots: Vec<u32>,
    /// (node, slot) of all rows of nodes that have several, ascending.
    twins: Vec<(u32, u32)>,
}

impl Owners {
    /// The owners of nodes `0..count`, from the (node, slot) of every row, ascending.
    pub fn of(rows: &[(u32, u32)], count: usize) -> Self {
        let mut owners = Self {
            slots: vec![0; count],
            twins: Vec::new(),
        };
        for group in rows.chunk_by(|a, b| a.0 == b.0) {
            let (node, slot) = group[0];
            let several = group.len() > 1;
            owners.slots[node as usize] = slot | if several { TWINS } else { 0 };
            owners
                .twins
                .extend_from_slice(if several { group } else { &[] });
        }
        owners
    }

    pub fn parts(&self) -> (&[u32], &[(u32, u32)]) {
        (&self.slots, &self.twins)
    }

    pub fn from_parts(slots: Vec<u32>, twins: Vec<(u32, u32)>) -> Self {
        Self { slots, twins }
    }

    /// Whether every node has rows, and all of them are there.
    pub fn are_valid(&self, blocks: &Blocks) -> bool {
        let slots_exist = (0..self.slots.len() as u32).all(|node| {
            let mut slots = self.all_slots(node).peekable();
            slots.peek().is_some()
                && slots.all(|slot| blocks.has(slot))
                && blocks.has(self.slot(node))
        });
        self.twins.is_sorted() && slots_exist
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// A slot with the node's vector.
    pub fn slot(&self, node: u32) -> u32 {
        self.slots[node as usize] & !TWINS
    }

    /// The slots of a node's rows.
    pub fn all_slots(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let slot = self.slots[node as usize];
        let several = slot & TWINS != 0;
        let from = if several {
            self.twins.partition_point(|twin| twin.0 < node)
        } else {
            self.twins.len()
        };
        let twins = self.twins[from..]
            .iter()
            .take_while(move |twin| twin.0 == node);
        (!several)
            .then_some(slot)
            .into_iter()
            .chain(twins.map(|twin| twin.1))
    }

    pub fn bytes(&self) -> usize {
        size_of_val(&self.slots[..]) + size_of_val(&self.twins[..])
    }
}

/// What a search of a segment asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub ranker: &'a Ranker<'a>,
    pub vector: &'a [f32],
    pub k: usize,
    pub allowed: Option<&'a Bitmap>,
    /// Rows that died later still answer.
    pub now: Moment,
}

impl Ask<'_> {
    /// Whether a row may answer.
    pub fn may_answer(&self, key: u64, dead: bool) -> bool {
        !dead && self.allowed.is_none_or(|allowed| allowed.contains(key))
    }
}

/// How a segment is to be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Reads all codes.
    ScanAll,
    /// Reads the codes of what the filter keeps.
    ScanMatches,
    /// Walks the graph with a pool of `ef` nodes that the filter keeps; gives up
    /// after `budget` distances.
    Graph { ef: usize, budget: usize },
}

/// How many standard deviations a code's distance is trusted to be off at most,
/// when a walk's candidates are rescored: what was cut off by rounding is spread
/// over the dimensions by chance.
const CERTAINTY: f32 = 4.0;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Segment {
    pub fn new(parts: Parts) -> Self {
        let nodes = parts.owners.len();
        let mut segment = Self {
            has_ghosts: false,
            keys: KeyMap::of(parts.rows.iter().map(|row| row.0)),
            slots: parts.rows.iter().map(|row| row.1).collect(),
            nodes: parts.rows.iter().map(|row| row.2).collect(),
            blocks: parts.blocks,
            owners: parts.owners,
            codes: parts.codes,
            graph: parts.graph,
            tuning: parts.tuning,
            dead_nodes: (0..nodes.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            dead_rows: AtomicUsize::new(0),
        };
        for node in 0..nodes as u32 {
            segment.has_ghosts |= segment.bury(node);
        }
        segment
    }

    /// A segment without rows.
    pub fn empty(recipe: &Recipe) -> Self {
        let space = Space::origin(recipe.metric, recipe.dimension);
        Self::new(Parts {
            blocks: Blocks::new(recipe.dimension),
            rows: Vec::new(),
            owners: Owners::default(),
            codes: AnyCodes::F32(Codes::empty(space)),
            graph: None,
            tuning: Tuning::default(),
        })
    }

    /// Bytes in memory beside the blocks.
    pub fn bytes(&self) -> usize {
        self.keys.bytes()
            + size_of_val(&self.slots[..])
            + size_of_val(&self.nodes[..])
            + self.owners.bytes()
            + with_codes!(&self.codes, codes => codes.bytes())
            + self.graph.as_ref().map_or(0, Graph::bytes)
            + size_of_val(&self.dead_nodes[..])
    }

    /// Rows that are alive.
    pub fn live(&self) -> usize {
        self.slots.len() - self.dead_rows()
    }

    /// Rows that died since the segment was made.
    pub fn dead_rows(&self) -> usize {
        self.dead_rows.load(Ordering::Relaxed)
    }

    /// The slot of a living row.
    pub fn slot(&self, key: u64) -> Option<u32> {
        let slot = self.slots[self.keys.rank(key)?];
        (!self.blocks.is_dead(slot, NOW)).then_some(slot)
    }

    /// Lets a row die; true if it was there and lived.
    pub fn remove(&self, key: u64, now: Moment) -> bool {
        let Some(rank) = self.keys.rank(key) else {
            return false;
        };
        let killed = self.blocks.kill(self.slots[rank], now);
        if killed {
            self.dead_rows.fetch_add(1, Ordering::Relaxed);
            self.bury(self.nodes[rank]);
        }
        killed
    }

    /// Lets rows die that died while the segment was being made, if it has them.
    pub fn settle(&self, died: &HashSet<u64>, now: Moment) {
        for rank in died.iter().filter_map(|key| self.keys.rank(*key)) {
            self.blocks.kill(self.slots[rank], now);
            self.dead_rows.fetch_add(1, Ordering::Relaxed);
            self.bury(self.nodes[rank]);
        }
    }

    /// Marks a node dead if all its rows are; true if so.
    fn bury(&self, node: u32) -> bool {
        let mut slots = self.owners.all_slots(node);
        let dead = slots.all(|slot| self.blocks.is_dead(slot, NOW));
        if dead {
            self.dead_nodes[node as usize / 64].fetch_or(1 << (node % 64), Ordering::Relaxed);
        }
        dead
    }

    /// Scans the vectors themselves, for metrics that the codes do not serve.
    pub fn scan_vectors(&self, ask: &Ask<'_>, top: &mut TopK<u64>) {
        match ask.allowed {
            Some(allowed) if allowed.len() < self.slots.len() / 4 => {
                self.keys.for_each_rank(allowed, |rank| {
                    let slot = self.slots[rank];
                    if !self.blocks.is_dead(slot, ask.now) {
                        top.push(self.blocks.rank(ask.ranker, slot), self.blocks.key(slot));
                    }
                });
            }
            _ => self
                .blocks
                .list
                .iter()
                .for_each(|block| exact::scan(block, ask, top)),
        }
    }

    /// The nodes whose rows are all dead by now; `None` if there are none.
    pub fn dead_nodes(&self) -> Option<NodeSet> {
        let words = self
            .dead_nodes
            .iter()
            .map(|word| word.load(Ordering::Relaxed));
        (self.dead_rows() > 0 || self.has_ghosts).then(|| words.collect())
    }

    /// The nodes that have a row which may answer, given the dead nodes; `None` if all
    /// have.
    pub fn keep(&self, ask: &Ask<'_>, dead: Option<&NodeSet>) -> Option<NodeSet> {
        let Some(allowed) = ask.allowed else {
            return dead.map(|dead| dead.complement(self.owners.len()));
        };
        let mut keep = NodeSet::empty(self.owners.len());
        if self.dead_rows() == 0 {
            self.keys
                .for_each_rank(allowed, |rank| keep.insert(self.nodes[rank]));
        } else {
            // Of a node's rows, one may be allowed and dead and another alive.
            self.keys.for_each_rank(allowed, |rank| {
                if !self.blocks.is_dead(self.slots[rank], ask.now) {
                    keep.insert(self.nodes[rank]);
                }
            });
        }
        Some(keep)
    }

    /// Offers the rows of the nodes that a search finds. False if the search gave up
    /// at its budget: then nothing was offered.
    pub fn search(
        &self,
        ask: &Ask<'_>,
        way: Way,
        keep: Option<&NodeSet>,
        top: &mut TopK<u64>,
    ) -> bool {
        with_codes!(&self.codes, codes => {
            let target = codes.target(ask.vector);
            match way {
                Way::ScanAll | Way::ScanMatches => {
                    let range = match keep {
                        None => Range::All,
                        Some(keep) if way == Way::ScanMatches => Range::Matches(keep),
                        Some(keep) => Range::Kept(keep),
                    };
                    let candidates = scan::scan(codes, &target, range, ask.k);
                    for candidate in candidates {
                        if candidate.at_least > codes.distance_of(&target, top.floor()) {
                            break;
                        }
                        self.offer(candidate.node, ask, top);
                    }
                    true
                }
                Way::Graph { ef, budget } => SCRATCH.with_borrow_mut(|scratch| {
                    let Some(graph) = self.graph.as_ref().filter(|graph| graph.len() > 0) else {
                        return false;
                    };
                    let walk = Walk {
                        graph,
                        codes,
                        target: &target,
                        between: false,
                        entry: graph.entry(),
                    };
                    let found = walk.find(ef, keep, budget, scratch);
                    if found {
                        // A pool of all nodes is to leave nothing to chance.
                        let by_chance = CERTAINTY / (ask.vector.len() as f32).sqrt();
                        let certainty = if ef < graph.len() { by_chance.min(1.0) } else { 1.0 };
                        self.rescore(codes, &target, certainty, &scratch.pool, ask, top);
                    }
                    found
                }),
            }
        })
    }

    /// Offers the rows of a walk's nodes, nearest first, until the distances by code,
    /// trusted to a part of their error bound, leave no hope for the rest.
    fn rescore<C: Cell>(
        &self,
        codes: &Codes<C>,
        target: &Target<C>,
        certainty: f32,
        pool: &[Near],
        ask: &Ask<'_>,
        top: &mut TopK<u64>,
    ) {
        for near in pool {
            let error = certainty * codes.error_bound(target, near.node);
            if near.distance - error > codes.distance_of(target, top.floor()) {
                break;
            }
            self.offer(near.node, ask, top);
        }
    }

    /// Offers the rows of a node with their exact rank.
    fn offer(&self, node: u32, ask: &Ask<'_>, top: &mut TopK<u64>) {
        let rank = self.blocks.rank(ask.ranker, self.owners.slot(node));
        for slot in self.owners.all_slots(node) {
            let key = self.blocks.key(slot);
            if ask.may_answer(key, self.blocks.is_dead(slot, ask.now)) {
                top.push(rank, key);
            }
        }
    }
}
