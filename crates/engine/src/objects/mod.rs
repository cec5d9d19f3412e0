//! Stored originals: content-addressed bytes in the data folder, or in memory.
//!
//! Uploads and jobs write here, replies and later jobs read. A file is `objects/aa/<sha256>`, made
//! in `objects/tmp`, flushed and renamed, so a file with an address is always whole.
//!
//! Invariants: an object that a row of the database refers to has its bytes; an object that someone
//! holds a [`Pinned`] for is not collected. A pin is taken before the bytes are put in their place
//! and held until the row that refers to them is committed, and the collector works on one object
//! at a time with the door closed to new pins. So a crash leaves bytes without a row at worst, and
//! the next start removes them; bytes that this run left without a row are `loose` until collected.

mod collect;
mod file;
mod writer;

use std::{
    collections::HashMap,
    io::{self, Cursor},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::RwLock;

pub use self::file::{ObjectFile, ObjectReader};
pub(crate) use self::writer::ObjectWriter;
use crate::{
    config::{DataLocation, Synchronous},
    error::EngineError,
    name::ObjectId,
};

/// The default for the bytes of all originals together, on disk and in memory.
const DEFAULT_MAX_ON_DISK: u64 = 100 << 30;
const DEFAULT_MAX_IN_MEMORY: u64 = 2 << 30;

/// All stored originals.
pub(crate) struct Objects {
    place: Place,
    /// Closed (write) while the collector decides about one object, open (read) while an object is
    /// pinned and put in its place.
    door: RwLock<()>,
    pins: Mutex<HashMap<ObjectId, usize>>,
    /// Objects that this run put in their place and that had no row when last looked at, with
    /// their sizes.
    loose: Mutex<HashMap<ObjectId, u64>>,
    /// Bytes in place or being written.
    used_bytes: AtomicU64,
    max_bytes: u64,
}

enum Place {
    Folder { root: PathBuf, flush: bool },
    Memory(Mutex<HashMap<ObjectId, Bytes>>),
}

/// Keeps an object from being collected while it has no row yet.
pub(crate) struct Pinned {
    objects: Arc<Objects>,
    id: ObjectId,
    size: u64,
}

impl Objects {
    /// Opens the store. The folder's leftovers of an interrupted run are removed: the data folder
    /// belongs to this process alone.
    pub(crate) fn open_blocking(
        data: &DataLocation,
        synchronous: Synchronous,
        max_bytes: Option<u64>,
    ) -> io::Result<Arc<Self>> {
        let (place, default_max) = match data {
            DataLocation::Memory => (Place::Memory(Mutex::default()), DEFAULT_MAX_IN_MEMORY),
            DataLocation::Folder(folder) => {
                let root = folder.join("objects");
                let tmp = root.join("tmp");
                if tmp.exists() {
                    fs_err::remove_dir_all(&tmp)?;
                }
                fs_err::create_dir_all(&tmp)?;
                (
                    Place::Folder {
                        root,
                        flush: synchronous != Synchronous::Off,
                    },
                    DEFAULT_MAX_ON_DISK,
                )
            }
        };
        Ok(Arc::new(Self {
            place,
            door: RwLock::default(),
            pins: Mutex::default(),
            loose: Mutex::default(),
            used_bytes: AtomicU64::new(0),
            max_bytes: max_bytes.unwrap_or(default_max),
        }))
    }

    /// Tells how much is stored already, once the database is open.
    pub(crate) fn set_used_bytes(&self, used_bytes: u64) {
        self.used_bytes.store(used_bytes, Ordering::Relaxed);
    }

    /// Starts writing a new object of at most `max_bytes`.
    pub(crate) fn writer_blocking(
        self: &Arc<Self>,
        max_bytes: u64,
    ) -> Result<ObjectWriter, EngineError> {
        ObjectWriter::new(Arc::clone(self), max_bytes)
    }

    /// Pins an object before its row is looked up: if the row is there then, so are the bytes, and
    /// both stay.
    pub(crate) async fn pin(self: &Arc<Self>, id: ObjectId) -> Pinned {
        let _open = self.door.read().await;
        self.pin_behind_door(id, 0)
    }

    fn pin_behind_door(self: &Arc<Self>, id: ObjectId, size: u64) -> Pinned {
        *self.lock_pins().entry(id).or_insert(0) += 1;
        Pinned {
            objects: Arc::clone(self),
            id,
            size,
        }
    }

    fn is_pinned(&self, id: &ObjectId) -> bool {
        self.lock_pins().contains_key(id)
    }

    fn lock_loose(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectId, u64>> {
        self.loose.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_pins(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectId, usize>> {
        // Counts are whole between any two statements, whoever panicked.
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens an object for reading from its start.
    pub(crate) fn open_object_blocking(&self, id: &ObjectId) -> io::Result<ObjectReader> {
        match &self.place {
            Place::Folder { root, .. } => Ok(ObjectReader::File(
                fs_err::File::open(address(root, id))?.into_parts().0,
            )),
            Place::Memory(objects) => objects
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(id)
                .map(|bytes| ObjectReader::Memory(Cursor::new(bytes.clone())))
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no object {id}"))),
        }
    }

    /// Counts `bytes` towards the cap, or refuses.
    fn reserve(&self, bytes: u64) -> Result<(), EngineError> {
        self.used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes)
                    .filter(|used| *used <= self.max_bytes)
            })
            .map(|_| ())
            .map_err(|used| EngineError::Unavailable {
                reason: format!(
                    "the stored files take {used} bytes and {bytes} more would pass the limit of \
                     {} (setting max_stored_bytes)",
                    self.max_bytes
                ),
            })
    }

    fn release(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Pinned {
    /// The object's id.
    pub(crate) fn id(&self) -> ObjectId {
        self.id
    }

    /// Its length in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The same with its length known.
    pub(crate) fn with_size(mut self, size: u64) -> Self {
        self.size = size;
        self
    }

    /// Opens it for reading.
    pub(crate) fn open_blocking(&self) -> io::Result<ObjectReader> {
        self.objects.open_object_blocking(&self.id)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut pins = self.objects.lock_pins();
        if let Some(count) = pins.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.id);
            }
        }
    }
}

/// Where the object `id` lies under `root`.
fn address(root: &Path, id: &ObjectId) -> PathBuf {
    let name = id.to_string();
    root.join(&name[..2]).join(name)
}

/// A full disk and the like, said as such.
pub(crate) fn storage_error(error: io::Error) -> EngineError {
    if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        return EngineError::Unavailable {
            reason: "the disk of the data folder is full".to_owned(),
        };
    }
    EngineError::internal(error)
}
