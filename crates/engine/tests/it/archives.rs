//! Archives of images (semantics.md rows 14 to 20, 30, 31).

use crate::support::*;
use lookalike_engine::{
    DataLocation, EngineError, FailureKind, JobStatus, Subject, SubmitUpload, Usage,
};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

const RED: Rgb = [220, 20, 20];
const BLUE: Rgb = [20, 20, 220];

fn memory() -> lookalike_engine::EngineConfig {
    config(DataLocation::Memory)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_becomes_one_document_an_image() {
    let engine = ready(memory()).await;
    let archive = tar(&[
        ("animals/red.bmp", plain(RED)),
        ("__MACOSX/._red.bmp", vec![0; 10]),
        ("blue.bmp", plain(BLUE)),
        // The last of a name counts (row 18).
        ("twice.bmp", plain(RED)),
        ("twice.bmp", plain(BLUE)),
    ]);
    let source = uploaded(&engine, &archive).await;
    let mut upload = upload("photos.tar", source);
    upload.metadata = metadata(json!({"caption": "batch 1"}));
    let id = engine.submit_upload(&access(), &upload).await.unwrap();
    let job = finished(&engine, &id).await;
    assert_eq!((job.status, job.failure), (JobStatus::Success, None));
    assert_eq!(job.usage.entries, 6);
    assert_eq!(
        names(&engine).await,
        ["animals/red.bmp", "blue.bmp", "twice.bmp"]
    );
    let result = search(&engine, &text_query("blue")).await;
    assert!(
        found(&result)[..2].contains(&"twice.bmp"),
        "{:?}",
        found(&result)
    );
    for found in &result.matches {
        assert_eq!(
            found.metadata,
            [("caption".to_owned(), "batch 1".to_owned())]
        );
    }
    // The archive itself is no document (row 14).
    let archive = engine
        .describe_document(&access(), &collection(PHOTOS), &file("photos.tar"))
        .await;
    assert!(matches!(
        archive,
        Err(EngineError::NotFound {
            what: Subject::File,
            ..
        })
    ));
}

fn mixed_archive() -> Vec<u8> {
    tar(&[
        ("good.bmp", plain(RED)),
        ("cut.bmp", plain(RED)[..100].to_vec()),
        ("notes.txt", b"hello".to_vec()),
        ("inner.zip", b"PK\x05\x06".to_vec()),
        ("fine.bmp", plain(BLUE)),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_with_bad_members_is_refused_whole_and_names_them_all() {
    let engine = ready(memory()).await;
    let job = index(&engine, "mixed.tar", &mixed_archive()).await;
    assert_eq!(
        (job.status, job.usage),
        (JobStatus::Failed, Usage::default())
    );
    let failure = job.failure.unwrap();
    let refused: Vec<&str> = failure
        .entries
        .iter()
        .map(|entry| entry.entry.as_str())
        .collect();
    assert_eq!(refused, ["cut.bmp", "notes.txt", "inner.zip"]);
    assert!(
        failure
            .message
            .starts_with("3 of 5 images of \"mixed.tar\" cannot be used, nothing")
    );
    for name in refused {
        assert!(failure.message.contains(name), "{}", failure.message);
    }
    assert!(names(&engine).await.is_empty());
    assert!(search(&engine, &text_query("red")).await.matches.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_keeps_the_good_members_of_a_failed_archive() {
    let mut config = memory();
    config.jobs.keep_good_members = true;
    let engine = ready(config).await;
    let job = index(&engine, "mixed.tar", &mixed_archive()).await;
    assert_eq!(job.status, JobStatus::Failed);
    assert_eq!(job.usage.entries, 4);
    assert!(
        job.failure
            .unwrap()
            .message
            .contains("the others were indexed")
    );
    assert_eq!(names(&engine).await, ["fine.bmp", "good.bmp"]);
    assert_eq!(search(&engine, &text_query("red")).await.matches.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_images_are_taken_and_one_more_is_not() {
    let engine = ready(memory()).await;
    let archive = |count: u32| {
        let names: Vec<String> = (0..count).map(|n| format!("{n:03}.bmp")).collect();
        let files: Vec<(&str, Vec<u8>)> = names
            .iter()
            .map(|name| (name.as_str(), plain(RED)))
            .collect();
        tar(&files)
    };
    let job = index(&engine, "too-many.tar", &archive(101)).await;
    let failure = job.failure.expect("101 images are one too many");
    assert_eq!(
        (job.status, failure.kind),
        (JobStatus::Failed, FailureKind::Invalid)
    );
    assert!(
        failure.message.contains("max_images = 100"),
        "{}",
        failure.message
    );
    assert!(names(&engine).await.is_empty());
    let job = index(&engine, "enough.tar", &archive(100)).await;
    assert_eq!((job.status, job.failure), (JobStatus::Success, None));
    assert_eq!(names(&engine).await.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_none_or_has_no_images_fails_its_job() {
    let engine = ready(memory()).await;
    for (name, content) in [
        ("a.zip", plain(RED)),
        ("b.tar", tar(&[("folder/.DS_Store", vec![1])])),
        ("c.zip", b"PK\x03\x04 and no more".to_vec()),
    ] {
        let job = index(&engine, name, &content).await;
        let failure = job.failure.unwrap_or_else(|| panic!("{name} was taken"));
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(
            failure
                .message
                .starts_with(&format!("the archive {name:?} cannot be used: "))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_uploaded_again_replaces_only_the_names_in_it() {
    let engine = ready(memory()).await;
    indexed(
        &engine,
        "a.tar",
        &tar(&[("1.bmp", plain(RED)), ("2.bmp", plain(RED))]),
    )
    .await;
    indexed(
        &engine,
        "a.tar",
        &tar(&[("2.bmp", plain(BLUE)), ("3.bmp", plain(BLUE))]),
    )
    .await;
    assert_eq!(names(&engine).await, ["1.bmp", "2.bmp", "3.bmp"]);
    let version = |name: &'static str| {
        let engine = engine.clone();
        async move {
            let name = file(name);
            engine
                .describe_document(&access(), &collection(PHOTOS), &name)
                .await
                .unwrap()
                .version
        }
    };
    assert_eq!(
        (
            version("1.bmp").await,
            version("2.bmp").await,
            version("3.bmp").await
        ),
        (1, 2, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_checks_everything_and_stores_nothing() {
    let engine = ready(memory()).await;
    let dry = |name: &str, source| SubmitUpload {
        dry_run: true,
        ..upload(name, source)
    };
    let archive = tar(&[("1.bmp", plain(RED)), ("2.bmp", plain(BLUE))]);
    let source = uploaded(&engine, &archive).await;
    let id = engine
        .submit_upload(&access(), &dry("a.tar", source))
        .await
        .unwrap();
    let job = finished(&engine, &id).await;
    assert_eq!(
        (job.status, job.usage, job.dry_run),
        (JobStatus::Success, Usage::default(), true)
    );
    assert!(names(&engine).await.is_empty());
    let chunks = engine.object(&job.chunk_file.unwrap()).await.unwrap();
    let mut text = String::new();
    chunks
        .open_range(0, u64::MAX)
        .await
        .unwrap()
        .read_to_string(&mut text)
        .await
        .unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["page_content"], "");
    assert_eq!(lines[1]["metadata"]["file_name"], "2.bmp");
    assert_eq!(lines[1]["metadata"]["width"], 16);

    let source = uploaded(&engine, &mixed_archive()).await;
    let id = engine
        .submit_upload(&access(), &dry("b.tar", source))
        .await
        .unwrap();
    assert_eq!(finished(&engine, &id).await.status, JobStatus::Failed);
}
