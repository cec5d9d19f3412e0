//! Rows of vector collections: how they are found, and what else there is to reading them (semantics.md,
//! `QueryCollectionData`).

use crate::support::*;
use lookalike_engine::{
    DataLocation, DeleteRows, Engine, EngineError, Metric, NewRow, NewVectorCollection, QueryRows,
    RowsResult, UpdateRows,
};
use serde_json::json;

pub const FIELDS: &str = r#"{"title":"text","page":"int","extra":"jsonb"}"#;
const RED: Rgb = [220, 20, 20];

/// Three rows, one along each axis.
pub fn axes() -> Vec<NewRow> {
    vec![
        row(
            "x",
            [1.0, 0.0, 0.0],
            json!({"title": "along x", "page": 1, "extra": {"k": ["v", 2]}}),
        ),
        row(
            "y",
            [0.0, 2.0, 0.0],
            json!({"title": "along y", "page": "2"}),
        ),
        row("z", [0.0, 0.0, 3.0], json!({"title": "it's z"})),
    ]
}

pub async fn with(new: NewVectorCollection, rows: Vec<NewRow>) -> Engine {
    let engine = ready(config(DataLocation::Memory)).await;
    engine.create_collection(&manager(), &new).await.unwrap();
    upsert(&engine, "rows", rows).await.unwrap();
    engine
}

pub async fn space() -> Engine {
    with(new_vectors("rows", FIELDS), axes()).await
}

pub fn query(vector: [f32; 3]) -> QueryRows {
    QueryRows {
        vector: Some(vector.to_vec()),
        ..QueryRows::new(collection("rows"), 10)
    }
}

pub async fn ask(engine: &Engine, query: QueryRows) -> Result<RowsResult, EngineError> {
    engine.query_rows(&access(), query).await
}

pub fn ids(result: &RowsResult) -> Vec<&str> {
    result
        .matches
        .iter()
        .map(|found| found.id.as_str())
        .collect()
}

pub fn texts(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect()
}

