//! Chunks one by one: listed in pages, written by the caller, deleted.

use lookalike_engine::{
    ChunkPage, DataLocation, Engine, EngineError, ListChunks, TextChunk, UpsertChunks, Upserted,
    Usage,
};
use serde_json::{Value, json};

use crate::support::*;

async fn engine() -> Engine {
    ready_for_texts(config(DataLocation::Memory)).await
}

fn chunk(content: &str) -> TextChunk {
    TextChunk {
        content: content.to_owned(),
        ..TextChunk::default()
    }
}

fn with_id(id: &str, content: &str) -> TextChunk {
    TextChunk {
        id: Some(id.to_owned()),
        ..chunk(content)
    }
}

fn upsert(file_name: Option<&str>, chunks: Vec<TextChunk>) -> UpsertChunks {
    UpsertChunks {
        collection: collection(NOTES),
        file_name: file_name.map(file),
        chunks,
        replace_file: true,
        insert_unmatched: true,
    }
}

async fn store(engine: &Engine, upsert: UpsertChunks) -> Upserted {
    engine.upsert_chunks(&access(), upsert).await.unwrap()
}

/// File and text of every chunk.
async fn contents(engine: &Engine) -> Vec<(String, String)> {
    let chunks = chunks_of(engine, None).await.into_iter();
    chunks
        .map(|chunk| {
            let name = chunk.file_name.map(|name| name.to_string());
            (name.unwrap_or_default(), chunk.content)
        })
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let expected = expected.iter();
    expected
        .map(|(one, other)| ((*one).to_owned(), (*other).to_owned()))
        .collect()
}

