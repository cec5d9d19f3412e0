//! The vector index: inserting, searching by scan and by graph, searching under a filter,
//! writing a snapshot and reading it again. 20,000 × 512 in clusters, so that a graph is of use.

use std::hint::black_box;
use std::sync::LazyLock;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use lookalike_index::{Bitmap, Change, Effort, Metric, Options, Query, VectorIndex};

const VECTORS: u64 = 20_000;
const DIMENSION: usize = 512;
const CLUSTERS: u64 = 500;

/// Deterministic numbers from -1 to 1.
fn noise(seed: u64) -> impl Iterator<Item = f32> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f32::from(u16::try_from(state >> 48).expect("16 bits")) / 32_767.5 - 1.0
    })
    .take(DIMENSION)
}

/// A member of one of the clusters.
fn vector(key: u64) -> Vec<f32> {
    let centre = noise(VECTORS * 2 + key % CLUSTERS);
    centre
        .zip(noise(key))
        .map(|(centre, own)| centre + 0.7 * own)
        .collect()
}

static BASE: LazyLock<Vec<Vec<f32>>> = LazyLock::new(|| (0..VECTORS).map(vector).collect());

fn options() -> Options {
    Options {
        graph_min_bytes: 0,
        fold_in_background: false,
        fold_threads: 1,
        ..Options::new(DIMENSION, Metric::Cosine)
    }
}

fn fill(index: &VectorIndex) {
    let changes: Vec<Change<'_>> = (0..)
        .zip(BASE.iter())
        .map(|(key, vector)| Change::Insert { key, vector })
        .collect();
    index.apply(&changes).expect("valid vectors");
}

fn folded() -> VectorIndex {
    let index = VectorIndex::with_options(options()).expect("valid options");
    fill(&index);
    index.fold_blocking();
    index
}

fn searches(criterion: &mut Criterion) {
    let index = folded();
    let target = vector(VECTORS);
    let query = Query {
        vector: &target,
        k: 10,
        metric: Metric::Cosine,
        allowed: None,
    };
    let mut group = criterion.benchmark_group("search_20000x512");
    for ef in [10, 40, 160] {
        group.bench_function(BenchmarkId::new("graph_ef", ef), |bencher| {
            let effort = Effort::Graph { ef };
            bencher.iter(|| index.answer(black_box(&query), effort).expect("a query"));
        });
    }
    for (name, effort) in [("planned", Effort::Planned), ("exact", Effort::Exact)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| index.answer(black_box(&query), effort).expect("a query"));
        });
    }
    for metric in [Metric::InnerProduct, Metric::L2] {
        let query = Query { metric, ..query };
        group.bench_function(
            BenchmarkId::new("vectors", format!("{metric:?}")),
            |bencher| {
                bencher.iter(|| index.search(black_box(&query)).expect("a query"));
            },
        );
    }
    for every in [2, 10, 100, 1000] {
        let allowed: Bitmap = (0..VECTORS).step_by(every).collect();
        let query = Query {
            allowed: Some(&allowed),
            ..query
        };
        group.bench_function(BenchmarkId::new("filter_keeps_one_in", every), |bencher| {
            bencher.iter(|| index.search(black_box(&query)).expect("a query"));
        });
    }
    group.finish();
}

fn changes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("change");
    group.sample_size(10);
    group.bench_function("insert_1000", |bencher| {
        let blank = || VectorIndex::with_options(options()).expect("valid options");
        let insert = |index: VectorIndex| {
            for (key, vector) in (0..1000).zip(BASE.iter()) {
                index.insert(key, vector).expect("a valid vector");
            }
            index
        };
        bencher.iter_batched(blank, insert, BatchSize::LargeInput);
    });
    group.bench_function("build_20000", |bencher| bencher.iter(folded));
    group.finish();
}

fn files(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("index");
    let index = VectorIndex::create(&path, options()).expect("a new folder");
    fill(&index);
    index.fold_blocking();
    let mut group = criterion.benchmark_group("files_20000x512");
    group.sample_size(10);
    group.bench_function("snapshot", |bencher| {
        bencher.iter(|| index.snapshot_blocking().expect("a snapshot"));
    });
    index.close();
    group.bench_function("reload", |bencher| {
        let reload = || {
            VectorIndex::open(&path, options())
                .expect("whole")
                .expect("there")
        };
        bencher.iter_with_large_drop(reload);
    });
    group.finish();
}

criterion_group!(benches, searches, changes, files);
criterion_main!(benches);
