//! Resizing against bytes recorded from Pillow (`goldens/make_resize.py`): no level may differ.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::fmt::Write;

use lookalike_media::Pixels;
use lookalike_media::preprocess::{CropPlan, center_square_256, clip};
use lookalike_media::resize::{SourceBox, Window, bicubic_window};

const RECORDED: &str = include_str!("goldens/resize.txt");

/// The picture that `source` of `make_resize.py` makes.
fn source(width: u32, height: u32) -> Pixels {
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let (x, y) = (u64::from(x), u64::from(y));
                let noise = ((x * 73_856_093) ^ (y * 19_349_663) ^ (channel * 83_492_791)) >> 7;
                let slope = (x * 3 + y * 2 + channel * 40) >> 1;
                let level = if (x / 5 + y / 7) % 2 == 1 {
                    noise
                } else {
                    slope
                };
                rgb.push(level.to_le_bytes()[0]);
            }
        }
    }
    Pixels::new(width, height, rgb).unwrap()
}

struct Recorded {
    width: u32,
    height: u32,
    source_box: SourceBox,
    size: (u32, u32),
    window: Window,
    expected: String,
}

fn recorded() -> Vec<Recorded> {
    RECORDED.lines().map(parse).collect()
}

fn parse(line: &str) -> Recorded {
    let fields: Vec<&str> = line.split(' ').collect();
    let whole = |at: usize| fields[at].parse::<u32>().unwrap();
    let edge = |at: usize| fields[at].parse::<f32>().unwrap();
    Recorded {
        width: whole(0),
        height: whole(1),
        source_box: SourceBox {
            left: edge(2),
            top: edge(3),
            right: edge(4),
            bottom: edge(5),
        },
        size: (whole(6), whole(7)),
        window: Window {
            columns: whole(8)..whole(10),
            rows: whole(9)..whole(11),
        },
        expected: fields[12].to_owned(),
    }
}

/// In the form that the record has.
fn written_like(expected: &str, rgb: &[u8]) -> String {
    if expected.starts_with("crc32:") {
        let mut sum = flate2::Crc::new();
        sum.update(rgb);
        return format!("crc32:{:08x}", sum.sum());
    }
    let mut digits = String::new();
    for byte in rgb {
        write!(digits, "{byte:02x}").unwrap();
    }
    digits
}

#[test]
fn every_recorded_resize_is_reproduced_to_the_bit() {
    let recorded = recorded();
    assert_eq!(
        recorded.len(),
        38,
        "resize.txt is not the one this test knows"
    );
    for case in recorded {
        let pixels = source(case.width, case.height);
        let made = bicubic_window(&pixels, case.source_box, case.size, &case.window).unwrap();
        assert_eq!(
            written_like(&case.expected, &made.rgb),
            case.expected,
            "{}x{} {:?} to {:?}, {:?}",
            case.width,
            case.height,
            case.source_box,
            case.size,
            case.window
        );
    }
}

#[test]
fn the_encoders_preprocessing_is_among_what_was_recorded() {
    let expected = |width, height, side: u32| {
        recorded()
            .into_iter()
            .rfind(|case| {
                (case.width, case.height) == (width, height)
                    && case.window.columns.len() == side as usize
                    && case.window.rows.len() == side as usize
            })
            .unwrap()
            .expected
    };
    for (width, height, side) in [(500, 375, 224), (1333, 1999, 224), (640, 480, 336)] {
        let expected = expected(width, height, side);
        let made = clip(&source(width, height), &CropPlan::clip(side));
        assert_eq!(
            written_like(&expected, &made.rgb),
            expected,
            "{width}x{height}"
        );
    }
    for (width, height) in [(501, 374), (1600, 1201)] {
        let expected = expected(width, height, 256);
        let made = center_square_256(&source(width, height));
        assert_eq!(
            written_like(&expected, &made.rgb),
            expected,
            "{width}x{height}"
        );
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let pixels = source(10, 10);
    let resize = |right: f32, columns: std::ops::Range<u32>| {
        let source_box = SourceBox {
            right,
            ..SourceBox::whole(&pixels)
        };
        bicubic_window(
            &pixels,
            source_box,
            (5, 5),
            &Window {
                columns,
                rows: 0..5,
            },
        )
    };
    assert!(resize(10.0, 0..5).is_ok());
    let too_wide = resize(10.5, 0..5).unwrap_err();
    assert!(
        too_wide.to_string().contains("not inside 10x10 pixels"),
        "{too_wide}"
    );
    assert!(resize(0.0, 0..5).is_err());
    assert!(resize(f32::NAN, 0..5).is_err());
    assert!(resize(10.0, 0..6).is_err());
    assert!(resize(10.0, 3..3).is_err());
}
