//! Queries of texts: windows, reranking, links, and what an image cannot do there.

use lookalike_embed::{Models, ModelsConfig};
use lookalike_engine::{
    DataLocation, Engine, EngineError, HybridSearch, ImageQuery, Metric, QueryContent,
    RecallWindow, RerankOptions, SplitOptions, SubmitUpload, TextChunk, UpsertChunks, WindowRow,
};
use serde_json::json;

use crate::support::*;

const TEXT: &str = "alpha one\n\nbravo two\n\ncharlie three\n\ndelta four\n\necho five";

/// One chunk a paragraph.
async fn engine() -> Engine {
    let engine = ready_for_texts(config(DataLocation::Memory)).await;
    for name in ["a.txt", "b.txt"] {
        let text = if name == "a.txt" { TEXT } else { "bravo other" };
        let upload = SubmitUpload {
            splitting: SplitOptions {
                chunk_size: Some(14),
                chunk_overlap: Some(0),
                ..SplitOptions::default()
            },
            ..text_upload(name, uploaded(&engine, text.as_bytes()).await)
        };
        assert_eq!(submit_text(&engine, &upload).await.failure, None);
    }
    engine
}

fn texts(rows: &[WindowRow]) -> Vec<&str> {
    rows.iter().map(|row| &*row.content).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn window_holds_the_neighbours_of_the_same_file() {
    let engine = engine().await;
    let windows = async |text: &str, ends: [i64; 2]| {
        let query = QueryContent {
            top_k: Some(1),
            recall_window: Some(RecallWindow::new(&ends).unwrap()),
            ..note_query(text)
        };
        search(&engine, &query).await.windows.unwrap().remove(0)
    };
    let around = windows("charlie three", [-1, 1]).await;
    assert_eq!(texts(&around), ["bravo two", "charlie three", "delta four"]);
    assert_eq!(around[0].file_name.as_ref().unwrap().as_str(), "a.txt");
    assert_eq!(
        texts(&windows("charlie three", [0, 0]).await),
        ["charlie three"]
    );
    assert_eq!(texts(&windows("charlie three", [-10, 0]).await).len(), 3);
    assert_eq!(
        texts(&windows("alpha one", [-2, 1]).await),
        ["alpha one", "bravo two"]
    );
    assert_eq!(
        texts(&windows("bravo other", [-10, 10]).await),
        ["bravo other"]
    );
    assert_eq!(search(&engine, &note_query("alpha")).await.windows, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn originals_are_linked_only_when_asked_for() {
    let engine = engine().await;
    let plain = search(&engine, &note_query("alpha")).await;
    assert!(plain.matches.iter().all(|found| found.object.is_none()));
    let query = QueryContent {
        include_file_url: true,
        ..note_query("alpha")
    };
    let linked = search(&engine, &query).await;
    assert!(linked.matches.iter().all(|found| found.object.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn reranked_matches_carry_a_score_and_stay_in_its_order() {
    let engine = engine().await;
    let query = QueryContent {
        top_k: Some(2),
        metric: Some(Metric::L2),
        rerank: RerankOptions {
            factor: Some(2.0),
            ..RerankOptions::default()
        },
        ..note_query("bravo two")
    };
    let found = search(&engine, &query).await.matches;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].content, "bravo two");
    assert!((found[0].rerank_score.unwrap() - 1.0).abs() < 1e-5);
    assert!(found[0].rerank_score > found[1].rerank_score);
    let offset = QueryContent {
        offset: Some(1),
        ..query.clone()
    };
    let next = search(&engine, &offset).await.matches;
    assert_eq!(next[0], found[1]);
    let none = search(&engine, &note_query("bravo two")).await.matches;
    assert!(none.iter().all(|found| found.rerank_score.is_none()));
    let wrong = QueryContent {
        rerank: RerankOptions {
            factor: Some(6.0),
            ..RerankOptions::default()
        },
        ..query
    };
    assert_eq!(
        invalid_field(engine.query(&access(), &wrong).await),
        "RerankFactor"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_read_with_the_text_when_reranking() {
    let engine = ready_for_texts(config(DataLocation::Memory)).await;
    let about = |topic: &str, content: &str| TextChunk {
        content: content.to_owned(),
        metadata: Some(metadata(json!({"topic": topic}))),
        ..TextChunk::default()
    };
    let upsert = UpsertChunks {
        collection: collection(NOTES),
        file_name: None,
        chunks: vec![about("weather", "see below"), about("Contoso", "see above")],
        replace_file: true,
        insert_unmatched: true,
    };
    engine.upsert_chunks(&access(), upsert).await.unwrap();
    let query = QueryContent {
        top_k: Some(1),
        rerank: RerankOptions {
            factor: Some(2.0),
            model: Some("qwen3-rerank".to_owned()),
            metadata_fields: "topic".to_owned(),
        },
        metadata_fields: "page".to_owned(),
        ..note_query("Contoso below")
    };
    let found = search(&engine, &query).await.matches;
    assert_eq!(found[0].content, "see above");
    assert!(found[0].metadata.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn image_cannot_be_looked_for_among_texts() {
    let engine = engine().await;
    let image = ImageQuery {
        source: uploaded(&engine, &plain([1, 2, 3])).await,
        file_name: Some(file("q.bmp")),
    };
    let by_image = QueryContent {
        image: Some(image),
        ..QueryContent::new(collection(NOTES))
    };
    // Beside a text that is looked for as well, and where only that is.
    let with_text = QueryContent {
        text: Some("alpha".to_owned()),
        ..by_image.clone()
    };
    let only_text = QueryContent {
        hybrid: HybridSearch {
            args: metadata(json!({"HybridPathsSetting": {"paths": "fulltext"}})),
            ..HybridSearch::default()
        },
        ..with_text.clone()
    };
    for query in [by_image, with_text, only_text] {
        let Err(EngineError::Invalid {
            field: "FileUrl",
            reason,
        }) = engine.query(&access(), &query).await
        else {
            panic!("not refused")
        };
        assert!(reason.contains("text-embedding-v3"), "{reason}");
    }
    // And images take no notice of reranking.
    indexed(&engine, "a.bmp", &plain([1, 2, 3])).await;
    let query = QueryContent {
        rerank: RerankOptions {
            factor: Some(2.0),
            ..RerankOptions::default()
        },
        ..text_query("dog")
    };
    assert_eq!(search(&engine, &query).await.matches[0].rerank_score, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_embedded_anew_after_a_change_of_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let settings = in_folder(folder.path());
    let engine = ready_for_texts(settings.clone()).await;
    index_text(&engine, "a.txt", TEXT.as_bytes()).await;
    let before = chunks_of(&engine, None).await;
    engine.shutdown().await;
    drop(engine);

    let goldens = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../embed/tests/goldens");
    let other = || {
        let config = ModelsConfig {
            paths: vec![("text-embedding-v3".to_owned(), goldens.join("bert-mean"))],
            ..ModelsConfig::default()
        };
        Models::open(config).unwrap()
    };
    let engine = Engine::open_idle(settings.clone(), other()).await.unwrap();
    let refused = engine.query(&access(), &note_query("alpha")).await;
    assert!(
        matches!(refused, Err(EngineError::Conflict { .. })),
        "{refused:?}"
    );
    let report = engine.reindex(|_| {}).await.unwrap();
    assert_eq!((report.collections, report.rows), (1, 1));
    engine.shutdown().await;
    drop(engine);

    let engine = Engine::open(settings, other()).await.unwrap();
    let found = search(&engine, &note_query("alpha one")).await;
    assert!(
        found.encoder.contains("bert (bert-mean)"),
        "{}",
        found.encoder
    );
    let after = chunks_of(&engine, None).await;
    assert_eq!(after[0].content, before[0].content);
    assert_ne!(after[0].vector, before[0].vector);
}
