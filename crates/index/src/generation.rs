//! Makes a segment from stored vectors, out of the former one if there is one.
//!
//! Called in the background by `index.rs`, and by the snapshot's reader when a
//! file lacks what can be computed. A former segment is extended as long as it
//! is healthy: its codes and links are copied and the new vectors join. It is
//! laid out anew, with a fresh mean and in an order that puts neighbours close
//! together, whenever it has doubled, and made from nothing when too many of its
//! rows are dead. Invariant: the result depends on the stored rows and the
//! recipe only, not on threads or time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use crate::Metric;
use crate::block::{Block, Blocks, Moment};
use crate::hnsw::build::{Stopped, extend};
use crate::hnsw::node_set::NodeSet;
use crate::hnsw::reach::breadth_first;
use crate::hnsw::tune::{Check, Tuning};
use crate::hnsw::{Graph, Shape};
use crate::metric::Ranker;
use crate::quantise::{AnyCodes, Cell, Codes, Precision, Space, Vectors, with_codes};
use crate::segment::{Owners, Parts, Segment};

/// How segments are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    pub dimension: usize,
    pub metric: Metric,
    pub precision: Precision,
    pub shape: Shape,
    /// Codes of fewer bytes are scanned, without a graph.
    pub graph_min_bytes: usize,
    /// The recall that a search of the graph should have.
    pub target_recall: f64,
}

impl Recipe {
    /// Bytes of codes that a vector takes.
    fn code_bytes(&self) -> usize {
        let cell = match self.precision {
            Precision::Int8 => 1,
            Precision::Bf16 => 2,
            Precision::F32 => 4,
        };
        cell * self.dimension
    }
}

/// A part of dead rows above which a segment is made from nothing.
const MAX_DEAD: f64 = 0.2;

/// A segment that has grown by this factor since it was laid out is laid out anew.
const RELAYOUT_GROWTH: usize = 2;

/// Vectors set aside for the recall check of a new graph, at most.
const MAX_HELD: usize = 192;

/// How far from a stored vector the strangers are that the check asks for, in distances from the centre.
const STRANGENESS: f32 = 2.0;

/// A graph is checked again when it has grown by a part of this since.
const RECHECK_PART: usize = 8;

/// A segment of the rows of the former one and of further blocks that lived at a
/// moment.
///
/// # Errors
/// [`Stopped`] if `stop` was set meanwhile.
pub(crate) fn make(
    former: &Segment,
    further: &[Arc<Block>],
    now: Moment,
    recipe: &Recipe,
    stop: &AtomicBool,
) -> Result<Segment, Stopped> {
    let mut blocks = former.blocks.clone();
    let first_new = blocks.list.len();
    blocks.list.extend_from_slice(further);
    let dead: usize = blocks.list.iter().map(|block| block.dead_count()).sum();
    let all: usize = blocks.list.iter().map(|block| block.len()).sum();
    if is_mostly_dead(dead, all) {
        let mut draft = Draft::blank(compacted(&blocks, recipe.dimension, now));
        draft.add(0, now);
        return carry_out(draft, None, recipe, stop);
    }
    let mut draft = Draft::of(former, blocks, now);
    draft.add(first_new, now);
    let healthy = former.owners.len() > 0;
    carry_out(draft, healthy.then_some(former), recipe, stop)
}

/// Whether so many dead rows among so many call for making a segment from nothing.
pub(crate) fn is_mostly_dead(dead: usize, all: usize) -> bool {
    dead as f64 > MAX_DEAD * all as f64
}

/// The living rows of some blocks, copied into new ones in the order of their keys.
fn compacted(blocks: &Blocks, dimension: usize, now: Moment) -> Blocks {
    let mut living: Vec<(u64, u32)> = blocks
        .slots()
        .filter(|slot| !blocks.is_dead(*slot, now))
        .map(|slot| (blocks.key(slot), slot))
        .collect();
    living.sort_unstable();
    let mut compact = Blocks::new(dimension);
    for rows in living.chunks(compact.rows_per_block()) {
        let mut block = Block::new(dimension);
        for (key, slot) in rows {
            block.push(*key, blocks.vector(*slot), blocks.squared_norm(*slot));
        }
        compact.list.push(Arc::new(block));
    }
    compact
}

