//! What decoding and unpacking allocate at most. One test in a process of its own,
//! since the allocator counts for all threads.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::io::Cursor;

use image::ImageFormat;
use lookalike_media::{ArchiveLimits, ImageLimits, Member, archive, decode};
use peak_alloc::PeakAlloc;
use support::archives::all;
use support::odd::{Row, own_rows, shared_rows};
use support::picture::{bmp, color_at, exif, png, png_of_type, with_exif, zlib};
use support::tarball::{Tar, gzip};
use support::zipfile::{Entry, zip};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;

/// The most that `work` had allocated at any time, beyond what was before.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let value = work();
    (value, ALLOCATOR.peak_usage().saturating_sub(before))
}

#[test]
fn memory_stays_within_what_is_promised() {
    large_pictures_take_three_copies_at_most();
    bombs_and_odd_files_take_little();
    archives_take_one_member_at_a_time();
}

fn large_pictures_take_three_copies_at_most() {
    let (width, height) = (1500, 1000);
    let pixels = (width * height) as usize;
    let rows =
        |bytes_per_pixel: usize| vec![1; height as usize * (1 + width as usize * bytes_per_pixel)];
    let jpeg = encoded(width, height, ImageFormat::Jpeg);
    // (name, file, bytes of a pixel while it is decoded, and what the decoder adds)
    let pictures = [
        ("BMP", bmp(width, height), 3, 0),
        ("PNG, RGB", png(width, height, &[]), 3, 0),
        (
            "PNG, grey",
            png_of_type(0, 8, width, height, &[], &rows(1)),
            3,
            0,
        ),
        (
            "PNG, RGBA",
            png_of_type(6, 8, width, height, &[], &rows(4)),
            4,
            3,
        ),
        (
            "PNG, 16-bit RGBA",
            png_of_type(6, 16, width, height, &[], &rows(8)),
            8,
            3,
        ),
        ("JPEG", jpeg.clone(), 3, 0),
        ("JPEG, turned", with_exif(&jpeg, &exif(6)), 3, 3),
        ("TIFF", encoded(width, height, ImageFormat::Tiff), 3, 3),
        ("GIF", encoded(width, height, ImageFormat::Gif), 4, 4),
        ("WebP", encoded(width, height, ImageFormat::WebP), 3, 6),
    ];
    for (name, file, source_bytes, added_bytes) in pictures {
        let (picture, peak) = peak_of(|| decode(&file, &ImageLimits::default()).unwrap());
        assert_eq!(picture.pixels.rgb.len(), pixels * 3);
        let copies = peak / (pixels * 3 / 10);
        eprintln!(
            "{name}: {peak} bytes, {}.{} copies",
            copies / 10,
            copies % 10
        );
        // Giving back what the RGB does not need counts as a copy of it here.
        let allowed = pixels * (source_bytes + added_bytes) + file.len() + MIB;
        assert!(peak <= allowed, "{name}: {peak} bytes, more than {allowed}");
    }
}

/// A picture in a format that is easier to encode with the library.
fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb(color_at(x, y)));
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn bombs_and_odd_files_take_little() {
    let mut comment = b"Comment\0\0".to_vec();
    comment.extend(zlib(&vec![b'x'; 100 * MIB]));
    let file = png(5, 4, &[(*b"zTXt", comment)]);
    let (outcome, peak) = peak_of(|| decode(&file, &ImageLimits::default()));
    assert!(outcome.is_ok());
    assert!(peak < 2 * MIB, "a comment of 100 MB took {peak} bytes");

    let rows = own_rows()
        .into_iter()
        .chain(shared_rows().into_iter().flatten());
    for row in rows.filter(|row| !row.is_archive()) {
        let bytes = row.bytes();
        let (outcome, peak) = peak_of(|| decode(&bytes, &ImageLimits::default()));
        let allowed = match outcome {
            // The file counts since the JPEG decoder keeps a copy of it.
            Ok(picture) => 4 * picture.pixels.rgb.len() + 2 * bytes.len() + 2 * MIB,
            // A header within the limits may claim what then does not follow.
            Err(_) => 64 * MIB,
        };
        assert!(
            peak <= allowed,
            "{}: {peak} bytes, more than {allowed}",
            row.file
        );
    }
}

fn archives_take_one_member_at_a_time() {
    // Twenty members of 1 MiB that do not compress away under the ratio.
    let content: Vec<u8> = (0..MIB)
        .map(|at| ((at * at) >> 7).to_le_bytes()[0])
        .collect();
    let names: Vec<String> = (0..20).map(|index| format!("{index}.bmp")).collect();
    let entries: Vec<Entry> = names
        .iter()
        .map(|name| Entry::deflated(name, &content))
        .collect();
    let tar = names
        .iter()
        .fold(Tar::new(), |tar, name| tar.file(name, &content))
        .finish();
    for (name, bytes) in [
        ("x.zip", zip(&entries)),
        ("x.tar.gz", gzip(&tar)),
        ("x.tar", tar),
    ] {
        let (images, peak) = peak_of(|| count_members(name, &bytes));
        assert_eq!(images, 20, "{name}");
        eprintln!("{name}: {peak} bytes for members of {}", content.len());
        assert!(peak < 3 * content.len() + 2 * MIB, "{name}: {peak} bytes");
    }
    for made in all() {
        let (_, peak) = peak_of(|| count_members(made.name, &made.bytes));
        // The lying bomb and the lone gz may reach what is free of the ratio.
        assert!(peak < 50 * MIB, "{}: {peak} bytes", made.name);
    }
    let rows = own_rows()
        .into_iter()
        .chain(shared_rows().into_iter().flatten());
    for row in rows.filter(Row::is_archive) {
        let bytes = row.bytes();
        let (_, peak) = peak_of(|| count_members(&row.file, &bytes));
        assert!(peak < 4 * MIB, "{}: {peak} bytes", row.file);
    }
}

/// Members are dropped as soon as they are handed out.
fn count_members(name: &str, bytes: &[u8]) -> usize {
    let mut count = 0;
    let reader = Cursor::new(bytes);
    let _ = archive::read(reader, name, &ArchiveLimits::default(), |member: Member| {
        count += usize::from(member.content.is_ok());
    });
    count
}
