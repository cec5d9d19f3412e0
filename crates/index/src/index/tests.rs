use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{MAX_NORM, MIN_DIRECTION_NORM};

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::InnerProduct, Metric::L2];

fn query(vector: &[f32], k: usize, metric: Metric) -> Query<'_> {
    Query {
        vector,
        k,
        metric,
        allowed: None,
    }
}

fn filled(dimension: usize, metric: Metric, rows: &[(u64, &[f32])]) -> VectorIndex {
    let index = VectorIndex::new(dimension, metric).unwrap();
    for (key, vector) in rows {
        index.insert(*key, vector).unwrap();
    }
    index
}

fn keys(hits: &[Hit]) -> Vec<u64> {
    hits.iter().map(|hit| hit.key).collect()
}

#[test]
fn scores_are_the_databases_definitions() {
    let index = filled(2, Metric::L2, &[(1, &[3.0, 4.0]), (2, &[1.0, 0.0])]);
    let ask = |metric| index.search(&query(&[3.0, 4.0], 2, metric)).unwrap();
    assert_eq!(
        ask(Metric::L2),
        [
            Hit { key: 1, score: 0.0 },
            Hit {
                key: 2,
                score: 20_f32.sqrt()
            }
        ]
    );
    assert_eq!(
        ask(Metric::InnerProduct),
        [
            Hit {
                key: 1,
                score: 25.0
            },
            Hit { key: 2, score: 3.0 }
        ]
    );
    assert_eq!(
        ask(Metric::Cosine),
        [Hit { key: 1, score: 1.0 }, Hit { key: 2, score: 0.6 }]
    );
}

#[test]
fn an_identical_vector_is_at_cosine_one_and_distance_zero() {
    for step in 1..200_u16 {
        let vector: Vec<f32> = (0..37_u8)
            .map(|i| (f32::from(step) * 0.37 + f32::from(i)).sin())
            .collect();
        let index = filled(37, Metric::Cosine, &[(7, &vector)]);
        let scores =
            METRICS.map(|metric| index.search(&query(&vector, 1, metric)).unwrap()[0].score);
        assert_eq!(scores[0].to_bits(), 1_f32.to_bits());
        assert_eq!(scores[2].to_bits(), 0_f32.to_bits());
    }
}

#[test]
fn ties_at_the_last_place_are_all_kept_in_key_order() {
    let index = filled(
        1,
        Metric::L2,
        &[
            (9, &[1.0]),
            (3, &[1.0]),
            (5, &[-1.0]),
            (1, &[0.0]),
            (2, &[4.0]),
        ],
    );
    assert_eq!(
        keys(&index.search(&query(&[0.0], 2, Metric::L2)).unwrap()),
        [1, 3, 5, 9]
    );
}

#[test]
fn a_zero_vector_is_stored_under_distance_and_never_answers_cosine() {
    let index = filled(2, Metric::L2, &[(1, &[0.0, 0.0]), (2, &[0.0, 1.0])]);
    assert_eq!(
        keys(
            &index
                .search(&query(&[1.0, 1.0], 5, Metric::Cosine))
                .unwrap()
        ),
        [2]
    );
    assert_eq!(
        keys(&index.search(&query(&[0.0, 0.0], 5, Metric::L2)).unwrap()),
        [1, 2]
    );
}

#[test]
fn bad_vectors_are_named_and_change_nothing() {
    let index = VectorIndex::new(3, Metric::Cosine).unwrap();
    assert_eq!(
        index.insert(1, &[1.0, 2.0]),
        Err(IndexError::Length {
            expected: 3,
            found: 2
        })
    );
    assert_eq!(
        index.insert(1, &[1.0, f32::INFINITY, f32::NAN]),
        Err(IndexError::NotFinite {
            position: 1,
            value: f32::INFINITY
        })
    );
    assert!(matches!(
        index.insert(1, &[f32::NAN; 3]),
        Err(IndexError::NotFinite { position: 0, .. })
    ));
    assert_eq!(
        index.insert(1, &[0.0; 3]),
        Err(IndexError::NoDirection { norm: 0.0 })
    );
    assert!(matches!(
        index.insert(1, &[f32::MAX, 0.0, 0.0]),
        Err(IndexError::TooLong { .. })
    ));
    assert!(index.is_empty());
    for metric in METRICS {
        assert!(index.search(&query(&[f32::NAN; 3], 1, metric)).is_err());
        assert!(index.search(&query(&[1.0; 2], 1, metric)).is_err());
    }
    assert!(index.search(&query(&[0.0; 3], 1, Metric::Cosine)).is_err());
}

