//! Uploads of text: what is taken, how it is split, what is refused and when.

use lookalike_engine::{
    DataLocation, Engine, EngineConfig, EngineError, FailureKind, JobStatus, ObjectId,
    SplitOptions, SubmitUpload, Usage,
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::support::*;

fn memory() -> EngineConfig {
    config(DataLocation::Memory)
}

async fn content(engine: &Engine, object: &ObjectId) -> String {
    let object = engine.object(object).await.unwrap();
    let mut text = String::new();
    let mut reader = object.open_range(0, u64::MAX).await.unwrap();
    reader.read_to_string(&mut text).await.unwrap();
    text
}

/// Two paragraphs that do not fit into one chunk.
const TWO: &str = "The invoice of the third quarter is overdue.\n\nA puppy sleeps on the sofa.";

async fn split_upload(engine: &Engine, name: &str, text: &str, size: i64) -> SubmitUpload {
    SubmitUpload {
        splitting: SplitOptions {
            chunk_size: Some(size),
            chunk_overlap: Some(0),
            ..SplitOptions::default()
        },
        metadata: metadata(json!({"topic": "mixed", "page": 3})),
        ..text_upload(name, uploaded(engine, text.as_bytes()).await)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_becomes_chunks_that_are_found() {
    let engine = ready_for_texts(memory()).await;
    let upload = split_upload(&engine, "notes/a.txt", TWO, 50).await;
    let job = submit_text(&engine, &upload).await;
    assert_eq!((job.status, job.failure), (JobStatus::Success, None));
    assert_eq!(
        job.usage,
        Usage {
            tokens: 14,
            entries: 2
        }
    );

    let found = search(&engine, &note_query("dog")).await;
    let best = &found.matches[0];
    assert_eq!(best.content, "A puppy sleeps on the sofa.");
    assert_eq!(best.file_name.as_ref().unwrap().as_str(), "notes/a.txt");
    assert!(best.id.ends_with("_1"), "{}", best.id);
    assert_eq!(
        best.metadata,
        [("topic", "mixed"), ("page", "3")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let loaded: Value = serde_json::from_str(&best.loader_metadata).unwrap();
    assert_eq!(
        loaded,
        json!({"source": "notes/a.txt", "encoding": "UTF-8", "chunk": 1})
    );
    assert!(
        found.encoder.contains("stand-in builtin-word-table"),
        "{}",
        found.encoder
    );

    let document = engine
        .describe_document(&access(), &collection(NOTES), &file("notes/a.txt"))
        .await
        .unwrap();
    assert_eq!((document.chunks, document.version), (2, 1));
    assert_eq!(
        document.splitter.as_deref(),
        Some("ChineseRecursiveTextSplitter")
    );
    assert_eq!(document.loader.as_deref(), Some("UnstructuredFileLoader"));
    assert_eq!(content(&engine, &document.object).await, TWO);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunk_files_are_those_of_the_job_and_of_the_document() {
    let engine = ready_for_texts(memory()).await;
    let upload = split_upload(&engine, "a.md", "# One\nfirst\nline\n# Two\nsecond", 100).await;
    let job = submit_text(&engine, &upload).await;
    let lines = content(&engine, &job.chunk_file.unwrap()).await;
    let plain = content(&engine, &job.plain_chunk_file.unwrap()).await;
    let parsed: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(parsed.len(), 2);
    assert_eq!(parsed[0]["page_content"], "# One\nfirst\nline");
    assert_eq!(parsed[1]["metadata"]["Header 1"], "Two");
    assert_eq!(plain, "# One first line\n# Two second\n");

    let (notes, name) = (collection(NOTES), file("a.md"));
    let files = engine.document_chunk_files(&access(), &notes, &name).await;
    let files = files.unwrap().unwrap();
    assert_eq!(content(&engine, &files.lines).await, lines);
    assert_eq!(content(&engine, &files.plain).await, plain);
    // After a chunk went, the document's files are without it.
    let first = chunks_of(&engine, Some("a.md")).await[0].id.clone();
    engine
        .delete_chunks(&access(), &notes, &[first])
        .await
        .unwrap();
    let files = engine.document_chunk_files(&access(), &notes, &name).await;
    assert_eq!(
        content(&engine, &files.unwrap().unwrap().plain).await,
        "# Two second\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_splits_and_stores_nothing() {
    let engine = ready_for_texts(memory()).await;
    let dry = SubmitUpload {
        dry_run: true,
        ..split_upload(&engine, "a.txt", TWO, 50).await
    };
    let job = submit_text(&engine, &dry).await;
    assert_eq!(
        (job.status, job.usage),
        (JobStatus::Success, Usage::default())
    );
    assert_eq!(
        content(&engine, &job.chunk_file.unwrap())
            .await
            .lines()
            .count(),
        2
    );
    assert_eq!(
        content(&engine, &job.plain_chunk_file.unwrap())
            .await
            .lines()
            .count(),
        2
    );
    assert!(chunks_of(&engine, None).await.is_empty());
    assert!(matches!(
        engine
            .describe_document(&access(), &collection(NOTES), &file("a.txt"))
            .await,
        Err(EngineError::NotFound { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_of_the_same_name_replaces_all_chunks() {
    let engine = ready_for_texts(memory()).await;
    submit_text(&engine, &split_upload(&engine, "a.txt", TWO, 10).await).await;
    let many = chunks_of(&engine, Some("a.txt")).await.len();
    assert!(many > 4);
    // The same text in other pieces, then another text; a failure leaves what was there.
    submit_text(&engine, &split_upload(&engine, "a.txt", TWO, 50).await).await;
    assert_eq!(chunks_of(&engine, Some("a.txt")).await.len(), 2);
    index_text(&engine, "a.txt", b"Heavy rain tomorrow.").await;
    assert_eq!(
        index_text(&engine, "a.txt", b"\0\0\0").await.status,
        JobStatus::Failed
    );
    let chunks = chunks_of(&engine, None).await;
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].content, "Heavy rain tomorrow.");
    let found = search(&engine, &note_query("puppy")).await;
    assert_eq!(found.matches.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn encodings_are_read() {
    let engine = ready_for_texts(memory()).await;
    let chinese = "发票已经付款。";
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(chinese.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    // "发票已经付款。" in GB18030.
    let gb18030 = [
        0xb7, 0xa2, 0xc6, 0xb1, 0xd2, 0xd1, 0xbe, 0xad, 0xb8, 0xb6, 0xbf, 0xee, 0xa1, 0xa3,
    ];
    for (name, bytes) in [
        ("utf-8.txt", chinese.as_bytes()),
        ("utf-16.txt", &utf16),
        ("gb18030.txt", &gb18030),
    ] {
        let job = index_text(&engine, name, bytes).await;
        assert_eq!(job.failure, None, "{name}");
        assert_eq!(
            chunks_of(&engine, Some(name)).await[0].content,
            chinese,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_fail_the_job_with_the_reason() {
    let mut config = memory();
    config.limits.max_chunks = 3;
    config.limits.max_document_bytes = 100;
    let engine = ready_for_texts(config).await;
    for (bytes, reason) in [
        (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], "not a text"),
        (b"\xff\xfe\xff", "not a text"),
        (b" \n\n ", "no text in it"),
        (b"", "no text in it"),
    ] {
        let job = index_text(&engine, "a.txt", bytes).await;
        let failure = job.failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(
            failure.message.contains(reason) && failure.message.contains("a.txt"),
            "{}",
            failure.message
        );
    }
    // Three chunks are good, four are one too many.
    let three = split_upload(&engine, "b.txt", "aaaa\n\nbbbb\n\ncccc", 4).await;
    assert_eq!(submit_text(&engine, &three).await.failure, None);
    let four = split_upload(&engine, "b.txt", "aaaa\n\nbbbb\n\ncccc\n\ndddd", 4).await;
    let failure = submit_text(&engine, &four).await.failure.unwrap();
    assert!(
        failure.message.contains("setting max_chunks"),
        "{}",
        failure.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_files_and_collections_do_not_mix() {
    let engine = ready_for_texts(memory()).await;
    let refusal = async |collection_name: &str, name: &str| {
        let upload = SubmitUpload {
            collection: collection(collection_name),
            ..upload(name, uploaded(&engine, b"x").await)
        };
        match engine.submit_upload(&access(), &upload).await {
            Err(EngineError::Invalid {
                field: "FileName",
                reason,
            }) => reason,
            other => panic!("{other:?}"),
        }
    };
    for name in ["a.png", "a.zip", "a.TAR"] {
        let reason = refusal(NOTES, name).await;
        assert!(
            reason.contains("text-embedding-v3") && reason.contains(".txt"),
            "{reason}"
        );
    }
    let reason = refusal(PHOTOS, "a.txt").await;
    assert!(
        reason.contains("clip-vit-b-32") && reason.contains("image"),
        "{reason}"
    );
    for name in ["a.pdf", "a.docx", "a.json", "txt"] {
        let reason = refusal(NOTES, name).await;
        assert!(reason.contains(".txt or .md"), "{reason}");
        assert!(refusal(PHOTOS, name).await.contains("not read here"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_splitting_is_refused_when_submitted() {
    let engine = ready_for_texts(memory()).await;
    let with = async |splitting: SplitOptions| {
        let upload = SubmitUpload {
            splitting,
            ..text_upload("a.txt", uploaded(&engine, b"x").await)
        };
        engine.submit_upload(&access(), &upload).await
    };
    let size = with(SplitOptions {
        chunk_size: Some(2049),
        ..SplitOptions::default()
    });
    assert_eq!(invalid_field(size.await), "ChunkSize");
    let splitter = with(SplitOptions {
        splitter: Some("LLMSplitter".to_owned()),
        ..SplitOptions::default()
    });
    assert_eq!(invalid_field(splitter.await), "TextSplitterName");
    // Images do not look at it.
    let image = SubmitUpload {
        splitting: SplitOptions {
            chunk_size: Some(0),
            ..SplitOptions::default()
        },
        ..upload("a.bmp", uploaded(&engine, &plain([1, 2, 3])).await)
    };
    assert!(engine.submit_upload(&access(), &image).await.is_ok());
}
