//! The states of a job and who may end it how (semantics.md rows 4, 25, 27, 29, 44, 45).

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::*;
use lookalike_engine::{
    DataLocation, Engine, EngineError, FailureKind, JobId, JobStatus, NamespaceName, ObjectKey,
    Subject, config::Stage,
};

const RED: Rgb = [220, 20, 20];
const BLUE: Rgb = [20, 20, 220];

fn memory() -> lookalike_engine::EngineConfig {
    config(DataLocation::Memory)
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

/// A job that is held once it has all its vectors, and what the jobs after it came to meanwhile.
struct HeldAhead {
    barrier: Arc<Barrier>,
    engine: Engine,
    embedded: Arc<AtomicUsize>,
}

impl HeldAhead {
    async fn new() -> Self {
        let barrier = Arc::new(Barrier::at(Stage::Embedded));
        let embedded = Arc::new(AtomicUsize::new(0));
        let mut config = memory();
        let (hold, count) = (Arc::clone(&barrier), Arc::clone(&embedded));
        config.on_stage = Some(Arc::new(move |job, stage| {
            if stage == Stage::Embedded && count.fetch_add(1, Ordering::SeqCst) == 0 {
                (hold.observer)(job, stage);
            }
        }));
        Self {
            barrier,
            engine: ready(config).await,
            embedded,
        }
    }

    /// Submits a job and waits until it has all its vectors.
    async fn embed(&self, name: &str, image: &[u8]) -> JobId {
        let before = self.embedded.load(Ordering::SeqCst);
        let id = submit(&self.engine, name, image).await;
        while self.embedded.load(Ordering::SeqCst) == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_upload_is_prepared_while_one_ends_and_ends_after_it() {
    let ahead = HeldAhead::new().await;
    let engine = &ahead.engine;
    let first = ahead.embed("a.bmp", &plain(RED)).await;
    let second = ahead.embed("a.bmp", &plain(BLUE)).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    for id in [&first, &second] {
        assert_eq!(job(engine, id).await.status, JobStatus::Running);
    }
    ahead.barrier.open();
    for id in [&first, &second] {
        assert_eq!(finished(engine, id).await.status, JobStatus::Success);
    }
    let document = engine
        .describe_document(&access(), &collection(PHOTOS), &file("a.bmp"))
        .await
        .unwrap();
    let blue = (engine)
        .put_upload(&ObjectKey::new("k").unwrap(), plain(BLUE).into())
        .await;
    assert_eq!((document.version, document.object), (2, blue.unwrap().id));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_waits_for_the_one_before_is_cancelled_alone() {
    let ahead = HeldAhead::new().await;
    let engine = &ahead.engine;
    let first = ahead.embed("1.bmp", &plain(RED)).await;
    let second = ahead.embed("2.bmp", &plain(BLUE)).await;
    engine
        .cancel_job(&access(), &collection(PHOTOS), &second)
        .await
        .unwrap();
    assert_eq!(finished(engine, &second).await.status, JobStatus::Cancelled);
    assert_eq!(job(engine, &first).await.status, JobStatus::Running);
    ahead.barrier.open();
    assert_eq!(finished(engine, &first).await.status, JobStatus::Success);
    assert_eq!(names(engine).await, ["1.bmp"]);
}
