//! Upload jobs from submission to their end (semantics.md, `UploadDocumentAsync` and
//! `GetUploadDocumentJob`; rows 14 to 24, 27 to 31, 45, 46).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::sync::Arc;

use lookalike_engine::{
    Credential, DataLocation, EngineError, FailureKind, JobId, JobStatus, NamespaceAccess,
    NamespaceName, ObjectKey, Secret, Source, Subject, SubmitUpload, Usage, config::Stage,
};
use serde_json::json;
use support::*;
use tokio::io::AsyncReadExt as _;

const RED: Rgb = [220, 20, 20];
const BLUE: Rgb = [20, 20, 220];

fn memory() -> lookalike_engine::EngineConfig {
    config(DataLocation::Memory)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_becomes_a_document_that_is_found() {
    let engine = ready(memory()).await;
    let picture = plain(RED);
    let source = uploaded(&engine, &picture).await;
    let mut upload = upload("red.BMP", source);
    upload.metadata = metadata(json!({"page": "7", "caption": "a red square"}));
    let id = engine.submit_upload(&access(), &upload).await.unwrap();
    let job = finished(&engine, &id).await;
    assert_eq!(job.status, JobStatus::Success);
    assert_eq!((job.progress, &job.failure), (100, &None));
    assert_eq!(
        job.usage,
        Usage {
            tokens: 0,
            entries: 2
        }
    );
    assert!(job.updated >= job.created);

    let result = search(&engine, &text_query("red")).await;
    let [found] = result.matches.as_slice() else {
        panic!("{result:?}")
    };
    assert_eq!(found.file_name.as_str(), "red.BMP");
    assert_eq!(found.content, "");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        found.metadata,
        [pair("caption", "a red square"), pair("page", "7")]
    );
    let loader: serde_json::Value = serde_json::from_str(&found.loader_metadata).unwrap();
    assert_eq!(
        (&loader["format"], &loader["width"], &loader["height"]),
        (&json!("BMP"), &json!(16), &json!(16))
    );

    let object = engine.object(&found.object).await.unwrap();
    assert_eq!(
        (object.size, object.content_type.as_str()),
        (picture.len() as u64, "image/bmp")
    );
    let mut served = Vec::new();
    object
        .open_range(2, 10)
        .await
        .unwrap()
        .read_to_end(&mut served)
        .await
        .unwrap();
    assert_eq!(served, picture[2..12]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_said_at_once() {
    let engine = ready(memory()).await;
    let source = uploaded(&engine, &plain(RED)).await;
    let submit = |upload: SubmitUpload| {
        let engine = engine.clone();
        async move { engine.submit_upload(&access(), &upload).await }
    };
    for name in ["notes.txt", "photo.gif", "photo", ".png", "archive.rar"] {
        assert_eq!(
            invalid_field(submit(upload(name, source.clone())).await),
            "FileName",
            "{name}"
        );
    }
    for fields in [json!({"colour": "red"}), json!({"page": "seven"})] {
        let upload = SubmitUpload {
            metadata: metadata(fields),
            ..upload("a.png", source.clone())
        };
        assert_eq!(invalid_field(submit(upload).await), "Metadata");
    }
    let unknown = Source::Object(ObjectKey::new("never/uploaded").unwrap());
    assert_eq!(
        invalid_field(submit(upload("a.png", unknown)).await),
        "FileUrl"
    );
    let ftp = Source::Url("ftp://example.com/a.png".parse().unwrap());
    assert_eq!(invalid_field(submit(upload("a.png", ftp)).await), "FileUrl");
    let missing = SubmitUpload {
        collection: collection("missing"),
        ..upload("a.png", source.clone())
    };
    assert!(matches!(
        submit(missing).await,
        Err(EngineError::NotFound {
            what: Subject::Collection,
            ..
        })
    ));
    let stranger = NamespaceAccess {
        password: Secret::new("no"),
        ..access()
    };
    assert!(matches!(
        engine
            .submit_upload(&stranger, &upload("a.png", source.clone()))
            .await,
        Err(EngineError::Denied {
            what: Credential::Namespace
        })
    ));
    let large = metadata(json!({"caption": "x".repeat(64 * 1024)}));
    let large = SubmitUpload {
        metadata: large,
        ..upload("a.png", source)
    };
    let Err(EngineError::TooLarge { reason }) = submit(large).await else {
        panic!("taken")
    };
    assert!(reason.contains("max_metadata_bytes"), "{reason}");
    assert!(names(&engine).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_picture_fails_its_job_with_a_reason() {
    let engine = ready(memory()).await;
    for (content, part) in [(&b"<html>"[..], "an HTML page"), (b"", "the file is empty")] {
        let job = index(&engine, "page.jpg", content).await;
        assert_eq!(
            (job.status, job.usage),
            (JobStatus::Failed, Usage::default())
        );
        let failure = job.failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(
            failure
                .message
                .starts_with("the image \"page.jpg\" cannot be used: ")
        );
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    assert!(names(&engine).await.is_empty());
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
async fn a_models_own_limit_on_image_bytes_is_applied_and_can_be_switched_off() {
    // 1025 × 1023 pixels: 3 MiB and a little.
    let large = bmp(1025, 1023, |_, _| RED);
    assert!(large.len() > 3 << 20);
    for enforced in [true, false] {
        let mut config = memory();
        config.limits.enforce_model_image_bytes = enforced;
        let engine = ready(config).await;
        let mut limited = new_collection("limited", "");
        limited.embedding_model = Some("multimodal-embedding-v1".to_owned());
        engine
            .create_document_collection(&manager(), &limited)
            .await
            .unwrap();
        for (name, refused) in [("limited", enforced), (PHOTOS, false)] {
            let source = uploaded(&engine, &large).await;
            let upload = SubmitUpload {
                collection: collection(name),
                ..upload("large.bmp", source)
            };
            let id = engine.submit_upload(&access(), &upload).await.unwrap();
            let status = loop {
                let job = engine.job(&access(), &collection(name), &id).await.unwrap();
                if job.status.is_finished() {
                    break job.status;
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            };
            assert_eq!(
                status == JobStatus::Failed,
                refused,
                "{name}, enforced: {enforced}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploading_a_name_again_replaces_the_document() {
    let engine = ready(memory()).await;
    let describe = || async {
        engine
            .describe_document(&access(), &collection(PHOTOS), &file("a.bmp"))
            .await
            .unwrap()
    };
    index(&engine, "a.bmp", &plain(RED)).await;
    let first = describe().await;
    assert_eq!((first.version, first.chunks), (1, 1));
    index(&engine, "a.bmp", &plain(BLUE)).await;
    let second = describe().await;
    assert_eq!((second.version, second.chunks), (2, 1));
    assert_ne!(first.object, second.object);
    let result = search(&engine, &text_query("blue")).await;
    assert_eq!(found(&result), ["a.bmp"]);
    assert_eq!(result.matches[0].object, second.object);
    // A failed upload leaves what was there (row 46).
    assert_eq!(
        index(&engine, "a.bmp", b"no picture").await.status,
        JobStatus::Failed
    );
    assert_eq!(describe().await, second);
    assert_eq!(search(&engine, &text_query("blue")).await, result);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_uploaded_again_replaces_only_the_names_in_it() {
    let engine = ready(memory()).await;
    index(
        &engine,
        "a.tar",
        &tar(&[("1.bmp", plain(RED)), ("2.bmp", plain(RED))]),
    )
    .await;
    index(
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
async fn uploads_of_one_name_end_in_the_order_of_submission() {
    let mut config = memory();
    config.jobs.workers = 4;
    let engine = ready(config).await;
    let mut jobs = Vec::new();
    for shade in 0..12 {
        jobs.push(submit(&engine, "a.bmp", &plain([shade * 20, 0, 0])).await);
    }
    for id in &jobs {
        assert_eq!(finished(&engine, id).await.status, JobStatus::Success);
    }
    let document = engine
        .describe_document(&access(), &collection(PHOTOS), &file("a.bmp"))
        .await
        .unwrap();
    assert_eq!(document.version, 12);
    let last = engine
        .put_upload(&ObjectKey::new("k").unwrap(), plain([220, 0, 0]).into())
        .await;
    assert_eq!(document.object, last.unwrap().id);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_pending_then_starts_then_runs() {
    let barrier = Arc::new(Barrier::at(Stage::Claimed));
    let mut config = memory();
    config.jobs.workers = 1;
    config.on_stage = Some(Arc::clone(&barrier.observer));
    let engine = ready(config).await;
    let first = submit(&engine, "1.bmp", &plain(RED)).await;
    let second = submit(&engine, "2.bmp", &plain(RED)).await;
    let started = until(&engine, &first, |job| job.status != JobStatus::Pending).await;
    assert_eq!((started.status, started.progress), (JobStatus::Start, 0));
    let waiting = job(&engine, &second).await;
    assert_eq!((waiting.status, waiting.progress), (JobStatus::Pending, 0));
    barrier.open();
    assert_eq!(finished(&engine, &second).await.status, JobStatus::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_tells_its_progress() {
    let barrier = Barrier::at(Stage::Embedded);
    let mut config = memory();
    config.on_stage = Some(Arc::clone(&barrier.observer));
    let engine = ready(config).await;
    let id = submit(&engine, "1.bmp", &plain(RED)).await;
    let running = until(&engine, &id, |job| job.progress == 99).await;
    assert_eq!(
        (running.status, &running.failure),
        (JobStatus::Running, &None)
    );
    barrier.open();
    assert_eq!(finished(&engine, &id).await.progress, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_job_is_cancelled_at_once() {
    let barrier = Barrier::at(Stage::Claimed);
    let mut config = memory();
    config.jobs.workers = 1;
    config.on_stage = Some(Arc::clone(&barrier.observer));
    let engine = ready(config).await;
    let first = submit(&engine, "1.bmp", &plain(RED)).await;
    let second = submit(&engine, "2.bmp", &plain(RED)).await;
    until(&engine, &first, |job| job.status == JobStatus::Start).await;
    engine
        .cancel_job(&access(), &collection(PHOTOS), &second)
        .await
        .unwrap();
    assert_eq!(job(&engine, &second).await.status, JobStatus::Cancelled);
    barrier.open();
    assert_eq!(finished(&engine, &first).await.status, JobStatus::Success);
    assert_eq!(names(&engine).await, ["1.bmp"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_cancelled_at_every_stage_and_leaves_nothing() {
    for stage in [
        Stage::Claimed,
        Stage::Fetched,
        Stage::Unpacked,
        Stage::Decoded,
        Stage::Embedded,
    ] {
        let barrier = Barrier::at(stage);
        let mut config = memory();
        config.on_stage = Some(Arc::clone(&barrier.observer));
        let engine = ready(config).await;
        let archive = tar(&[("1.bmp", plain(RED)), ("2.bmp", plain(BLUE))]);
        let id = submit(&engine, "a.tar", &archive).await;
        until(&engine, &id, |job| job.status != JobStatus::Pending).await;
        engine
            .cancel_job(&access(), &collection(PHOTOS), &id)
            .await
            .unwrap();
        let status = job(&engine, &id).await.status;
        assert!(
            matches!(status, JobStatus::Cancelling | JobStatus::Cancelled),
            "{status:?}"
        );
        // A second wish for the same changes nothing, unless the end came first.
        let again = engine.cancel_job(&access(), &collection(PHOTOS), &id).await;
        assert!(
            matches!(again, Ok(()) | Err(EngineError::Conflict { .. })),
            "{again:?}"
        );
        barrier.open();
        let job = finished(&engine, &id).await;
        assert_eq!(
            (job.status, job.failure),
            (JobStatus::Cancelled, None),
            "{stage:?}"
        );
        assert!(names(&engine).await.is_empty(), "{stage:?}");
        assert!(
            search(&engine, &text_query("red")).await.matches.is_empty(),
            "{stage:?}"
        );
        // The collection's next job is not held up.
        assert_eq!(
            index(&engine, "b.bmp", &plain(RED)).await.status,
            JobStatus::Success
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_job_cannot_be_cancelled_and_the_error_names_its_state() {
    let engine = ready(memory()).await;
    let success = index(&engine, "1.bmp", &plain(RED)).await;
    let failed = index(&engine, "2.bmp", b"").await;
    for (job, state) in [(success, "Success"), (failed, "Failed")] {
        let outcome = engine
            .cancel_job(&access(), &collection(PHOTOS), &job.id)
            .await;
        let Err(EngineError::Conflict { reason }) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(reason.contains(&format!("status {state}")), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_job_is_not_found_and_neither_is_another_collections() {
    let engine = ready(memory()).await;
    engine
        .create_document_collection(&manager(), &new_collection("other", ""))
        .await
        .unwrap();
    let mine = index(&engine, "1.bmp", &plain(RED)).await.id;
    let unknown = JobId::new("00000000-0000-4000-8000-000000000000").unwrap();
    for (name, id) in [(PHOTOS, &unknown), ("other", &mine)] {
        let asked = engine
            .job(&access(), &collection(name), id)
            .await
            .map(|_| ());
        let cancelled = engine.cancel_job(&access(), &collection(name), id).await;
        for outcome in [asked, cancelled] {
            assert!(
                matches!(
                    outcome,
                    Err(EngineError::NotFound {
                        what: Subject::Job,
                        ..
                    })
                ),
                "{outcome:?}"
            );
        }
    }
    let nowhere = engine
        .job(&access(), &collection("missing"), &mine)
        .await
        .map(|_| ());
    assert!(matches!(
        nowhere,
        Err(EngineError::NotFound {
            what: Subject::Collection,
            ..
        })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_collection_fails_its_unfinished_jobs() {
    for stage in [Stage::Claimed, Stage::Decoded, Stage::Embedded] {
        let barrier = Barrier::at(stage);
        let mut config = memory();
        config.on_stage = Some(Arc::clone(&barrier.observer));
        let engine = ready(config).await;
        let running = submit(&engine, "1.bmp", &plain(RED)).await;
        let waiting = submit(&engine, "2.bmp", &plain(RED)).await;
        until(&engine, &running, |job| job.status != JobStatus::Pending).await;
        engine
            .delete_document_collection(&access(), &collection(PHOTOS))
            .await
            .unwrap();
        barrier.open();
        for id in [&running, &waiting] {
            let job = finished(&engine, id).await;
            assert_eq!(job.status, JobStatus::Failed, "{stage:?}");
            assert_eq!(job.failure.unwrap().kind, FailureKind::CollectionNotFound);
        }
        set_up(&engine).await;
        assert!(names(&engine).await.is_empty(), "{stage:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_namespace_ends_its_jobs() {
    let barrier = Barrier::at(Stage::Embedded);
    let mut config = memory();
    config.on_stage = Some(Arc::clone(&barrier.observer));
    let engine = ready(config).await;
    let id = submit(&engine, "1.bmp", &plain(RED)).await;
    until(&engine, &id, |job| job.status != JobStatus::Pending).await;
    engine
        .delete_namespace(&manager(), &NamespaceName::default())
        .await
        .unwrap();
    barrier.open();
    set_up(&engine).await;
    let gone = engine
        .job(&access(), &collection(PHOTOS), &id)
        .await
        .map(|_| ());
    assert!(
        matches!(
            gone,
            Err(EngineError::NotFound {
                what: Subject::Job,
                ..
            })
        ),
        "{gone:?}"
    );
    // Whatever the old job still does, the new collection's documents are its own.
    assert_eq!(
        index(&engine, "2.bmp", &plain(RED)).await.status,
        JobStatus::Success
    );
    assert_eq!(names(&engine).await, ["2.bmp"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_limit_on_unfinished_jobs_throttles_the_next() {
    let barrier = Barrier::at(Stage::Claimed);
    let mut config = memory();
    config.limits.max_unfinished_jobs = Some(2);
    config.on_stage = Some(Arc::clone(&barrier.observer));
    let engine = ready(config).await;
    let mut jobs = Vec::new();
    for name in ["1.bmp", "2.bmp"] {
        jobs.push(submit(&engine, name, &plain(RED)).await);
    }
    let source = uploaded(&engine, &plain(RED)).await;
    let third = upload("3.bmp", source);
    let Err(EngineError::Overloaded { reason }) = engine.submit_upload(&access(), &third).await
    else {
        panic!("taken")
    };
    assert!(reason.contains("max_unfinished_jobs"), "{reason}");
    barrier.open();
    for id in &jobs {
        finished(&engine, id).await;
    }
    engine.submit_upload(&access(), &third).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_job_is_that_jobs_failure() {
    let mut config = memory();
    config.jobs.workers = 1;
    config.on_stage = Some(Arc::new(|_, stage| {
        assert!(stage != Stage::Fetched, "a defect in the middle of a job");
    }));
    let engine = ready(config).await;
    for name in ["1.bmp", "2.bmp"] {
        let job = index(&engine, name, &plain(RED)).await;
        assert_eq!(job.status, JobStatus::Failed);
        let failure = job.failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Internal);
        assert!(
            !failure.message.contains("defect in the middle"),
            "{}",
            failure.message
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_original_can_be_uploaded_again_under_another_name() {
    let engine = ready(memory()).await;
    index(&engine, "1.bmp", &plain(RED)).await;
    let object = search(&engine, &text_query("red")).await.matches[0].object;
    let again = upload("2.bmp", Source::Stored(object));
    let id = engine.submit_upload(&access(), &again).await.unwrap();
    assert_eq!(finished(&engine, &id).await.status, JobStatus::Success);
    assert_eq!(names(&engine).await, ["1.bmp", "2.bmp"]);
}
