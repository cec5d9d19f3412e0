//! Decoding: colours against Pillow's, turning, and where the limits have their edges.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::collections::HashMap;

use lookalike_media::{DecodeError, ImageFormat, ImageLimits, Pixels, decode};
use support::odd::{Expected, own_rows, shared_rows};
use support::picture::{
    bmp, color_at, exif, png, png_claiming, png_of_type, tiff, with_exif, zlib,
};

fn decoded(bytes: &[u8]) -> Pixels {
    decode(bytes, &ImageLimits::default()).unwrap().pixels
}

fn refused(bytes: &[u8], limits: &ImageLimits) -> DecodeError {
    decode(bytes, limits).unwrap_err()
}

fn own_file(name: &str) -> Vec<u8> {
    let row = own_rows().into_iter().find(|row| row.file == name);
    row.unwrap_or_else(|| panic!("{name} is in tests/fixtures/odd"))
        .bytes()
}

/// The mean of each cell of a grid of 4 x 4, as `goldens/make_colours.py` reckons it.
fn cell_means(pixels: &Pixels) -> Vec<u64> {
    let edges = |side: u32, cell: u32| {
        let start = side * cell / 4;
        start..(side * (cell + 1) / 4).max(start + 1)
    };
    let mut means = Vec::new();
    for row in 0..4 {
        for column in 0..4 {
            let mut sums = [0u64; 3];
            let mut count = 0;
            for y in edges(pixels.height, row) {
                for x in edges(pixels.width, column) {
                    let pixel = pixels.get(x, y).unwrap_or_default();
                    for (sum, level) in sums.iter_mut().zip(pixel) {
                        *sum += u64::from(level);
                    }
                    count += 1;
                }
            }
            means.extend(sums.map(|sum| sum / count));
        }
    }
    means
}

#[test]
fn colours_are_those_that_pillow_sees() {
    let recorded: HashMap<&str, Vec<u64>> = include_str!("goldens/colours.txt")
        .lines()
        .map(|line| {
            let (file, numbers) = line.split_once(' ').unwrap();
            (
                file,
                numbers.split(' ').map(|n| n.parse().unwrap()).collect(),
            )
        })
        .collect();
    let mut compared = 0;
    for row in own_rows()
        .into_iter()
        .chain(shared_rows().into_iter().flatten())
    {
        let Some(expected) = recorded.get(row.file.as_str()) else {
            continue;
        };
        let pixels = match decode(&row.bytes(), &ImageLimits::default()) {
            Ok(picture) => picture.pixels,
            // Pillow reads some kinds that we need not.
            Err(error) => {
                assert_eq!(row.expected, Expected::Either, "{}: {error}", row.file);
                continue;
            }
        };
        let sides = [u64::from(pixels.width), u64::from(pixels.height)];
        assert_eq!(sides, expected[..2], "{}", row.file);
        for (cell, (ours, theirs)) in cell_means(&pixels).iter().zip(&expected[2..]).enumerate() {
            // JPEG decoders round differently; everything else is exact but for
            // 5-bit samples. A wrong channel or a wrong turn is far beyond two.
            assert!(
                ours.abs_diff(*theirs) <= 2,
                "{}: cell {cell} is {ours}, Pillow has {theirs}",
                row.file
            );
        }
        compared += 1;
    }
    assert!(compared >= 35, "only {compared} files were compared");
}

#[test]
fn sixteen_bit_grey_keeps_its_upper_byte() {
    // Pillow cuts it off at 255 instead, so its colours are no measure here.
    let rows = [0, 0x12, 0xff, 0xab, 0x00];
    let pixels = decoded(&png_of_type(0, 16, 2, 1, &[], &rows));
    assert_eq!(pixels.rgb, [0x12, 0x12, 0x12, 0xab, 0xab, 0xab]);
}