pub async fn delete(engine: &Engine, data: &str, filter: &str) -> Result<u64, EngineError> {
    let delete = DeleteRows {
        collection: collection("rows"),
        data: (!data.is_empty()).then(|| {
            metadata(serde_json::from_str(data).unwrap())
                .into_iter()
                .map(|(field, values)| (field, values.as_array().unwrap().clone()))
                .collect()
        }),
        filter: filter.to_owned(),
    };
    engine.delete_rows(&access(), &delete).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_row_comes_first_with_its_metadata_in_both_forms() {
    let engine = space().await;
    let result = ask(&engine, query([0.9, 0.1, 0.0])).await.unwrap();
    assert_eq!(ids(&result), ["x", "y", "z"]);
    assert_eq!(result.total, 3);
    let first = &result.matches[0];
    assert_eq!(
        texts(&first.metadata),
        [
            ("title", "along x"),
            ("page", "1"),
            ("extra", r#"{"k":["v",2]}"#)
        ],
        "jsonb as JSON text"
    );
    assert_eq!(
        first.values,
        [
            ("title".to_owned(), json!("along x")),
            ("page".to_owned(), json!(1)),
            ("extra".to_owned(), json!({"k": ["v", 2]})),
        ]
    );
    assert_eq!((first.vector.as_ref(), first.sparse.as_ref()), (None, None));
    assert_eq!(
        texts(&result.matches[2].metadata),
        [("title", "it's z")],
        "NULLs are left out"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_follow_the_metric_asked_for_on_vectors_as_they_came() {
    let engine = space().await;
    let scores = async |metric| {
        let asked = QueryRows {
            metric,
            include_vector: true,
            ..query([0.0, 1.0, 0.0])
        };
        let result = ask(&engine, asked).await.unwrap();
        let found = result
            .matches
            .into_iter()
            .find(|found| found.id == "y")
            .unwrap();
        assert_eq!(
            found.vector,
            Some(vec![0.0, 2.0, 0.0]),
            "not made a unit vector"
        );
        found.score
    };
    assert_eq!(scores(None).await, Some(1.0), "cosine is the default");
    assert_eq!(scores(Some(Metric::InnerProduct)).await, Some(2.0));
    assert_eq!(scores(Some(Metric::L2)).await, Some(1.0));
    let nearest = QueryRows {
        metric: Some(Metric::L2),
        top_k: 1,
        ..query([0.0, 2.0, 0.0])
    };
    let result = ask(&engine, nearest).await.unwrap();
    assert_eq!(
        (ids(&result), result.matches[0].score),
        (vec!["y"], Some(0.0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_orders_pages_and_chosen_fields_work_together() {
    let engine = space().await;
    let filtered = QueryRows {
        filter: "page >= 1".to_owned(),
        ..query([1.0, 1.0, 1.0])
    };
    let result = ask(&engine, filtered.clone()).await.unwrap();
    assert_eq!((result.matches.len(), result.total), (2, 2));
    let ordered = QueryRows {
        order_by: "page DESC".to_owned(),
        metadata_fields: "page".to_owned(),
        ..filtered
    };
    let result = ask(&engine, ordered).await.unwrap();
    assert_eq!(ids(&result), ["y", "x"]);
    assert_eq!(texts(&result.matches[0].metadata), [("page", "2")]);
    assert_eq!(result.matches[0].values.len(), 1);

    let second = QueryRows {
        top_k: 1,
        offset: Some(1),
        ..query([1.0, 0.5, 0.2])
    };
    let result = ask(&engine, second).await.unwrap();
    assert_eq!((ids(&result), result.total), (vec!["y"], 3));
}

/// Dify asks so whether a text is there already (semantics.md, `QueryCollectionData`).
#[tokio::test(flavor = "multi_thread")]
async fn without_a_vector_the_rows_that_meet_the_filter_are_listed() {
    let engine = space().await;
    let list = |filter: &str, order: &str, top_k, offset| QueryRows {
        filter: filter.to_owned(),
        order_by: order.to_owned(),
        offset,
        ..QueryRows::new(collection("rows"), top_k)
    };
    let result = ask(&engine, list("title = 'it''s z'", "", 1, None))
        .await
        .unwrap();
    assert_eq!((ids(&result), result.total), (vec!["z"], 1));
    assert_eq!(result.matches[0].score, None);
    let result = ask(&engine, list("title LIKE '%'", "id DESC", 2, Some(1)))
        .await
        .unwrap();
    assert_eq!((ids(&result), result.total), (vec!["y", "x"], 3));
    let result = ask(&engine, list("page = 77", "", 1, None)).await.unwrap();
    assert_eq!((ids(&result), result.total), (vec![], 0));
    assert_eq!(
        invalid_field(ask(&engine, list("", "id", 1, None)).await),
        "Vector"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_queries_are_refused_by_field() {
    let engine = space().await;
    for (field, asked) in [
        (
            "TopK",
            QueryRows {
                top_k: 0,
                ..query([1.0; 3])
            },
        ),
        (
            "TopK",
            QueryRows {
                top_k: 1001,
                ..query([1.0; 3])
            },
        ),
        (
            "Offset",
            QueryRows {
                offset: Some(-1),
                ..query([1.0; 3])
            },
        ),
        (
            "Filter",
            QueryRows {
                filter: "colour = 1".to_owned(),
                ..query([1.0; 3])
            },
        ),
        (
            "OrderBy",
            QueryRows {
                order_by: "colour".to_owned(),
                ..query([1.0; 3])
            },
        ),
        (
            "IncludeMetadataFields",
            QueryRows {
                metadata_fields: "colour".to_owned(),
                ..query([1.0; 3])
            },
        ),
        ("Vector", query([0.0; 3])),
        ("Vector", query([f32::NAN; 3])),
        (
            "Vector",
            QueryRows {
                vector: Some(vec![1.0; 4]),
                ..query([1.0; 3])
            },
        ),
        (
            "Vector",
            QueryRows {
                vector: Some(vec![]),
                ..query([1.0; 3])
            },
        ),
    ] {
        assert_eq!(invalid_field(ask(&engine, asked).await), field);
    }
    let zero = QueryRows {
        metric: Some(Metric::L2),
        ..query([0.0; 3])
    };
    assert_eq!(ids(&ask(&engine, zero).await.unwrap()), ["x", "y", "z"]);
}

/// Row 48: reads and deletes work in a document collection, too.
#[tokio::test(flavor = "multi_thread")]
async fn document_collections_are_read_and_thinned_but_not_written_to() {
    let engine = ready(config(DataLocation::Memory)).await;
    indexed(&engine, "red.bmp", &plain(RED)).await;
    indexed(&engine, "blue.bmp", &plain([20, 20, 220])).await;
    let found = search(&engine, &text_query("red")).await.matches.remove(0);
    let listed = QueryRows {
        filter: "doc_name = 'red.bmp'".to_owned(),
        include_vector: true,
        ..QueryRows::new(collection(PHOTOS), 1)
    };
    let listed = ask(&engine, listed).await.unwrap().matches.remove(0);
    assert_eq!(listed.id, found.id);
    let by_vector = QueryRows {
        vector: listed.vector,
        ..QueryRows::new(collection(PHOTOS), 1)
    };
    assert_eq!(
        ask(&engine, by_vector).await.unwrap().matches[0].id,
        found.id
    );

    let update = UpdateRows {
        collection: collection(PHOTOS),
        ids: vec![found.id.clone()],
        filter: String::new(),
        metadata: metadata(json!({"caption": "a red one"})),
    };
    assert_eq!(engine.update_rows(&access(), update).await.unwrap(), 1);
    assert_eq!(
        search(&engine, &text_query("red")).await.matches[0].metadata[0].1,
        "a red one"
    );

    let delete = DeleteRows {
        collection: collection(PHOTOS),
        data: None,
        filter: "caption = 'a red one'".to_owned(),
    };
    assert_eq!(engine.delete_rows(&access(), &delete).await.unwrap(), 1);
    assert_eq!(
        names(&engine).await,
        ["blue.bmp"],
        "a document goes with its last row"
    );
    let refused = upsert(&engine, PHOTOS, vec![row("a", [1.0; 3], json!({}))]).await;
    assert_eq!(invalid_field(refused), "Collection");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_survive_a_restart_with_their_index() {
    let data = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(data.path())).await;
    engine
        .create_collection(&manager(), &new_vectors("rows", FIELDS))
        .await
        .unwrap();
    upsert(&engine, "rows", axes()).await.unwrap();
    delete(&engine, r#"{"id":["y"]}"#, "").await.unwrap();
    engine.shutdown().await;
    drop(engine);
    let engine = Engine::open(in_folder(data.path()), models())
        .await
        .unwrap();
    engine.wait_ready().await;
    let result = ask(&engine, query([0.1, 0.2, 0.9])).await.unwrap();
    assert_eq!((ids(&result), result.total), (vec!["z", "x"], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_beyond_the_limit_are_turned_away() {
    let mut narrow = config(DataLocation::Memory);
    narrow.limits.max_concurrent_queries = 0;
    let engine = ready(narrow).await;
    engine
        .create_collection(&manager(), &new_vectors("rows", FIELDS))
        .await
        .unwrap();
    assert!(matches!(
        ask(&engine, query([1.0; 3])).await,
        Err(EngineError::Overloaded { .. })
    ));
}