/// What a segment will hold, before codes and links.
struct Draft {
    blocks: Blocks,
    /// (key, slot, node) of every living row.
    rows: Vec<(u64, u32, u32)>,
    /// A slot with the vector of each node.
    nodes: Vec<u32>,
}

impl Vectors for Draft {
    fn count(&self) -> usize {
        self.nodes.len()
    }

    fn vector(&self, node: usize) -> &[f32] {
        self.blocks.vector(self.nodes[node])
    }
}

/// The nodes of a draft from one on.
struct Later<'a>(&'a Draft, usize);

impl Vectors for Later<'_> {
    fn count(&self) -> usize {
        self.0.count() - self.1
    }

    fn vector(&self, node: usize) -> &[f32] {
        self.0.vector(self.1 + node)
    }
}

impl Draft {
    fn blank(blocks: Blocks) -> Self {
        Self {
            blocks,
            rows: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// The living rows of a segment, and all its nodes.
    fn of(former: &Segment, blocks: Blocks, now: Moment) -> Self {
        let rows = former.slots.iter().zip(&former.nodes);
        Self {
            rows: rows
                .filter(|(slot, _)| !blocks.is_dead(**slot, now))
                .map(|(slot, node)| (blocks.key(*slot), *slot, *node))
                .collect(),
            nodes: (0..former.owners.len() as u32)
                .map(|node| former.owners.slot(node))
                .collect(),
            blocks,
        }
    }

    /// Adds the living rows of the blocks from one on. A row whose vector a node has
    /// already joins that node.
    fn add(&mut self, first_block: usize, now: Moment) {
        let first = self.blocks.slot(first_block, 0);
        let slots: Vec<u32> = self
            .blocks
            .slots()
            .filter(|slot| *slot >= first && !self.blocks.is_dead(*slot, now))
            .collect();
        let hash_of = |slot: &u32| hash(self.blocks.vector(*slot));
        let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, hash) in slots
            .par_iter()
            .map(hash_of)
            .collect::<Vec<_>>()
            .into_iter()
            .enumerate()
        {
            by_hash.entry(hash).or_default().push(at);
        }
        let equal = |a: u32, b: u32| self.blocks.vector(a) == self.blocks.vector(b);
        let mut node_of: Vec<Option<u32>> = vec![None; slots.len()];
        let known: Vec<(u32, u64)> = self
            .nodes
            .par_iter()
            .enumerate()
            .map(|(node, slot)| (node as u32, hash_of(slot)))
            .filter(|(_, hash)| by_hash.contains_key(hash))
            .collect();
        for (node, hash) in known {
            for at in &by_hash[&hash] {
                if equal(self.nodes[node as usize], slots[*at]) {
                    node_of[*at] = Some(node);
                }
            }
        }
        let mut new_nodes = Vec::new();
        for at in 0..slots.len() {
            let node = node_of[at].unwrap_or_else(|| {
                let node = (self.nodes.len() + new_nodes.len()) as u32;
                new_nodes.push(slots[at]);
                for twin in &by_hash[&hash_of(&slots[at])] {
                    if equal(slots[at], slots[*twin]) {
                        node_of[*twin] = Some(node);
                    }
                }
                node
            });
            self.rows
                .push((self.blocks.key(slots[at]), slots[at], node));
        }
        self.nodes.extend(new_nodes);
    }

    /// Numbers the nodes anew, `order[new] = old`.
    fn reorder(&mut self, order: &[u32]) {
        let mut new_of = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            new_of[*old as usize] = new as u32;
        }
        self.nodes = order.iter().map(|old| self.nodes[*old as usize]).collect();
        for row in &mut self.rows {
            row.2 = new_of[row.2 as usize];
        }
    }

