//! Every file of the sample set of odd pictures and hostile archives, uploaded as a client would:
//! what is sound is indexed, what is not is refused by name, and nothing else happens.
//!
//! The set lies beside the repository on machines that have it (`../shared/data/odd-dev`); without
//! it this says so and checks nothing, because much of it may not be handed on.

use std::path::{Path, PathBuf};

use crate::support::*;
use lookalike_engine::{DataLocation, Engine, FailureKind, Job, JobStatus};

/// Photos in each sound archive, as the manifest tells.
const PHOTOS_IN: [(&str, usize); 9] = [
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

/// The one sound archive with bad members: it needs the setting that keeps the good ones.
const MIXED: &str = "arc-gen-mixed.zip";

/// `file` and `expected` of the manifest.
fn manifest(folder: &Path) -> Vec<(String, String)> {
    let text = fs_err::read_to_string(folder.join("manifest.csv")).unwrap();
    let rows: Vec<Vec<String>> = text.lines().skip(1).map(cells).collect();
    rows.into_iter()
        .map(|row| (row[0].clone(), row[2].clone()))
        .collect()
}

/// The cells of a line of CSV, quotes doubled inside quotes.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    cells
}

/// Under a name that the service takes; the content decides what it is.
fn name_for(file: &str) -> String {
    let taken = lookalike_media::extension::is_image_name(file)
        || lookalike_media::extension::is_archive_name(file);
    if taken {
        file.to_owned()
    } else {
        format!("{file}.png")
    }
}

async fn upload_one(engine: &Engine, folder: &Path, file: &str) -> (Job, usize) {
    let before = names(engine).await.len();
    let bytes = fs_err::read(folder.join(file)).unwrap();
    let job = index(engine, &name_for(file), &bytes).await;
    let added = names(engine).await.len() - before;
    // Each file meets an empty collection: their members share names.
    for name in names(engine).await {
        let name = crate::support::file(&name);
        engine
            .delete_document(&access(), &collection(PHOTOS), &name)
            .await
            .unwrap();
    }
    (job, added)
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_files_are_indexed_and_the_others_refused_by_name() {
    let folder: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/odd-dev");
    if !folder.exists() {
        eprintln!("SKIPPED: {} is not on this machine", folder.display());
        return;
    }
    let engine = ready(config(DataLocation::Memory)).await;
    let mut lenient = config(DataLocation::Memory);
    lenient.jobs.keep_good_members = true;
    let lenient = ready(lenient).await;
    let mut wrong = Vec::new();
    for (file, expected) in manifest(&folder) {
        let (job, added) = upload_one(&engine, &folder, &file).await;
        let failure = job.failure.as_ref();
        let refused_by_name = job.status == JobStatus::Failed
            && added == 0
            && failure.is_some_and(|failure| {
                failure.kind == FailureKind::Invalid && failure.message.contains(&name_for(&file))
            });
        let photos = PHOTOS_IN
            .iter()
            .find(|(name, _)| *name == file)
            .map_or(1, |(_, count)| *count);
        let as_expected = match expected.as_str() {
            "accept" if file == MIXED => {
                let (kept, added) = upload_one(&lenient, &folder, &file).await;
                let named = kept
                    .failure
                    .as_ref()
                    .is_some_and(|failure| failure.entries.len() >= 3);
                refused_by_name && named && added == photos
            }
            "accept" => job.status == JobStatus::Success && added == photos,
            "reject" => refused_by_name,
            _ => refused_by_name || (job.status == JobStatus::Success && added > 0),
        };
        if !as_expected {
            wrong.push(format!(
                "{file} ({expected}): {:?}, {added} photos, {failure:?}",
                job.status
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
