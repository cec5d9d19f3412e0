//! One text document, from its bytes to chunks with vectors: decode → split → embed.
//!
//! Called by [`super::ingest`] for collections with a text model, in a task that may be dropped at any point: nothing
//! here is visible to anyone until [`super::store_texts`] has stored it.

use std::sync::Arc;

use lookalike_embed::ServedModel;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::{
    Usage,
    commit::Ending,
    failure,
    running::RunningJob,
    store_texts::{IndexedChunk, TextEnding},
};
use crate::{
    config::Stage,
    cpu::Lane,
    engine::Inner,
    error::EngineError,
    objects::Pinned,
    plain_text::{self, PlainText},
    query::embed_error,
    splitter::{Chunk, Splitting},
    store::{collection::CollectionRow, job::ClaimedJob},
};

/// What making the chunks of a job needs.
pub(super) struct TextWork<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) job: &'a ClaimedJob,
    pub(super) model: &'a ServedModel,
    pub(super) running: &'a RunningJob,
}

/// A text that was read and split.
struct Read {
    md5: [u8; 16],
    encoding: &'static str,
    chunks: Vec<Chunk>,
}

impl TextWork<'_> {
    /// Does everything of a job but ending it.
    pub(super) async fn prepare(
        &self,
        row: CollectionRow,
        source: Arc<Pinned>,
    ) -> Result<Ending, EngineError> {
        let splitting = self.job.splitting.as_deref();
        let splitting = splitting
            .ok_or_else(|| EngineError::internal("a job of a text collection has no splitting"))?;
        let splitting: Splitting =
            serde_json::from_str(splitting).map_err(EngineError::internal)?;
        let read = match self.read(&source, &splitting).await? {
            Ok(read) => read,
            Err(reason) => {
                let name = self.job.file_name.as_str();
                let message = format!("the text {name:?} cannot be used: {reason}");
                let max_chars = self.inner.config.limits.max_error_chars;
                return Ok(Ending::Failed {
                    failure: failure::invalid(&message, max_chars),
                    keep: None,
                    usage: Usage::default(),
                });
            }
        };
        self.inner.observe(&self.job.id, Stage::Decoded);
        let mut chunks = self.described(&read);
        let mut usage = Usage::default();
        if !self.job.dry_run {
            usage = self.embed(&mut chunks).await?;
        }
        self.inner.observe(&self.job.id, Stage::Embedded);
        Ok(Ending::Text(Box::new(TextEnding {
            row,
            size: source.size(),
            source,
            md5: read.md5,
            splitting,
            chunks,
            usage,
        })))
    }

    /// The inner error is the file's fault.
    async fn read(
        &self,
        source: &Arc<Pinned>,
        splitting: &Splitting,
    ) -> Result<Result<Read, String>, EngineError> {
        let limits = &self.inner.config.limits;
        let (max_bytes, max_chunks) = (limits.max_document_bytes, limits.max_chunks);
        let (source, splitting) = (Arc::clone(source), splitting.clone());
        let (inner, id) = (Arc::clone(self.inner), self.job.id.clone());
        let work = move || {
            let reader = source.open_blocking().map_err(EngineError::internal)?;
            let bytes = reader
                .read_all_blocking(max_bytes)
                .map_err(EngineError::internal)?;
            inner.observe(&id, Stage::Unpacked);
            let PlainText { text, encoding } = match plain_text::read(&bytes) {
                Ok(text) => text,
                Err(error) => return Ok(Err(error.to_string())),
            };
            let Ok(chunks) = splitting.split(&text, max_chunks) else {
                return Ok(Err(format!(
                    "it would become more than {max_chunks} chunks, which is the limit (setting \
                     max_chunks); a larger ChunkSize or a smaller ChunkOverlap makes fewer"
                )));
            };
            if chunks.is_empty() {
                return Ok(Err("there is no text in it".to_owned()));
            }
            Ok(Ok(Read {
                md5: Md5::digest(&bytes).into(),
                encoding,
                chunks,
            }))
        };
        self.inner.cpu.run(Lane::Ingest, work).await?
    }

    /// The chunks with what a chunk file and a match say of them.
    fn described(&self, read: &Read) -> Vec<IndexedChunk> {
        let describe = |(number, chunk): (usize, &Chunk)| {
            let mut metadata = Map::new();
            metadata.insert("source".to_owned(), json!(self.job.file_name.as_str()));
            metadata.insert("encoding".to_owned(), json!(read.encoding));
            metadata.insert("chunk".to_owned(), json!(number));
            let headings = chunk.headings.iter();
            metadata.extend(headings.map(|(level, title)| (level.clone(), json!(title))));
            IndexedChunk {
                content: chunk.content.clone(),
                loader_metadata: Value::Object(metadata),
                vector: Vec::new(),
            }
        };
        read.chunks.iter().enumerate().map(describe).collect()
    }

    /// Progress by chunks done, as by images (row 29).
    async fn embed(&self, chunks: &mut [IndexedChunk]) -> Result<Usage, EngineError> {
        let total = chunks.len();
        let mut usage = Usage::default();
        let mut done = 0;
        for batch in chunks.chunks_mut(self.inner.config.jobs.batch_images.max(1)) {
            let texts = batch.iter().map(|chunk| chunk.content.clone()).collect();
            let embedded = self.model.embed_document_texts(texts).await;
            for (chunk, text) in batch
                .iter_mut()
                .zip(embedded.map_err(|error| embed_error(&error))?)
            {
                chunk.vector = text.vector;
                usage.tokens += u64::from(text.tokens);
                usage.entries += 1;
            }
            done += batch.len();
            let percent = 1 + done * 98 / total;
            self.running
                .set_progress(u8::try_from(percent).unwrap_or(99));
        }
        Ok(usage)
    }
}

/// A chunk as a line of the plain chunk file.
pub(crate) fn plain_line(content: &str) -> String {
    let mut line = content.replace('\n', " ");
    line.push('\n');
    line
}
