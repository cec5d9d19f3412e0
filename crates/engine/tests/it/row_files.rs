//! Files of rows (semantics.md, `UpsertCollectionDataAsync`): checked whole, stored part by part,
//! one at a time, safe from crashes.

use std::{fmt::Write as _, time::Duration};

use crate::{remote::serve, support::*};
use lookalike_engine::{
    DataLocation, Engine, EngineConfig, EngineError, FailureKind, Job, JobId, JobStatus,
    NewVectorCollection, QueryRows, Source, Subject, SubmitRows, config::Stage,
};
use serde_json::json;

async fn open(config: EngineConfig) -> Engine {
    let engine = ready(config).await;
    let new = new_vectors("rows", r#"{"title":"text"}"#);
    match engine.create_collection(&manager(), &new).await {
        Ok(_) | Err(EngineError::AlreadyExists { .. }) => {}
        Err(other) => panic!("{other}"),
    }
    engine
}

/// So many rows, each with an id of its own, along a spiral.
fn lines(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        let turn = f32::from(u16::try_from(at).unwrap()) / 100.0;
        let vector = [turn.cos(), turn.sin(), 0.1 + turn];
        let row = json!({"Id": format!("row{at:05}"), "Vector": vector, "Metadata": {"title": format!("t{}", at % 10)}});
        writeln!(text, "{row}").unwrap();
    }
    text
}

async fn submit_to(engine: &Engine, name: &str, source: Source) -> Result<JobId, EngineError> {
    let rows = SubmitRows {
        collection: collection(name),
        source,
    };
    engine.submit_rows(&access(), &rows).await
}

async fn submit_text(engine: &Engine, text: &str) -> JobId {
    let source = uploaded(engine, text.as_bytes()).await;
    submit_to(engine, "rows", source).await.unwrap()
}

async fn job(engine: &Engine, id: &JobId) -> Job {
    engine
        .rows_job(&access(), &collection("rows"), id)
        .await
        .unwrap()
}