#[test]
fn the_limits_hold_at_their_edges() {
    assert_eq!(
        VectorIndex::new(0, Metric::L2).unwrap_err(),
        IndexError::Dimension(0)
    );
    assert_eq!(
        VectorIndex::new(8193, Metric::L2).unwrap_err(),
        IndexError::Dimension(8193)
    );
    assert!(VectorIndex::new(8192, Metric::L2).is_ok());
    let index = filled(1, Metric::Cosine, &[(1, &[1.0])]);
    assert_eq!(
        index.search(&query(&[1.0], 0, Metric::L2)),
        Err(IndexError::HitCount(0))
    );
    assert_eq!(
        index.search(&query(&[1.0], MAX_K + 1, Metric::L2)),
        Err(IndexError::HitCount(MAX_K + 1))
    );
    assert_eq!(
        index
            .search(&query(&[1.0], MAX_K, Metric::L2))
            .unwrap()
            .len(),
        1
    );
    #[expect(
        clippy::cast_possible_truncation,
        reason = "limits that f32 can hold nearly"
    )]
    let (small, large) = (MIN_DIRECTION_NORM as f32, MAX_NORM as f32);
    assert!(index.insert(2, &[small * 1.001]).is_ok());
    assert!(index.insert(3, &[small * 0.999]).is_err());
    assert!(index.insert(4, &[large * 0.999]).is_ok());
    assert!(index.insert(5, &[large * 1.001]).is_err());
    for metric in METRICS {
        assert!(
            index
                .search(&query(&[-large], 9, metric))
                .unwrap()
                .iter()
                .all(|hit| hit.score.is_finite())
        );
    }
}

#[test]
fn inserting_a_key_again_replaces_its_vector() {
    let index = filled(1, Metric::L2, &[(1, &[1.0]), (2, &[2.0]), (1, &[5.0])]);
    assert_eq!(index.len(), 2);
    assert_eq!(
        keys(&index.search(&query(&[5.0], 1, Metric::L2)).unwrap()),
        [1]
    );
}

#[test]
fn an_index_is_searched_while_it_changes() {
    let index = filled(2, Metric::L2, &[(0, &[0.0, 0.0])]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for key in 1..2000_u16 {
                index.insert(key.into(), &[f32::from(key), 1.0]).unwrap();
                index.remove(u64::from(key) / 2 * 2 + 1);
            }
        });
        for _ in 0..500 {
            let hits = index.search(&query(&[0.0, 0.0], 3, Metric::L2)).unwrap();
            assert_eq!(hits[0], Hit { key: 0, score: 0.0 });
        }
    });
}

/// Few distinct values, so that ties and identical vectors are common.
fn coarse_vector() -> impl Strategy<Value = Vec<f32>> {
    proptest::collection::vec((-2..=2_i8).prop_map(f32::from), 3)
        .prop_filter("has a direction", |vector| {
            vector.iter().any(|value| *value != 0.0)
        })
}

#[derive(Debug, Clone)]
enum Change {
    Insert(u64, Vec<f32>),
    Remove(u64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (0..60_u64, coarse_vector()).prop_map(|(key, vector)| Change::Insert(key, vector)),
        1 => (0..60_u64).prop_map(Change::Remove),
    ]
}

/// The definitions, literally, in double precision.
fn naive_score(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let sum = |term: fn(f64, f64) -> f64| {
        a.iter()
            .zip(b)
            .map(|(x, y)| term((*x).into(), (*y).into()))
            .sum::<f64>()
    };
    let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    match metric {
        Metric::Cosine => sum(|x, y| x * y) / (norm(a) * norm(b)),
        Metric::InnerProduct => sum(|x, y| x * y),
        Metric::L2 => sum(|x, y| (x - y).powi(2)).sqrt(),
    }
}

proptest! {
    #[test]
    fn searches_agree_with_the_definitions(
        changes in proptest::collection::vec(change(), 0..200),
        vector in coarse_vector(),
        k in 1..20_usize,
        filter in proptest::option::of(proptest::collection::vec(0..90_u64, 0..90)),
    ) {
        let index = VectorIndex::new(3, Metric::Cosine).unwrap();
        let mut rows = BTreeMap::new();
        for change in changes {
            match change {
                Change::Insert(key, vector) => {
                    index.insert(key, &vector).unwrap();
                    rows.insert(key, vector);
                }
                Change::Remove(key) => prop_assert_eq!(index.remove(key), rows.remove(&key).is_some()),
            }
        }
        prop_assert_eq!(index.len(), rows.len());
        let allowed = filter.map(|keys| keys.into_iter().collect::<Bitmap>());
        if let Some(allowed) = &allowed {
            rows.retain(|key, _| allowed.contains(*key));
        }
        for metric in METRICS {
            let hits = index.search(&Query { vector: &vector, k, metric, allowed: allowed.as_ref() }).unwrap();
            let worst_first = |a: f64, b: f64| if metric == Metric::L2 { b.total_cmp(&a) } else { a.total_cmp(&b) };
            let mut scores: Vec<f64> = rows.values().map(|row| naive_score(metric, row, &vector)).collect();
            scores.sort_unstable_by(|a, b| worst_first(*b, *a));
            prop_assert!(hits.len() >= k.min(rows.len()));
            for (hit, score) in hits.iter().zip(&scores) {
                prop_assert!((f64::from(hit.score) - score).abs() < 1e-5);
                prop_assert!((f64::from(hit.score) - naive_score(metric, &rows[&hit.key], &vector)).abs() < 1e-5);
            }
            let last = hits.get(k - 1).map(|hit| hit.score);
            prop_assert!(hits.iter().skip(k).all(|hit| Some(hit.score) == last));
            let in_order = hits.is_sorted_by(|a, b| {
                metric.compare(a.score, b.score).then(a.key.cmp(&b.key)).is_lt()
            });
            prop_assert!(in_order);
        }
    }
}
