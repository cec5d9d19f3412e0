//! The index as a whole, with segments and graphs: folds, filters, plans.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use crate::{Bitmap, Change, Effort, Metric, Options, Plan, Precision, Query, VectorIndex};

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::InnerProduct, Metric::L2];
const PRECISIONS: [Precision; 3] = [Precision::Int8, Precision::Bf16, Precision::F32];

/// An index that folds when told to, with a graph however small it is.
fn graph_options(dimension: usize, metric: Metric) -> Options {
    Options {
        m: 4,
        ef_construction: 20,
        graph_min_bytes: 0,
        target_recall: 0.0,
        fold_in_background: false,
        fold_threads: 1,
        ..Options::new(dimension, metric)
    }
}

/// Deterministic numbers in -1..1.
fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

fn random_vectors(count: usize, dimension: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut value = noise(seed);
    (0..count)
        .map(|_| (0..dimension).map(|_| value()).collect())
        .collect()
}

/// Vectors in clusters of 25, as pictures are.
fn clustered_vectors(count: usize, dimension: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut value = noise(seed);
    let mut vector = |scale: f32| {
        (0..dimension)
            .map(|_| scale * value())
            .collect::<Vec<f32>>()
    };
    let centres: Vec<Vec<f32>> = (0..count.div_ceil(25)).map(|_| vector(1.0)).collect();
    let around = |at: usize| {
        centres[at % centres.len()]
            .iter()
            .zip(vector(0.4))
            .map(|(a, b)| a + b)
            .collect()
    };
    (0..count).map(around).collect()
}

fn insert_all(index: &VectorIndex, vectors: &[Vec<f32>]) {
    let changes: Vec<Change<'_>> = (0..)
        .zip(vectors)
        .map(|(key, vector)| Change::Insert { key, vector })
        .collect();
    index.apply(&changes).unwrap();
}

/// Few distinct values, so that ties and identical vectors are common.
fn coarse_vector() -> impl Strategy<Value = Vec<f32>> {
    proptest::collection::vec((-2..=2_i8).prop_map(f32::from), 3)
        .prop_filter("has a direction", |vector| {
            vector.iter().any(|value| *value != 0.0)
        })
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u64, Vec<f32>),
    Remove(u64),
    Fold,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..60_u64, coarse_vector()).prop_map(|(key, vector)| Step::Insert(key, vector)),
        6 => (0..60_u64).prop_map(Step::Remove),
        1 => Just(Step::Fold),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_index_equals_the_exact_scan_at_a_pool_of_everything(
        steps in proptest::collection::vec(step(), 0..250),
        vector in coarse_vector(),
        k in 1..20_usize,
        filter in proptest::option::of(proptest::collection::vec(0..90_u64, 0..90)),
        precision in 0..3_usize,
        metric in 0..3_usize,
    ) {
        let metric = METRICS[metric];
        let options = Options { precision: PRECISIONS[precision], ..graph_options(3, metric) };
        let index = VectorIndex::with_options(options).unwrap();
        // Never folded: scans the vectors.
        let oracle = VectorIndex::with_options(graph_options(3, metric)).unwrap();
        let mut rows = BTreeMap::new();
        for step in &steps {
            match step {
                Step::Insert(key, vector) => {
                    index.insert(*key, vector).unwrap();
                    oracle.insert(*key, vector).unwrap();
                    rows.insert(*key, vector.clone());
                }
                Step::Remove(key) => {
                    let was = rows.remove(key).is_some();
                    prop_assert_eq!(index.remove(*key), was);
                    prop_assert_eq!(oracle.remove(*key), was);
                }
                Step::Fold => index.fold_blocking(),
            }
        }
        prop_assert_eq!(index.len(), rows.len());
        prop_assert!(index.keys().iter().eq(rows.keys().copied()));
        for (key, vector) in &rows {
            prop_assert_eq!(index.vector(*key), Some(vector.clone()));
        }
        let allowed = filter.map(|keys| keys.into_iter().collect::<Bitmap>());
        for asked in METRICS {
            let query = Query { vector: &vector, k, metric: asked, allowed: allowed.as_ref() };
            let exact = oracle.search(&query).unwrap();
            for effort in [Effort::Exact, Effort::Graph { ef: 1000 }] {
                let answer = index.answer(&query, effort).unwrap();
                prop_assert_eq!(&answer.hits, &exact, "{:?} {:?}", effort, answer.plan);
            }
            let planned = index.search(&query).unwrap();
            prop_assert!(planned.iter().all(|hit| allowed.as_ref().is_none_or(|allowed| allowed.contains(hit.key))));
        }
    }
}

