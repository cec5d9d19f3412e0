//! Encoders on one thread: the built-in one, and each kind of CLIP tower with the test's checkpoints of a few hundred kilobytes.
//!
//! The small checkpoints' times say what surrounds the arithmetic; `lookalike-bench clip` measures towers of full size.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use lookalike_embed::{Device, Models, ModelsConfig, Priority, ServedModel, open_folder};
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

/// A transformer and a `ResNet` on this crate's kernels, and the transformer on candle.
fn small_clips(criterion: &mut Criterion) {
    let kernels = one_thread();
    let candle = ModelsConfig {
        device: Device::Reference,
        ..one_thread()
    };
    for (name, checkpoint, config) in [
        ("small_vit", "quick-gelu-f16", &kernels),
        ("small_resnet", "open-clip-resnet", &kernels),
        ("small_vit_on_candle", "quick-gelu-f16", &candle),
    ] {
        let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/embed/tests/goldens");
        let model = open_folder(&goldens.join(checkpoint), config)
            .expect("the checkpoint is part of the repository");
        encoder(criterion, name, &model);
    }
}

fn one_thread() -> ModelsConfig {
    ModelsConfig {
        threads: 1,
        ..ModelsConfig::default()
    }
}

criterion_group!(benches, builtin, small_clips);
criterion_main!(benches);
