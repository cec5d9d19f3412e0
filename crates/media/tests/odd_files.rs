//! Odd files from the wild, against their manifests: what is `accept` is read, what
//! is `reject` is refused with a reason, and `either` ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use lookalike_media::{ArchiveLimits, ImageLimits, decode};
use support::archives::read;
use support::odd::{Expected, Row, own_rows, shared_rows};

/// The number of photos in the archives that are to be taken.
const PHOTOS: [(&str, usize); 9] = [
    ("arc-gen-duplicates.zip", 2),
    ("arc-gen-folders.tar.gz", 4),
    ("arc-gen-gnu-long.tar", 2),
    ("arc-gen-mixed.zip", 3),
    ("arc-gen-names.zip", 5),
    ("arc-gen-nonutf8.zip", 2),
    ("arc-gen-pax.tar", 2),
    ("arc-gen-plain.zip", 5),
    ("arc-gen-zip64.zip", 2),
];

/// What became of a file: pictures taken, and the reasons for all that was not.
#[derive(Debug, Default)]
struct Taken {
    pictures: usize,
    refusals: Vec<String>,
}

fn take(row: &Row) -> Taken {
    let bytes = row.bytes();
    let mut taken = Taken::default();
    if !row.is_archive() {
        taken.add(&row.file, &bytes);
        return taken;
    }
    let (members, outcome) = read(&bytes, &row.file, &ArchiveLimits::default());
    for member in members {
        match member.content {
            Ok(content) => taken.add(&member.name, &content),
            Err(error) => taken.refusals.push(format!("{}: {error}", member.name)),
        }
    }
    if let Err(error) = outcome {
        taken.refusals.push(format!("{}: {error}", row.file));
    }
    taken
}

impl Taken {
    fn add(&mut self, name: &str, bytes: &[u8]) {
        match decode(bytes, &ImageLimits::default()) {
            Ok(picture) => {
                let pixels = picture.pixels;
                let sides = pixels.width as usize * pixels.height as usize;
                assert_eq!(pixels.rgb.len(), sides * 3, "{name}");
                self.pictures += 1;
            }
            Err(error) => self.refusals.push(format!("{name}: {error}")),
        }
    }
}

fn check(row: &Row) {
    let taken = take(row);
    let file = &row.file;
    for refusal in &taken.refusals {
        let is_one_line = !refusal.chars().any(char::is_control);
        assert!(is_one_line && refusal.len() < 1000, "{file}: {refusal:?}");
    }
    match row.expected {
        Expected::Accept if row.is_archive() => {
            let (_, photos) = PHOTOS
                .iter()
                .find(|(name, _)| name == file)
                .unwrap_or_else(|| panic!("{file}: how many photos?"));
            assert_eq!(taken.pictures, *photos, "{file}: {taken:?}");
            if file != "arc-gen-mixed.zip" {
                assert!(taken.refusals.is_empty(), "{file}: {taken:?}");
            }
        }
        Expected::Accept => {
            assert!(
                taken.pictures == 1 && taken.refusals.is_empty(),
                "{file}: {taken:?}"
            );
        }
        Expected::Reject => assert!(!taken.refusals.is_empty(), "{file} was taken"),
        Expected::Either => {
            assert!(
                taken.pictures > 0 || !taken.refusals.is_empty(),
                "{file}: no word about it"
            );
        }
    }
}

#[test]
fn the_repositorys_odd_files_are_judged_as_their_manifest_says() {
    for row in own_rows() {
        check(&row);
    }
}

#[test]
fn the_shared_odd_files_are_judged_as_their_manifest_says() {
    for row in shared_rows().into_iter().flatten() {
        check(&row);
    }
}

#[test]
fn a_mixed_archive_names_all_that_is_wrong_with_it() {
    let rows = shared_rows().into_iter().flatten();
    for row in rows.filter(|row| row.file == "arc-gen-mixed.zip") {
        let refusals = take(&row).refusals;
        let expected = [
            ("notes.txt: ", "not an image's"),
            ("broken.jpg: ", "cut short"),
            ("empty.png: ", "empty"),
            ("text.jpg: ", "not a picture"),
        ];
        assert_eq!(refusals.len(), expected.len(), "{refusals:?}");
        for (name, reason) in expected {
            assert!(
                refusals
                    .iter()
                    .any(|text| text.starts_with(name) && text.contains(reason)),
                "{name}{reason} in {refusals:?}"
            );
        }
    }
}

#[test]
fn the_eight_orientations_of_one_scene_become_one_picture() {
    let rows = shared_rows().into_iter().flatten();
    let scenes: Vec<_> = rows
        .filter(|row| row.file.starts_with("orient-Landscape_"))
        .map(|row| {
            decode(&row.bytes(), &ImageLimits::default())
                .unwrap()
                .pixels
        })
        .collect();
    let Some(upright) = scenes.first() else {
        return;
    };
    assert_eq!(scenes.len(), 8);
    for (index, scene) in scenes.iter().enumerate() {
        assert_eq!(
            (scene.width, scene.height),
            (1800, 1200),
            "orientation {}",
            index + 1
        );
        let apart: u64 = scene
            .rgb
            .iter()
            .zip(&upright.rgb)
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        // They were saved as JPEG one by one, which leaves up to 3.7 levels between
        // them; a wrong turn leaves some 70.
        let mean_levels = apart / scene.rgb.len() as u64;
        assert!(
            mean_levels <= 4,
            "orientation {}: {mean_levels} levels",
            index + 1
        );
    }
}
