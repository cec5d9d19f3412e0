use proptest::prelude::*;

use super::*;
use crate::metric::Ranker;

struct Rows(Vec<Vec<f32>>);

impl Vectors for Rows {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn vector(&self, row: usize) -> &[f32] {
        &self.0[row]
    }
}

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::InnerProduct, Metric::L2];

/// Vectors of one dimension with elements of very different sizes, and a query.
fn vectors() -> impl Strategy<Value = (Vec<Vec<f32>>, Vec<f32>)> {
    let element = prop_oneof![
        4 => -1.0_f32..1.0,
        1 => Just(0.0_f32),
        1 => -1e4_f32..1e4,
        1 => -1e-4_f32..1e-4,
    ];
    (1..90_usize).prop_flat_map(move |dimension| {
        let vector = proptest::collection::vec(element.clone(), dimension)
            .prop_filter("has a direction", |vector| {
                vector.iter().any(|value| value.abs() > 1e-5)
            });
        (proptest::collection::vec(vector.clone(), 1..40), vector)
    })
}

/// Checks every distance of a query against the exact rank.
fn distances_are_within_bounds<C: Cell>(
    metric: Metric,
    rows: &Rows,
    query: &[f32],
) -> Result<(), TestCaseError> {
    let dimension = query.len();
    let codes = Codes::<C>::empty(Space::around(metric, dimension, rows)).extended(rows);
    let target = codes.target(query);
    let mut distances = vec![0.0; rows.count()];
    codes.distances(&target, kernels::Rows::From(0), &mut distances);
    let ranker = Ranker::new(metric, dimension, query).unwrap();
    for (row, distance) in distances.iter().enumerate() {
        let vector = rows.vector(row);
        let mut rank = [0.0];
        ranker.rank(vector, &[dot(vector, vector)], &mut rank);
        let exact = codes.distance_of(&target, rank[0]);
        let bound = codes.error_bound(&target, row as u32);
        prop_assert!(
            (distance - exact).abs() <= bound,
            "{distance} {exact} {bound}"
        );
        prop_assert!(bound <= codes.largest_error_bound(&target));
    }
    Ok(())
}

use lookalike_kernels::score as kernels;

proptest! {
    #[test]
    fn distances_are_off_by_no_more_than_the_bound((rows, query) in vectors()) {
        let rows = Rows(rows);
        for metric in METRICS {
            distances_are_within_bounds::<u8>(metric, &rows, &query)?;
            distances_are_within_bounds::<Bf16>(metric, &rows, &query)?;
            distances_are_within_bounds::<f32>(metric, &rows, &query)?;
        }
    }

    #[test]
    fn rows_added_later_get_the_same_codes((rows, query) in vectors()) {
        for metric in METRICS {
            let space = Space::around(metric, query.len(), &Rows(rows.clone()));
            let whole = Codes::<u8>::empty(space.clone()).extended(&Rows(rows.clone()));
            let (head, tail) = rows.split_at(rows.len() / 2);
            let parts = Codes::<u8>::empty(space).extended(&Rows(head.to_vec())).extended(&Rows(tail.to_vec()));
            prop_assert_eq!(&whole.cells[..], &parts.cells[..]);
            prop_assert_eq!(&whole.sizes, &parts.sizes);
            let order: Vec<u32> = (0..rows.len() as u32).rev().collect();
            let there_and_back = whole.reordered(&order).reordered(&order);
            prop_assert_eq!(&whole.cells[..], &there_and_back.cells[..]);
            prop_assert_eq!(&whole.errors, &there_and_back.errors);
            prop_assert_eq!(&whole.lifts, &there_and_back.lifts);
        }
    }
}

#[test]
fn distances_between_rows_are_squared_distances() {
    let rows = Rows(
        (0..20_u8)
            .map(|row| {
                (0..64_u8)
                    .map(|at| (f32::from(row * 7 + at)).sin())
                    .collect()
            })
            .collect(),
    );
    let codes = Codes::<f32>::empty(Space::around(Metric::L2, 64, &rows)).extended(&rows);
    let mut target = Target::blank();
    codes.aim(3, &mut target);
    let all: Vec<u32> = (0..20).collect();
    let mut distances = vec![0.0; 20];
    codes.distances_between(&target, &all, &mut distances);
    for (row, distance) in distances.iter().enumerate() {
        let exact = lookalike_kernels::dot::squared_distance(rows.vector(3), rows.vector(row));
        assert!((distance + codes.squared_norm(3) - exact).abs() < 1e-3);
    }
}

#[test]
fn under_inner_product_the_nearest_row_has_the_largest_product() {
    // One long vector in a poor direction beats short ones in better directions.
    let rows = Rows(vec![
        vec![1.0, 0.0],
        vec![0.9, 0.1],
        vec![30.0, 40.0],
        vec![-1.0, -1.0],
    ]);
    let codes = Codes::<u8>::empty(Space::around(Metric::InnerProduct, 2, &rows)).extended(&rows);
    let target = codes.target(&[1.0, 0.0]);
    let mut distances = vec![0.0; 4];
    codes.distances(&target, kernels::Rows::From(0), &mut distances);
    let nearest = (0..4).min_by(|a, b| distances[*a].total_cmp(&distances[*b]));
    assert_eq!(nearest, Some(2));
}

#[test]
fn vectors_at_the_limits_have_finite_distances() {
    for (metric, size) in [
        (Metric::L2, 1e18),
        (Metric::InnerProduct, 1e18),
        (Metric::L2, 1e-30),
        (Metric::L2, 0.0),
    ] {
        let rows = Rows(vec![vec![size, 0.0], vec![0.0, -size], vec![-size, 0.0]]);
        let codes = Codes::<u8>::empty(Space::around(metric, 2, &rows)).extended(&rows);
        let target = codes.target(&[-size, 0.0]);
        let mut distances = vec![0.0; 3];
        codes.distances(&target, kernels::Rows::From(0), &mut distances);
        assert!(
            distances.iter().all(|distance| distance.is_finite()),
            "{distances:?}"
        );
        assert!((0..3).all(|row| codes.error_bound(&target, row).is_finite()));
    }
}