async fn best(engine: &Engine, text: &str) -> String {
    let found = search(engine, &note_query(text)).await;
    found.matches[0].content.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_a_file_replace_it_unless_told_otherwise() {
    let engine = engine().await;
    let first = upsert(Some("faq"), vec![chunk("dogs bark"), chunk("rain falls")]);
    let stored = store(&engine, first).await;
    assert_eq!(
        stored.usage,
        Usage {
            tokens: 4,
            entries: 2
        }
    );
    assert!(stored.encoder.contains("stand-in"), "{}", stored.encoder);
    assert_eq!(names_of_notes(&engine).await, ["faq"]);

    let more = UpsertChunks {
        replace_file: false,
        ..upsert(Some("faq"), vec![chunk("invoices are due")])
    };
    store(&engine, more).await;
    assert_eq!(
        contents(&engine).await,
        pairs(&[
            ("faq", "dogs bark"),
            ("faq", "rain falls"),
            ("faq", "invoices are due")
        ])
    );
    assert_eq!(version(&engine, "faq").await, 1);

    store(&engine, upsert(Some("faq"), vec![chunk("cats purr")])).await;
    assert_eq!(contents(&engine).await, pairs(&[("faq", "cats purr")]));
    assert_eq!(version(&engine, "faq").await, 2);
    assert_eq!(best(&engine, "invoice").await, "cats purr");
}

async fn names_of_notes(engine: &Engine) -> Vec<String> {
    let page = lookalike_engine::Page::default();
    let listed = engine
        .list_documents(&access(), &collection(NOTES), &page)
        .await
        .unwrap();
    listed.file_names.iter().map(ToString::to_string).collect()
}

async fn version(engine: &Engine, name: &str) -> u64 {
    engine
        .describe_document(&access(), &collection(NOTES), &file(name))
        .await
        .unwrap()
        .version
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_without_a_file_are_appended() {
    let engine = engine().await;
    for _ in 0..2 {
        store(
            &engine,
            upsert(None, vec![chunk("dogs bark"), chunk("dogs bark")]),
        )
        .await;
    }
    let chunks = chunks_of(&engine, None).await;
    let ids: std::collections::BTreeSet<&String> = chunks.iter().map(|chunk| &chunk.id).collect();
    assert_eq!((chunks.len(), ids.len()), (4, 4));
    assert!(names_of_notes(&engine).await.is_empty());
    assert!(chunks.iter().all(|chunk| chunk.file_name.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn row_of_a_given_id_is_changed_in_place() {
    let engine = engine().await;
    let first = TextChunk {
        metadata: Some(metadata(json!({"topic": "pets", "page": 1}))),
        ..with_id("one", "dogs bark")
    };
    store(&engine, upsert(None, vec![first])).await;
    // Without metadata the row keeps its own; the second of the same id in one call counts.
    let twice = vec![
        with_id("one", "rain falls"),
        with_id("one", "invoices are due"),
        with_id("two", "a"),
        with_id("two", "b"),
    ];
    store(&engine, upsert(None, twice)).await;
    assert_eq!(
        contents(&engine).await,
        pairs(&[("", "invoices are due"), ("", "b")])
    );
    let chunks = chunks_of(&engine, None).await;
    assert_eq!(chunks[0].id, "one");
    assert_eq!(
        Value::Object(chunks[0].metadata.clone()),
        json!({"topic": "pets", "page": 1})
    );
    assert_eq!(best(&engine, "invoice").await, "invoices are due");
}

#[tokio::test(flavor = "multi_thread")]
async fn filter_says_which_rows_are_changed() {
    let engine = engine().await;
    let paged = |page: i64, content: &str| TextChunk {
        metadata: Some(metadata(json!({"page": page}))),
        ..chunk(content)
    };
    store(
        &engine,
        upsert(None, vec![paged(1, "a"), paged(1, "b"), paged(2, "c")]),
    )
    .await;
    let by = |filter: &str, content: &str| TextChunk {
        filter: filter.to_owned(),
        ..chunk(content)
    };
    store(&engine, upsert(None, vec![by("page = 1", "dogs bark")])).await;
    let expected = [("", "dogs bark"), ("", "dogs bark"), ("", "c")];
    assert_eq!(contents(&engine).await, pairs(&expected));

    // What matches nothing is inserted, or not.
    let nothing = UpsertChunks {
        insert_unmatched: false,
        ..upsert(None, vec![by("page = 9", "new")])
    };
    store(&engine, nothing).await;
    assert_eq!(contents(&engine).await, pairs(&expected));
    store(&engine, upsert(None, vec![by("page = 9", "new")])).await;
    assert_eq!(contents(&engine).await.len(), 4);

    let wrong = upsert(None, vec![by("pages = 9", "x")]);
    assert_eq!(
        invalid_field(engine.upsert_chunks(&access(), wrong).await),
        "Filter"
    );
    // Nothing of a call is kept when one chunk of it is refused.
    let taken = TextChunk {
        id: Some(chunks_of(&engine, None).await[0].id.clone()),
        ..by("page = 2", "x")
    };
    let refused = upsert(None, vec![chunk("first"), taken]);
    assert_eq!(
        invalid_field(engine.upsert_chunks(&access(), refused).await),
        "TextChunks"
    );
    assert_eq!(contents(&engine).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_is_refused() {
    let engine = engine().await;
    let outcome =
        async |chunks: Vec<TextChunk>| engine.upsert_chunks(&access(), upsert(None, chunks)).await;
    assert_eq!(invalid_field(outcome(vec![]).await), "TextChunks");
    assert_eq!(
        invalid_field(outcome(vec![chunk(" \n")]).await),
        "TextChunks"
    );
    assert!(outcome(vec![with_id(&"x".repeat(255), "a")]).await.is_ok());
    assert_eq!(
        invalid_field(outcome(vec![with_id(&"x".repeat(256), "a")]).await),
        "TextChunks"
    );
    let undeclared = TextChunk {
        metadata: Some(metadata(json!({"author": "x"}))),
        ..chunk("a")
    };
    assert_eq!(invalid_field(outcome(vec![undeclared]).await), "Metadata");
    let into_photos = UpsertChunks {
        collection: collection(PHOTOS),
        ..upsert(None, vec![chunk("a")])
    };
    let refused = engine.upsert_chunks(&access(), into_photos).await;
    assert_eq!(invalid_field(refused), "Collection");
}

async fn page(engine: &Engine, list: ListChunks) -> Result<ChunkPage, EngineError> {
    engine.list_chunks(&access(), &list).await
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let engine = engine().await;
    let many: Vec<TextChunk> = (0..45)
        .map(|i| TextChunk {
            metadata: Some(metadata(json!({"page": i}))),
            ..chunk(&format!("number {i}"))
        })
        .collect();
    store(&engine, upsert(Some("b"), many)).await;
    store(&engine, upsert(Some("a"), vec![chunk("first")])).await;
    let list = |page_number, page_size| ListChunks {
        collection: collection(NOTES),
        file_name: None,
        filter: String::new(),
        include_vector: false,
        page_number,
        page_size,
    };
    let first = page(&engine, list(None, None)).await.unwrap();
    assert_eq!(
        (first.chunks.len(), first.total, first.page_number),
        (20, 46, 1)
    );
    assert_eq!(first.chunks[0].content, "first");
    assert_eq!(first.chunks[1].content, "number 0");
    assert_eq!(first.chunks[0].vector, None);
    let third = page(&engine, list(Some(3), Some(20))).await.unwrap();
    assert_eq!(third.chunks.len(), 6);
    assert_eq!(third.chunks[5].content, "number 44");
    assert!(
        page(&engine, list(Some(4), Some(20)))
            .await
            .unwrap()
            .chunks
            .is_empty()
    );
    for (number, size, field) in [
        (None, Some(19), "PageSize"),
        (None, Some(101), "PageSize"),
        (Some(0), None, "PageNumber"),
    ] {
        assert_eq!(
            invalid_field(page(&engine, list(number, size)).await),
            field
        );
    }
    let filtered = ListChunks {
        file_name: Some(file("b")),
        filter: "page >= 43 OR content = 'number 7'".to_owned(),
        include_vector: true,
        ..list(None, Some(50))
    };
    let filtered = page(&engine, filtered).await.unwrap();
    let found: Vec<&str> = filtered
        .chunks
        .iter()
        .map(|chunk| &*chunk.content)
        .collect();
    assert_eq!(
        (found, filtered.total),
        (vec!["number 7", "number 43", "number 44"], 3)
    );
    assert_eq!(filtered.chunks[0].vector.as_ref().unwrap().len(), 1024);
    let missing = ListChunks {
        file_name: Some(file("c")),
        ..list(None, None)
    };
    assert!(matches!(
        page(&engine, missing).await,
        Err(EngineError::NotFound { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_chunks_are_found_no_more() {
    let engine = engine().await;
    store(
        &engine,
        upsert(Some("faq"), vec![chunk("dogs bark"), chunk("rain falls")]),
    )
    .await;
    let dogs = chunks_of(&engine, Some("faq")).await[0].id.clone();
    let notes = collection(NOTES);
    let ids = [dogs, "no such id".to_owned()];
    engine.delete_chunks(&access(), &notes, &ids).await.unwrap();
    assert_eq!(contents(&engine).await, pairs(&[("faq", "rain falls")]));
    assert_eq!(best(&engine, "dog").await, "rain falls");
    let none = engine.delete_chunks(&access(), &notes, &[]).await;
    assert_eq!(invalid_field(none), "ChunkIds");
}
