use std::sync::atomic::AtomicBool;

use super::build::{Stopped, extend};
use super::node_set::NodeSet;
use super::reach::breadth_first;
use super::walk::{Scratch, Walk};
use super::*;
use crate::Metric;
use crate::quantise::{Codes, Space, Target, Vectors};
use crate::scan::{Range, scan};

struct Rows(Vec<Vec<f32>>);

impl Vectors for Rows {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn vector(&self, row: usize) -> &[f32] {
        &self.0[row]
    }
}

const SHAPE: Shape = Shape {
    m: 8,
    ef_construction: 60,
};

/// Numbers around 0 without structure, always the same for a seed.
fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        let mut sum = 0.0;
        for _ in 0..4 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            sum += (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0;
        }
        sum
    }
}

/// Vectors in clusters, as pictures are, and queries from the same clusters.
fn clustered(
    count: usize,
    dimension: usize,
    clusters: usize,
    spread: f32,
) -> (Rows, Vec<Vec<f32>>) {
    let mut value = noise(7);
    let mut vector = |scale: f32| {
        (0..dimension)
            .map(|_| scale * value())
            .collect::<Vec<f32>>()
    };
    let centres: Vec<Vec<f32>> = (0..clusters).map(|_| vector(1.0)).collect();
    let mut around = |at: usize| {
        let offset = vector(spread);
        centres[at % clusters]
            .iter()
            .zip(offset)
            .map(|(a, b)| a + b)
            .collect::<Vec<f32>>()
    };
    let rows = (0..count).map(&mut around).collect();
    (Rows(rows), (0..50).map(&mut around).collect())
}

fn encode(rows: &Rows) -> Codes<u8> {
    let space = Space::around(Metric::L2, rows.vector(0).len(), rows);
    Codes::empty(space).extended(rows)
}

fn build(codes: &Codes<u8>, shape: Shape) -> Graph {
    extend(
        &Graph::new(shape),
        codes,
        codes.len(),
        shape,
        &AtomicBool::new(false),
    )
    .unwrap()
}

fn walk<'a>(graph: &'a Graph, codes: &'a Codes<u8>, target: &'a Target<u8>) -> Walk<'a, u8> {
    Walk {
        graph,
        codes,
        target,
        between: false,
        entry: graph.entry(),
    }
}

/// Of the ten nearest by code, how many in a hundred a search does not find.
fn misses_per_hundred(graph: &Graph, codes: &Codes<u8>, queries: &[Vec<f32>], ef: usize) -> f64 {
    let mut missed = 0;
    let mut scratch = Scratch::default();
    for query in queries {
        let target = codes.target(query);
        let walk = walk(graph, codes, &target);
        let start = walk.descend(0, &mut scratch);
        walk.search(0, start, ef, &mut scratch);
        let mut distances = vec![0.0; codes.len()];
        codes.distances(
            &target,
            lookalike_kernels::score::Rows::From(0),
            &mut distances,
        );
        distances.sort_unstable_by(f32::total_cmp);
        let found = scratch
            .pool
            .iter()
            .take(10)
            .filter(|near| near.distance <= distances[9]);
        missed += 10 - found.count();
    }
    missed as f64 / (10 * queries.len()) as f64 * 100.0
}

#[test]
fn searches_miss_few_of_the_nearest() {
    let (rows, queries) = clustered(4000, 32, 40, 0.4);
    let codes = encode(&rows);
    let graph = build(&codes, SHAPE);
    let misses = [10, 40, 160].map(|ef| misses_per_hundred(&graph, &codes, &queries, ef));
    assert!(
        misses[0] < 20.0 && misses[1] < 5.0 && misses[2] < 1.0,
        "{misses:?}"
    );
}

#[test]
fn threads_do_not_change_the_graph() {
    let (rows, _) = clustered(1500, 16, 10, 0.3);
    let codes = encode(&rows);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| build(&codes, SHAPE))
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(one.base[..], three.base[..]);
    assert_eq!(one.upper.len(), three.upper.len());
    for (a, b) in one.upper.iter().zip(&three.upper) {
        assert_eq!((&a.rows, &a.below, &a.links), (&b.rows, &b.below, &b.links));
    }
}

