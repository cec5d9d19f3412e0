//! Everything at once, from many hands: uploads, deletions, cancellations, queries, the collector.
//!
//! What is checked all the while: a query shows an archive whole or not at all, and every call comes
//! to an end. What is checked at the end: search finds exactly the documents that are listed.

use std::{collections::BTreeMap, future::poll_fn, pin::pin, task::Poll, time::Duration};

use crate::support::*;
use lookalike_engine::{DataLocation, Engine, EngineConfig, EngineError, QueryContent};

/// Images in each archive; their names begin with the archive's.
const MEMBERS: u8 = 3;

fn archive(number: u8, shade: u8) -> Vec<u8> {
    let names: Vec<String> = (0..MEMBERS)
        .map(|member| format!("{number}/{member}.bmp"))
        .collect();
    let files: Vec<(&str, Vec<u8>)> = names
        .iter()
        .map(|name| (name.as_str(), plain([shade, number, 9])))
        .collect();
    tar(&files)
}

/// A seeded sequence (SplitMix64): the same choices in every run.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Uploads archives over and over and cancels one in three.
async fn upload_and_cancel(engine: Engine, number: u8) {
    let mut choices = Choices(number.into());
    for shade in 0..8 {
        let id = submit(
            &engine,
            &format!("{number}.tar"),
            &archive(number, shade * 30),
        )
        .await;
        if choices.below(3) == 0 {
            match engine.cancel_job(&access(), &collection(PHOTOS), &id).await {
                Ok(()) | Err(EngineError::Conflict { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        let job = finished(&engine, &id).await;
        assert_eq!(job.failure, None);
    }
}

/// Asks until told to stop; archives are never seen in part.
async fn query(engine: Engine, stop: tokio_util::sync::CancellationToken) -> u32 {
    let query = QueryContent {
        top_k: Some(100),
        ..text_query("red")
    };
    let mut asked = 0;
    while !stop.is_cancelled() {
        let result = search(&engine, &query).await;
        let mut members: BTreeMap<&str, u8> = BTreeMap::new();
        for name in found(&result) {
            if let Some((archive, _)) = name.split_once('/') {
                *members.entry(archive).or_default() += 1;
            }
        }
        assert!(
            members.values().all(|count| *count == MEMBERS),
            "{members:?}"
        );
        asked += 1;
    }
    asked
}

/// Stores and deletes a single document, and collects garbage.
async fn store_and_delete(engine: Engine) {
    for shade in 0..10 {
        indexed(&engine, "single.bmp", &plain([shade, 0, 0])).await;
        engine
            .delete_document(&access(), &collection(PHOTOS), &file("single.bmp"))
            .await
            .unwrap();
        engine.collect_garbage().await.unwrap();
    }
}

async fn all_at_once(mut config: EngineConfig) {
    config.jobs.workers = 3;
    config.retention.interval = Duration::from_millis(1);
    let engine = ready(config).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let queries: Vec<_> = (0..2)
        .map(|_| tokio::spawn(query(engine.clone(), stop.clone())))
        .collect();
    let mut changes: Vec<_> = (1..=3)
        .map(|number| tokio::spawn(upload_and_cancel(engine.clone(), number)))
        .collect();
    changes.push(tokio::spawn(store_and_delete(engine.clone())));
    for change in changes {
        change.await.unwrap();
    }
    stop.cancel();
    for asked in queries {
        assert!(asked.await.unwrap() > 0);
    }
    let everything = QueryContent {
        top_k: Some(1000),
        ..text_query("red")
    };
    let result = search(&engine, &everything).await;
    let mut found: Vec<&str> = found(&result);
    found.sort_unstable();
    assert_eq!(found, names(&engine).await);
    for shown in &result.matches {
        let original = engine.object(&shown.object.unwrap()).await.unwrap();
        original.open_range(0, 1).await.unwrap();
    }
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once_in_memory() {
    all_at_once(config(DataLocation::Memory)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_at_once_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    all_at_once(in_folder(folder.path())).await;
}

/// Waits for `work` so many times, then drops it where it is.
async fn leave_after(waits: u64, work: impl Future) {
    let mut work = pin!(work);
    let mut waited = 0;
    poll_fn(|context| {
        waited += 1;
        match work.as_mut().poll(context) {
            Poll::Pending if waited <= waits => Poll::Pending,
            Poll::Pending | Poll::Ready(_) => Poll::Ready(()),
        }
    })
    .await;
}

/// Handlers are dropped when their client hangs up, at any point: what was begun is brought to an
/// end, and the index agrees with the database.
#[tokio::test(flavor = "multi_thread")]
async fn callers_that_go_away_leave_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(folder.path())).await;
    let mut choices = Choices(7);
    for round in 0..40 {
        let name = format!("{round}.bmp");
        indexed(&engine, &name, &plain([round, 0, 0])).await;
        let (photos, name) = (collection(PHOTOS), file(&name));
        let access = access();
        let delete = engine.delete_document(&access, &photos, &name);
        leave_after(choices.below(12), delete).await;
    }
    // A change under way when its caller left ends before the next of its kind begins.
    engine
        .delete_document(&access(), &collection(PHOTOS), &file("never.bmp"))
        .await
        .unwrap_err();
    // A row that the index still holds and the database does not would take another's place.
    let left = names(&engine).await;
    let exactly = QueryContent {
        top_k: i64::try_from(left.len()).ok(),
        ..text_query("red")
    };
    let result = search(&engine, &exactly).await;
    let mut found: Vec<&str> = found(&result);
    found.sort_unstable();
    assert_eq!(found, left);
    assert!(found.len() < 40, "no deletion came through");
}
