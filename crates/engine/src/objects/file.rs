//! Reading a stored original.

use std::{
    fs::File,
    io::{self, Cursor, Read, Seek, SeekFrom},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;
use lookalike_embed::give_way;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _};

use super::Objects;
use crate::name::ObjectId;

/// A stored original, for serving it to a client.
#[derive(Clone)]
pub struct ObjectFile {
    pub(crate) objects: Arc<Objects>,
    /// Its SHA-256, which does for an `ETag`.
    pub id: ObjectId,
    /// Its length in bytes.
    pub size: u64,
    /// `image/jpeg` and the like, by content; `application/octet-stream` when it is not known.
    pub content_type: String,
    /// When these bytes were first stored.
    pub created: Timestamp,
}

/// An open original.
pub enum ObjectReader {
    /// In the data folder.
    File(File),
    /// In memory.
    Memory(Cursor<Bytes>),
}

impl ObjectFile {
    /// Opens it for reading from its start on this thread.
    pub fn open_blocking(&self) -> io::Result<ObjectReader> {
        self.objects.open_object_blocking(&self.id)
    }

    /// The bytes from `offset` on, `length` of them or fewer at the end.
    pub async fn open_range(
        &self,
        offset: u64,
        length: u64,
    ) -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
        let file = self.clone();
        let opened = tokio::task::spawn_blocking(move || file.open_blocking())
            .await
            .map_err(io::Error::other)??;
        Ok(match opened {
            ObjectReader::File(file) => {
                let mut file = tokio::fs::File::from_std(file);
                file.seek(SeekFrom::Start(offset)).await?;
                Box::new(file.take(length))
            }
            ObjectReader::Memory(mut cursor) => {
                cursor.set_position(offset);
                Box::new(tokio::io::AsyncReadExt::take(cursor, length))
            }
        })
    }
}

impl ObjectReader {
    /// Reads the whole, which must be at most `max_bytes` long.
    pub(crate) fn read_all_blocking(mut self, max_bytes: u64) -> io::Result<Bytes> {
        let length = self.seek(SeekFrom::End(0))?;
        if length > max_bytes {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{length} bytes are more than the {max_bytes} that are taken"),
            ));
        }
        match self {
            Self::Memory(cursor) => Ok(cursor.into_inner()),
            Self::File(mut file) => {
                file.seek(SeekFrom::Start(0))?;
                let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
                file.take(max_bytes).read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        give_way();
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(cursor) => Read::read(cursor, buffer),
        }
    }
}

impl Seek for ObjectReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Memory(cursor) => Seek::seek(cursor, to),
        }
    }
}
