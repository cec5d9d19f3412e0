//! `UpsertChunks`: texts that the caller has split, embedded and stored as rows.
//!
//! What a chunk changes is looked up before anything is changed: its filter is about the rows that were there when the call
//! came. All chunks of a call are one transaction.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lookalike_embed::{TextEmbedding, catalogue::ModelKind};
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};
use sqlx::SqliteConnection;

use crate::{
    access::NamespaceAccess,
    clock,
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    jobs::{Usage, row_prefix},
    name::{CollectionName, FileName},
    objects::Pinned,
    query::{conditions::Conditions, embed_error},
    resident::{self, Resident},
    store::{
        self,
        chunk::NewChunk,
        collection::CollectionRow,
        document::NewDocument,
        text_chunk::{self, ChunkChange},
    },
};

/// Bytes of an id that a caller gives: what an id of ours needs, a few times over.
const MAX_ID_BYTES: usize = 255;

/// Chunks to be stored.
#[derive(Debug, Clone)]
pub struct UpsertChunks {
    /// The collection they go to.
    pub collection: CollectionName,
    /// The document they belong to; made when it is not there.
    pub file_name: Option<FileName>,
    /// The texts.
    pub chunks: Vec<TextChunk>,
    /// Whether the document's own rows go first.
    pub replace_file: bool,
    /// Whether a chunk whose filter matches nothing is inserted.
    pub insert_unmatched: bool,
}

/// One text.
#[derive(Debug, Clone, Default)]
pub struct TextChunk {
    /// The text.
    pub content: String,
    /// Values of declared fields; `None` leaves those of a row that is there.
    pub metadata: Option<Map<String, Value>>,
    /// The row to change, or the id of the new one.
    pub id: Option<String>,
    /// The rows to change; empty is none.
    pub filter: String,
}

/// What a call cost, and who embedded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upserted {
    /// One entry a text.
    pub usage: Usage,
    /// In one line for people.
    pub encoder: String,
}

/// A chunk that was checked and embedded.
struct Ready {
    content: String,
    metadata: Option<String>,
    id: Option<String>,
    conditions: Conditions,
    vector: Vec<f32>,
}

impl Engine {
    /// Stores chunks; queries see all of them or none.
    pub async fn upsert_chunks(
        &self,
        access: &NamespaceAccess,
        upsert: UpsertChunks,
    ) -> Result<Upserted, EngineError> {
        let inner = &self.inner;
        let row = inner
            .open_document_collection(access, &upsert.collection)
            .await?;
        let model = resident::model_of(&inner.models, &row)?;
        if model.kind() == ModelKind::Image {
            return Err(EngineError::invalid(
                "Collection",
                format!(
                    "'{}' has the image model {}; texts go into a collection with a text model",
                    upsert.collection,
                    model.model()
                ),
            ));
        }
        let mut ready = inner.checked(&row, &upsert.chunks)?;
        let texts = upsert.chunks.iter().map(|chunk| chunk.content.clone());
        let embedded = model.embed_document_texts(texts.collect()).await;
        let mut usage = Usage::default();
        for (chunk, TextEmbedding { vector, tokens }) in ready
            .iter_mut()
            .zip(embedded.map_err(|error| embed_error(&error))?)
        {
            chunk.vector = vector;
            usage.entries += 1;
            usage.tokens += u64::from(tokens);
        }
        let count = ready.len();
        let (collection, storing) = (upsert.collection.clone(), Arc::clone(inner));
        let work = async move { storing.store_chunks(&row, &upsert, ready).await };
        inner.to_the_end(work).await?;
        tracing::info!(%collection, chunks = count, "chunks stored");
        Ok(Upserted {
            usage,
            encoder: model.label(),
        })
    }
}