async fn until(engine: &Engine, id: &JobId, wanted: impl Fn(&Job) -> bool) -> Job {
    let poll = async {
        loop {
            let job = job(engine, id).await;
            if wanted(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), poll)
        .await
        .expect("the job came to no end")
}

async fn ended(engine: &Engine, id: &JobId) -> Job {
    until(engine, id, |job| job.status.is_finished()).await
}

async fn count(engine: &Engine) -> usize {
    let all = QueryRows {
        filter: "id IS NOT NULL".to_owned(),
        ..QueryRows::new(collection("rows"), 1)
    };
    engine.query_rows(&access(), all).await.unwrap().total
}

/// The reason of a job that must have failed.
async fn reason(engine: &Engine, text: &str) -> String {
    let id = submit_text(engine, text).await;
    let job = ended(engine, &id).await;
    assert_eq!(job.status, JobStatus::Failed, "{text}");
    let failure = job.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Invalid);
    failure.message
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_a_file_is_stored_and_counted() {
    let engine = open(config(DataLocation::Memory)).await;
    // More than one part, blank lines, a last line without an end.
    let text = lines(9000) + "\n  \r\n" + lines(1).trim_end();
    let id = submit_text(&engine, &text).await;
    let job = ended(&engine, &id).await;
    assert_eq!((job.status, job.failure), (JobStatus::Success, None));
    assert_eq!(job.rows, 9001, "rows, not per cent");
    assert_eq!(
        count(&engine).await,
        9000,
        "the last row has the first one's id"
    );
    let query = QueryRows {
        vector: Some(vec![1.0, 0.0, 0.1]),
        ..QueryRows::new(collection("rows"), 1)
    };
    let found = engine.query_rows(&access(), query).await.unwrap();
    assert_eq!(found.matches[0].id, "row00000");
    // An upload's job is another kind of job.
    assert!(matches!(
        engine.job(&access(), &collection("rows"), &id).await,
        Err(EngineError::NotFound {
            what: Subject::Job,
            ..
        })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_is_named_and_nothing_of_the_file_is_stored() {
    let engine = open(config(DataLocation::Memory)).await;
    let good = lines(9000);
    for (bad, part) in [
        ("{", "line 9001 of the file behind FileUrl: is not a row"),
        (
            r#"{"Vector":[1,2]}"#,
            "line 9001 of the file behind FileUrl: Vector has 2 numbers",
        ),
        (r#"{"Vector":[1,2,NaN]}"#, "is not a row"),
        (r#"{"Vector":[1,2,1e39]}"#, "not finite"),
        (r#"{"Id":"x"}"#, "Vector is missing"),
        (
            r#"{"Vector":[1,2,3],"Metadata":{"page":1}}"#,
            "the field 'page' is not declared",
        ),
    ] {
        let message = reason(&engine, &format!("{good}{bad}\n{{\n")).await;
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(
        reason(&engine, "\n \n").await,
        "the file behind FileUrl has no rows"
    );
    assert_eq!(count(&engine).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
    let mut config = config(DataLocation::Memory);
    config.limits.max_rows_bytes = 100;
    let engine = open(config).await;
    let line = |length: usize| {
        let (start, end) = (r#"{"Vector":[1,2,3],"Id":""#, r#""}"#);
        let id = "a".repeat(length - start.len() - end.len());
        format!("{start}{id}{end}")
    };
    for ending in ["\n", ""] {
        let id = submit_text(&engine, &(line(99) + "\n" + &line(100) + ending)).await;
        let job = ended(&engine, &id).await;
        assert_eq!(
            (job.status, job.rows),
            (JobStatus::Success, 2),
            "{:?}",
            job.failure
        );
        for length in [101, 102, 500] {
            let message = reason(&engine, &(line(50) + "\n" + &line(length) + ending)).await;
            assert_eq!(
                message,
                "line 2 of the file behind FileUrl: is longer than the limit of 100 bytes (setting max_rows_bytes)"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_at_a_time_fills_a_collection() {
    let barrier = Barrier::at(Stage::Fetched);
    let mut config = config(DataLocation::Folder(tempfile::tempdir().unwrap().keep()));
    config.on_stage = Some(barrier.observer.clone());
    let engine = open(config).await;
    let first = submit_text(&engine, &lines(5)).await;
    until(&engine, &first, |job| job.status == JobStatus::Start).await;
    let second = uploaded(&engine, lines(5).as_bytes()).await;
    let refused = submit_to(&engine, "rows", second.clone()).await;
    let Err(EngineError::Conflict { reason }) = refused else {
        panic!("{refused:?}")
    };
    assert!(reason.contains(first.as_str()), "{reason}");
    barrier.open();
    assert_eq!(ended(&engine, &first).await.status, JobStatus::Success);
    let second = submit_to(&engine, "rows", second).await.unwrap();
    assert_eq!(ended(&engine, &second).await.status, JobStatus::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_file_keeps_what_is_stored_of_it() {
    let barrier = Barrier::at(Stage::Indexed);
    let mut config = config(DataLocation::Folder(tempfile::tempdir().unwrap().keep()));
    config.on_stage = Some(barrier.observer.clone());
    let engine = open(config).await;
    let id = submit_text(&engine, &lines(9000)).await;
    let running = until(&engine, &id, |job| job.rows > 0).await;
    assert_eq!(running.status, JobStatus::Running);
    engine
        .cancel_rows_job(&access(), &collection("rows"), &id)
        .await
        .unwrap();
    barrier.open();
    let job = ended(&engine, &id).await;
    assert_eq!(job.status, JobStatus::Cancelled);
    assert_eq!(count(&engine).await as u64, job.rows);
    assert!(job.rows < 9000, "{}", job.rows);
    assert!(matches!(
        engine
            .cancel_rows_job(&access(), &collection("rows"), &id)
            .await,
        Err(EngineError::Conflict { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_from_elsewhere_is_fetched_and_says_the_dimension() {
    let mut config = config(DataLocation::Memory);
    config.fetch.allow_private_urls = true;
    let engine = open(config).await;
    let new = NewVectorCollection {
        dimension: None,
        ..new_vectors("fresh", r#"{"title":"text"}"#)
    };
    engine.create_collection(&manager(), &new).await.unwrap();
    let files = serve(vec![("/rows.jsonl", lines(20).into_bytes())]);
    let source = Source::Url(files.join("rows.jsonl").unwrap());
    let id = submit_to(&engine, "fresh", source).await.unwrap();
    let poll = async {
        loop {
            let job = engine.rows_job(&access(), &new.name, &id).await.unwrap();
            if job.status.is_finished() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let job = tokio::time::timeout(Duration::from_mins(1), poll)
        .await
        .unwrap();
    assert_eq!(
        (job.status, job.rows),
        (JobStatus::Success, 20),
        "{:?}",
        job.failure
    );
    assert_eq!(
        engine
            .collection(&access(), &new.name)
            .await
            .unwrap()
            .dimension,
        3
    );
    let missing = Source::Url(files.join("nothing").unwrap());
    let id = submit_to(&engine, "rows", missing).await.unwrap();
    assert_eq!(ended(&engine, &id).await.status, JobStatus::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_filled_is_refused_when_it_is_submitted() {
    let engine = open(config(DataLocation::Memory)).await;
    let source = uploaded(&engine, b"x").await;
    assert_eq!(
        invalid_field(submit_to(&engine, PHOTOS, source.clone()).await),
        "Collection"
    );
    assert!(matches!(
        submit_to(&engine, "nothing", source).await,
        Err(EngineError::NotFound {
            what: Subject::Collection,
            ..
        })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_deleted_under_its_file_ends_the_job() {
    let barrier = Barrier::at(Stage::Unpacked);
    let mut config = config(DataLocation::Folder(tempfile::tempdir().unwrap().keep()));
    config.on_stage = Some(barrier.observer.clone());
    let engine = open(config).await;
    let id = submit_text(&engine, &lines(50)).await;
    until(&engine, &id, |job| job.status == JobStatus::Running).await;
    engine
        .delete_collection(&access(), &collection("rows"))
        .await
        .unwrap();
    barrier.open();
    let job = ended(&engine, &id).await;
    assert_eq!(job.status, JobStatus::Failed);
    assert_eq!(job.failure.unwrap().kind, FailureKind::CollectionNotFound);
}

/// An engine that is dropped at a stage, as a killed process would be, and opened again.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_cut_off_goes_on_behind_what_is_stored() {
    for stage in [
        Stage::Fetched,
        Stage::Unpacked,
        Stage::BeforeCommit,
        Stage::Indexed,
    ] {
        let data = tempfile::tempdir().unwrap();
        let barrier = Barrier::at(stage);
        let mut config = in_folder(data.path());
        config.jobs.drain_timeout = Duration::ZERO;
        config.on_stage = Some(barrier.observer.clone());
        let engine = open(config).await;
        let text = lines(9000).replace("\"Id\"", "\"NoId\"");
        let id = submit_text(&engine, &text).await;
        until(&engine, &id, |job| {
            let stored = stage == Stage::Indexed && job.rows > 0;
            job.status == JobStatus::Running && (stored || stage != Stage::Indexed)
                || (stage == Stage::Fetched && job.status == JobStatus::Start)
        })
        .await;
        let stopping = tokio::spawn(async move { engine.shutdown().await });
        barrier.open();
        stopping.await.unwrap();
        let engine = open(in_folder(data.path())).await;
        let job = ended(&engine, &id).await;
        assert_eq!(
            (job.status, job.rows),
            (JobStatus::Success, 9000),
            "{stage:?} {:?}",
            job.failure
        );
        assert_eq!(
            count(&engine).await,
            9000,
            "{stage:?}: no row twice, none lost"
        );
    }
}
