//! Document collections and their vector indexes (semantics.md, `CreateDocumentCollection`; rows 6,
//! 43, 49).

use crate::support::*;
use lookalike_engine::{
    Credential, DataLocation, Engine, EngineError, IndexKind, IndexOptions, ManagerAccess, Metric,
    NamespaceAccess, NamespaceName, NewCollection, NewVectorIndex, Secret, Subject,
};

async fn engine() -> Engine {
    ready(config(DataLocation::Memory)).await
}

async fn create(engine: &Engine, new: &NewCollection) -> Result<u32, EngineError> {
    engine
        .create_document_collection(&manager(), new)
        .await
        .map(|created| created.dimension)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_listed_as_it_was_made() {
    let engine = engine().await;
    let new = NewCollection {
        metric: Some(Metric::L2),
        full_text_fields: "title, body".to_owned(),
        metadata_indices: "page".to_owned(),
        parser: Some("english".to_owned()),
        index: IndexOptions {
            hnsw_m: Some(32),
            ..IndexOptions::default()
        },
        ..new_collection("articles", r#"{"title":"TEXT","body":"text","page":"int"}"#)
    };
    create(&engine, &new).await.unwrap();
    let listed = engine.list_document_collections(&access()).await.unwrap();
    let [articles, photos] = listed.as_slice() else {
        panic!("{listed:?}")
    };
    assert_eq!(articles.name.as_str(), "articles");
    assert_eq!(articles.embedding_model, "clip-vit-b-32");
    assert_eq!(articles.dimension, 512);
    assert_eq!(articles.metric, Metric::L2);
    assert_eq!(articles.columns.to_json(), new.metadata);
    assert_eq!(articles.settings.full_text_fields, ["title", "body"]);
    assert_eq!(articles.settings.metadata_indices, ["page"]);
    assert_eq!(articles.settings.parser, "english");
    assert_eq!(articles.settings.index.hnsw_m, Some(32));
    assert_eq!(photos.metric, Metric::Cosine, "the default");
    assert_eq!(photos.settings.parser, "zh_cn", "the default");
    assert_eq!(
        engine.collection(&access(), &articles.name).await.unwrap(),
        *articles
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_once_a_namespace() {
    let engine = engine().await;
    let again = create(&engine, &new_collection(PHOTOS, "")).await;
    assert!(
        matches!(&again, Err(EngineError::AlreadyExists { what: Subject::Collection, name }) if name == PHOTOS),
        "{again:?}"
    );
    let other = NamespaceName::new("other").unwrap();
    engine
        .create_namespace(&manager(), &other, &Secret::new("p"))
        .await
        .unwrap();
    let elsewhere = NewCollection {
        namespace: other,
        ..new_collection(PHOTOS, "")
    };
    create(&engine, &elsewhere).await.unwrap();
    // Case is kept and compared exactly.
    create(&engine, &new_collection("Photos", ""))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn models_and_dimensions_are_the_contracts() {
    let engine = engine().await;
    let with = |name: &str, model: Option<&str>, dimension| NewCollection {
        embedding_model: model.map(str::to_owned),
        dimension,
        ..new_collection(name, "")
    };
    assert_eq!(
        create(&engine, &with("a", Some("clip-rn50"), None))
            .await
            .unwrap(),
        1024
    );
    assert_eq!(
        create(&engine, &with("b", Some("clip-vit-b-16"), Some(512)))
            .await
            .unwrap(),
        512
    );
    let qwen = Some("qwen3-vl-embedding");
    assert_eq!(create(&engine, &with("c", qwen, None)).await.unwrap(), 2560);
    assert_eq!(
        create(&engine, &with("d", qwen, Some(1024))).await.unwrap(),
        1024
    );
    let wrong = create(&engine, &with("e", Some("clip-vit-b-16"), Some(768))).await;
    assert_eq!(invalid_field(wrong), "Dimension");
    let Err(EngineError::Invalid {
        field: "EmbeddingModel",
        reason,
    }) = create(&engine, &with("e", Some("clip-vit-b-33"), None)).await
    else {
        panic!("an unknown model was taken")
    };
    assert!(
        reason.contains("clip-vit-b-32") && reason.contains("qwen3-vl-embedding"),
        "{reason}"
    );
    // The default is a text model.
    assert_eq!(create(&engine, &with("e", None, None)).await.unwrap(), 1024);
    let v3 = Some("text-embedding-v3");
    assert_eq!(
        create(&engine, &with("f", v3, Some(512))).await.unwrap(),
        512
    );
    assert_eq!(
        invalid_field(create(&engine, &with("g", v3, Some(1536))).await),
        "Dimension"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_must_be_declared_and_their_types_known() {
    let engine = engine().await;
    let title = r#"{"title":"text"}"#;
    for (new, field) in [
        (new_collection("a", r#"{"id":"text"}"#), "Metadata"),
        (new_collection("a", r#"{"price":"money"}"#), "Metadata"),
        (new_collection("a", "title"), "Metadata"),
        (
            NewCollection {
                full_text_fields: "body".to_owned(),
                ..new_collection("a", title)
            },
            "FullTextRetrievalFields",
        ),
        (
            NewCollection {
                metadata_indices: "body".to_owned(),
                ..new_collection("a", title)
            },
            "MetadataIndices",
        ),
        (
            NewCollection {
                sparse_fields: "body".to_owned(),
                ..new_collection("a", title)
            },
            "SparseRetrievalFields",
        ),
        (
            NewCollection {
                index: IndexOptions {
                    hnsw_m: Some(0),
                    ..IndexOptions::default()
                },
                ..new_collection("a", title)
            },
            "HnswM",
        ),
    ] {
        assert_eq!(invalid_field(create(&engine, &new).await), field);
    }
    assert_eq!(
        engine
            .list_document_collections(&access())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_needs_the_manager_and_deleting_the_namespace_password() {
    let engine = engine().await;
    let stranger = ManagerAccess {
        password: Secret::new("no"),
        ..manager()
    };
    let outcome = engine
        .create_document_collection(&stranger, &new_collection("a", ""))
        .await;
    assert!(matches!(
        outcome,
        Err(EngineError::Denied {
            what: Credential::Manager
        })
    ));
    let stranger = NamespaceAccess {
        password: Secret::new("no"),
        ..access()
    };
    let outcome = engine
        .delete_document_collection(&stranger, &collection(PHOTOS))
        .await;
    assert!(matches!(
        outcome,
        Err(EngineError::Denied {
            what: Credential::Namespace
        })
    ));
    engine
        .delete_document_collection(&access(), &collection(PHOTOS))
        .await
        .unwrap();
    let outcome = engine
        .delete_document_collection(&access(), &collection(PHOTOS))
        .await;
    assert!(
        matches!(
            outcome,
            Err(EngineError::NotFound {
                what: Subject::Collection,
                ..
            })
        ),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_collection_comes_back_empty() {
    let engine = engine().await;
    indexed(&engine, "red.bmp", &plain([255, 0, 0])).await;
    engine
        .delete_document_collection(&access(), &collection(PHOTOS))
        .await
        .unwrap();
    set_up(&engine).await;
    assert!(names(&engine).await.is_empty());
    assert!(search(&engine, &text_query("red")).await.matches.is_empty());
}

/// `SparseRetrievalFields` gives rows sparse vectors as `SupportSparse` does.
#[tokio::test(flavor = "multi_thread")]
async fn a_sparse_index_needs_sparse_vectors() {
    let engine = engine().await;
    let public = NamespaceName::default;
    let made = async |name: &str, support_sparse, fields: &str| {
        let new = NewCollection {
            metadata: r#"{"title":"text"}"#.to_owned(),
            support_sparse,
            sparse_fields: fields.to_owned(),
            ..NewCollection::new(public(), collection(name))
        };
        let created = engine.create_document_collection(&manager(), &new).await;
        created.unwrap();
        let index = NewVectorIndex {
            namespace: public(),
            collection: collection(name),
            kind: IndexKind::Sparse,
            dimension: None,
            metric: None,
            options: IndexOptions::default(),
        };
        engine.create_vector_index(&manager(), &index).await
    };
    made("supported", true, "").await.unwrap();
    made("fields", false, "title").await.unwrap();
    let refused = made("plain", false, "").await;
    assert!(
        matches!(&refused, Err(EngineError::Invalid { field: "Type", reason })
            if reason.contains("SupportSparse")),
        "{refused:?}"
    );
    let plain = collection("plain");
    engine
        .delete_vector_index(&manager(), &public(), &plain, IndexKind::Sparse)
        .await
        .expect("what is not there is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn vector_indexes_are_checked_and_written_down() {
    let engine = engine().await;
    let new = |kind, dimension| NewVectorIndex {
        namespace: NamespaceName::default(),
        collection: collection(PHOTOS),
        kind,
        dimension,
        metric: None,
        options: IndexOptions::default(),
    };
    // Twice: set-up scripts are repeated.
    for _ in 0..2 {
        engine
            .create_vector_index(&manager(), &new(IndexKind::Dense, Some(512)))
            .await
            .unwrap();
    }
    for dimension in [None, Some(511)] {
        let dense = new(IndexKind::Dense, dimension);
        let outcome = engine.create_vector_index(&manager(), &dense).await;
        assert_eq!(invalid_field(outcome), "Dimension");
    }
    let sparse_cosine = NewVectorIndex {
        metric: Some(Metric::Cosine),
        ..new(IndexKind::Sparse, None)
    };
    let outcome = engine.create_vector_index(&manager(), &sparse_cosine).await;
    assert_eq!(invalid_field(outcome), "Metrics");
    let public = NamespaceName::default();
    let delete = |name: &'static str| {
        let (engine, public) = (engine.clone(), public.clone());
        async move {
            let name = collection(name);
            engine
                .delete_vector_index(&manager(), &public, &name, IndexKind::Dense)
                .await
        }
    };
    delete(PHOTOS).await.unwrap();
    let missing = delete("missing").await;
    assert!(matches!(
        missing,
        Err(EngineError::NotFound {
            what: Subject::Collection,
            ..
        })
    ));
    // Searching without an index is exact search.
    indexed(&engine, "red.bmp", &plain([255, 0, 0])).await;
    assert_eq!(
        found(&search(&engine, &text_query("red")).await),
        ["red.bmp"]
    );
}
