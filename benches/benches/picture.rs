//! From the bytes of a JPEG to what an encoder looks at: the work on every photo before the model gets it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lookalike_media::resize::{SourceBox, bicubic};
use lookalike_media::{ImageLimits, decode, preprocess};

/// A photo of 640 × 480 and one of 1,800 × 1,200 pixels, both among the example photos.
const PHOTOS: [(&str, &[u8]); 2] = [
    (
        "cat_640x480",
        include_bytes!("../../examples/photos/cat-and-parakeet.jpg"),
    ),
    (
        "truck_1800x1200",
        include_bytes!("../../examples/photos/pickup-truck.jpg"),
    ),
];

fn decode_and_resize(criterion: &mut Criterion) {
    let limits = ImageLimits::default();
    let mut group = criterion.benchmark_group("jpeg");
    for (name, bytes) in PHOTOS {
        group.throughput(Throughput::Bytes(
            u64::try_from(bytes.len()).expect("a small file"),
        ));
        group.bench_function(format!("decode/{name}"), |bencher| {
            bencher.iter(|| decode(black_box(bytes), &limits).expect("a sound photo"));
        });
        let pixels = decode(bytes, &limits).expect("a sound photo").pixels;
        group.bench_function(format!("resize_to_256/{name}"), |bencher| {
            bencher.iter(|| preprocess::center_square_256(black_box(&pixels)));
        });
        group.bench_function(format!("decode_and_resize_to_clip_224/{name}"), |bencher| {
            bencher.iter(|| {
                let picture = decode(black_box(bytes), &limits).expect("a sound photo");
                preprocess::clip(&picture.pixels, &preprocess::CropPlan::clip(224))
            });
        });
    }
    group.finish();
}

/// The resize alone, at the size that the peers' figures are for.
fn resize(criterion: &mut Criterion) {
    let picture = decode(PHOTOS[1].1, &ImageLimits::default()).expect("a sound photo");
    let whole = SourceBox::whole(&picture.pixels);
    let small = bicubic(&picture.pixels, whole, 500, 375).expect("sides of at least a pixel");
    let mut group = criterion.benchmark_group("resize");
    for (name, pixels) in [("500x375", &small), ("1800x1200", &picture.pixels)] {
        group.bench_function(format!("clip_224/{name}"), |bencher| {
            bencher.iter(|| preprocess::clip(black_box(pixels), &preprocess::CropPlan::clip(224)));
        });
    }
    group.finish();
}

criterion_group!(benches, decode_and_resize, resize);
criterion_main!(benches);
