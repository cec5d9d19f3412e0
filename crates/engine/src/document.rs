//! The documents of a collection: listing, describing, deleting. Uploads make them.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use lookalike_embed::catalogue::ModelKind;
use serde_json::{Value, json};

use crate::{
    access::NamespaceAccess,
    clock,
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    jobs::plain_line,
    name::{CollectionName, FileName, ObjectId, ObjectKey},
    store::{self, collection::CollectionRow},
};

/// Where documents come from, in the vendor's word for files of its object store.
pub const SOURCE: &str = "OSS";

/// What is known of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub file_name: FileName,
    /// Its original.
    pub object: ObjectId,
    /// The original's MD5.
    pub md5: [u8; 16],
    /// The original's length in bytes.
    pub size: u64,
    /// 1 at first, one more with every upload of the same name.
    pub version: u64,
    /// When this version was stored.
    pub modified: Timestamp,
    /// Rows it has; an image has one.
    pub chunks: u64,
    /// The API's name of what read a text; `None` for anything else.
    pub loader: Option<String>,
    /// The API's name of what split it.
    pub splitter: Option<String>,
}

/// The chunks of a text document as files, for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkFiles {
    /// JSON Lines.
    pub lines: ObjectId,
    /// One plain line a chunk.
    pub plain: ObjectId,
}

/// How long chunk files are kept: as long as links to them are good, and a little more.
const CHUNK_FILES_KEPT: Duration = Duration::from_mins(130);

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// 1 to 100; all when absent (row 47).
    pub max_results: Option<u32>,
    /// Where the last page ended.
    pub next_token: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct DocumentPage {
    /// Names in order.
    pub file_names: Vec<FileName>,
    /// For the next page; absent on the last.
    pub next_token: Option<String>,
}

impl Engine {
    /// Lists documents by name (row 47).
    pub async fn list_documents(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        page: &Page,
    ) -> Result<DocumentPage, EngineError> {
        let row = self.inner.open_collection(access, collection).await?;
        if let Some(max_results) = page.max_results
            && !(1..=100).contains(&max_results)
        {
            return Err(EngineError::invalid(
                "MaxResults",
                format!("{max_results} is outside the range 1 to 100"),
            ));
        }
        // SDKs send an empty token as readily as none.
        let token = page.next_token.as_deref().filter(|token| !token.is_empty());
        let after = token.map(token::read).transpose()?;
        // One more than wanted tells whether there is a next page.
        let limit = page.max_results.map(|max_results| max_results + 1);
        let mut names = store::document::names_after(
            &mut *self.inner.store.reader().await?,
            row.id,
            after.as_deref(),
            limit,
        )
        .await?;
        let next_token = match page.max_results {
            Some(max_results) if names.len() > max_results as usize => {
                names.truncate(max_results as usize);
                names.last().map(|last| token::write(last))
            }
            _ => None,
        };
        let file_names = names
            .into_iter()
            .map(|name| Ok(FileName::new(name)?))
            .collect::<Result<_, EngineError>>()?;
        Ok(DocumentPage {
            file_names,
            next_token,
        })
    }

    /// Shows a document.
    pub async fn describe_document(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        file_name: &FileName,
    ) -> Result<Document, EngineError> {
        let row = self.inner.open_collection(access, collection).await?;
        store::document::find(&mut *self.inner.store.reader().await?, row.id, file_name)
            .await?
            .map(|(_, document)| document)
            .ok_or_else(|| EngineError::not_found(Subject::File, file_name))
    }

    /// Writes the chunks of a document of a text collection to files, as they are now; `None` where the collection has an image
    /// model. The files are let go of after a little more than two hours.
    pub async fn document_chunk_files(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        file_name: &FileName,
    ) -> Result<Option<ChunkFiles>, EngineError> {
        let row = self.inner.open_collection(access, collection).await?;
        let model = self.inner.models.find(&row.collection.embedding_model);
        if model.is_none_or(|model| model.kind != ModelKind::Text) {
            return Ok(None);
        }
        let (inner, name) = (Arc::clone(&self.inner), file_name.clone());
        self.inner
            .to_the_end(async move { inner.write_chunk_files(&row, &name).await.map(Some) })
            .await
    }

