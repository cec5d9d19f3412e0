//! The object side: files that come by the object form, and originals that go out again.
//!
//! Called by the server's object routes, which check policies and signatures first.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::{
    clock,
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    jobs::Source,
    name::{ObjectId, ObjectKey},
    objects::{ObjectFile, ObjectWriter, Pinned},
    store,
};

/// A file on its way in. Dropped before [`Self::finish`], it leaves nothing.
pub struct Upload {
    engine: Engine,
    key: ObjectKey,
    spool: Spool,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUpload {
    /// Its SHA-256.
    pub id: ObjectId,
    /// Its length in bytes.
    pub size: u64,
}

impl Engine {
    /// Starts to take a file in under `key`.
    pub fn begin_upload(&self, key: &ObjectKey) -> Upload {
        let max_bytes = self.inner.config.limits.max_document_bytes;
        Upload {
            engine: self.clone(),
            key: key.clone(),
            spool: self.inner.spool(max_bytes),
        }
    }

    /// Takes a whole file in under `key`.
    pub async fn put_upload(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
    ) -> Result<StoredUpload, EngineError> {
        let mut upload = self.begin_upload(key);
        upload.write(bytes).await?;
        upload.finish().await
    }

    /// The object behind an upload's key, until it expires.
    pub async fn upload(&self, key: &ObjectKey) -> Result<ObjectFile, EngineError> {
        let found = store::upload::find(&mut *self.inner.store.reader().await?, key).await?;
        let id = found.ok_or_else(|| EngineError::not_found(Subject::Object, key))?;
        self.object(&id).await
    }

    /// A stored original.
    pub async fn object(&self, id: &ObjectId) -> Result<ObjectFile, EngineError> {
        let found = store::object::find(&mut *self.inner.store.reader().await?, id).await?;
        let row = found.ok_or_else(|| EngineError::not_found(Subject::Object, id))?;
        Ok(ObjectFile {
            objects: Arc::clone(&self.inner.objects),
            id: *id,
            size: row.size,
            content_type: row.content_type,
            created: clock::timestamp(row.created_at),
        })
    }
}

impl Upload {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), EngineError> {
        self.spool.write(bytes).await
    }

    /// Puts the file in its place; from here on it can be submitted. A key that was used before is
    /// bound to the new file.
    pub async fn finish(self) -> Result<StoredUpload, EngineError> {
        let inner = &self.engine.inner;
        let object = self.spool.finish().await?;
        let now = clock::now();
        let expires_at = now.saturating_add(clock::microseconds(inner.config.retention.uploads));
        let mut transaction = inner.store.begin().await?;
        store::object::insert(
            &mut transaction,
            &object.id(),
            object.size(),
            store::object::UNKNOWN_TYPE,
            now,
        )
        .await?;
        store::upload::upsert(&mut transaction, &self.key, &object.id(), now, expires_at).await?;
        transaction.commit().await?;
        Ok(StoredUpload {
            id: object.id(),
            size: object.size(),
        })
    }
}

/// An [`ObjectWriter`] for async callers: small parts are gathered, and a thread that may block writes them while the next
/// ones come.
pub(crate) struct Spool {
    /// What is being written, and gives the writer back; `None` after a failure.
    writing: Option<JoinHandle<Result<ObjectWriter, EngineError>>>,
    gathered: Vec<u8>,
}

/// Bytes gathered before they are written.
const GATHER_BYTES: usize = 1 << 20;

impl Spool {
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), EngineError> {
        if self.gathered.is_empty() && bytes.len() >= GATHER_BYTES {
            return self.pass_on(bytes).await;
        }
        self.gathered.extend_from_slice(&bytes);
        if self.gathered.len() >= GATHER_BYTES {
            let gathered = std::mem::take(&mut self.gathered);
            self.pass_on(gathered.into()).await?;
        }
        Ok(())
    }

    async fn pass_on(&mut self, bytes: Bytes) -> Result<(), EngineError> {
        let mut writer = self.writer().await?;
        self.writing = Some(tokio::task::spawn_blocking(move || {
            writer.write_blocking(&bytes)?;
            Ok(writer)
        }));
        Ok(())
    }

    async fn writer(&mut self) -> Result<ObjectWriter, EngineError> {
        let writing = self.writing.take().ok_or_else(already_failed)?;
        writing.await.map_err(EngineError::internal)?
    }

    pub(crate) async fn finish(mut self) -> Result<Pinned, EngineError> {
        let gathered = std::mem::take(&mut self.gathered);
        let mut writer = self.writer().await?;
        let finish = move || {
            writer.write_blocking(&gathered)?;
            writer.finish_blocking()
        };
        tokio::task::spawn_blocking(finish)
            .await
            .map_err(EngineError::internal)?
    }
}

fn already_failed() -> EngineError {
    EngineError::Conflict {
        reason: "the upload failed before".to_owned(),
    }
}

impl Inner {
    /// A place for up to `max_bytes` that come piece by piece.
    pub(crate) fn spool(&self, max_bytes: u64) -> Spool {
        let objects = Arc::clone(&self.objects);
        let open = move || objects.writer_blocking(max_bytes);
        Spool {
            writing: Some(tokio::task::spawn_blocking(open)),
            gathered: Vec::new(),
        }
    }

    /// Stores a file that the engine has made, of up to `max_bytes`.
    pub(crate) async fn write_object(
        &self,
        content: impl Into<Bytes>,
        max_bytes: u64,
    ) -> Result<Pinned, EngineError> {
        let mut spool = self.spool(max_bytes);
        spool.write(content.into()).await?;
        spool.finish().await
    }

    /// The stored object that a source names, pinned; `None` for a remote file. An object that is
    /// not there is the request's fault.
    pub(crate) async fn pin_source(&self, source: &Source) -> Result<Option<Pinned>, EngineError> {
        let expired = || {
            EngineError::invalid(
                "FileUrl",
                format!(
                    "the file was not uploaded here, or longer than {} s ago (setting \
                     upload_retention_hours)",
                    self.config.retention.uploads.as_secs()
                ),
            )
        };
        let id = match source {
            Source::Url(_) => return Ok(None),
            Source::Stored(id) => *id,
            Source::Object(key) => store::upload::find(&mut *self.store.reader().await?, key)
                .await?
                .ok_or_else(expired)?,
        };
        // Pinned first and looked up then: a row that is there under the pin stays there.
        let pinned = self.objects.pin(id).await;
        let row = store::object::find(&mut *self.store.reader().await?, &id).await?;
        let size = row.ok_or_else(expired)?.size;
        Ok(Some(pinned.with_size(size)))
    }
}
