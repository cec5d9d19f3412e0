//! Single images from submission to search (semantics.md, `UploadDocumentAsync`; rows 20 to 24, 46).

use crate::support::*;
use lookalike_engine::{
    Credential, DataLocation, EngineError, FailureKind, JobStatus, NamespaceAccess, ObjectKey,
    Secret, Source, Subject, SubmitUpload, Usage,
};
use serde_json::json;
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
    assert_eq!(found.file_name.as_ref().unwrap().as_str(), "red.BMP");
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

    let object = engine.object(&found.object.unwrap()).await.unwrap();
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
    indexed(&engine, "a.bmp", &plain(RED)).await;
    let first = describe().await;
    assert_eq!((first.version, first.chunks), (1, 1));
    indexed(&engine, "a.bmp", &plain(BLUE)).await;
    let second = describe().await;
    assert_eq!((second.version, second.chunks), (2, 1));
    assert_ne!(first.object, second.object);
    let result = search(&engine, &text_query("blue")).await;
    assert_eq!(found(&result), ["a.bmp"]);
    assert_eq!(result.matches[0].object, Some(second.object));
    // A failed upload leaves what was there (row 46).
    assert_eq!(
        index(&engine, "a.bmp", b"no picture").await.status,
        JobStatus::Failed
    );
    assert_eq!(describe().await, second);
    assert_eq!(search(&engine, &text_query("blue")).await, result);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_original_can_be_uploaded_again_under_another_name() {
    let engine = ready(memory()).await;
    indexed(&engine, "1.bmp", &plain(RED)).await;
    let object = search(&engine, &text_query("red")).await.matches[0]
        .object
        .unwrap();
    let again = upload("2.bmp", Source::Stored(object));
    let id = engine.submit_upload(&access(), &again).await.unwrap();
    assert_eq!(finished(&engine, &id).await.status, JobStatus::Success);
    assert_eq!(names(&engine).await, ["1.bmp", "2.bmp"]);
}