impl Inner {
    fn checked(
        &self,
        row: &CollectionRow,
        chunks: &[TextChunk],
    ) -> Result<Vec<Ready>, EngineError> {
        let invalid = |reason: String| Err(EngineError::invalid("TextChunks", reason));
        if chunks.is_empty() {
            return invalid("is empty".to_owned());
        }
        let mut ready = Vec::with_capacity(chunks.len());
        for (number, chunk) in chunks.iter().enumerate() {
            if chunk.content.trim().is_empty() {
                return invalid(format!("the Content of chunk {number} is empty"));
            }
            if let Some(id) = &chunk.id
                && (id.len() > MAX_ID_BYTES || id.chars().any(char::is_control))
            {
                return invalid(format!(
                    "the Id of chunk {number} must have at most {MAX_ID_BYTES} bytes and no control \
                     characters"
                ));
            }
            let metadata = match &chunk.metadata {
                None => None,
                Some(given) => {
                    let cast = Value::Object(row.collection.columns.cast(given)?).to_string();
                    self.check_metadata_size(&cast)?;
                    Some(cast)
                }
            };
            ready.push(Ready {
                content: chunk.content.clone(),
                metadata,
                id: chunk.id.clone().filter(|id| !id.is_empty()),
                conditions: self.conditions(&row.collection, &chunk.filter, "")?,
                vector: Vec::new(),
            });
        }
        Ok(ready)
    }

    async fn store_chunks(
        self: &Arc<Self>,
        row: &CollectionRow,
        upsert: &UpsertChunks,
        chunks: Vec<Ready>,
    ) -> Result<(), EngineError> {
        // The texts as they came: the original of a document that has no other.
        let original = match &upsert.file_name {
            Some(_) => Some(self.write_original(&chunks).await?),
            None => None,
        };
        let resident = self.residents.get(&self.store, row).await?;
        let mut transaction = self.store.begin().await?;
        store::collection::find_by_id(&mut transaction, row.id)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Collection, &upsert.collection))?;
        let mut targets = Vec::with_capacity(chunks.len());
        for chunk in &chunks {
            targets.push(
                self.targets(&mut transaction, row, &resident, chunk)
                    .await?,
            );
        }
        let mut removed = Vec::new();
        let mut document_id = None;
        if let (Some(file_name), Some(original)) = (&upsert.file_name, &original) {
            let known = store::document::find(&mut transaction, row.id, file_name).await?;
            document_id = known.map(|(id, _)| id);
            if document_id.is_none() || upsert.replace_file {
                let id = upsert_document(&mut transaction, row, file_name, original).await?;
                removed = store::chunk::delete_of_document(&mut transaction, id).await?;
                document_id = Some(id);
            }
        }
        let mut writer = Writer {
            row,
            file_name: upsert.file_name.as_ref(),
            document_id,
            insert_unmatched: upsert.insert_unmatched,
            removed: removed.iter().copied().collect(),
            inserted: HashMap::new(),
            next_numbers: HashMap::new(),
        };
        let mut changed = Vec::new();
        for (chunk, target) in chunks.iter().zip(targets) {
            for key in writer.write(&mut transaction, chunk, target).await? {
                changed.push((key, &chunk.vector));
            }
        }
        let mut index = resident.lock_for_change().await;
        for key in removed {
            index.remove(key);
        }
        for (key, vector) in changed {
            index.insert(key, vector).map_err(EngineError::internal)?;
        }
        index.commit(transaction, || {}).await?;
        self.wake_housekeeper();
        Ok(())
    }

    async fn write_original(&self, chunks: &[Ready]) -> Result<Original, EngineError> {
        let mut lines = String::new();
        for chunk in chunks {
            let metadata: Value = match &chunk.metadata {
                Some(metadata) => serde_json::from_str(metadata).map_err(EngineError::internal)?,
                None => json!({}),
            };
            let line = json!({"page_content": chunk.content, "metadata": metadata});
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        let md5 = Md5::digest(&lines).into();
        let max_bytes = self.config.limits.max_document_bytes;
        let object = self.write_object(lines, max_bytes).await?;
        Ok(Original { object, md5 })
    }

    /// What a chunk changes, as the rows are now.
    async fn targets(
        &self,
        connection: &mut SqliteConnection,
        row: &CollectionRow,
        resident: &Resident,
        chunk: &Ready,
    ) -> Result<Vec<u64>, EngineError> {
        let by_filter = self
            .allowed(connection, row, resident, &chunk.conditions)
            .await?;
        let by_id = match &chunk.id {
            Some(id) => {
                let ids = std::slice::from_ref(id);
                Some(text_chunk::keys_of(connection, row.id, ids).await?)
            }
            None => None,
        };
        Ok(match (by_id, by_filter) {
            (None, None) => Vec::new(),
            (Some(keys), None) => keys,
            (None, Some(allowed)) => allowed.iter().collect(),
            (Some(keys), Some(allowed)) => keys
                .into_iter()
                .filter(|key| allowed.contains(*key))
                .collect(),
        })
    }
}

