//! Properties: whatever is cut off or flipped, nothing panics and no limit is passed.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::sync::OnceLock;

use lookalike_media::preprocess::{CropPlan, center_square_256, clip};
use lookalike_media::resize::{SourceBox, Window, bicubic, bicubic_window};
use lookalike_media::{ArchiveLimits, ImageLimits, Pixels, decode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use support::archives::{Made, all, read};
use support::odd::own_rows;
use support::zipfile::{Entry, zip};

/// The seed is fixed, so that a failure comes back.
fn config(cases: u32) -> Config {
    Config {
        rng_seed: RngSeed::Fixed(20_160_503),
        failure_persistence: None,
        ..Config::with_cases(cases)
    }
}

/// Small enough that a case takes milliseconds.
fn small_limits() -> ArchiveLimits {
    ArchiveLimits {
        max_members: 50,
        max_member_bytes: 1 << 20,
        max_total_bytes: 4 << 20,
        ratio_free_bytes: 1 << 20,
        ..ArchiveLimits::default()
    }
}

/// The archives that are small enough to be changed thousands of times.
fn small_archives() -> &'static [Made] {
    static ARCHIVES: OnceLock<Vec<Made>> = OnceLock::new();
    ARCHIVES.get_or_init(|| {
        let all = all().into_iter();
        all.filter(|made| (1..100_000).contains(&made.bytes.len()))
            .collect()
    })
}

fn small_pictures() -> &'static [Vec<u8>] {
    static PICTURES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    PICTURES.get_or_init(|| {
        let rows = own_rows().into_iter().filter(|row| !row.is_archive());
        let files = rows.map(|row| row.bytes());
        files
            .filter(|bytes| (1..30_000).contains(&bytes.len()))
            .collect()
    })
}

/// Cuts `bytes` where `cut` says (a share of its length) and flips the bits of `flips`.
fn damage(bytes: &[u8], cut: Option<f64>, flips: &[(f64, u8)]) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    if let Some(share) = cut {
        damaged.truncate(place(share, bytes.len()));
    }
    for (share, mask) in flips {
        let at = place(*share, damaged.len());
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= mask;
        }
    }
    damaged
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "any place will do"
)]
fn place(share: f64, length: usize) -> usize {
    (share * length as f64) as usize
}

fn damages() -> impl Strategy<Value = (Option<f64>, Vec<(f64, u8)>)> {
    (
        prop::option::weighted(0.3, 0.0..1.0),
        vec((0.0..1.0, 1u8..), 0..6),
    )
}

/// What must hold of anything that reading an archive gives.
fn assert_within_limits(bytes: &[u8], file_name: &str, limits: &ArchiveLimits) {
    let (members, outcome) = read(bytes, file_name, limits);
    let mut total = 0;
    for member in &members {
        assert!(
            !member.name.chars().any(char::is_control),
            "{:?}",
            member.name
        );
        if let Ok(content) = &member.content {
            let path = &member.name;
            assert!(
                !path.starts_with('/') && !path.split('/').any(|part| part == ".."),
                "{path}"
            );
            assert!(content.len() as u64 <= limits.max_member_bytes);
            total += content.len() as u64;
        }
    }
    assert!(total <= limits.max_total_bytes);
    assert!(members.len() as u64 <= limits.max_members);
    match outcome {
        Ok(summary) => {
            assert_eq!(summary.images + summary.refused, members.len() as u64);
            assert!(summary.images <= limits.max_images);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn damaged_archives_end_within_the_limits(
        which in any::<prop::sample::Index>(),
        (cut, flips) in damages(),
    ) {
        let made = which.get(small_archives());
        let damaged = damage(&made.bytes, cut, &flips);
        assert_within_limits(&damaged, made.name, &small_limits());
    }

    #[test]
    fn damaged_pictures_end_within_the_limits(
        which in any::<prop::sample::Index>(),
        (cut, flips) in damages(),
    ) {
        let picture: &Vec<u8> = which.get(small_pictures());
        let damaged = damage(picture, cut, &flips);
        let limits = ImageLimits {
            max_pixels: 1_000_000,
            max_decoded_bytes: 8_000_000,
            ..ImageLimits::default()
        };
        match decode(&damaged, &limits) {
            Ok(picture) => {
                let Pixels { width, height, rgb } = picture.pixels;
                prop_assert!(u64::from(width) * u64::from(height) <= limits.max_pixels);
                prop_assert_eq!(rgb.len(), width as usize * height as usize * 3);
            }
            Err(error) => prop_assert!(!error.to_string().chars().any(char::is_control)),
        }
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn any_bytes_are_a_picture_or_an_error(bytes in vec(any::<u8>(), 0..600)) {
        let _ = decode(&bytes, &ImageLimits::default());
        assert_within_limits(&bytes, "x.zip", &small_limits());
    }

    #[test]
    fn any_name_is_taken_safely_or_refused(name in vec(any::<u8>(), 0..40)) {
        let name = [name, b".bmp".to_vec()].concat();
        let bytes = zip(&[Entry::stored(name, b"content")]);
        assert_within_limits(&bytes, "x.zip", &ArchiveLimits::default());
    }
}

fn pictures() -> impl Strategy<Value = Pixels> {
    (1u32..40, 1u32..40).prop_flat_map(|(width, height)| {
        vec(any::<u8>(), (width * height * 3) as usize)
            .prop_map(move |rgb| Pixels::new(width, height, rgb).unwrap())
    })
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_window_of_a_resized_picture_is_that_part_of_the_whole(
        pixels in pictures(),
        size in (1u32..50, 1u32..50),
        corner in (0.0f64..1.0, 0.0f64..1.0),
    ) {
        let (width, height) = size;
        let from = [place(corner.0, width as usize), place(corner.1, height as usize)];
        let [left, top] = from.map(|at| u32::try_from(at).unwrap());
        let whole = bicubic(&pixels, SourceBox::whole(&pixels), width, height).unwrap();
        let window = Window { columns: left..width, rows: top..height };
        let part = bicubic_window(&pixels, SourceBox::whole(&pixels), size, &window).unwrap();
        for y in 0..part.height {
            for x in 0..part.width {
                prop_assert_eq!(part.get(x, y), whole.get(left + x, top + y));
            }
        }
    }

    #[test]
    fn preprocessing_takes_any_shape(pixels in pictures(), side in 1u32..64) {
        let cut = clip(&pixels, &CropPlan::clip(side));
        prop_assert_eq!((cut.width, cut.height), (side, side));
        prop_assert_eq!(cut.rgb.len(), (side * side * 3) as usize);
        prop_assert_eq!(center_square_256(&pixels).rgb.len(), 256 * 256 * 3);
    }

    #[test]
    fn one_colour_stays_that_colour(color in any::<[u8; 3]>(), sides in (1u32..60, 1u32..60)) {
        let (width, height) = sides;
        let pixels = Pixels::new(width, height, color.repeat((width * height) as usize)).unwrap();
        let cut = clip(&pixels, &CropPlan::clip(24));
        prop_assert!(cut.rgb.chunks(3).all(|pixel| pixel == color));
    }
}
