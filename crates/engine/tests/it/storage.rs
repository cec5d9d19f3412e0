//! What is kept and what is let go of: restarts, the lock, the collector, the cap, the drain.

use std::{path::Path, sync::Arc, time::Duration};

use crate::support::*;
use lookalike_engine::{
    DataLocation, Engine, EngineConfig, EngineError, JobStatus, ObjectKey, Source, config::Stage,
};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::io::AsyncReadExt as _;

const RED: Rgb = [220, 20, 20];
const BLUE: Rgb = [20, 20, 220];

async fn open(config: EngineConfig) -> Engine {
    let engine = Engine::open(config, models()).await.unwrap();
    engine.wait_ready().await;
    engine
}

/// Object files in a data folder, by id.
fn files(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for shelf in fs_err::read_dir(folder.join("objects")).unwrap() {
        let shelf = shelf.unwrap().path();
        for file in fs_err::read_dir(shelf).unwrap() {
            files.push(file.unwrap().file_name().into_string().unwrap());
        }
    }
    files.sort();
    files
}

async fn database(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("lookalike.db"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(folder.path())).await;
    let archive = tar(&[("1.bmp", plain(RED)), ("2.bmp", plain(BLUE))]);
    let job = index(&engine, "a.tar", &archive).await;
    let before = search(&engine, &text_query("red")).await;
    engine.shutdown().await;
    let closed = engine.query(&access(), &text_query("red")).await;
    assert!(
        matches!(closed, Err(EngineError::Unavailable { .. })),
        "{closed:?}"
    );
    drop(engine);

    let engine = open(in_folder(folder.path())).await;
    assert_eq!(search(&engine, &text_query("red")).await, before);
    assert_eq!(
        crate::support::job(&engine, &job.id).await.status,
        JobStatus::Success
    );
    let object = engine
        .object(&before.matches[0].object.unwrap())
        .await
        .unwrap();
    let mut bytes = Vec::new();
    object
        .open_range(0, object.size)
        .await
        .unwrap()
        .read_to_end(&mut bytes)
        .await
        .unwrap();
    assert_eq!(bytes, plain(RED));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_belongs_to_one_engine_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(folder.path())).await;
    let Err(EngineError::Unavailable { reason }) =
        Engine::open(in_folder(folder.path()), models()).await
    else {
        panic!("opened twice")
    };
    assert!(reason.contains("in use by another process"), "{reason}");
    assert!(
        reason.contains(&folder.path().display().to_string()),
        "{reason}"
    );
    engine.shutdown().await;
    drop(engine);
    open(in_folder(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_a_newer_version_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(folder.path())).await;
    engine.shutdown().await;
    drop(engine);
    let mut database = database(folder.path()).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'the future', TRUE, x'00', 0)",
    )
    .execute(&mut database)
    .await
    .unwrap();
    database.close().await.unwrap();
    let Err(EngineError::Unavailable { reason }) =
        Engine::open(in_folder(folder.path()), models()).await
    else {
        panic!("opened")
    };
    assert!(reason.contains("newer version"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn originals_are_kept_once_and_as_long_as_something_refers_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = in_folder(folder.path());
    config.retention.uploads = Duration::ZERO;
    let engine = ready(config).await;
    // Uploads expire at once here; a job keeps its file all the same.
    for name in ["1.bmp", "2.bmp"] {
        let status = submit_under_garbage_collection(&engine, name).await;
        assert_eq!(status, JobStatus::Success);
    }
    engine.collect_garbage().await.unwrap();
    assert_eq!(files(folder.path()).len(), 1, "equal bytes are stored once");
    let photos = collection(PHOTOS);
    engine
        .delete_document(&access(), &photos, &file("1.bmp"))
        .await
        .unwrap();
    engine.collect_garbage().await.unwrap();
    assert_eq!(
        files(folder.path()).len(),
        1,
        "the other document still needs it"
    );
    engine
        .delete_document(&access(), &photos, &file("2.bmp"))
        .await
        .unwrap();
    engine.collect_garbage().await.unwrap();
    assert!(files(folder.path()).is_empty());
}

/// Submits, collects garbage while the job is under way, and waits for its end.
async fn submit_under_garbage_collection(engine: &Engine, name: &str) -> JobStatus {
    let id = loop {
        // With no retention at all the collector may win; then the request says so.
        let source = uploaded(engine, &plain(RED)).await;
        match engine.submit_upload(&access(), &upload(name, source)).await {
            Ok(id) => break id,
            Err(EngineError::Invalid {
                field: "FileUrl", ..
            }) => {}
            Err(other) => panic!("{other}"),
        }
    };
    engine.collect_garbage().await.unwrap();
    finished(engine, &id).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_let_go_of_and_its_images_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = in_folder(folder.path());
    config.retention.uploads = Duration::ZERO;
    let engine = ready(config).await;
    assert_eq!(index_despite_expiry(&engine).await, JobStatus::Success);
    engine.collect_garbage().await.unwrap();
    let mut expected = Vec::new();
    for found in search(&engine, &text_query("red")).await.matches {
        expected.push(found.object.unwrap().to_string());
    }
    expected.sort();
    assert_eq!(files(folder.path()), expected);
    assert_eq!(expected.len(), 2);
}

async fn index_despite_expiry(engine: &Engine) -> JobStatus {
    let archive = tar(&[("1.bmp", plain(RED)), ("2.bmp", plain(BLUE))]);
    loop {
        let source = uploaded(engine, &archive).await;
        match engine
            .submit_upload(&access(), &upload("a.tar", source))
            .await
        {
            Ok(id) => return finished(engine, &id).await.status,
            Err(EngineError::Invalid {
                field: "FileUrl", ..
            }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_archive_leaves_no_files_of_its_good_images() {
    let folder = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(folder.path())).await;
    let archive = tar(&[("1.bmp", plain(RED)), ("2.bmp", b"no picture".to_vec())]);
    let job = index(&engine, "a.tar", &archive).await;
    assert_eq!(job.status, JobStatus::Failed);
    engine.collect_garbage().await.unwrap();
    // The archive itself is an upload that has not expired.
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_of_a_crash_are_swept_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(folder.path())).await;
    indexed(&engine, "1.bmp", &plain(RED)).await;
    engine.shutdown().await;
    drop(engine);
    let kept = files(folder.path());
    let orphan = "ab".repeat(32);
    fs_err::create_dir_all(folder.path().join("objects/ab")).unwrap();
    fs_err::write(folder.path().join("objects/ab").join(&orphan), "no row").unwrap();
    fs_err::write(folder.path().join("objects/tmp/half"), "half a file").unwrap();
    let engine = open(in_folder(folder.path())).await;
    tokio::time::timeout(Duration::from_mins(1), async {
        while files(folder.path()) != kept {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the sweep left something");
    assert_eq!(search(&engine, &text_query("red")).await.matches.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_replaces_its_key_and_expires() {
    let engine = ready(config(DataLocation::Memory)).await;
    let key = ObjectKey::new("k").unwrap();
    let first = engine.put_upload(&key, plain(RED).into()).await.unwrap();
    let second = engine.put_upload(&key, plain(BLUE).into()).await.unwrap();
    assert_eq!(engine.upload(&key).await.unwrap().id, second.id);
    engine.collect_garbage().await.unwrap();
    assert!(
        engine.object(&first.id).await.is_err(),
        "nothing refers to the first"
    );
    assert!(engine.object(&second.id).await.is_ok());

    let mut brief = config(DataLocation::Memory);
    brief.retention.uploads = Duration::ZERO;
    let engine = ready(brief).await;
    engine.put_upload(&key, plain(RED).into()).await.unwrap();
    engine.collect_garbage().await.unwrap();
    let late = engine
        .submit_upload(&access(), &upload("a.bmp", Source::Object(key)))
        .await;
    let Err(EngineError::Invalid {
        field: "FileUrl",
        reason,
    }) = late
    else {
        panic!("{late:?}")
    };
    assert!(reason.contains("upload_retention"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cap_on_stored_bytes_holds_and_space_comes_back() {
    for data in [None, Some(tempfile::tempdir().unwrap())] {
        let picture = plain(RED);
        let mut config = config(data.as_ref().map_or(DataLocation::Memory, |folder| {
            DataLocation::Folder(folder.path().to_owned())
        }));
        config.limits.max_stored_bytes = Some(2 * picture.len() as u64 + 1);
        config.retention.uploads = Duration::from_hours(1);
        let engine = ready(config).await;
        let put = |key: &'static str, bytes: Vec<u8>| {
            let engine = engine.clone();
            async move {
                engine
                    .put_upload(&ObjectKey::new(key).unwrap(), bytes.into())
                    .await
            }
        };
        put("1", picture.clone()).await.unwrap();
        // Equal bytes take no more room, so this can go on for ever.
        for _ in 0..3 {
            put("again", picture.clone()).await.unwrap();
        }
        put("2", plain(BLUE)).await.unwrap();
        let Err(EngineError::Unavailable { reason }) = put("3", plain([0; 3])).await else {
            panic!("the cap was passed")
        };
        assert!(reason.contains("max_stored_bytes"), "{reason}");
        // A refused file takes no room, and what is collected gives its room back.
        assert_eq!(engine.collect_garbage().await.unwrap().objects, 0);
        put("2", vec![1]).await.unwrap();
        assert_eq!(engine.collect_garbage().await.unwrap().objects, 1);
        put("3", vec![0; picture.len()]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_the_limit_is_taken_and_one_byte_more_is_not() {
    let mut config = config(DataLocation::Memory);
    config.limits.max_document_bytes = 1000;
    let engine = ready(config).await;
    let key = ObjectKey::new("k").unwrap();
    engine.put_upload(&key, vec![7; 1000].into()).await.unwrap();
    let Err(EngineError::TooLarge { reason }) = engine.put_upload(&key, vec![7; 1001].into()).await
    else {
        panic!("taken")
    };
    assert!(
        reason.contains("1000 bytes (setting max_document_bytes)"),
        "{reason}"
    );
    // In pieces as well.
    let mut upload = engine.begin_upload(&key);
    for _ in 0..2 {
        upload.write(vec![7; 600].into()).await.unwrap();
    }
    assert!(matches!(
        upload.finish().await,
        Err(EngineError::TooLarge { .. })
    ));
    assert_eq!(
        engine.upload(&key).await.unwrap().size,
        1000,
        "the whole one is still there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_the_job_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let barrier = Barrier::at(Stage::Embedded);
    let mut config = in_folder(folder.path());
    config.on_stage = Some(Arc::clone(&barrier.observer));
    config.jobs.workers = 1;
    let engine = ready(config).await;
    let running = submit(&engine, "1.bmp", &plain(RED)).await;
    let waiting = submit(&engine, "2.bmp", &plain(RED)).await;
    until(&engine, &running, |job| job.progress == 99).await;
    let stopping = tokio::spawn({
        let engine = engine.clone();
        async move { engine.shutdown().await }
    });
    barrier.open();
    stopping.await.unwrap();
    drop(engine);

    let mut database = database(folder.path()).await;
    let states: Vec<(String, String)> = sqlx::query_as("SELECT id, state FROM jobs ORDER BY seq")
        .fetch_all(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
    let state = |id: &lookalike_engine::JobId, state: &str| (id.to_string(), state.to_owned());
    assert_eq!(
        states,
        [state(&running, "success"), state(&waiting, "queued")]
    );
    let engine = open(in_folder(folder.path())).await;
    assert_eq!(finished(&engine, &waiting).await.status, JobStatus::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_outlasts_the_drain_is_put_back_and_not_blamed() {
    let folder = tempfile::tempdir().unwrap();
    // Long enough to be at work when the engine stops: a server that never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/slow.bmp", listener.local_addr().unwrap());
    let patient = |drain_timeout| {
        let mut config = in_folder(folder.path());
        config.fetch.allow_private_urls = true;
        config.jobs.drain_timeout = drain_timeout;
        config
    };
    let mut engine = ready(patient(Duration::from_millis(1))).await;
    let upload = upload("slow.bmp", Source::Url(url.parse().unwrap()));
    let id = engine.submit_upload(&access(), &upload).await.unwrap();
    // More often than a job may be attempted.
    for _ in 0..4 {
        until(&engine, &id, |job| job.status == JobStatus::Start).await;
        engine.shutdown().await;
        drop(engine);
        engine = open(patient(Duration::from_millis(1))).await;
    }
    engine.shutdown().await;
    drop(engine);
    let mut database = database(folder.path()).await;
    let (state, attempts): (String, i64) = sqlx::query_as("SELECT state, attempts FROM jobs")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert_eq!((state.as_str(), attempts), ("queued", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_another_encoder_are_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(folder.path())).await;
    indexed(&engine, "1.bmp", &plain(RED)).await;
    engine.shutdown().await;
    drop(engine);
    let mut database = database(folder.path()).await;
    sqlx::query(
        "UPDATE collections SET encoder_fingerprint = 'other', encoder_name = 'other-clip'",
    )
    .execute(&mut database)
    .await
    .unwrap();
    database.close().await.unwrap();

    let engine = open(in_folder(folder.path())).await;
    let asked = engine
        .query(&access(), &text_query("red"))
        .await
        .map(|_| ());
    let source = uploaded(&engine, &plain(BLUE)).await;
    let sent = engine
        .submit_upload(&access(), &upload("2.bmp", source))
        .await
        .map(|_| ());
    for outcome in [asked, sent] {
        let Err(EngineError::Conflict { reason }) = outcome else {
            panic!("{outcome:?}")
        };
        for part in [
            "'photos'",
            "'other-clip'",
            "builtin-imagenet-words",
            "--model",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }
    // What needs no vectors still works.
    assert_eq!(names(&engine).await, ["1.bmp"]);
    engine
        .delete_document(&access(), &collection(PHOTOS), &file("1.bmp"))
        .await
        .unwrap();
    assert!(names(&engine).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_nothing() {
    let engine = ready(config(DataLocation::Memory)).await;
    indexed(&engine, "1.bmp", &plain(RED)).await;
    engine.shutdown().await;
    drop(engine);
    let engine = open(config(DataLocation::Memory)).await;
    let gone = engine.list_document_collections(&access()).await;
    assert!(
        matches!(gone, Err(EngineError::Conflict { .. })),
        "{gone:?}"
    );
}