#[test]
fn palettes_bits_and_transparency_become_rgb_on_white() {
    let palette = (*b"PLTE", vec![255, 0, 0, 0, 0, 255]);
    let transparency = (*b"tRNS", vec![255, 0]);
    let one_bit = png_of_type(3, 1, 2, 1, &[palette, transparency], &[0, 0b0100_0000]);
    assert_eq!(decoded(&one_bit).rgb, [255, 0, 0, 255, 255, 255]);

    let half_black = png_of_type(6, 8, 1, 1, &[], &[0, 0, 0, 0, 128]);
    assert_eq!(decoded(&half_black).rgb, [127; 3]);

    let key = (*b"tRNS", vec![0, 7]);
    let keyed_grey = png_of_type(0, 8, 2, 1, &[key], &[0, 7, 9]);
    assert_eq!(decoded(&keyed_grey).rgb, [255, 255, 255, 9, 9, 9]);
}

#[test]
fn known_pixels_come_back_as_they_were() {
    for file in [bmp(5, 4), png(5, 4, &[])] {
        let pixels = decoded(&file);
        assert_eq!((pixels.width, pixels.height), (5, 4));
        for y in 0..4 {
            for x in 0..5 {
                assert_eq!(pixels.get(x, y), Some(color_at(x, y)));
            }
        }
    }
}

#[test]
fn content_decides_the_format() {
    let png_named_jpg = own_file("name-png-as.jpg");
    let picture = decode(&png_named_jpg, &ImageLimits::default()).unwrap();
    assert_eq!(picture.format, ImageFormat::Png);
}

/// Where the pixel at the stored place ends up, after EXIF's table of orientations.
fn turned(orientation: u16, x: u32, y: u32, width: u32, height: u32) -> (u32, u32) {
    let (right, bottom) = (width - 1 - x, height - 1 - y);
    match orientation {
        2 => (right, y),
        3 => (right, bottom),
        4 => (x, bottom),
        5 => (y, x),
        6 => (bottom, x),
        7 => (bottom, right),
        8 => (y, right),
        _ => (x, y),
    }
}

#[test]
fn exif_turns_jpeg_and_png_alike() {
    let jpeg = own_file("jpeg-test.jpg");
    let stored_jpeg = decoded(&jpeg);
    let stored_png = decoded(&png(5, 3, &[]));
    for orientation in 0..=9 {
        let turned_png = decoded(&png(5, 3, &[(*b"eXIf", exif(orientation))]));
        let turned_jpeg = decoded(&with_exif(&jpeg, &exif(orientation)));
        for (stored, upright) in [(&stored_png, turned_png), (&stored_jpeg, turned_jpeg)] {
            let (width, height) = (stored.width, stored.height);
            for y in 0..height {
                for x in 0..width {
                    let (to_x, to_y) = turned(orientation, x, y, width, height);
                    assert_eq!(
                        upright.get(to_x, to_y),
                        stored.get(x, y),
                        "orientation {orientation} at {x}, {y}"
                    );
                }
            }
        }
    }
}

#[test]
fn tiff_turns_by_its_own_tag() {
    let samples = [10, 20, 30, 40, 50, 60];
    let rgb = |orientation| {
        let tags = [
            (258, vec![8, 8, 8]),
            (262, vec![2]),
            (274, vec![orientation]),
            (277, vec![3]),
        ];
        decoded(&tiff(2, 1, &tags, &samples))
    };
    assert_eq!(rgb(1).rgb, samples);
    assert_eq!(rgb(2).rgb, [40, 50, 60, 10, 20, 30]);
    assert_eq!((rgb(6).width, rgb(6).height), (1, 2));
    assert_eq!(rgb(9).rgb, samples);
}

