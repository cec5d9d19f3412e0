//! The end of a text's job: its chunk files first, then one transaction that stores all its chunks and the job's state together,
//! then the index.
//!
//! Called by [`super::commit`]; what is said there holds here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    ChunkFiles, Usage,
    commit::{Exchange, JSON_LINES, commit_dry_run, row_prefix},
    texts::plain_line,
};
use crate::{
    clock,
    engine::Inner,
    error::EngineError,
    objects::Pinned,
    splitter::Splitting,
    store::{
        self, chunk::NewChunk, collection::CollectionRow, document::NewDocument, job::ClaimedJob,
    },
};

/// A chunk ready to be stored.
pub(super) struct IndexedChunk {
    pub(super) content: String,
    pub(super) loader_metadata: Value,
    /// Empty in a dry run.
    pub(super) vector: Vec<f32>,
}

/// A text ready to be stored.
pub(crate) struct TextEnding {
    pub(super) row: CollectionRow,
    pub(super) source: Arc<Pinned>,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) splitting: Splitting,
    pub(super) chunks: Vec<IndexedChunk>,
    pub(super) usage: Usage,
}

/// Ends the job; false when it is no longer this worker's to end.
pub(super) async fn end(
    inner: &Arc<Inner>,
    job: &ClaimedJob,
    text: TextEnding,
) -> Result<bool, EngineError> {
    let mut lines = String::new();
    let mut plain = String::new();
    for chunk in &text.chunks {
        let line = json!({"page_content": chunk.content, "metadata": chunk.loader_metadata});
        lines.push_str(&line.to_string());
        lines.push('\n');
        plain.push_str(&plain_line(&chunk.content));
    }
    let lines = inner.write_object(lines, u64::MAX).await?;
    let plain = inner.write_object(plain, u64::MAX).await?;
    let resident = inner.residents.get(&inner.store, &text.row).await?;
    let now = clock::now();
    let mut transaction = inner.store.begin().await?;
    for (object, kind) in [(&lines, JSON_LINES), (&plain, PLAIN_TEXT)] {
        store::object::insert(&mut transaction, &object.id(), object.size(), kind, now).await?;
    }
    let files = ChunkFiles {
        lines: Some(lines.id()),
        plain: Some(plain.id()),
    };
    // Before any row, so that a job that is no longer ours writes none.
    let (run, usage) = (&inner.run, text.usage);
    if !store::job::succeed(&mut transaction, job, run, usage, files, now).await? {
        return Ok(false);
    }
    if job.dry_run {
        commit_dry_run(inner, job, transaction).await?;
        return Ok(true);
    }
    let original = text.source.id();
    store::object::insert(&mut transaction, &original, text.size, PLAIN_TEXT, now).await?;
    let document = NewDocument {
        file_name: &job.file_name,
        object: original,
        md5: text.md5,
        size: text.size,
        loader: Some(&text.splitting.loader),
        splitter: Some(text.splitting.splitter.name()),
        now,
    };
    let document_id = store::document::upsert(&mut transaction, text.row.id, &document).await?;
    let removed = store::chunk::delete_of_document(&mut transaction, document_id).await?;
    let name = job.file_name.as_str();
    let prefix = row_prefix(&text.row.collection.name, name, original.as_bytes());
    let mut added = Vec::with_capacity(text.chunks.len());
    for (number, chunk) in text.chunks.iter().enumerate() {
        let chunk = NewChunk {
            collection_id: text.row.id,
            document_id: Some(document_id),
            id: &format!("{prefix}{number}"),
            content: &chunk.content,
            loader_metadata: &chunk.loader_metadata.to_string(),
            metadata: &job.metadata,
            vector: &chunk.vector,
        };
        added.push(store::chunk::insert(&mut transaction, &chunk).await?);
    }
    let vectors = text.chunks.iter().map(|chunk| &chunk.vector[..]);
    let rows = Exchange {
        added: added.into_iter().zip(vectors).collect(),
        removed,
    };
    rows.commit(inner, job, (&resident, transaction)).await?;
    tracing::info!(chunks = text.chunks.len(), "job stored its text");
    Ok(true)
}

/// Whatever the original's encoding: who opens it has to find it out as we did.
const PLAIN_TEXT: &str = "text/plain";
