//! Encoders: one picture and one text through the built-in encoder and through a small CLIP, on one thread.
//!
//! The CLIP is a test's checkpoint of a few hundred kilobytes: its time says what candle's operations cost around the
//! arithmetic, not what a real model takes.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use lookalike_embed::{Models, ModelsConfig, Priority, ServedModel, open_folder};
use lookalike_media::Pixels;

/// Waves without meaning; a network costs the same on any picture.
fn picture() -> Pixels {
    let rgb = (0..500_u32 * 375 * 3)
        .map(|i| u8::try_from(i.wrapping_mul(2_654_435_761) >> 24).expect("8 bits"))
        .collect();
    Pixels::new(500, 375, rgb).expect("the bytes fit the sides")
}

fn encoder(criterion: &mut Criterion, name: &str, model: &ServedModel) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers");
    let pixels = picture();
    let prepared = model.prepare(&pixels);
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20);
    group.bench_function("prepare_500x375", |bencher| {
        bencher.iter(|| model.prepare(black_box(&pixels)));
    });
    group.bench_function("image", |bencher| {
        bencher.iter(|| {
            let images = vec![black_box(&prepared).clone()];
            let vectors = runtime.block_on(model.embed_images(images, Priority::Query));
            vectors.expect("the picture was prepared for this model")
        });
    });
    let mut count = 0_u64;
    group.bench_function("text", |bencher| {
        bencher.iter(|| {
            // A new text every time, or the cache would answer.
            count += 1;
            let text = format!("a photo of a red car number {count}");
            runtime
                .block_on(model.embed_text(&text))
                .expect("any text has a vector")
        });
    });
    group.bench_function("text_from_cache", |bencher| {
        bencher.iter(|| {
            runtime
                .block_on(model.embed_text(black_box("a dog")))
                .expect("any text has a vector")
        });
    });
    group.finish();
}

fn builtin(criterion: &mut Criterion) {
    criterion.bench_function("builtin_load", |bencher| {
        bencher.iter(|| Models::open(one_thread()));
    });
    let models = Models::open(one_thread()).expect("the built-in encoder needs no files");
    encoder(criterion, "builtin", &models.builtin());
}

fn small_clip(criterion: &mut Criterion) {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/embed/tests/goldens/quick-gelu-f16");
    let model =
        open_folder(&folder, &one_thread()).expect("the checkpoint is part of the repository");
    encoder(criterion, "small_clip", &model);
}

fn one_thread() -> ModelsConfig {
    ModelsConfig {
        threads: 1,
        ..ModelsConfig::default()
    }
}

criterion_group!(benches, builtin, small_clip);
criterion_main!(benches);
