//! Text and sparse vectors beside the vector of `QueryCollectionData` (semantics.md,
//! `QueryCollectionData` and `UpsertCollectionData`).

use crate::support::*;
use lookalike_engine::{
    DataLocation, DeleteRows, Engine, EngineError, HybridSearch, Metric, NewRow,
    NewVectorCollection, QueryRows, SparseVector, UpdateRows,
};
use serde_json::{Value, json};

const ROWS: &str = "rows";

fn sparse(indices: &[u32], values: &[f32]) -> SparseVector {
    SparseVector {
        indices: indices.to_vec(),
        values: values.to_vec(),
    }
}

fn with_sparse(id: &str, vector: [f32; 3], title: &str, sparse: SparseVector) -> NewRow {
    NewRow {
        sparse_vector: Some(sparse),
        ..row(id, vector, json!({"title": title}))
    }
}

async fn space() -> Engine {
    let engine = ready(config(DataLocation::Memory)).await;
    let new = NewVectorCollection {
        full_text_fields: "title".to_owned(),
        support_sparse: true,
        metric: Some(Metric::InnerProduct),
        ..new_vectors(ROWS, r#"{"title":"text","note":"text"}"#)
    };
    engine.create_collection(&manager(), &new).await.unwrap();
    let rows = vec![
        with_sparse("x", [1.0, 0.0, 0.0], "a dog", sparse(&[7, 2], &[0.5, 1.0])),
        with_sparse("y", [0.0, 1.0, 0.0], "a cat", sparse(&[7], &[-1.0])),
        row("z", [0.0, 0.0, 1.0], json!({"title": "a cat and a dog"})),
    ];
    upsert(&engine, ROWS, rows).await.unwrap();
    engine
}

fn query() -> QueryRows {
    QueryRows::new(collection(ROWS), 10)
}

fn hybrid(mode: &str, args: Value) -> HybridSearch {
    HybridSearch {
        mode: mode.to_owned(),
        args: metadata(args),
        full_text: false,
    }
}

async fn scores(engine: &Engine, query: QueryRows) -> Vec<(String, f32)> {
    let result = engine.query_rows(&access(), query).await.unwrap();
    result
        .matches
        .into_iter()
        .map(|found| (found.id, found.score.unwrap()))
        .collect()
}

async fn ids(engine: &Engine, query: QueryRows) -> Vec<String> {
    let scores = scores(engine, query).await;
    scores.into_iter().map(|(id, _)| id).collect()
}

fn by_text(text: &str) -> QueryRows {
    QueryRows {
        text: Some(text.to_owned()),
        ..query()
    }
}

fn by_sparse(vector: SparseVector) -> QueryRows {
    QueryRows {
        sparse: Some(vector),
        ..query()
    }
}

/// docs: inner products; rows that share no index are not found, and the text is looked for alone
/// when there is no vector.
#[tokio::test]
async fn a_query_takes_the_paths_it_has_something_for() {
    let engine = space().await;
    let found = scores(&engine, by_sparse(sparse(&[7, 9], &[2.0, 5.0]))).await;
    assert_eq!(found, [("x".to_owned(), 1.0), ("y".to_owned(), -2.0)]);
    // The shorter text first.
    assert_eq!(ids(&engine, by_text("dog")).await, ["x", "z"]);
    assert_eq!(ids(&engine, by_text("Dog, CAT")).await, ["z", "x", "y"]);
    let filtered = QueryRows {
        filter: "id <> 'x'".to_owned(),
        ..by_text("dog")
    };
    assert_eq!(ids(&engine, filtered).await, ["z"]);
    let all = QueryRows {
        vector: Some(vec![0.0, 1.0, 0.0]),
        sparse: Some(sparse(&[2], &[1.0])),
        hybrid: hybrid("RRF", json!({"RRF": {"k": 9}})),
        ..by_text("cat")
    };
    let found = scores(&engine, all).await;
    // y: first by vector, first by text; x: second by vector, first by the sparse one; z: second by
    // vector and by text.
    let [first, second, third] = [0.1 + 0.1, 1.0 / 11.0 + 0.1, 2.0 / 11.0];
    let expected = [("y", first), ("x", second), ("z", third)];
    for ((id, score), (name, wanted)) in found.iter().zip(expected) {
        assert_eq!(id, name);
        assert!((score - wanted).abs() < 1e-6, "{found:?}");
    }
}

/// docs: three weights, and a cascade over either kind of vector.
#[tokio::test]
async fn weights_and_cascades_take_sparse_vectors_too() {
    let engine = space().await;
    let weights = json!({"Weight": {"dense": 1, "sparse": 1, "fulltext": 0}});
    let weighted = QueryRows {
        vector: Some(vec![0.0, 1.0, 0.0]),
        sparse: Some(sparse(&[2], &[3.0])),
        hybrid: hybrid("Weight", weights),
        ..query()
    };
    let found = scores(&engine, weighted).await;
    assert_eq!(
        found,
        [
            ("y".to_owned(), 0.5),
            ("x".to_owned(), 0.375),
            ("z".to_owned(), 0.0)
        ]
    );
    let cascade = QueryRows {
        sparse: Some(sparse(&[7], &[1.0])),
        hybrid: hybrid("Cascaded", json!({})),
        ..by_text("cat")
    };
    assert_eq!(ids(&engine, cascade).await, ["y"]);
}

/// docs: both lists follow every way to change rows.
#[tokio::test]
async fn text_and_sparse_vectors_follow_the_rows() {
    let engine = space().await;
    let seven = || by_sparse(sparse(&[7], &[1.0]));
    assert_eq!(ids(&engine, seven()).await, ["x", "y"]);
    assert_eq!(ids(&engine, by_text("dog")).await, ["x", "z"]);
    let changed = vec![with_sparse(
        "y",
        [0.0, 1.0, 0.0],
        "a dog",
        sparse(&[7], &[9.0]),
    )];
    upsert(&engine, ROWS, changed).await.unwrap();
    assert_eq!(ids(&engine, seven()).await, ["y", "x"]);
    assert_eq!(ids(&engine, by_text("dog")).await, ["x", "y", "z"]);
    let update = UpdateRows {
        collection: collection(ROWS),
        ids: vec!["x".to_owned()],
        filter: String::new(),
        metadata: metadata(json!({"title": "a cow", "note": "dog"})),
    };
    engine.update_rows(&access(), update).await.unwrap();
    assert_eq!(ids(&engine, by_text("dog")).await, ["y", "z"]);
    assert_eq!(ids(&engine, by_text("cow")).await, ["x"]);
    let delete = DeleteRows {
        collection: collection(ROWS),
        data: None,
        filter: "id = 'y'".to_owned(),
    };
    engine.delete_rows(&access(), &delete).await.unwrap();
    assert_eq!(ids(&engine, seven()).await, ["x"]);
    assert_eq!(ids(&engine, by_text("dog")).await, ["z"]);
}

/// ours: what cannot be answered is named.
#[tokio::test]
async fn what_rows_cannot_be_asked_is_refused() {
    let engine = space().await;
    let plain = new_vectors("plain", "{}");
    engine.create_collection(&manager(), &plain).await.unwrap();
    upsert(&engine, "plain", vec![row("x", [1.0, 0.0, 0.0], json!({}))])
        .await
        .unwrap();
    let one = || by_sparse(sparse(&[1], &[1.0]));
    let paths = |paths| hybrid("RRF", json!({"HybridPathsSetting": {"paths": paths}}));
    let many: Vec<u32> = (0..4001).collect();
    let cases = [
        ("SparseVector", by_sparse(sparse(&[1, 1], &[1.0, 1.0]))),
        ("SparseVector", by_sparse(sparse(&[1], &[]))),
        ("SparseVector", by_sparse(sparse(&[1], &[f32::NAN]))),
        ("SparseVector", by_sparse(sparse(&many, &[1.0; 4001]))),
        (
            "SparseVector",
            QueryRows {
                collection: collection("plain"),
                ..one()
            },
        ),
        (
            "SparseVector",
            QueryRows {
                collection: collection(PHOTOS),
                ..one()
            },
        ),
        (
            "HybridSearchArgs",
            QueryRows {
                hybrid: paths("dense"),
                ..one()
            },
        ),
        (
            "Offset",
            QueryRows {
                offset: Some(2),
                ..by_text("dog")
            },
        ),
        (
            "OrderBy",
            QueryRows {
                order_by: "title".to_owned(),
                ..by_text("dog")
            },
        ),
        ("Vector", by_text("")),
    ];
    for (field, query) in cases {
        let outcome: Result<_, EngineError> = engine.query_rows(&access(), query).await;
        assert_eq!(invalid_field(outcome), field);
    }
}
