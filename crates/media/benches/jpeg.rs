//! A photo of 12 megapixels at a part of its sides: this project's decoder, libjpeg-turbo, and what the default build would
//! do without the former.
//!
//! `cargo bench -p lookalike-media --features turbojpeg --bench jpeg`

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "coordinates and levels"
)]

use std::hint::black_box;
use std::io::Cursor;

use criterion::{Criterion, criterion_group, criterion_main};
use image::{ImageDecoder as _, codecs::jpeg::JpegDecoder};
use lookalike_jpeg::{Divisor, Part};
use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor, Subsamp};

const WIDTH: usize = 4000;
const HEIGHT: usize = 3000;

/// Numbers that are the same everywhere (xorshift), from -1 to 1 and most of them about the middle.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let part = |shift: u32| f32::from((self.0 >> shift & 0xfff) as u16) / 4095.0;
        (part(8) + part(24) + part(40)) / 1.5 - 1.0
    }
}

/// Noise at all scales with the spectrum of photographs and some grain, so that the JPEG is as long as one. What
/// `benches/peers/ingest.py` makes, in outline.
fn texture() -> Vec<u8> {
    let mut noise = Noise(1);
    let mut levels = vec![[0.5f32; 3]; WIDTH * HEIGHT];
    for octave in 2..10 {
        let cell = WIDTH >> octave;
        let columns = WIDTH / cell + 3;
        let grid: Vec<[f32; 3]> = (0..columns * (HEIGHT / cell + 3))
            .map(|_| [(); 3].map(|()| noise.next()))
            .collect();
        let strength = 0.9 / 1.741f32.powi(octave);
        for (y, row) in levels.chunks_mut(WIDTH).enumerate() {
            let (top, down) = (y / cell, (y % cell) as f32 / cell as f32);
            for (x, level) in row.iter_mut().enumerate() {
                let (left, right) = (x / cell, (x % cell) as f32 / cell as f32);
                let at = |row: usize, column: usize, colour: usize| {
                    grid[(top + row) * columns + left + column][colour]
                };
                for (colour, level) in level.iter_mut().enumerate() {
                    let upper = at(0, 0, colour) * (1.0 - right) + at(0, 1, colour) * right;
                    let lower = at(1, 0, colour) * (1.0 - right) + at(1, 1, colour) * right;
                    *level += strength * (upper * (1.0 - down) + lower * down);
                }
            }
        }
    }
    let byte = |level: f32| (level.clamp(0.0, 1.0) * 255.0) as u8;
    let grained = |level: &f32| byte(level + 0.055 * noise.next());
    levels.as_flattened().iter().map(grained).collect()
}

/// The texture as a JPEG of quality 90, 4:2:0.
fn photo() -> Vec<u8> {
    let pixels = texture();
    let image = Image {
        pixels: &pixels[..],
        width: WIDTH,
        pitch: WIDTH * 3,
        height: HEIGHT,
        format: PixelFormat::RGB,
    };
    let jpeg = turbojpeg::compress(image, 90, Subsamp::Sub2x2).expect("sound pixels");
    jpeg.to_vec()
}

fn by_turbo(jpeg: &[u8], divisor: usize) -> Vec<u8> {
    let mut decompressor = Decompressor::new().expect("enough memory");
    let header = decompressor.read_header(jpeg).expect("a sound photo");
    let factor = ScalingFactor::new(1, divisor);
    decompressor
        .set_scaling_factor(factor)
        .expect("a factor that there is");
    let (width, height) = (factor.scale(header.width), factor.scale(header.height));
    let mut pixels = vec![0; width * height * 3];
    let image = Image {
        pixels: &mut pixels[..],
        width,
        pitch: width * 3,
        height,
        format: PixelFormat::RGB,
    };
    decompressor.decompress(jpeg, image).expect("a sound photo");
    pixels
}

fn by_default(jpeg: &[u8]) -> Vec<u8> {
    let decoder = JpegDecoder::new(Cursor::new(jpeg)).expect("a sound photo");
    let mut pixels = vec![0; WIDTH * HEIGHT * 3];
    decoder.read_image(&mut pixels).expect("a sound photo");
    pixels
}

fn decode(criterion: &mut Criterion) {
    let made = photo();
    let truck = include_bytes!("../../../examples/photos/pickup-truck.jpg");
    for (name, jpeg) in [
        (format!("4000x3000, {} bytes", made.len()), &made[..]),
        (format!("1800x1200, {} bytes", truck.len()), truck),
    ] {
        let mut group = criterion.benchmark_group(&name);
        group.sample_size(40);
        for (divisor, number) in [(Divisor::Two, 2), (Divisor::Four, 4), (Divisor::Eight, 8)] {
            group.bench_function(format!("own/{number}"), |bencher| {
                bencher.iter(|| lookalike_jpeg::decode(black_box(jpeg), divisor).expect("sound"));
            });
            group.bench_function(format!("libjpeg-turbo/{number}"), |bencher| {
                bencher.iter(|| by_turbo(black_box(jpeg), number));
            });
        }
        if jpeg.len() == made.len() {
            // The middle 1,556 columns of 2,000: what a square of 224 pixels is made of.
            let part = Part {
                columns: 222..1778,
                rows: 0..1500,
            };
            group.bench_function("own/2, centre", |bencher| {
                bencher.iter(|| {
                    lookalike_jpeg::decode_part(black_box(jpeg), Divisor::Two, &part, &|| ())
                        .expect("sound")
                });
            });
            group.bench_function("zune-jpeg/1", |bencher| {
                bencher.iter(|| by_default(black_box(jpeg)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
