//! The same for texts as `crash` for images: killed at every point of a job that replaces a text, the end is as if
//! nothing had been.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
};

use lookalike_engine::{Engine, JobStatus};

use crate::crash::{
    FOLDER, POINT, config_of, files, jobs, kill_at, say, stopping_at, variable, wait_for_files,
};
use crate::support::*;

const OLD: &[u8] = b"The old version.\n\nIt has few words.";

/// Some chunks.
fn new_version() -> Vec<u8> {
    let paragraph = |i: u32| {
        let more = "More words follow. ".repeat(9);
        format!("Paragraph {i} of the new version. {more}")
    };
    let paragraphs: Vec<String> = (0..12).map(paragraph).collect();
    paragraphs.join("\n\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let (Some(folder), Some(point)) = (variable(FOLDER), variable(POINT)) else {
        return;
    };
    let armed = Arc::new(AtomicBool::new(false));
    let mut config = config_of(Path::new(&folder));
    config.on_stage = Some(stopping_at(point.parse().unwrap(), &armed));
    let engine = ready_for_texts(config).await;
    index_text(&engine, "a.txt", OLD).await;
    while !armed.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    let job = index_text(&engine, "a.txt", &new_version()).await;
    assert_eq!(job.status, JobStatus::Success);
    engine.shutdown().await;
    say("end");
}

/// Opens what a child left, submits what it did not come to, and waits for every job.
async fn finish(folder: &Path) -> Engine {
    let engine = Engine::open(config_of(folder), models()).await.unwrap();
    engine.wait_ready().await;
    if jobs(folder).await.len() < 2 {
        index_text(&engine, "a.txt", &new_version()).await;
    }
    while jobs(folder)
        .await
        .iter()
        .any(|(_, state, ..)| state == "queued")
    {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    engine
}

/// Everything a client can see, and the files there are.
#[derive(Debug, PartialEq)]
struct Snapshot {
    version: u64,
    chunks: Vec<(String, String, String, Option<Vec<f32>>)>,
    found: Vec<(String, f32)>,
    jobs: Vec<(String, String, i64, Option<String>)>,
    files: Vec<PathBuf>,
}

async fn snapshot(folder: &Path, engine: &Engine) -> Snapshot {
    let document = engine
        .describe_document(&access(), &collection(NOTES), &file("a.txt"))
        .await
        .unwrap();
    let chunks = chunks_of(engine, None)
        .await
        .into_iter()
        .map(|chunk| (chunk.id, chunk.content, chunk.loader_metadata, chunk.vector));
    let found = search(engine, &note_query("new version")).await.matches;
    engine.collect_garbage().await.unwrap();
    Snapshot {
        version: document.version,
        chunks: chunks.collect(),
        found: found
            .into_iter()
            .map(|found| (found.id, found.score))
            .collect(),
        jobs: jobs(folder).await,
        files: files(folder),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_point_of_a_text_the_end_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let engine = ready_for_texts(config_of(folder.path())).await;
    index_text(&engine, "a.txt", OLD).await;
    index_text(&engine, "a.txt", &new_version()).await;
    let expected = snapshot(folder.path(), &engine).await;
    assert_eq!(expected.version, 2);
    assert!(expected.chunks.len() >= 12, "{}", expected.chunks.len());
    engine.shutdown().await;

    let mut stages = BTreeSet::new();
    for point in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let work = move || kill_at(&path, point, "text_crash::child");
        let killed = tokio::task::spawn_blocking(work).await.unwrap();
        let Some(passed) = killed else {
            break;
        };
        let stage = passed.last().unwrap().clone();
        let engine = finish(folder.path()).await;
        wait_for_files(folder.path(), &expected.files, &engine).await;
        assert_eq!(
            snapshot(folder.path(), &engine).await,
            expected,
            "killed at {point}, {stage}"
        );
        engine.shutdown().await;
        stages.insert(stage);
    }
    assert_eq!(stages.len(), 10, "{stages:?}");
}
