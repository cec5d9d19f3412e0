//! The vector index: exact scan of 20,000 × 512 `f32` vectors.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lookalike_index::{Metric, Query, VectorIndex};

const VECTORS: u64 = 20_000;
const DIMENSION: usize = 512;

/// Deterministic vectors without structure; a scan costs the same on any.
fn noise(seed: u64) -> Vec<f32> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..DIMENSION)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f32::from(u16::try_from(state >> 48).expect("16 bits")) - 32_767.5
        })
        .collect()
}

fn exact_scan(criterion: &mut Criterion) {
    let index = VectorIndex::new(DIMENSION, Metric::Cosine).expect("a valid dimension");
    for key in 0..VECTORS {
        index.insert(key, &noise(key)).expect("a valid vector");
    }
    let vector = noise(VECTORS);
    let mut group = criterion.benchmark_group("exact_scan_20000x512");
    for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2] {
        let query = Query {
            vector: &vector,
            k: 10,
            metric,
            allowed: None,
        };
        group.bench_function(format!("{metric:?}"), |bencher| {
            bencher.iter(|| index.search(black_box(&query)).expect("a valid query"));
        });
    }
    group.finish();
}

criterion_group!(benches, exact_scan);
criterion_main!(benches);
