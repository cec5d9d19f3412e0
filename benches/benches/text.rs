//! Full text and sparse vectors over 100,000 rows, and what it costs to make their lists: 60 words a row, as often
//! as words are in a language (the n-th commonest 1/n as often as the first).

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lookalike_index::{Bitmap, SparseIndex, TextIndex};

const ROWS: u64 = 100_000;
const WORDS_A_ROW: usize = 60;
const VOCABULARY: usize = 50_000;

/// The same words on every machine.
struct Language {
    state: u64,
    /// Up to where a number between 0 and the last of these means each word.
    ends: Vec<f64>,
}

impl Language {
    fn new() -> Self {
        let mut end = 0.0;
        let ends = (0..VOCABULARY)
            .map(|rank| {
                end += 1.0 / (f64::from(u32::try_from(rank).expect("few words")) + 2.7);
                end
            })
            .collect();
        Self {
            state: 0x9E37_79B9_7F4A_7C15,
            ends,
        }
    }

    fn word(&mut self) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let part = f64::from(u32::try_from(self.state >> 32).expect("32 bits")) / 4_294_967_296.0;
        let number = part * self.ends[VOCABULARY - 1];
        self.ends
            .partition_point(|end| *end < number)
            .min(VOCABULARY - 1)
    }

    fn row(&mut self, words: usize) -> Vec<String> {
        (0..words).map(|_| format!("w{}", self.word())).collect()
    }
}

fn full_text(criterion: &mut Criterion) {
    let mut language = Language::new();
    let rows: Vec<Vec<String>> = (0..ROWS).map(|_| language.row(WORDS_A_ROW)).collect();
    let build = || {
        let mut index = TextIndex::default();
        for (key, row) in (0..).zip(&rows) {
            index.insert(key, row);
        }
        index
    };
    let mut group = criterion.benchmark_group("full_text_100000x60");
    group.sample_size(10);
    group.bench_function("build", |bencher| bencher.iter(build));
    let index = build();
    let half: Bitmap = (0..ROWS).step_by(2).collect();
    for words in [1, 3, 10] {
        let queries: Vec<Vec<String>> = (0..64).map(|_| language.row(words)).collect();
        for (name, allowed) in [("all", None), ("half", Some(&half))] {
            let mut turns = queries.iter().cycle();
            group.bench_function(format!("{words} words of {name}"), |bencher| {
                bencher.iter(|| {
                    let query = turns.next().expect("without end");
                    black_box(index.search(query, 100, allowed))
                });
            });
        }
    }
    group.finish();
}

fn sparse(criterion: &mut Criterion) {
    let mut language = Language::new();
    let mut vector = |words| {
        let mut indices: Vec<u32> = (0..words)
            .map(|_| u32::try_from(language.word()).expect("few words"))
            .collect();
        indices.sort_unstable();
        indices.dedup();
        indices
            .into_iter()
            .map(|index| (index, 0.5))
            .collect::<Vec<(u32, f32)>>()
    };
    let mut index = SparseIndex::default();
    for key in 0..ROWS {
        index.insert(key, &vector(WORDS_A_ROW));
    }
    let queries: Vec<_> = (0..64).map(|_| vector(10)).collect();
    let mut turns = queries.iter().cycle();
    criterion.bench_function("sparse_100000x60/10 indices", |bencher| {
        bencher.iter(|| {
            let query = turns.next().expect("without end");
            black_box(index.search(query, 100, None))
        });
    });
}

criterion_group!(benches, full_text, sparse);
criterion_main!(benches);
