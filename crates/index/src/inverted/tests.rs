//! Both indexes against evaluators that look at every row, over changes made by chance.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::{SparseIndex, TextIndex};
use crate::{Bitmap, Hit};

/// Leaves more dead places than are put up with here, so that gaps are closed on the way.
const CHANGES: usize = 40;

fn hits_of(mut scores: Vec<Hit>, k: usize) -> Vec<Hit> {
    scores.sort_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| one.key.cmp(&other.key))
    });
    let floor = scores.get(k.wrapping_sub(1)).map(|hit| hit.score);
    scores.retain(|hit| floor.is_none_or(|floor| hit.score >= floor));
    scores
}

fn naive_products(
    rows: &BTreeMap<u64, Vec<(u32, f32)>>,
    query: &[(u32, f32)],
    k: usize,
    allowed: Option<&Bitmap>,
) -> Vec<Hit> {
    let mut found = Vec::new();
    for (key, pairs) in rows {
        let shared: Vec<f32> = query
            .iter()
            .filter_map(|(index, weight)| {
                let pair = pairs.iter().find(|pair| pair.0 == *index)?;
                Some(weight * pair.1)
            })
            .collect();
        if !shared.is_empty() && allowed.is_none_or(|allowed| allowed.contains(*key)) {
            let score = shared.iter().fold(0.0, |sum, product| sum + product);
            found.push(Hit { key: *key, score });
        }
    }
    hits_of(found, k)
}

fn naive_bm25(
    rows: &BTreeMap<u64, Vec<String>>,
    query: &[String],
    k: usize,
    allowed: Option<&Bitmap>,
) -> Vec<Hit> {
    let texts: Vec<_> = rows.iter().filter(|row| !row.1.is_empty()).collect();
    let total = texts.len() as f32;
    let words: usize = texts.iter().map(|row| row.1.len()).sum();
    let average = words as f32 / total.max(1.0);
    let count = |text: &[String], word: &String| text.iter().filter(|one| *one == word).count();
    let mut found = Vec::new();
    for (key, text) in &texts {
        let mut score = 0.0;
        for word in query {
            let tf = count(text, word) as f32;
            let holders = texts.iter().filter(|row| row.1.contains(word)).count() as f32;
            let idf = (1.0 + (total - holders + 0.5) / (holders + 0.5)).ln();
            let length = text.len() as f32 / average;
            score += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length));
        }
        if score > 0.0 && allowed.is_none_or(|allowed| allowed.contains(**key)) {
            found.push(Hit { key: **key, score });
        }
    }
    hits_of(found, k)
}

fn pairs() -> impl Strategy<Value = Vec<(u32, f32)>> {
    prop::collection::btree_map(0..12_u32, -2..3_i8, 0..6).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(index, value)| (index, f32::from(value) / 2.0))
            .collect()
    })
}

fn words() -> impl Strategy<Value = Vec<String>> {
    vec("[abcde]", 0..7)
}

fn allowed() -> impl Strategy<Value = Option<Bitmap>> {
    prop::option::of(vec(0..10_u64, 0..8).prop_map(|keys| keys.into_iter().collect()))
}

proptest! {
    #[test]
    fn sparse_search_is_brute_force(
        changes in vec((0..10_u64, prop::option::of(pairs())), 0..CHANGES),
        (query, k, allowed) in (pairs(), 1..6_usize, allowed()),
    ) {
        let (mut index, mut rows) = (SparseIndex::default(), BTreeMap::new());
        for (key, change) in changes {
            if let Some(pairs) = change {
                index.insert(key, &pairs);
                rows.insert(key, pairs);
            } else {
                index.remove(key);
                rows.remove(&key);
            }
        }
        let found = index.search(&query, k, allowed.as_ref());
        prop_assert_eq!(found, naive_products(&rows, &query, k, allowed.as_ref()));
        rows.retain(|_, pairs| !pairs.is_empty());
        prop_assert_eq!(index.len(), rows.len());
    }

    #[test]
    fn text_search_is_the_formula_over_every_row(
        changes in vec((0..10_u64, prop::option::of(words())), 0..CHANGES),
        (query, k, allowed) in (words(), 1..6_usize, allowed()),
    ) {
        let (mut index, mut rows) = (TextIndex::default(), BTreeMap::new());
        for (key, change) in changes {
            if let Some(words) = change {
                index.insert(key, &words);
                rows.insert(key, words);
            } else {
                index.remove(key);
                rows.remove(&key);
            }
        }
        let found = index.search(&query, 20, allowed.as_ref());
        let naive = naive_bm25(&rows, &query, 20, allowed.as_ref());
        // The two add up in the same order but round on different ways.
        let mut scores: BTreeMap<u64, f32> = naive.iter().map(|hit| (hit.key, hit.score)).collect();
        prop_assert_eq!(found.len(), naive.len());
        for hit in &found {
            let expected = scores.remove(&hit.key).expect("found by both");
            prop_assert!((hit.score - expected).abs() < 1e-4, "{} {}", hit.score, expected);
        }
        let best = index.search(&query, k, allowed.as_ref());
        prop_assert_eq!(best, hits_of(found.clone(), k));
        let matching: Bitmap = index.search(&query, 20, None).iter().map(|hit| hit.key).collect();
        prop_assert_eq!(
            index.matching(&query).iter().collect::<Vec<_>>(),
            matching.iter().collect::<Vec<_>>()
        );
    }
}

#[test]
fn rows_that_come_and_go_leave_no_trace() {
    let mut churned = TextIndex::default();
    let mut sparse = SparseIndex::default();
    for round in 0..40_u16 {
        for key in 0..100 {
            churned.insert(key, ["every".to_owned(), format!("round{round}")]);
            sparse.insert(key, &[(u32::from(round), 1.0), (1000, 0.5)]);
        }
    }
    for key in 1..100 {
        churned.remove(key);
        sparse.remove(key);
    }
    assert_eq!((churned.len(), sparse.len()), (1, 1));
    assert!(churned.slots.len() < 12, "{}", churned.slots.len());
    assert_eq!((churned.words.len(), churned.lists.len()), (2, 2));
    assert_eq!(
        (sparse.slots.len(), sparse.lists.len()),
        (churned.slots.len(), 2)
    );
    let mut fresh = TextIndex::default();
    fresh.insert(0, ["every", "round39"]);
    let words = ["every", "round39", "round38"];
    assert_eq!(
        churned.search(&words, 5, None),
        fresh.search(&words, 5, None)
    );
    assert_eq!(
        sparse.search(&[(39, 2.0), (1000, 1.0), (38, 9.0)], 5, None),
        [Hit { key: 0, score: 2.5 }]
    );
}

#[test]
fn a_word_that_every_row_holds_counts_a_little() {
    let mut index = TextIndex::default();
    index.insert(1, ["dog"]);
    index.insert(2, ["dog", "dog", "cat"]);
    let hits = index.search(&["dog"], 5, None);
    assert_eq!(hits.len(), 2);
    assert!(hits.iter().all(|hit| hit.score > 0.0), "{hits:?}");
    assert!(index.search(&["cow"], 5, None).is_empty());
    assert!(TextIndex::default().search(&["dog"], 5, None).is_empty());
}