    /// The rows of each node; a node without living rows keeps a dead one.
    fn owners(&self) -> Owners {
        let mut rows: Vec<(u32, u32)> = self.rows.iter().map(|row| (row.2, row.1)).collect();
        let mut owned = NodeSet::empty(self.nodes.len());
        for row in &rows {
            owned.insert(row.0);
        }
        let nodes = (0_u32..).zip(&self.nodes);
        rows.extend(
            nodes
                .filter(|(node, _)| !owned.contains(*node))
                .map(|(node, slot)| (node, *slot)),
        );
        rows.sort_unstable();
        Owners::of(&rows, self.nodes.len())
    }
}

/// Computes what a draft lacks. Nodes that a former segment has keep their numbers
/// up to here.
fn carry_out(
    mut draft: Draft,
    former: Option<&Segment>,
    recipe: &Recipe,
    stop: &AtomicBool,
) -> Result<Segment, Stopped> {
    let count = draft.nodes.len();
    let mut tuning = former.map_or_else(Tuning::default, |former| former.tuning);
    let worth_it = count * recipe.code_bytes() >= recipe.graph_min_bytes
        && (tuning.rejected == 0 || count >= RELAYOUT_GROWTH * tuning.rejected);
    let links = former.and_then(|former| former.graph.as_ref());
    if worth_it && links.is_none() {
        draft.reorder(&shuffled(count));
    }
    let stable = worth_it == links.is_some() && count < RELAYOUT_GROWTH * tuning.laid_out;
    let former = former.filter(|_| stable || links.is_some());
    let kept_codes = former.filter(|_| stable).map(|former| &former.codes);
    if !stable {
        tuning.laid_out = count;
    }
    let new_space = || Space::around(recipe.metric, recipe.dimension, &draft);
    let codes = match (kept_codes, recipe.precision) {
        (Some(codes), _) => match codes {
            AnyCodes::Int8(codes) => AnyCodes::Int8(codes.extended(&Later(&draft, codes.len()))),
            AnyCodes::Bf16(codes) => AnyCodes::Bf16(codes.extended(&Later(&draft, codes.len()))),
            AnyCodes::F32(codes) => AnyCodes::F32(codes.extended(&Later(&draft, codes.len()))),
        },
        (None, Precision::Int8) => AnyCodes::Int8(Codes::empty(new_space()).extended(&draft)),
        (None, Precision::Bf16) => AnyCodes::Bf16(Codes::empty(new_space()).extended(&draft)),
        (None, Precision::F32) => AnyCodes::F32(Codes::empty(new_space()).extended(&draft)),
    };
    let mut graph = None;
    if worth_it {
        let blank = Graph::new(recipe.shape);
        let made = with_codes!(&codes, codes => {
            link(&draft, codes, links.unwrap_or(&blank), recipe, &mut tuning, stop)?
        });
        graph = (tuning.ef[0] > 0).then_some(made);
    }
    let (mut codes, mut graph) = (codes, graph);
    if !stable && let Some(linked) = &graph {
        let order = breadth_first(linked);
        codes = match codes {
            AnyCodes::Int8(codes) => AnyCodes::Int8(codes.reordered(&order)),
            AnyCodes::Bf16(codes) => AnyCodes::Bf16(codes.reordered(&order)),
            AnyCodes::F32(codes) => AnyCodes::F32(codes.reordered(&order)),
        };
        graph = Some(linked.reordered(&order));
        draft.reorder(&order);
    }
    draft.rows.sort_unstable();
    Ok(Segment::new(Parts {
        owners: draft.owners(),
        blocks: draft.blocks,
        rows: draft.rows,
        codes,
        graph,
        tuning,
    }))
}

