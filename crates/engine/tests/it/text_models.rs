//! The text models without a collection.

use lookalike_engine::{DataLocation, Engine, EngineError, RankDocuments};

use crate::support::*;

async fn engine() -> Engine {
    Engine::open(config(DataLocation::Memory), models())
        .await
        .unwrap()
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("text {i}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_become_vectors_of_the_asked_length() {
    let engine = engine().await;
    let input = [
        "dogs bark".to_owned(),
        "dogs bark".to_owned(),
        "rain".to_owned(),
    ];
    let embedded = engine
        .embed_texts(&instance(), None, None, &input)
        .await
        .unwrap();
    let lengths: Vec<usize> = embedded.vectors.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1024; 3]);
    assert_eq!(embedded.vectors[0], embedded.vectors[1]);
    assert_eq!((embedded.usage.tokens, embedded.usage.entries), (5, 3));
    assert!(
        embedded.encoder.contains("stand-in"),
        "{}",
        embedded.encoder
    );
    for (model, dimension, length) in [
        ("text-embedding-v3", Some(512), 512),
        ("text-embedding-v2", None, 1536),
        ("m3e-base", None, 768),
    ] {
        let embedded = engine
            .embed_texts(&instance(), Some(model), dimension, &input)
            .await;
        assert_eq!(embedded.unwrap().vectors[0].len(), length);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hundred_texts_are_the_most() {
    let engine = engine().await;
    let embed = async |model: &str, dimension, input: &[String]| {
        let outcome = engine
            .embed_texts(&instance(), Some(model), dimension, input)
            .await;
        outcome.map(|embedded| embedded.vectors.len())
    };
    let v3 = "text-embedding-v3";
    assert_eq!(embed(v3, None, &texts(100)).await.unwrap(), 100);
    assert_eq!(invalid_field(embed(v3, None, &texts(101)).await), "Input");
    assert_eq!(invalid_field(embed(v3, None, &[]).await), "Input");
    assert_eq!(
        invalid_field(embed(v3, Some(1536), &texts(1)).await),
        "Dimension"
    );
    for model in ["clip-vit-b-32", "multimodal-embedding-v1", "bert"] {
        assert_eq!(invalid_field(embed(model, None, &texts(1)).await), "Model");
    }
    let long = "x".repeat(64 * 1024);
    assert!(embed(v3, None, std::slice::from_ref(&long)).await.is_ok());
    let longer = format!("{long}x");
    assert!(matches!(
        embed(v3, None, &[longer]).await,
        Err(EngineError::TooLarge { .. })
    ));
}

fn rank(query: &str, documents: &[&str]) -> RankDocuments {
    RankDocuments {
        query: query.to_owned(),
        documents: documents.iter().map(|text| (*text).to_owned()).collect(),
        ..RankDocuments::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_put_in_order() {
    let engine = engine().await;
    let documents = [
        "The invoice is overdue.",
        "",
        "A puppy sleeps.",
        "Contoso rose.",
    ];
    let ranking = engine
        .rank_documents(&instance(), &rank("Contoso", &documents))
        .await
        .unwrap();
    let order: Vec<usize> = ranking
        .documents
        .iter()
        .map(|ranked| ranked.index)
        .collect();
    assert_eq!((order.len(), order[0]), (4, 3));
    assert!(
        ranking
            .documents
            .is_sorted_by(|one, other| one.score >= other.score)
    );
    assert!(
        ranking
            .documents
            .iter()
            .all(|ranked| ranked.score.is_finite())
    );
    assert!(
        ranking.encoder.contains("stand-in for a reranker"),
        "{}",
        ranking.encoder
    );
    let best = RankDocuments {
        top_k: Some(1),
        ..rank("dog", &documents)
    };
    let best = engine.rank_documents(&instance(), &best).await.unwrap();
    assert_eq!((best.documents.len(), best.documents[0].index), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_document_is_as_good_as_its_best_part_that_is_read() {
    let engine = engine().await;
    let filler = "Nothing of interest happens in this sentence. ".repeat(60);
    let at_the_end = format!("{filler}\n\nContoso rose.");
    let documents = [
        at_the_end.as_str(),
        "The report names Fabrikam and nobody else.",
    ];
    let first = async |parts: Option<i64>| {
        let rank = RankDocuments {
            max_parts: parts,
            ..rank("Contoso rose", &documents)
        };
        let ranking = engine.rank_documents(&instance(), &rank).await.unwrap();
        ranking.documents[0].score
    };
    assert!(first(None).await > 0.9);
    assert!(first(Some(1)).await < 0.9);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_ranking_is_refused() {
    let engine = engine().await;
    let good = rank("a", &["b"]);
    for (wrong, field) in [
        (rank("", &["b"]), "Query"),
        (rank("a", &[]), "Documents"),
        (
            RankDocuments {
                model: Some("gte-rerank-v2".to_owned()),
                ..good.clone()
            },
            "Model",
        ),
        (
            RankDocuments {
                top_k: Some(0),
                ..good.clone()
            },
            "TopK",
        ),
        (
            RankDocuments {
                max_parts: Some(101),
                ..good.clone()
            },
            "MaxChunksPerDoc",
        ),
        (
            RankDocuments {
                documents: texts(1001),
                ..good.clone()
            },
            "Documents",
        ),
    ] {
        let refused = engine.rank_documents(&instance(), &wrong).await;
        assert_eq!(invalid_field(refused), field);
    }
    let most = RankDocuments {
        documents: texts(1000),
        ..good
    };
    assert!(engine.rank_documents(&instance(), &most).await.is_ok());
}