#[test]
fn copies_of_one_picture_do_not_hide_the_others() {
    let mut vectors = clustered_vectors(600, 16, 3);
    let placeholder = vectors[0].clone();
    vectors.extend(std::iter::repeat_n(placeholder.clone(), 2000));
    let index = VectorIndex::with_options(graph_options(16, Metric::Cosine)).unwrap();
    insert_all(&index, &vectors);
    index.fold_blocking();
    assert_eq!(index.stats().nodes, 600);
    let mut missed = 0;
    for (key, vector) in vectors.iter().enumerate().take(600).skip(1) {
        let query = Query {
            vector,
            k: 1,
            metric: Metric::Cosine,
            allowed: None,
        };
        let answer = index.answer(&query, Effort::Graph { ef: 32 }).unwrap();
        assert_eq!(answer.plan, Plan::Graph);
        missed += usize::from(answer.hits[0].key != key as u64);
    }
    assert!(
        missed <= 3,
        "{missed} of 599 pictures do not find themselves"
    );
    let query = Query {
        vector: &placeholder,
        k: 1,
        metric: Metric::Cosine,
        allowed: None,
    };
    let copies = index.answer(&query, Effort::Graph { ef: 32 }).unwrap().hits;
    assert_eq!(copies.len(), 2001);
    assert!(
        copies
            .iter()
            .all(|hit| hit.score.to_bits() == 1_f32.to_bits())
    );
    for key in 600..2600 {
        assert!(index.remove(key));
    }
    assert_eq!(
        index
            .answer(&query, Effort::Graph { ef: 32 })
            .unwrap()
            .hits
            .len(),
        1
    );
}

#[test]
fn what_was_removed_is_never_found_and_its_memory_returns() {
    let vectors = clustered_vectors(3000, 16, 4);
    let index = VectorIndex::with_options(graph_options(16, Metric::L2)).unwrap();
    insert_all(&index, &vectors);
    index.fold_blocking();
    let before = index.stats();
    // A whole region goes: the nodes around a query are all dead.
    for key in (0..3000).filter(|key| key % 120 < 40) {
        assert!(index.remove(key));
    }
    let check = |folded: bool| {
        for vector in vectors.iter().step_by(61) {
            let query = Query {
                vector,
                k: 10,
                metric: Metric::L2,
                allowed: None,
            };
            let hits = index.answer(&query, Effort::Graph { ef: 64 }).unwrap().hits;
            assert_eq!(hits.len(), 10, "folded: {folded}");
            assert!(hits.iter().all(|hit| hit.key % 120 >= 40));
        }
    };
    check(false);
    index.fold_blocking();
    check(true);
    let after = index.stats();
    assert_eq!((after.live, after.dead, after.nodes), (2000, 0, 2000));
    assert!(
        after.vector_bytes < before.vector_bytes * 3 / 4,
        "{before:?} {after:?}"
    );
    assert!(after.hot_bytes < before.hot_bytes * 3 / 4);
}

type Filter = fn(u64, &[f32]) -> bool;

#[test]
fn a_filter_costs_no_recall() {
    let vectors = clustered_vectors(6000, 16, 5);
    let index = VectorIndex::with_options(Options {
        m: 16,
        ef_construction: 100,
        target_recall: 0.98,
        ..graph_options(16, Metric::Cosine)
    })
    .unwrap();
    insert_all(&index, &vectors);
    index.fold_blocking();
    // Independent of the vectors, and cutting off a region.
    let filters: [(&str, Filter); 4] = [
        ("half", |key, _| key % 2 == 0),
        ("one in a hundred", |key, _| key % 100 == 0),
        ("a side", |_, vector| vector[0] > 0.0),
        ("a corner", |_, vector| vector[0] > 0.6 && vector[1] > 0.6),
    ];
    for (name, filter) in filters {
        let kept = (0..)
            .zip(&vectors)
            .filter(|(key, vector)| filter(*key, vector));
        let allowed: Bitmap = kept.map(|(key, _)| key).collect();
        let (mut missed, mut wanted) = (0, 0);
        for vector in vectors.iter().step_by(97) {
            let query = Query {
                vector,
                k: 10,
                metric: Metric::Cosine,
                allowed: Some(&allowed),
            };
            let exact = index.answer(&query, Effort::Exact).unwrap().hits;
            let found = index.search(&query).unwrap();
            assert!(found.iter().all(|hit| allowed.contains(hit.key)));
            missed += exact
                .iter()
                .take(10)
                .filter(|hit| !found.contains(hit))
                .count();
            wanted += exact.len().min(10);
        }
        let misses_per_hundred = 100.0 * missed as f64 / wanted as f64;
        assert!(misses_per_hundred <= 2.0, "{name}: {misses_per_hundred}");
    }
}