/// Lets the nodes that a graph lacks join it, and checks its recall when it is new
/// or has grown.
fn link<C: Cell>(
    draft: &Draft,
    codes: &Codes<C>,
    graph: &Graph,
    recipe: &Recipe,
    tuning: &mut Tuning,
    stop: &AtomicBool,
) -> Result<Graph, Stopped> {
    let count = codes.len();
    let held = MAX_HELD.min((count - graph.len()) / 2);
    if count < tuning.checked + tuning.checked / RECHECK_PART || held == 0 {
        return extend(graph, codes, count, recipe.shape, stop);
    }
    let graph = extend(graph, codes, count - held, recipe.shape, stop)?;
    let held = (count - held..count).map(|node| draft.vector(node).to_vec());
    let held: Vec<Vec<f32>> = held.collect();
    let rank = |query: &[f32], node: u32| {
        let ranker = Ranker::new(recipe.metric, recipe.dimension, query);
        ranker.map_or(f32::NEG_INFINITY, |ranker| {
            draft.blocks.rank(&ranker, draft.nodes[node as usize])
        })
    };
    let check = Check {
        graph: &graph,
        codes,
        rank: &rank,
    };
    let (alike, measured) = check.run(&held, recipe.target_recall);
    // Strangers may miss twice as much.
    let (strange, _) = check.run(&strangers(&held), 2.0 * recipe.target_recall - 1.0);
    tuning.measured = measured;
    tuning.ef = [0, 1].map(|which| match (alike[which], strange[which]) {
        (0, _) | (_, 0) => 0,
        (alike, strange) => alike.max(strange),
    });
    tuning.checked = count;
    tuning.rejected = if tuning.ef[0] == 0 { count } else { 0 };
    extend(&graph, codes, count, recipe.shape, stop)
}

/// Queries of another kind than what is stored, as CLIP's texts are beside its pictures (Liang et al. 2022, "Mind the
/// Gap"): each vector moved by chance to [`STRANGENESS`] times its distance from the centre. They need a wider search.
fn strangers(vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut centre = vec![0.0; vectors[0].len()];
    for vector in vectors {
        for (sum, value) in centre.iter_mut().zip(vector) {
            *sum += value / vectors.len() as f32;
        }
    }
    let norm = |vector: &[f32]| vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    let mut random = Xorshift::default();
    let mut stranger = |vector: &Vec<f32>| {
        let offset: Vec<f32> = vector.iter().zip(&centre).map(|(a, b)| a - b).collect();
        let aside: Vec<f32> = vector.iter().map(|_| random.about_normal()).collect();
        let scale = STRANGENESS * norm(&offset) / norm(&aside).max(f32::MIN_POSITIVE);
        let moved = vector.iter().zip(aside);
        moved.map(|(value, aside)| value + scale * aside).collect()
    };
    vectors.iter().map(&mut stranger).collect()
}

/// Numbers of chance that are always the same (Marsaglia 2003).
struct Xorshift(u64);

impl Default for Xorshift {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// The sum of four uniform numbers around 0.
    fn about_normal(&mut self) -> f32 {
        let drawn = self.next();
        let uniform = |part: u32| f32::from((drawn >> (16 * part)) as u16) - 32_767.5;
        (0..4).map(uniform).sum()
    }
}

/// The numbers below `count` in an order of chance that is always the same.
fn shuffled(count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    let mut random = Xorshift::default();
    for last in (1..count).rev() {
        order.swap(last, (random.next() % (last as u64 + 1)) as usize);
    }
    order
}

/// A hash of a vector; equal vectors have equal hashes, zeros of either sign too.
fn hash(vector: &[f32]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut lanes = [FACTOR; 8];
    for chunk in vector.chunks(8) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            // + 0.0 turns -0.0 into 0.0
            *lane = (*lane ^ u64::from((value + 0.0).to_bits()))
                .wrapping_mul(FACTOR)
                .rotate_left(29);
        }
    }
    lanes.iter().fold(0, |hash, lane| {
        (hash ^ lane).wrapping_mul(FACTOR).rotate_left(31)
    })
}