#[test]
fn palette_tiffs_of_every_depth_are_read() {
    // Index i is the colour (i, 2i, 3i).
    let map = |bits: u32| -> Vec<u16> {
        let level = |factor: u16, index: u16| (index * factor) << 8;
        let count = 1u16 << bits;
        (1..=3u16)
            .flat_map(|factor| (0..count).map(move |index| level(factor, index)))
            .collect()
    };
    let colors = |bits: u16, samples: &[u8], orientation| {
        let tags = [
            (258, vec![bits]),
            (262, vec![3]),
            (274, vec![orientation]),
            (320, map(bits.into())),
        ];
        decoded(&tiff(2, 1, &tags, samples)).rgb
    };
    assert_eq!(colors(1, &[0b0100_0000], 1), [0, 0, 0, 1, 2, 3]);
    assert_eq!(colors(2, &[0b0111_0000], 1), [1, 2, 3, 3, 6, 9]);
    assert_eq!(colors(4, &[0x5f], 1), [5, 10, 15, 15, 30, 45]);
    assert_eq!(colors(8, &[7, 80], 1), [7, 14, 21, 80, 160, 240]);
    assert_eq!(colors(8, &[7, 80], 2), [80, 160, 240, 7, 14, 21]);

    let short_map = [(258, vec![8]), (262, vec![3]), (320, vec![0; 6])];
    let error = refused(&tiff(2, 1, &short_map, &[0, 2]), &ImageLimits::default());
    assert!(error.to_string().contains("not in the palette"), "{error}");
}

#[test]
fn exif_behind_the_pixels_of_a_png_counts_too() {
    let mut file = png(5, 3, &[]);
    let with_chunk = png(5, 3, &[(*b"eXIf", exif(6))]);
    let chunk_bytes = 12 + exif(6).len();
    // Signature and IHDR take 33 bytes; the chunk follows them there.
    let chunk = with_chunk[33..33 + chunk_bytes].to_vec();
    let end = file.len() - 12;
    file.splice(end..end, chunk);
    let pixels = decoded(&file);
    assert_eq!((pixels.width, pixels.height), (3, 5));
}

