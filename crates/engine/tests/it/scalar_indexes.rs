//! Scalar indexes: kept, shown, removed; their jobs have succeeded at once.

use crate::support::*;
use lookalike_engine::{
    DataLocation, Engine, EngineError, IndexName, JobId, NamespaceName, NewScalarIndex,
    NewVectorCollection, Subject,
};

async fn engine() -> Engine {
    let engine = ready(config(DataLocation::Memory)).await;
    let new = NewVectorCollection {
        metadata_indices: "title".to_owned(),
        ..new_vectors("rows", r#"{"title":"text","page":"int","extra":"jsonb"}"#)
    };
    engine.create_collection(&manager(), &new).await.unwrap();
    engine
}

fn new_index(field: &str, name: Option<&str>, config: Option<&str>) -> NewScalarIndex {
    NewScalarIndex {
        collection: collection("rows"),
        field: field.to_owned(),
        name: name.map(str::to_owned),
        config: config.map(str::to_owned),
    }
}

async fn create(engine: &Engine, new: NewScalarIndex) -> Result<JobId, EngineError> {
    engine.create_index(&access(), &new).await
}

async fn definitions(engine: &Engine) -> Vec<String> {
    let listed = engine
        .list_indexes(&access(), &collection("rows"))
        .await
        .unwrap();
    listed
        .iter()
        .map(|index| index.definition(&NamespaceName::default(), &collection("rows")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_listed_with_those_of_the_creation() {
    let engine = engine().await;
    create(
        &engine,
        new_index("page", Some("by_page"), Some(r#"{"fillFactor":70}"#)),
    )
    .await
    .unwrap();
    create(&engine, new_index("extra", None, Some("gin")))
        .await
        .unwrap();
    create(&engine, new_index("extra", None, None))
        .await
        .unwrap();
    assert_eq!(
        definitions(&engine).await,
        [
            "CREATE INDEX by_page ON public.rows USING btree (page) WITH (fillfactor='70')",
            "CREATE INDEX rows_extra_idx ON public.rows USING gin (extra)",
            "CREATE INDEX rows_extra_idx1 ON public.rows USING btree (extra)",
            "CREATE INDEX rows_title_idx ON public.rows USING btree (title)",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_found_and_removed_by_its_name() {
    let engine = engine().await;
    let name = IndexName::new("rows_title_idx").unwrap();
    let found = engine
        .index(&access(), &collection("rows"), &name)
        .await
        .unwrap();
    assert_eq!(found.field.as_str(), "title");
    let delete = async || {
        engine
            .delete_index(&access(), &collection("rows"), &name)
            .await
    };
    delete().await.unwrap();
    for gone in [
        delete().await,
        engine
            .index(&access(), &collection("rows"), &name)
            .await
            .map(|_| ()),
    ] {
        assert!(matches!(
            gone,
            Err(EngineError::NotFound {
                what: Subject::Index,
                ..
            })
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_and_taken_names_are_refused() {
    let engine = engine().await;
    for field in ["colour", "", "title,page"] {
        assert_eq!(
            invalid_field(create(&engine, new_index(field, None, None)).await),
            "IndexField"
        );
    }
    assert_eq!(
        invalid_field(create(&engine, new_index("page", Some("a b"), None)).await),
        "IndexName"
    );
    assert_eq!(
        invalid_field(create(&engine, new_index("page", None, Some("hash"))).await),
        "IndexConfig"
    );
    let taken = create(&engine, new_index("page", Some("rows_title_idx"), None)).await;
    assert!(matches!(
        taken,
        Err(EngineError::AlreadyExists {
            what: Subject::Index,
            ..
        })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_an_index_has_ended_and_cannot_be_cancelled() {
    let engine = engine().await;
    let id = create(&engine, new_index("page", None, None))
        .await
        .unwrap();
    engine
        .index_job(&access(), &collection("rows"), &id)
        .await
        .unwrap();
    assert!(matches!(
        engine
            .cancel_index_job(&access(), &collection("rows"), &id)
            .await,
        Err(EngineError::Conflict { .. })
    ));
    // Of another collection, and of another kind.
    for missing in [
        engine
            .index_job(&access(), &collection(PHOTOS), &id)
            .await
            .map(|_| ()),
        engine
            .job(&access(), &collection("rows"), &id)
            .await
            .map(|_| ()),
        engine
            .rows_job(&access(), &collection("rows"), &id)
            .await
            .map(|_| ()),
    ] {
        assert!(matches!(
            missing,
            Err(EngineError::NotFound {
                what: Subject::Job,
                ..
            })
        ));
    }
}
