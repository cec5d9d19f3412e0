//! JPEGs against bytes recorded from Pillow (`goldens/make_jpeg.py`): to the bit with libjpeg-turbo, within a few levels with
//! the decoder of the default build.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::path::Path;

use lookalike_jpeg::Divisor;
use lookalike_media::preprocess::{CropPlan, Margin, clip};
use lookalike_media::{ImageLimits, Picture, Pixels, Size, decode, decode_sized};

const RECORDED: &str = include_str!("goldens/jpeg.txt");

struct Recorded {
    name: &'static str,
    sides: (u32, u32),
    #[cfg_attr(not(feature = "turbojpeg"), expect(dead_code, reason = "to the bit"))]
    decoded: &'static str,
    #[cfg_attr(not(feature = "turbojpeg"), expect(dead_code, reason = "to the bit"))]
    at_224: &'static str,
    at_64: Option<Vec<u8>>,
}

fn recorded() -> Vec<Recorded> {
    RECORDED
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let bytes = |digits: &str| {
                let pairs = digits.as_bytes().chunks(2);
                pairs
                    .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
                    .collect()
            };
            Recorded {
                name: fields[0],
                sides: (fields[1].parse().unwrap(), fields[2].parse().unwrap()),
                decoded: fields[3],
                at_224: fields[4],
                at_64: (fields[5] != "-").then(|| bytes(fields[5])),
            }
        })
        .collect()
}

fn photo(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/photos");
    fs_err::read(folder.join(name)).unwrap()
}

fn full(name: &str) -> Picture {
    decode(&photo(name), &ImageLimits::default()).unwrap()
}

/// The largest and the mean difference, in levels.
fn difference(a: &[u8], b: &[u8]) -> (u8, f64) {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    let sum: u32 = differences.clone().map(u32::from).sum();
    let count = u32::try_from(a.len()).unwrap();
    (
        differences.max().unwrap(),
        f64::from(sum) / f64::from(count),
    )
}

#[test]
fn every_decoder_stays_close_to_pillow() {
    let recorded = recorded();
    assert_eq!(
        recorded.len(),
        43,
        "jpeg.txt is not the one this test knows"
    );
    let mut compared = 0;
    for case in recorded {
        let Some(expected) = case.at_64 else { continue };
        let picture = full(case.name);
        assert_eq!((picture.width, picture.height), case.sides);
        let (largest, mean) =
            difference(&clip(&picture.pixels, &CropPlan::clip(64)).rgb, &expected);
        assert!(
            largest <= 4 && mean <= 0.5,
            "{}: {largest}, {mean}",
            case.name
        );
        compared += 1;
    }
    assert_eq!(compared, 3);
}

#[cfg(feature = "turbojpeg")]
fn crc(rgb: &[u8]) -> String {
    let mut sum = flate2::Crc::new();
    sum.update(rgb);
    format!("{:08x}", sum.sum())
}

#[cfg(feature = "turbojpeg")]
#[test]
fn libjpeg_turbo_is_pillow_to_the_bit() {
    for case in recorded() {
        let picture = full(case.name);
        assert_eq!(crc(&picture.pixels.rgb), case.decoded, "{}", case.name);
        let made = clip(&picture.pixels, &CropPlan::clip(224));
        assert_eq!(crc(&made.rgb), case.at_224, "{}", case.name);
    }
}

#[test]
fn smaller_decoding_keeps_the_sides_and_the_levels() {
    let plan = CropPlan::clip(48);
    let size = Size::Centre {
        edge: plan.short_edge,
    };
    let mut shrunk = 0;
    for case in recorded() {
        let whole = full(case.name);
        let picture = decode_sized(&photo(case.name), &ImageLimits::default(), size).unwrap();
        assert_eq!((picture.width, picture.height), case.sides, "{}", case.name);
        shrunk += usize::from(picture.pixels.width < picture.width);
        let made = clip(&picture.pixels, &plan);
        let (largest, mean) = difference(&made.rgb, &clip(&whole.pixels, &plan).rgb);
        assert!(
            largest <= 2 && mean <= 0.4,
            "{}: {largest}, {mean}",
            case.name
        );
    }
    // The others are too small, or of odd sides.
    assert_eq!(shrunk, 4);
}