#[test]
fn random_data_is_scanned_as_no_graph_serves_it() {
    let index = VectorIndex::with_options(Options {
        target_recall: 0.99,
        ..graph_options(128, Metric::Cosine)
    })
    .unwrap();
    let vectors = random_vectors(4000, 128, 6);
    insert_all(&index, &vectors);
    index.fold_blocking();
    let query = Query {
        vector: &vectors[5],
        k: 10,
        metric: Metric::Cosine,
        allowed: None,
    };
    let answer = index.answer(&query, Effort::Planned).unwrap();
    assert_eq!(answer.plan, Plan::ScanAll);
    assert_eq!(
        answer.hits,
        index.answer(&query, Effort::Exact).unwrap().hits
    );
    assert_eq!(index.stats().graph_ef, None);
}

#[test]
fn small_collections_and_other_metrics_are_scanned() {
    let index = VectorIndex::new(8, Metric::Cosine).unwrap();
    let vectors = random_vectors(500, 8, 7);
    insert_all(&index, &vectors);
    let plan = |metric| {
        let query = Query {
            vector: &vectors[0],
            k: 3,
            metric,
            allowed: None,
        };
        index.answer(&query, Effort::Planned).unwrap().plan
    };
    assert_eq!(plan(Metric::Cosine), Plan::Vectors);
    index.fold_blocking();
    assert_eq!(plan(Metric::Cosine), Plan::ScanAll);
    assert_eq!(plan(Metric::L2), Plan::Vectors);
    let counts = index.stats().plans;
    assert!(counts.contains(&(Plan::Vectors, 2)) && counts.contains(&(Plan::ScanAll, 1)));
}

#[test]
fn a_search_sees_all_of_a_change_or_nothing() {
    let options = Options {
        fold_rows: 64,
        fold_in_background: true,
        ..graph_options(4, Metric::L2)
    };
    let index = VectorIndex::with_options(options).unwrap();
    insert_all(&index, &random_vectors(500, 4, 8));
    let spot = [9.0, 9.0, 9.0, 9.0];
    index.insert(1000, &spot).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let query = Query {
                    vector: &spot,
                    k: 1,
                    metric: Metric::L2,
                    allowed: None,
                };
                while !done.load(Ordering::Relaxed) {
                    let hits = index.answer(&query, Effort::Exact).unwrap().hits;
                    assert_eq!(hits.len(), 1, "{hits:?}");
                    assert!(hits[0].key >= 1000 && hits[0].score.to_bits() == 0);
                }
            });
        }
        // The vector moves from key to key while folds come and go.
        for key in 1000..3000 {
            let change = [
                Change::Insert {
                    key: key + 1,
                    vector: &spot,
                },
                Change::Remove { key },
            ];
            index.apply(&change).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    index.fold_blocking();
    assert_eq!(index.len(), 501);
    assert!(index.contains(3000) && !index.contains(2999));
}

#[test]
fn changes_during_a_fold_are_kept() {
    let vectors = clustered_vectors(4000, 8, 9);
    let index = VectorIndex::with_options(graph_options(8, Metric::Cosine)).unwrap();
    insert_all(&index, &vectors[..3000]);
    std::thread::scope(|scope| {
        let fold = scope.spawn(|| index.fold_blocking());
        for key in 0..1000_u64 {
            index
                .insert(3000 + key, &vectors[3000 + key as usize])
                .unwrap();
            assert!(index.remove(key));
            index.insert(1000 + key, &vectors[key as usize]).unwrap();
        }
        fold.join().unwrap();
    });
    for round in 0..2 {
        assert_eq!(index.len(), 3000, "round {round}");
        for key in 0..1000_u64 {
            assert!(!index.contains(key));
            assert_eq!(index.vector(1000 + key).unwrap(), vectors[key as usize]);
            assert_eq!(
                index.vector(3000 + key).unwrap(),
                vectors[3000 + key as usize]
            );
        }
        let query = Query {
            vector: &vectors[3],
            k: 2,
            metric: Metric::Cosine,
            allowed: None,
        };
        assert_eq!(
            index.answer(&query, Effort::Exact).unwrap().hits[0].key,
            1003
        );
        index.fold_blocking();
    }
}

#[test]
fn the_same_rows_make_the_same_index() {
    let vectors = clustered_vectors(2000, 16, 10);
    let answers = |threads: usize| {
        let options = Options {
            fold_threads: threads,
            ..graph_options(16, Metric::Cosine)
        };
        let index = VectorIndex::with_options(options).unwrap();
        insert_all(&index, &vectors);
        index.fold_blocking();
        let ask = |vector: &Vec<f32>| {
            let query = Query {
                vector,
                k: 10,
                metric: Metric::Cosine,
                allowed: None,
            };
            index.answer(&query, Effort::Graph { ef: 10 }).unwrap().hits
        };
        vectors.iter().step_by(50).map(ask).collect::<Vec<_>>()
    };
    assert_eq!(answers(1), answers(2));
}