#[test]
fn every_node_is_reached_in_the_worst_of_data() {
    // Far clusters of near-identical vectors and the fewest links: pruning cuts clusters off.
    for (clusters, spread) in [(40, 0.0001), (400, 0.01), (1, 0.0)] {
        let (rows, queries) = clustered(800, 4, clusters, spread);
        let codes = encode(&rows);
        let shape = Shape {
            m: 2,
            ef_construction: 4,
        };
        let graph = build(&codes, shape);
        let mut order = breadth_first(&graph);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..800), "{clusters} clusters");
        let target = codes.target(&queries[0]);
        let walk = walk(&graph, &codes, &target);
        let mut scratch = Scratch::default();
        let start = walk.descend(0, &mut scratch);
        walk.search(0, start, 800, &mut scratch);
        assert_eq!(scratch.pool.len(), 800);
        assert!(scratch.pool.is_sorted_by(|a, b| a.distance <= b.distance));
    }
}

#[test]
fn lists_of_links_have_no_gap_no_repetition_and_no_loop() {
    let (rows, _) = clustered(1000, 8, 5, 0.2);
    let codes = encode(&rows);
    let graph = build(&codes, SHAPE);
    for level in 0..=graph.upper.len() {
        let nodes = if level == 0 {
            graph.len()
        } else {
            graph.upper[level - 1].rows.len()
        };
        for node in 0..nodes as u32 {
            let links = graph.links(level, node);
            let mut list = filled(links).to_vec();
            assert!(links[list.len()..].iter().all(|link| *link == NONE));
            assert!(!list.contains(&node) && list.iter().all(|link| (*link as usize) < nodes));
            list.sort_unstable();
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
    }
    assert!(graph.is_valid(1000) && !graph.is_valid(999));
}

#[test]
fn a_graph_that_grew_is_as_good_as_one_made_at_once() {
    let (rows, queries) = clustered(3000, 32, 30, 0.4);
    let codes = encode(&rows);
    let stop = AtomicBool::new(false);
    let mut graph = Graph::new(SHAPE);
    for count in [10, 700, 701, 1900, 3000] {
        graph = extend(&graph, &codes, count, SHAPE, &stop).unwrap();
        assert_eq!(graph.len(), count);
    }
    let whole = misses_per_hundred(&build(&codes, SHAPE), &codes, &queries, 40);
    let grown = misses_per_hundred(&graph, &codes, &queries, 40);
    assert!(grown < whole + 2.0, "{grown} {whole}");
}

#[test]
fn another_order_of_the_nodes_finds_the_same() {
    let (rows, queries) = clustered(500, 8, 5, 0.3);
    let codes = encode(&rows);
    let graph = build(&codes, SHAPE);
    let order = breadth_first(&graph);
    let (codes_after, graph_after) = (codes.reordered(&order), graph.reordered(&order));
    assert!(graph_after.is_valid(500));
    let before = misses_per_hundred(&graph, &codes, &queries, 20);
    let after = misses_per_hundred(&graph_after, &codes_after, &queries, 20);
    assert!((before - after).abs() < 1e-9, "{before} {after}");
}

#[test]
fn a_filtered_walk_finds_what_the_filter_keeps_or_gives_up_in_time() {
    let (rows, queries) = clustered(2000, 16, 20, 0.4);
    let codes = encode(&rows);
    let graph = build(&codes, SHAPE);
    let mut keep = NodeSet::empty(2000);
    (0..2000).step_by(4).for_each(|node| keep.insert(node));
    let mut scratch = Scratch::default();
    let (mut missed, mut gave_up) = (0, 0);
    for query in &queries {
        let target = codes.target(query);
        let walk = walk(&graph, &codes, &target);
        let start = walk.descend(0, &mut scratch);
        assert!(walk.search_kept(start, 60, &keep, usize::MAX, &mut scratch));
        assert!(scratch.pool.iter().all(|near| keep.contains(near.node)));
        let truth = scan(&codes, &target, Range::Kept(&keep), 10);
        let found = |node: u32| scratch.pool.iter().any(|near| near.node == node);
        missed += truth
            .iter()
            .take(10)
            .filter(|candidate| !found(candidate.node))
            .count();
        scratch.measured = 0;
        let start = walk.descend(0, &mut scratch);
        gave_up += usize::from(!walk.search_kept(start, 60, &keep, 100, &mut scratch));
        assert!(scratch.measured < 100 + 300, "{}", scratch.measured);
    }
    assert!(missed < 10, "{missed} of 500");
    assert_eq!(gave_up, queries.len());
}

#[test]
fn construction_can_be_stopped() {
    let (rows, _) = clustered(100, 4, 5, 0.3);
    let stopped = extend(
        &Graph::new(SHAPE),
        &encode(&rows),
        100,
        SHAPE,
        &AtomicBool::new(true),
    );
    assert_eq!(stopped.unwrap_err(), Stopped);
}