#[test]
fn every_photo_may_be_decoded_at_a_part_of_its_sides() {
    let mut shrunk = [0; 3];
    for case in recorded() {
        let whole = full(case.name);
        let short = case.sides.0.min(case.sides.1);
        for (count, by) in shrunk.iter_mut().zip([2, 4, 8]) {
            // The largest edge that this divisor is taken for.
            let plan = CropPlan::clip(short / by / 6);
            let size = Size::Centre {
                edge: plan.short_edge,
            };
            let picture = decode_sized(&photo(case.name), &ImageLimits::default(), size).unwrap();
            if picture.pixels.width * by != picture.width {
                continue;
            }
            *count += 1;
            let made = clip(&picture.pixels, &plan);
            let (largest, mean) = difference(&made.rgb, &clip(&whole.pixels, &plan).rgb);
            // Five small photos, made a short edge of 14 to 35 at hardly more than six times that, have 3s with libjpeg-turbo's
            // halves as well; in the default build the whole picture's own decoder adds what it differs by.
            let (most, most_mean) = if plan.short_edge < 30 {
                (4, 0.5)
            } else {
                (2, 0.4)
            };
            assert!(
                largest <= most && mean <= most_mean,
                "{} at 1/{by}: {largest}, {mean}",
                case.name
            );
        }
    }
    assert!(shrunk.iter().all(|count| *count > 5), "{shrunk:?}");
}

#[test]
fn nothing_but_the_centre_is_looked_at() {
    let mut compared = 0;
    for case in recorded() {
        let bytes = photo(case.name);
        let Ok(half) = lookalike_jpeg::decode(&bytes, Divisor::Two) else {
            continue;
        };
        let half = Pixels::new(half.width, half.height, half.pixels).unwrap();
        let edge = case.sides.0.min(case.sides.1) / 2 / 6;
        let size = Size::Centre { edge };
        let centre = decode_sized(&bytes, &ImageLimits::default(), size).unwrap();
        if centre.pixels.width != half.width {
            continue;
        }
        compared += usize::from(centre.pixels != half);
        for margin in [Margin::Down, Margin::HalfToEven] {
            let plan = CropPlan {
                margin,
                ..CropPlan::clip(edge)
            };
            assert_eq!(clip(&centre.pixels, &plan), clip(&half, &plan));
        }
    }
    assert!(compared > 5, "{compared}");
}

/// Columns, rows, chroma subsampling and RGB as libjpeg-turbo decodes at a part of the sides.
#[cfg(feature = "turbojpeg")]
fn by_turbo(bytes: &[u8], divisor: usize) -> (usize, usize, turbojpeg::Subsamp, Vec<u8>) {
    use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};

    let mut decompressor = Decompressor::new().unwrap();
    let header = decompressor.read_header(bytes).unwrap();
    let factor = ScalingFactor::new(1, divisor);
    decompressor.set_scaling_factor(factor).unwrap();
    let (width, height) = (factor.scale(header.width), factor.scale(header.height));
    let mut pixels = vec![0; width * height * 3];
    let image = Image {
        pixels: &mut pixels[..],
        width,
        pitch: width * 3,
        height,
        format: PixelFormat::RGB,
    };
    decompressor.decompress(bytes, image).unwrap();
    (width, height, header.subsamp, pixels)
}

#[cfg(feature = "turbojpeg")]
#[test]
fn halves_are_those_of_libjpeg_turbo() {
    let (mut compared, mut differ) = (0, 0);
    for case in recorded() {
        let bytes = photo(case.name);
        let Ok(ours) = lookalike_jpeg::decode(&bytes, Divisor::Two) else {
            continue;
        };
        let (width, height, subsampling, pixels) = by_turbo(&bytes, 2);
        if subsampling == turbojpeg::Subsamp::Sub1x2 {
            // It halves the chroma of such columns once too often; ours is closer to the whole picture.
            continue;
        }
        let sides = (ours.width as usize, ours.height as usize);
        assert_eq!(sides, (width, height), "{}", case.name);
        let (largest, mean) = difference(&ours.pixels, &pixels);
        // A level of rounding each in luma and in chroma, which blue has 1.772 times.
        assert!(
            largest <= 3 && mean <= 0.3,
            "{}: {largest}, {mean}",
            case.name
        );
        compared += pixels.len();
        let far = |(a, b): &(&u8, &u8)| a.abs_diff(**b) > 2;
        differ += ours.pixels.iter().zip(&pixels).filter(far).count();
    }
    assert!(compared > 3_000_000, "{compared}");
    assert!(differ * 1000 < compared, "{differ} of {compared}");
}
