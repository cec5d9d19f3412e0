//! Writing a new original: hashed as it comes, bounded, put in its place when whole.

use std::{
    io::Write,
    path::Path,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;
use fs_err as fs;
use lookalike_embed::give_way;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::{Objects, Pinned, Place, address, storage_error};
use crate::{error::EngineError, name::ObjectId};

/// An object on its way in. Dropped before [`Self::finish_blocking`], it leaves nothing.
pub(crate) struct ObjectWriter {
    objects: Arc<Objects>,
    sink: Sink,
    sha256: Sha256,
    written: u64,
    /// Counted towards the cap and not handed on yet.
    reserved: u64,
    max_bytes: u64,
}

/// Hashed and then written at once: what the first brings into a core's cache, the second finds there.
const PIECE_BYTES: usize = 256 << 10;

enum Sink {
    File(NamedTempFile),
    Memory(Vec<u8>),
}

impl ObjectWriter {
    pub(super) fn new(objects: Arc<Objects>, max_bytes: u64) -> Result<Self, EngineError> {
        let sink = match &objects.place {
            Place::Folder { root, .. } => {
                Sink::File(NamedTempFile::new_in(root.join("tmp")).map_err(storage_error)?)
            }
            Place::Memory(_) => Sink::Memory(Vec::new()),
        };
        Ok(Self {
            objects,
            sink,
            sha256: Sha256::new(),
            written: 0,
            reserved: 0,
            max_bytes,
        })
    }

    /// Takes the next bytes.
    pub(crate) fn write_blocking(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        let length = bytes.len() as u64;
        if self.written + length > self.max_bytes {
            return Err(EngineError::TooLarge {
                reason: format!(
                    "the file is larger than the limit of {} bytes (setting max_document_bytes)",
                    self.max_bytes
                ),
            });
        }
        self.objects.reserve(length)?;
        self.reserved += length;
        self.written += length;
        for piece in bytes.chunks(PIECE_BYTES) {
            give_way();
            self.sha256.update(piece);
            match &mut self.sink {
                Sink::File(file) => file.write_all(piece).map_err(storage_error)?,
                Sink::Memory(buffer) => buffer.extend_from_slice(piece),
            }
        }
        Ok(())
    }

    /// Puts the object in its place and pins it. Not for async threads.
    pub(crate) fn finish_blocking(mut self) -> Result<Pinned, EngineError> {
        let id = ObjectId::from_bytes(self.sha256.finalize_reset().into());
        if let (Sink::File(file), Place::Folder { flush: true, .. }) =
            (&self.sink, &self.objects.place)
        {
            file.as_file().sync_all().map_err(storage_error)?;
        }
        let objects = Arc::clone(&self.objects);
        let open = objects.door.blocking_read();
        let object = self.objects.pin_behind_door(id, self.written);
        let sink = std::mem::replace(&mut self.sink, Sink::Memory(Vec::new()));
        let is_new = match (sink, &self.objects.place) {
            (Sink::File(file), Place::Folder { root, flush }) => {
                place_file(file, &address(root, &id), *flush)?
            }
            (Sink::Memory(bytes), Place::Memory(stored)) => {
                let mut stored = stored.lock().unwrap_or_else(PoisonError::into_inner);
                let is_new = !stored.contains_key(&id);
                if is_new {
                    stored.insert(id, Bytes::from(bytes));
                }
                is_new
            }
            _ => unreachable!("the sink is of the store's kind"),
        };
        if is_new {
            // The bytes stay counted; the collector gives them back.
            self.objects.lock_loose().insert(id, self.reserved);
            self.reserved = 0;
        }
        drop(open);
        Ok(object)
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        self.objects.release(self.reserved);
    }
}

/// Moves a finished file to its address; false when the same bytes are there already.
fn place_file(file: NamedTempFile, address: &Path, flush: bool) -> Result<bool, EngineError> {
    if address.exists() {
        return Ok(false);
    }
    let folder = address
        .parent()
        .expect("an address has a folder")
        .to_owned();
    fs::create_dir_all(&folder).map_err(storage_error)?;
    file.persist(address)
        .map_err(|error| storage_error(error.error))?;
    if flush {
        // The rename itself must survive a power cut, too.
        fs::File::open(&folder)
            .and_then(|folder| folder.sync_all())
            .map_err(storage_error)?;
    }
    Ok(true)
}