/// The file that chunks with a file name are the content of.
struct Original {
    object: Pinned,
    md5: [u8; 16],
}

async fn upsert_document(
    connection: &mut SqliteConnection,
    row: &CollectionRow,
    file_name: &FileName,
    original: &Original,
) -> Result<i64, EngineError> {
    let (object, now) = (&original.object, clock::now());
    let (id, size) = (object.id(), object.size());
    store::object::insert(connection, &id, size, "application/x-ndjson", now).await?;
    let document = NewDocument {
        file_name,
        object: id,
        md5: original.md5,
        size,
        loader: None,
        splitter: None,
        now,
    };
    store::document::upsert(connection, row.id, &document).await
}

/// Writes the rows of a call.
struct Writer<'a> {
    row: &'a CollectionRow,
    file_name: Option<&'a FileName>,
    document_id: Option<i64>,
    insert_unmatched: bool,
    /// Rows of the document that went first.
    removed: HashSet<u64>,
    /// Rows of this call by the ids that the caller gave: a second chunk of the same id changes the first one's.
    inserted: HashMap<String, u64>,
    /// By what an id begins with.
    next_numbers: HashMap<String, u64>,
}

impl Writer<'_> {
    /// The keys of the rows that now have the chunk.
    async fn write(
        &mut self,
        connection: &mut SqliteConnection,
        chunk: &Ready,
        mut keys: Vec<u64>,
    ) -> Result<Vec<u64>, EngineError> {
        keys.retain(|key| !self.removed.contains(key));
        if keys.is_empty()
            && let Some(id) = &chunk.id
        {
            keys.extend(self.inserted.get(id));
        }
        let change = ChunkChange {
            document_id: self.document_id,
            content: &chunk.content,
            metadata: chunk.metadata.as_deref(),
            vector: &chunk.vector,
        };
        for key in &keys {
            text_chunk::change(connection, *key, &change).await?;
        }
        if !keys.is_empty() || (chunk.conditions.filter.is_some() && !self.insert_unmatched) {
            return Ok(keys);
        }
        let id = match &chunk.id {
            Some(id) => id.clone(),
            None => self.new_id(connection, chunk).await?,
        };
        let loader_metadata = match self.file_name {
            Some(file_name) => json!({"source": file_name.as_str()}),
            None => json!({}),
        };
        let new = NewChunk {
            collection_id: self.row.id,
            document_id: self.document_id,
            id: &id,
            content: &chunk.content,
            loader_metadata: &loader_metadata.to_string(),
            metadata: chunk.metadata.as_deref().unwrap_or("{}"),
            vector: &chunk.vector,
        };
        if !text_chunk::keys_of(connection, self.row.id, std::slice::from_ref(&id))
            .await?
            .is_empty()
        {
            return Err(EngineError::invalid(
                "TextChunks",
                format!(
                    "there is a chunk with the Id {id:?} already, which the Filter does not match"
                ),
            ));
        }
        let key = store::chunk::insert(connection, &new).await?;
        self.inserted.insert(id, key);
        Ok(vec![key])
    }

    /// Of the document and the number in it; without a document, of the text.
    async fn new_id(
        &mut self,
        connection: &mut SqliteConnection,
        chunk: &Ready,
    ) -> Result<String, EngineError> {
        let (name, made_of): (&str, &[u8]) = match self.file_name {
            Some(file_name) => (file_name.as_str(), b""),
            None => ("", chunk.content.as_bytes()),
        };
        let prefix = row_prefix(&self.row.collection.name, name, made_of);
        let number = match self.next_numbers.get(&prefix) {
            Some(number) => *number,
            None => text_chunk::next_number(connection, self.row.id, &prefix).await?,
        };
        let id = format!("{prefix}{number}");
        self.next_numbers.insert(prefix, number + 1);
        Ok(id)
    }
}
