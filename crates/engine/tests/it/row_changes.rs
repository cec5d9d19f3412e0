//! Rows of vector collections: stored, changed, removed (semantics.md, `UpsertCollectionData` and the
//! following).

use crate::{
    rows::{FIELDS, ask, axes, delete, ids, query, space, texts, with},
    support::*,
};
use lookalike_engine::{
    Engine, EngineError, NewRow, NewVectorCollection, QueryRows, SparseVector, UpdateRows,
};
use serde_json::{Value, json};

async fn update(
    engine: &Engine,
    ids: &[&str],
    filter: &str,
    fields: Value,
) -> Result<u64, EngineError> {
    let update = UpdateRows {
        collection: collection("rows"),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        filter: filter.to_owned(),
        metadata: metadata(fields),
    };
    engine.update_rows(&access(), update).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_with_a_known_id_is_changed_and_keeps_what_is_not_given() {
    let engine = space().await;
    let changed = NewRow {
        sparse_vector: None,
        ..row("x", [0.0, 0.0, 1.0], json!({"page": 7}))
    };
    upsert(&engine, "rows", vec![changed]).await.unwrap();
    let result = ask(
        &engine,
        QueryRows {
            top_k: 2,
            ..query([0.0, 0.0, 1.0])
        },
    )
    .await
    .unwrap();
    assert_eq!(
        ids(&result),
        ["x", "z"],
        "the new vector counts, ties go by id"
    );
    assert_eq!(
        texts(&result.matches[0].metadata),
        [
            ("title", "along x"),
            ("page", "7"),
            ("extra", r#"{"k":["v",2]}"#)
        ]
    );
    // A value that is given as null is NULL.
    upsert(
        &engine,
        "rows",
        vec![row("x", [1.0, 0.0, 0.0], json!({"page": null}))],
    )
    .await
    .unwrap();
    assert_eq!(ids_where(&engine, "rows", "page IS NULL").await, ["x", "z"]);
    let result = ask(&engine, query([1.0, 0.0, 0.0])).await.unwrap();
    assert_eq!((result.total, ids(&result)[0]), (3, "x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_an_id_gets_a_new_one_each_time() {
    let engine = space().await;
    let anonymous = |id: Option<&str>| NewRow {
        id: id.map(str::to_owned),
        ..row("", [1.0; 3], json!({}))
    };
    upsert(
        &engine,
        "rows",
        vec![anonymous(None), anonymous(Some("")), anonymous(None)],
    )
    .await
    .unwrap();
    let ids = ids_where(&engine, "rows", "title IS NULL").await;
    assert_eq!(ids.len(), 3);
    for id in ids {
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rows_with_one_id_in_one_call_the_last_counts() {
    let engine = space().await;
    let rows = vec![
        row("w", [1.0, 0.0, 0.0], json!({"title": "first", "page": 1})),
        row("w", [0.0, 1.0, 0.0], json!({"title": "last"})),
    ];
    upsert(&engine, "rows", rows).await.unwrap();
    let found = ask(
        &engine,
        QueryRows {
            filter: "id = 'w'".to_owned(),
            ..query([0.0, 1.0, 0.0])
        },
    )
    .await
    .unwrap();
    assert_eq!(
        (ids(&found), found.matches[0].score),
        (vec!["w"], Some(1.0))
    );
    assert_eq!(
        texts(&found.matches[0].metadata),
        [("title", "last"), ("page", "1")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_is_named_and_none_of_the_call_is_stored() {
    let engine = space().await;
    let good = || row("new", [1.0, 0.0, 0.0], json!({}));
    let vector = |vector: &[f32]| NewRow {
        vector: vector.to_vec(),
        ..good()
    };
    for (bad, part) in [
        (vector(&[1.0; 2]), "row 2: Vector has 2 numbers"),
        (
            vector(&[1.0, f32::NAN, 1.0]),
            "row 2: Vector has a number that is not finite in 32 bits, at place 2",
        ),
        (vector(&[f32::INFINITY, 1.0, 1.0]), "at place 1"),
        (vector(&[0.0; 3]), "row 2: Vector is zero"),
        (vector(&[]), "row 2: Vector is missing"),
        (
            row("b", [1.0; 3], json!({"colour": "red"})),
            "row 2: Metadata: the field 'colour' is not declared",
        ),
        (
            row("b", [1.0; 3], json!({"page": "one"})),
            "row 2: Metadata: the value of 'page'",
        ),
        (row("a\nb", [1.0; 3], json!({})), "row 2: Id: "),
        (
            NewRow {
                sparse_vector: Some(SparseVector {
                    indices: vec![1],
                    values: vec![1.0],
                }),
                ..good()
            },
            "row 2: SparseVector: the collection was made without SupportSparse",
        ),
    ] {
        let refused = upsert(&engine, "rows", vec![good(), bad]).await;
        let Err(EngineError::Invalid {
            field: "Rows",
            reason,
        }) = refused
        else {
            panic!("{refused:?}")
        };
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(invalid_field(upsert(&engine, "rows", vec![]).await), "Rows");
    assert_eq!(
        ids_where(&engine, "rows", "id = 'new'").await,
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sparse_vectors_are_kept_and_shown() {
    let new = NewVectorCollection {
        support_sparse: true,
        ..new_vectors("rows", FIELDS)
    };
    let sparse = SparseVector {
        indices: vec![9, 4],
        values: vec![0.5, 1.5],
    };
    let mut rows = axes();
    rows[0].sparse_vector = Some(sparse);
    rows[1].sparse_vector = Some(SparseVector::default());
    let engine = with(new, rows).await;
    let show = async || {
        let asked = QueryRows {
            include_sparse: true,
            ..query([1.0, 0.9, 0.8])
        };
        let result = ask(&engine, asked).await.unwrap();
        assert_eq!(ids(&result), ["x", "y", "z"]);
        result
            .matches
            .into_iter()
            .map(|found| found.sparse)
            .collect::<Vec<_>>()
    };
    let kept = SparseVector {
        indices: vec![4, 9],
        values: vec![1.5, 0.5],
    };
    assert_eq!(
        show().await,
        [Some(kept.clone()), None, None],
        "by ascending index"
    );
    upsert(&engine, "rows", vec![row("x", [1.0, 0.0, 0.0], json!({}))])
        .await
        .unwrap();
    assert_eq!(show().await[0], Some(kept), "stays when not given");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_deleted_by_values_and_by_filter() {
    let engine = space().await;
    assert_eq!(
        delete(&engine, r#"{"title":["it's z","nothing"]}"#, "")
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        delete(&engine, r#"{"title":["it's z"]}"#, "")
            .await
            .unwrap(),
        0
    );
    assert_eq!(delete(&engine, r#"{"page":[]}"#, "").await.unwrap(), 0);
    assert_eq!(
        delete(&engine, r#"{"page":[1,2]}"#, "title = 'along y'")
            .await
            .unwrap(),
        1,
        "both must hold"
    );
    let result = ask(&engine, query([1.0; 3])).await.unwrap();
    assert_eq!((ids(&result), result.total), (vec!["x"], 1));
    assert_eq!(
        delete(&engine, "", "page = 1 OR page = 5").await.unwrap(),
        1
    );
    assert_eq!(
        ids_where(&engine, "rows", "id IS NOT NULL").await,
        Vec::<String>::new()
    );
    // An id that was used may be used again.
    upsert(&engine, "rows", axes()).await.unwrap();
    assert_eq!(
        delete(&engine, r#"{"id":["x","y","z"]}"#, "")
            .await
            .unwrap(),
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_must_say_what() {
    let engine = space().await;
    for (field, data, filter) in [
        ("CollectionData", "", ""),
        ("CollectionData", "{}", ""),
        ("CollectionData", r#"{"colour":["red"]}"#, ""),
        ("CollectionData", r#"{"page":["one"]}"#, ""),
        ("CollectionDataFilter", "", "colour = 1"),
        ("CollectionDataFilter", "", "page ="),
    ] {
        assert_eq!(
            invalid_field(delete(&engine, data, filter).await),
            field,
            "{data} {filter}"
        );
    }
    assert_eq!(
        ids_where(&engine, "rows", "id IS NOT NULL").await,
        ["x", "y", "z"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_updated_by_ids_and_by_filter() {
    let engine = space().await;
    assert_eq!(ids_where(&engine, "rows", "page = 1").await, ["x"]);
    assert_eq!(
        update(&engine, &["x", "nobody"], "", json!({"page": 10}))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        update(
            &engine,
            &[],
            "page = 10 OR page = 2",
            json!({"title": "new", "extra": {"n": null}})
        )
        .await
        .unwrap(),
        2
    );
    assert_eq!(
        ids_where(&engine, "rows", "title = 'new' AND page = 10").await,
        ["x"]
    );
    assert_eq!(
        update(&engine, &["x", "z"], "title = 'new'", json!({"page": null}))
            .await
            .unwrap(),
        1,
        "both must hold"
    );
    let result = ask(&engine, query([1.0, 0.5, 0.1])).await.unwrap();
    assert_eq!(
        texts(&result.matches[0].metadata),
        [("title", "new"), ("extra", r#"{"n":null}"#)]
    );
    assert_eq!(texts(&result.matches[2].metadata), [("title", "it's z")]);
    for (field, outcome) in [
        ("Ids", update(&engine, &[], "", json!({"page": 1})).await),
        ("Metadata", update(&engine, &["x"], "", json!({})).await),
        (
            "Metadata",
            update(&engine, &["x"], "", json!({"colour": 1})).await,
        ),
        (
            "Filter",
            update(&engine, &[], "colour = 1", json!({"page": 1})).await,
        ),
    ] {
        assert_eq!(invalid_field(outcome), field);
    }
}
