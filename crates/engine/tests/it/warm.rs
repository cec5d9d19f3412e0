//! What searches by text look in is loaded in the background after the start, and is right however
//! early somebody asks (docs/adr/0003).

use std::path::Path;

use crate::support::*;
use lookalike_engine::{
    DeleteRows, Engine, HybridSearch, NewVectorCollection, QueryRows, SparseVector,
};
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

const ROWS: &str = "rows";

/// Enough that loading them takes more than one step.
const COUNT: usize = 3000;

fn id(n: usize) -> String {
    format!("row-{n:04}")
}

/// A folder with rows that all have the word "old", and one index of their sparse vectors.
async fn filled(folder: &Path) {
    let engine = ready_for_texts(in_folder(folder)).await;
    index_text(&engine, "a.txt", b"An old note.").await;
    let new = NewVectorCollection {
        full_text_fields: "title".to_owned(),
        support_sparse: true,
        ..new_vectors(ROWS, r#"{"title":"text"}"#)
    };
    engine.create_collection(&manager(), &new).await.unwrap();
    let rows = (0..COUNT).map(|n| {
        let mut row = row(&id(n), [1.0, 0.0, 0.0], json!({"title": "old"}));
        row.sparse_vector = Some(SparseVector {
            indices: vec![7],
            values: vec![1.0],
        });
        row
    });
    upsert(&engine, ROWS, rows.collect()).await.unwrap();
    engine.shutdown().await;
}

async fn open(folder: &Path) -> Engine {
    Engine::open(in_folder(folder), models()).await.unwrap()
}

/// How many rows have a word.
async fn with(engine: &Engine, word: &str) -> usize {
    let query = QueryRows {
        text: Some(word.to_owned()),
        ..QueryRows::new(collection(ROWS), 1000)
    };
    let result = engine.query_rows(&access(), query).await.unwrap();
    result.matches.len()
}

fn full_text() -> HybridSearch {
    HybridSearch {
        args: metadata(json!({"HybridPathsSetting": {"paths": "fulltext"}})),
        ..HybridSearch::default()
    }
}

/// Changes the database behind the engine's back, which only what is in memory survives.
async fn clear(folder: &Path) {
    let options = SqliteConnectOptions::new().filename(folder.join("lookalike.db"));
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("UPDATE chunks SET content = '', metadata = '{}', sparse = NULL")
        .execute(&mut database)
        .await
        .unwrap();
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_text_and_sparse_vectors_are_searched_in_is_loaded_before_anybody_asks() {
    let data = tempfile::tempdir().unwrap();
    filled(data.path()).await;
    let engine = open(data.path()).await;
    engine.wait_warm().await;
    assert!(engine.is_ready());
    clear(data.path()).await;
    assert_eq!(with(&engine, "old").await, 1000);
    let sparse = QueryRows {
        sparse: Some(SparseVector {
            indices: vec![7],
            values: vec![1.0],
        }),
        ..QueryRows::new(collection(ROWS), 1000)
    };
    let found = engine.query_rows(&access(), sparse).await.unwrap();
    assert_eq!(found.matches.len(), 1000);
    let mut notes = note_query("old");
    notes.hybrid = full_text();
    assert_eq!(found_names(&engine, &notes).await, ["a.txt"]);
    engine.shutdown().await;
}

async fn found_names(engine: &Engine, query: &lookalike_engine::QueryContent) -> Vec<String> {
    let result = search(engine, query).await;
    found(&result).into_iter().map(str::to_owned).collect()
}

/// Whatever has been loaded when the search or the change comes.
#[tokio::test(flavor = "multi_thread")]
async fn searches_and_changes_that_come_before_are_right() {
    let data = tempfile::tempdir().unwrap();
    filled(data.path()).await;
    for round in 0..4 {
        let engine = open(data.path()).await;
        for _ in 0..round * 50 {
            tokio::task::yield_now().await;
        }
        if round % 2 == 0 {
            assert_eq!(with(&engine, "old").await, 1000);
        }
        let word = format!("round{round}");
        // One row that was read early, one that was read late, one that is new.
        let changed = [round, COUNT - 1 - round, COUNT + round]
            .map(|n| row(&id(n), [1.0, 0.0, 0.0], json!({"title": word})));
        upsert(&engine, ROWS, changed.to_vec()).await.unwrap();
        let delete = DeleteRows {
            collection: collection(ROWS),
            data: None,
            filter: format!("id = '{}'", id(COUNT - 1 - round)),
        };
        assert_eq!(engine.delete_rows(&access(), &delete).await.unwrap(), 1);
        assert_eq!(with(&engine, &word).await, 2);
        engine.wait_warm().await;
        assert_eq!(with(&engine, &word).await, 2);
        engine.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_can_be_stopped_while_it_loads() {
    let data = tempfile::tempdir().unwrap();
    filled(data.path()).await;
    let engine = open(data.path()).await;
    let stopped = engine.shutdown();
    tokio::time::timeout(std::time::Duration::from_secs(20), stopped)
        .await
        .expect("it stops");
    drop(engine);
    let engine = open(data.path()).await;
    engine.wait_warm().await;
    assert_eq!(with(&engine, "old").await, 1000);
}
