//! Vector collections and what can be done to collections of either kind (semantics.md,
//! `CreateCollection` and the following, `CreateVectorIndex`; row 48).

use crate::support::*;
use lookalike_engine::{
    CollectionKind, DataLocation, Engine, EngineError, Grant, IndexKind, IndexOptions, InstanceId,
    Metric, NamespaceName, NewGrant, NewVectorCollection, NewVectorIndex, QueryRows, Secret,
    Subject,
};
use serde_json::json;

async fn engine() -> Engine {
    ready(config(DataLocation::Memory)).await
}

async fn create(engine: &Engine, new: NewVectorCollection) -> Result<(), EngineError> {
    engine.create_collection(&manager(), &new).await.map(|_| ())
}

async fn modify(engine: &Engine, operations: serde_json::Value) -> Result<String, EngineError> {
    let operations = json!({ "operations": operations }).to_string();
    let changed = engine
        .modify_collection(&access(), &collection("rows"), &operations)
        .await?;
    Ok(changed.columns.to_json())
}

fn index(dimension: Option<u32>, metric: Option<Metric>) -> NewVectorIndex {
    NewVectorIndex {
        namespace: NamespaceName::default(),
        collection: collection("rows"),
        kind: IndexKind::Dense,
        dimension,
        metric,
        options: IndexOptions::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vector_collection_is_made_shown_and_removed() {
    let engine = engine().await;
    let new = NewVectorCollection {
        full_text_fields: "content".to_owned(),
        metric: Some(Metric::L2),
        support_sparse: true,
        // Names that a document collection has for itself.
        ..new_vectors("rows", r#"{"content":"text","doc_name":"text"}"#)
    };
    create(&engine, new.clone()).await.unwrap();
    let shown = engine.collection(&access(), &new.name).await.unwrap();
    assert_eq!(shown.kind, CollectionKind::Vector);
    assert_eq!((shown.dimension, shown.metric), (3, Metric::L2));
    assert_eq!(shown.columns.to_json(), new.metadata);
    assert_eq!(shown.settings.full_text_fields, ["content"]);
    assert_eq!(shown.settings.parser, "zh_cn");
    assert!(shown.settings.support_sparse);

    assert!(matches!(
        create(&engine, new.clone()).await,
        Err(EngineError::AlreadyExists {
            what: Subject::Collection,
            ..
        })
    ));
    let names = engine.list_collections(&access()).await.unwrap();
    let names: Vec<&str> = names
        .iter()
        .map(lookalike_engine::CollectionName::as_str)
        .collect();
    assert_eq!(names, [PHOTOS, "rows"], "of either kind, row 48");
    let documents = engine.list_document_collections(&access()).await.unwrap();
    assert_eq!(documents.len(), 1);

    engine
        .delete_collection(&access(), &new.name)
        .await
        .unwrap();
    let gone = engine.collection(&access(), &new.name).await;
    assert!(matches!(
        gone,
        Err(EngineError::NotFound {
            what: Subject::Collection,
            ..
        })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_collections_are_refused() {
    let engine = engine().await;
    let good = || new_vectors("rows", r#"{"title":"text"}"#);
    for (field, new) in [
        (
            "Metadata",
            NewVectorCollection {
                metadata: r#"{"source":"text"}"#.to_owned(),
                ..good()
            },
        ),
        (
            "Dimension",
            NewVectorCollection {
                dimension: Some(0),
                ..good()
            },
        ),
        (
            "Dimension",
            NewVectorCollection {
                dimension: Some(8193),
                ..good()
            },
        ),
        (
            "MetadataIndices",
            NewVectorCollection {
                metadata_indices: "page".to_owned(),
                ..good()
            },
        ),
        (
            "FullTextRetrievalFields",
            NewVectorCollection {
                full_text_fields: "page".to_owned(),
                ..good()
            },
        ),
        (
            "SparseVectorIndexConfig",
            NewVectorCollection {
                sparse_index: IndexOptions {
                    algorithm: Some("novad".to_owned()),
                    ..IndexOptions::default()
                },
                ..good()
            },
        ),
        (
            "HnswM",
            NewVectorCollection {
                index: IndexOptions {
                    hnsw_m: Some(1001),
                    ..IndexOptions::default()
                },
                ..good()
            },
        ),
    ] {
        assert_eq!(invalid_field(create(&engine, new).await), field);
    }
    create(
        &engine,
        NewVectorCollection {
            dimension: Some(8192),
            ..good()
        },
    )
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dimension_is_said_by_the_index_when_creation_did_not() {
    let engine = engine().await;
    let new = NewVectorCollection {
        dimension: None,
        ..new_vectors("rows", "{}")
    };
    create(&engine, new.clone()).await.unwrap();
    assert_eq!(
        engine
            .collection(&access(), &new.name)
            .await
            .unwrap()
            .dimension,
        0
    );
    assert_eq!(
        ids_where(&engine, "rows", "id = 'a'").await,
        Vec::<String>::new()
    );

    let make = async |new| engine.create_vector_index(&manager(), &new).await;
    assert_eq!(invalid_field(make(index(None, None)).await), "Dimension");
    make(index(Some(3), Some(Metric::InnerProduct)))
        .await
        .unwrap();
    let shown = engine.collection(&access(), &new.name).await.unwrap();
    assert_eq!((shown.dimension, shown.metric), (3, Metric::InnerProduct));
    assert_eq!(invalid_field(make(index(Some(4), None)).await), "Dimension");

    upsert(&engine, "rows", vec![row("a", [1.0, 2.0, 2.0], json!({}))])
        .await
        .unwrap();
    let query = QueryRows {
        vector: Some(vec![1.0, 1.0, 1.0]),
        ..QueryRows::new(collection("rows"), 1)
    };
    let found = engine.query_rows(&access(), query).await.unwrap();
    assert_eq!(found.matches[0].score, Some(5.0), "the inner product");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dimension_is_said_by_the_first_rows_when_nothing_else_did() {
    let engine = engine().await;
    let new = NewVectorCollection {
        dimension: None,
        ..new_vectors("rows", "{}")
    };
    create(&engine, new.clone()).await.unwrap();
    let mut uneven = row("b", [0.0, 1.0, 0.0], json!({}));
    uneven.vector.push(1.0);
    let rows = vec![row("a", [1.0, 0.0, 0.0], json!({})), uneven.clone()];
    assert_eq!(invalid_field(upsert(&engine, "rows", rows).await), "Rows");
    assert_eq!(
        engine
            .collection(&access(), &new.name)
            .await
            .unwrap()
            .dimension,
        0,
        "refused rows say nothing"
    );
    upsert(&engine, "rows", vec![row("a", [1.0, 0.0, 0.0], json!({}))])
        .await
        .unwrap();
    assert_eq!(
        engine
            .collection(&access(), &new.name)
            .await
            .unwrap()
            .dimension,
        3
    );
    assert_eq!(
        invalid_field(upsert(&engine, "rows", vec![uneven]).await),
        "Rows"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_metric_must_suit_the_vectors() {
    let engine = engine().await;
    create(
        &engine,
        NewVectorCollection {
            metric: Some(Metric::L2),
            ..new_vectors("rows", "{}")
        },
    )
    .await
    .unwrap();
    upsert(&engine, "rows", vec![row("zero", [0.0; 3], json!({}))])
        .await
        .unwrap();
    let make = async |metric| {
        engine
            .create_vector_index(&manager(), &index(Some(3), Some(metric)))
            .await
    };
    assert_eq!(invalid_field(make(Metric::Cosine).await), "Metrics");
    let metric = async || {
        engine
            .collection(&access(), &collection("rows"))
            .await
            .unwrap()
            .metric
    };
    assert_eq!(metric().await, Metric::L2);
    make(Metric::InnerProduct).await.unwrap();
    assert_eq!(metric().await, Metric::InnerProduct);
    assert_eq!(ids_where(&engine, "rows", "id = 'zero'").await, ["zero"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_added_renamed_and_retyped_in_the_rows_too() {
    let engine = engine().await;
    let new = NewVectorCollection {
        metadata_indices: "page".to_owned(),
        full_text_fields: "title".to_owned(),
        ..new_vectors("rows", r#"{"title":"text","page":"int"}"#)
    };
    create(&engine, new).await.unwrap();
    let rows = vec![
        row("a", [1.0, 0.0, 0.0], json!({"title": "A", "page": 1})),
        row("b", [0.0, 1.0, 0.0], json!({"title": "B"})),
    ];
    upsert(&engine, "rows", rows).await.unwrap();
    assert_eq!(ids_where(&engine, "rows", "page = 1").await, ["a"]);

    let columns = modify(
        &engine,
        json!([
            {"operator": "add", "newMetaName": "note", "newMetaType": "text", "fullTextRetrieval": true},
            {"operator": "replace", "oldMetaName": "page", "newMetaName": "number", "newMetaType": "text"},
        ]),
    )
    .await
    .unwrap();
    assert_eq!(columns, r#"{"title":"text","number":"text","note":"text"}"#);
    assert_eq!(ids_where(&engine, "rows", "number LIKE '1%'").await, ["a"]);
    assert_eq!(ids_where(&engine, "rows", "number IS NULL").await, ["b"]);
    let shown = engine
        .collection(&access(), &collection("rows"))
        .await
        .unwrap();
    assert_eq!(shown.settings.full_text_fields, ["title", "note"]);
    assert_eq!(shown.settings.metadata_indices, ["number"]);

    // All of it or nothing.
    let refused = modify(
        &engine,
        json!([
            {"operator": "replace", "oldMetaName": "note", "newMetaName": "remark"},
            {"operator": "replace", "oldMetaName": "title", "newMetaType": "int"},
        ]),
    )
    .await;
    let Err(EngineError::Invalid {
        field: "Metadata",
        reason,
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        reason,
        "the row 'a' has a 'title' that as int is not a whole number"
    );
    assert_eq!(
        ids_where(&engine, "rows", "note IS NULL AND title = 'A'").await,
        ["a"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_are_written_down_between_namespaces_that_are_there() {
    let engine = engine().await;
    create(&engine, new_vectors("rows", "{}")).await.unwrap();
    let other = NamespaceName::new("other").unwrap();
    let grant = |name: &str, grant| NewGrant {
        namespace: NamespaceName::default(),
        collection: collection(name),
        to: other.clone(),
        grant,
    };
    let give = async |new| engine.grant_collection(&manager(), &new).await;
    assert!(matches!(
        give(grant("rows", Grant::ReadOnly)).await,
        Err(EngineError::NotFound {
            what: Subject::Namespace,
            ..
        })
    ));
    engine
        .create_namespace(&manager(), &other, &Secret::new("x"))
        .await
        .unwrap();
    for kind in ["rw", "ro", "none"] {
        give(grant("rows", Grant::from_name(kind).unwrap()))
            .await
            .unwrap();
    }
    assert!(matches!(
        give(grant("nothing", Grant::ReadWrite)).await,
        Err(EngineError::NotFound {
            what: Subject::Collection,
            ..
        })
    ));
    assert_eq!(invalid_field(Grant::from_name("all")), "GrantType");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vector_engine_is_on_and_stays_on() {
    let mut only = config(DataLocation::Memory);
    only.instances = Some(vec![instance()]);
    let engine = ready(only).await;
    engine
        .modify_vector_configuration(&instance(), true)
        .unwrap();
    let off = engine.modify_vector_configuration(&instance(), false);
    assert_eq!(invalid_field(off), "VectorConfigurationStatus");
    let other = InstanceId::new("gp-other").unwrap();
    assert!(matches!(
        engine.modify_vector_configuration(&other, true),
        Err(EngineError::NotFound {
            what: Subject::Instance,
            ..
        })
    ));
}