#[test]
fn broken_exif_never_costs_the_picture() {
    let jpeg = own_file("jpeg-test.jpg");
    let upright = decoded(&jpeg);
    let sound = exif(1);
    for cut in 0..sound.len() {
        assert_eq!(
            decoded(&with_exif(&jpeg, &sound[..cut])),
            upright,
            "cut to {cut} bytes"
        );
    }
    let mut far_away = exif(6);
    far_away[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(decoded(&with_exif(&jpeg, &far_away)), upright);
    assert_eq!(
        decoded(&with_exif(&jpeg, &exif(6)[..20])).rgb.len(),
        upright.rgb.len()
    );
}

#[test]
fn a_cut_jpeg_is_refused_wherever_it_is_cut() {
    for name in ["jpeg-test.jpg", "jpeg-cat.jpg"] {
        let whole = own_file(name);
        for cut in (3..whole.len() - 2).step_by(97) {
            let error = refused(&whole[..cut], &ImageLimits::default());
            assert!(
                matches!(error, DecodeError::CutShort { .. }),
                "{name} at {cut}: {error}"
            );
        }
    }
}

#[test]
fn the_size_of_the_file_has_an_edge() {
    let file = bmp(5, 4);
    let limits = |max_bytes| ImageLimits {
        max_bytes,
        ..ImageLimits::default()
    };
    let size = file.len() as u64;
    assert!(decode(&file, &limits(size)).is_ok());
    let error = refused(&file, &limits(size - 1));
    assert!(error.to_string().contains("max_bytes = "), "{error}");
}

#[test]
fn the_number_of_pixels_has_an_edge_in_every_format() {
    for (name, width, height) in [
        ("bmp-pal1.bmp", 127, 64),
        ("gif-rotating-squares.gif", 80, 80),
        ("jpeg-cat.jpg", 320, 240),
        ("png-basi2c08.png", 32, 32),
        ("tiff-palette-1c-8b.tiff", 157, 151),
        ("tiff-hopper_lzw.tif", 128, 128),
        ("webp-hopper.webp", 128, 128),
    ] {
        let file = own_file(name);
        let max_pixels = width * height;
        let limits = |max_pixels| ImageLimits {
            max_pixels,
            ..ImageLimits::default()
        };
        assert!(decode(&file, &limits(max_pixels)).is_ok(), "{name}");
        let error = refused(&file, &limits(max_pixels - 1));
        assert!(
            matches!(error, DecodeError::TooManyPixels { .. }),
            "{name}: {error}"
        );

        let limits = |max_side| ImageLimits {
            max_side,
            ..ImageLimits::default()
        };
        let side = u32::try_from(width.max(height)).unwrap();
        assert!(decode(&file, &limits(side)).is_ok(), "{name}");
        let error = refused(&file, &limits(side - 1));
        assert!(error.to_string().contains("max_side = "), "{name}: {error}");
    }
}

#[test]
fn the_decoded_size_has_an_edge() {
    // 16-bit RGBA: eight bytes for each of its pixels.
    let file = png_of_type(6, 16, 3, 2, &[], &[0; 2 * (1 + 3 * 8)]);
    let limits = |max_decoded_bytes| ImageLimits {
        max_decoded_bytes,
        ..ImageLimits::default()
    };
    assert!(decode(&file, &limits(48)).is_ok());
    let error = refused(&file, &limits(47));
    assert_eq!(
        error,
        DecodeError::TooMuchMemory {
            bytes: 48,
            limit: 47
        }
    );
}

#[test]
fn what_a_decoder_keeps_beside_the_picture_is_limited() {
    let file = png(
        5,
        4,
        &[(
            *b"tEXt",
            [b"Comment\0".to_vec(), vec![b'x'; 10_000]].concat(),
        )],
    );
    let limits = |max_decoder_bytes| ImageLimits {
        max_decoder_bytes,
        ..ImageLimits::default()
    };
    // The comment, and the rows that the decoder buffers.
    assert!(decode(&file, &limits(100_000)).is_ok());
    let error = refused(&file, &limits(9_999));
    assert!(
        error.to_string().contains("max_decoder_bytes = 9999"),
        "{error}"
    );
}

#[test]
fn the_number_of_scans_has_an_edge() {
    let file = own_file("jpeg-cat.jpg");
    let limits = |max_scans| ImageLimits {
        max_scans,
        ..ImageLimits::default()
    };
    let scans = (1..100)
        .find(|scans| decode(&file, &limits(*scans)).is_ok())
        .unwrap();
    assert!(scans > 1, "jpeg-cat.jpg is progressive");
    assert_eq!(
        refused(&file, &limits(scans - 1)),
        DecodeError::TooManyScans { limit: scans - 1 }
    );
}

#[test]
fn a_header_that_claims_too_much_is_refused_by_the_limits_name() {
    let refusals = [
        (png_claiming(30_000, 30_000, &[]), "max_pixels = 120000000"),
        (png_claiming(65_536, 65_536, &[]), "max_side = 65535"),
        (png_claiming(u32::MAX >> 1, 1, &[]), "max_side = 65535"),
        (own_file("bmp-reallybig.bmp"), "max_side = 65535"),
    ];
    for (file, limit) in refusals {
        let error = refused(&file, &ImageLimits::default());
        assert!(error.to_string().contains(limit), "{error}");
    }
    let mut jpeg = own_file("jpeg-cat.jpg");
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xc2])
        .unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let error = refused(&jpeg, &ImageLimits::default());
    assert!(error.to_string().contains("65500x65500"), "{error}");
}

#[test]
fn a_comment_is_not_unpacked() {
    // 100 MB of comment in 100 kB: the memory test counts what this allocates.
    let mut comment = b"Comment\0\0".to_vec();
    comment.extend(zlib(&vec![b'x'; 100 << 20]));
    let pixels = decoded(&png(5, 4, &[(*b"zTXt", comment)]));
    assert_eq!((pixels.width, pixels.height), (5, 4));
}

#[test]
fn what_is_no_picture_is_told_what_it_looks_like() {
    for (bytes, looks_like) in [
        (b"%PDF-1.7".as_slice(), "a PDF document"),
        (b"<!DOCTYPE html>", "an HTML page"),
        (b"PK\x03\x04", "a zip archive"),
        (b"hello", "something else"),
    ] {
        let error = refused(bytes, &ImageLimits::default());
        assert_eq!(error, DecodeError::NotAPicture { looks_like });
    }
    assert_eq!(refused(b"", &ImageLimits::default()), DecodeError::Empty);
}
