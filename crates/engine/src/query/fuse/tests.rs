//! Fusion against the formulas as the documentation writes them, over ranks and scores made by
//! chance.

use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::query::hybrid::Weights;

const TWO: PerPath<bool> = PerPath {
    dense: true,
    sparse: false,
    full_text: true,
};

const THREE: PerPath<bool> = PerPath {
    sparse: true,
    ..TWO
};

fn rule(fusion: Fusion, taken: PerPath<bool>) -> Rule {
    Rule {
        fusion,
        metric: Metric::Cosine,
        taken,
    }
}

/// A row with a rank and a score by each path that has it.
fn row(key: u64, [dense, sparse, full_text]: [Option<(u32, f32)>; 3]) -> Candidate {
    Candidate {
        key,
        ranks: PerPath {
            dense: dense.map(|it| it.0),
            sparse: sparse.map(|it| it.0),
            full_text: full_text.map(|it| it.0),
        },
        scores: PerPath {
            dense: dense.map(|it| it.1),
            sparse: sparse.map(|it| it.1),
            full_text: full_text.map(|it| it.1),
        },
    }
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let place =
        || option::of((1..50_u32, -100..100_i8).prop_map(|(r, s)| (r, f32::from(s) / 50.0)));
    vec([place(), place(), place()], 0..12).prop_map(|rows| {
        (0..)
            .zip(rows)
            .filter(|(_, row)| row.iter().any(Option::is_some))
            .map(|(key, places)| row(key, places))
            .collect()
    })
}

fn close(one: f32, other: f64) -> bool {
    (f64::from(one) - other).abs() < 1e-6
}

proptest! {
    #[test]
    fn reciprocal_ranks_are_summed(rows in candidates(), k in 2..100_u32) {
        let found = fuse(rule(Fusion::ReciprocalRank { k }, THREE), &rows);
        prop_assert_eq!(found.len(), rows.len());
        for found in found {
            let ranks = rows.iter().find(|row| row.key == found.key).expect("a candidate").ranks;
            let mut sum = 0.0;
            for rank in [ranks.dense, ranks.sparse, ranks.full_text].into_iter().flatten() {
                sum += 1.0 / f64::from(k + rank);
            }
            prop_assert!(close(found.score, sum));
        }
    }

    #[test]
    fn weighted_scores_are_summed(rows in candidates(), alpha in 0.0..=1.0_f64) {
        let rows: Vec<Candidate> = rows
            .into_iter()
            .map(|mut row| {
                row.scores.sparse = None;
                row
            })
            .collect();
        for found in fuse(rule(Fusion::Weighted(Weights::Alpha(alpha)), TWO), &rows) {
            let scores = rows.iter().find(|row| row.key == found.key).expect("a candidate").scores;
            let vector = f64::from(scores.dense.unwrap_or(0.0));
            let text = f64::from(scores.full_text.unwrap_or(0.0));
            let text = text / (1.0 + text.abs());
            prop_assert!(close(found.score, alpha * vector + (1.0 - alpha) * text));
        }
    }

    #[test]
    fn the_best_score_counts_as_it_is(rows in candidates()) {
        for found in fuse(rule(Fusion::AsTheyAre, THREE), &rows) {
            let scores = rows.iter().find(|row| row.key == found.key).expect("a candidate").scores;
            let best = [scores.dense, scores.sparse, scores.full_text]
                .into_iter()
                .flatten()
                .fold(f32::NEG_INFINITY, f32::max);
            prop_assert_eq!(found.score.to_bits(), best.to_bits());
        }
    }

    #[test]
    fn order_is_by_score_then_key_whatever_comes_first(rows in candidates()) {
        let mut backwards = rows.clone();
        backwards.reverse();
        for fusion in [
            Fusion::AsTheyAre,
            Fusion::ReciprocalRank { k: 60 },
            Fusion::Weighted(Weights::Equal),
        ] {
            let found = fuse(rule(fusion, THREE), &rows);
            let is_sorted = found.is_sorted_by(|one, other| {
                one.score > other.score || (one.score >= other.score && one.key < other.key)
            });
            prop_assert!(is_sorted);
            prop_assert_eq!(found, fuse(rule(fusion, THREE), &backwards));
        }
    }
}

#[test]
fn a_row_says_what_found_it() {
    let place = Some((1, 0.5));
    let rows = [
        row(1, [place, None, None]),
        row(2, [None, place, None]),
        row(3, [None, None, place]),
        row(4, [None, place, place]),
    ];
    let sources: Vec<RetrievalSource> = fuse(rule(Fusion::ReciprocalRank { k: 60 }, THREE), &rows)
        .into_iter()
        .map(|found| found.source)
        .collect();
    // The one that two paths found is first.
    assert_eq!(
        sources,
        [
            RetrievalSource::Both,
            RetrievalSource::Vector,
            RetrievalSource::Vector,
            RetrievalSource::FullText
        ]
    );
}

#[test]
fn a_distance_counts_as_the_likeness_it_is() {
    let rows = [
        row(1, [Some((1, 0.0)), None, None]),
        row(2, [Some((2, 3.0)), None, None]),
    ];
    let rule = Rule {
        metric: Metric::L2,
        ..rule(Fusion::Weighted(Weights::Alpha(0.5)), TWO)
    };
    let scores: Vec<f32> = fuse(rule, &rows).iter().map(|found| found.score).collect();
    assert_eq!(scores, [0.5, 0.125]);
}

#[test]
fn three_weights_count_for_three_paths() {
    let each = Weights::Each(PerPath {
        dense: 0.5,
        sparse: 0.25,
        full_text: 0.25,
    });
    let place = |score| Some((1, score));
    let rows = [row(1, [place(0.8), place(1.0), place(3.0)])];
    let found = fuse(rule(Fusion::Weighted(each), THREE), &rows);
    assert!(close(found[0].score, 0.5 * 0.8 + 0.25 * 0.5 + 0.25 * 0.75));
    let equal = fuse(rule(Fusion::Weighted(Weights::Equal), THREE), &rows);
    assert!(close(equal[0].score, (0.8 + 0.5 + 0.75) / 3.0));
}

#[test]
fn equal_scores_share_a_rank() {
    let hit = |key, score| Hit { key, score };
    let hits = [hit(1, 3.0), hit(2, 2.0), hit(5, 2.0), hit(4, 1.0)];
    let places: Vec<u32> = ranks(&hits).map(|(_, rank)| rank).collect();
    assert_eq!(places, [1, 2, 2, 4]);
    assert_eq!(ranks(&[]).count(), 0);
}