    /// Removes a document and its rows.
    pub async fn delete_document(
        &self,
        access: &NamespaceAccess,
        collection: &CollectionName,
        file_name: &FileName,
    ) -> Result<(), EngineError> {
        let row = self.inner.open_collection(access, collection).await?;
        let (inner, name) = (Arc::clone(&self.inner), file_name.clone());
        self.inner
            .to_the_end(async move { inner.delete_document(&row, &name).await })
            .await?;
        tracing::info!(%collection, %file_name, "document deleted");
        Ok(())
    }
}

impl Inner {
    async fn write_chunk_files(
        &self,
        row: &CollectionRow,
        file_name: &FileName,
    ) -> Result<ChunkFiles, EngineError> {
        let mut connection = self.store.reader().await?;
        let (id, _) = store::document::find(&mut connection, row.id, file_name)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::File, file_name))?;
        let chunks = store::text_chunk::of_document(&mut connection, id).await?;
        drop(connection);
        let (mut lines, mut plain) = (String::new(), String::new());
        for (content, loader_metadata) in chunks {
            let metadata: Value =
                serde_json::from_str(&loader_metadata).map_err(EngineError::internal)?;
            let line = json!({"page_content": content, "metadata": metadata});
            lines.push_str(&line.to_string());
            lines.push('\n');
            plain.push_str(&plain_line(&content));
        }
        let lines = self
            .write_for_a_while(lines, "application/x-ndjson")
            .await?;
        let plain = self.write_for_a_while(plain, "text/plain").await?;
        Ok(ChunkFiles { lines, plain })
    }

    /// Stores a file under a key that nobody knows, so that it goes when the key expires.
    async fn write_for_a_while(
        &self,
        content: String,
        content_type: &str,
    ) -> Result<ObjectId, EngineError> {
        let object = self.write_object(content, u64::MAX).await?;
        let (id, now) = (object.id(), clock::now());
        let key = ObjectKey::new(format!("chunk-files/{}", uuid::Uuid::new_v4()))?;
        let until = now.saturating_add(clock::microseconds(CHUNK_FILES_KEPT));
        let mut transaction = self.store.begin().await?;
        store::object::insert(&mut transaction, &id, object.size(), content_type, now).await?;
        store::upload::upsert(&mut transaction, &key, &id, now, until).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Works without the encoder, too: a document can be removed whatever became of the model.
    async fn delete_document(
        &self,
        row: &CollectionRow,
        file_name: &FileName,
    ) -> Result<(), EngineError> {
        let resident = self.residents.get(&self.store, row).await?;
        let mut transaction = self.store.begin().await?;
        let (id, _) = store::document::find(&mut transaction, row.id, file_name)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::File, file_name))?;
        let keys = store::chunk::delete_of_document(&mut transaction, id).await?;
        store::document::delete(&mut transaction, id).await?;
        let mut index = resident.lock_for_change().await;
        for key in keys {
            index.remove(key);
        }
        index.commit(transaction, || {}).await?;
        self.wake_housekeeper();
        Ok(())
    }
}

/// The page token: the last name of the page behind a mark of its format, in hexadecimal.
mod token {
    use crate::error::EngineError;

    const MARK: &str = "1:";

    pub(super) fn write(last: &str) -> String {
        hex::encode(format!("{MARK}{last}"))
    }

    pub(super) fn read(token: &str) -> Result<String, EngineError> {
        hex::decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.strip_prefix(MARK).map(str::to_owned))
            .ok_or_else(|| {
                EngineError::invalid("NextToken", "is not a token that a previous reply gave")
            })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn tokens_round_trip_and_others_are_refused() {
            assert_eq!(read(&write("照片/狗.png")).unwrap(), "照片/狗.png");
            for bad in ["", "zz", "00", "ff", "636174"] {
                assert!(matches!(
                    read(bad),
                    Err(EngineError::Invalid {
                        field: "NextToken",
                        ..
                    })
                ));
            }
        }
    }
}
