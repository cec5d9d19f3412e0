//! Arrays of numbers in a file, each with its place, length and checksum.
//!
//! The sections come first, each at a multiple of 64 bytes; a footer at the end
//! says where they are. Numbers are as the processor keeps them, little-endian
//! everywhere that this runs: a file from another world fails its magic number.

use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use lookalike_kernels::memory::Pages;

use crate::SnapshotError;

/// Ends a file; the last number is the format's version.
const MAGIC: u64 = u64::from_le_bytes(*b"LKLSNAP\x01");

/// Sections begin at multiples of it.
const ALIGNMENT: usize = 64;

/// Most bytes checked and written at a time.
const STRETCH: usize = 1 << 20;

/// Where a section is.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Place {
    offset: u64,
    bytes: u64,
    check: u64,
}

/// The last bytes of a file.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Footer {
    /// Of the facts and the places before it.
    check: u64,
    places: u64,
    fact_bytes: u64,
    magic: u64,
}

/// Writes sections one after another.
pub(super) struct Writer {
    file: BufWriter<fs_err::File>,
    temporary: PathBuf,
    path: PathBuf,
    offset: usize,
    places: Vec<Place>,
}

impl Writer {
    /// A writer of what will be the file of a path.
    pub fn create(path: &Path) -> Result<Self, SnapshotError> {
        let temporary = path.with_extension("unfinished");
        Ok(Self {
            file: BufWriter::with_capacity(STRETCH, fs_err::File::create(&temporary)?),
            temporary,
            path: path.to_owned(),
            offset: 0,
            places: Vec::new(),
        })
    }

    pub fn put<T: Pod>(&mut self, values: &[T]) -> Result<(), SnapshotError> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        self.places.push(Place {
            offset: self.offset as u64,
            bytes: bytes.len() as u64,
            check: crc32fast::hash(bytes).into(),
        });
        self.file.write_all(bytes)?;
        let padding = bytes.len().next_multiple_of(ALIGNMENT) - bytes.len();
        self.file.write_all(&[0; ALIGNMENT][..padding])?;
        self.offset += bytes.len() + padding;
        Ok(())
    }

    /// Writes the facts and the places, makes all of it last, and puts the file in
    /// its place. Returns its size.
    pub fn finish<F: Pod>(mut self, facts: &F) -> Result<u64, SnapshotError> {
        let facts = bytemuck::bytes_of(facts);
        let places: &[u8] = bytemuck::cast_slice(&self.places);
        let footer = Footer {
            check: crc32fast::hash(&[facts, places].concat()).into(),
            places: self.places.len() as u64,
            fact_bytes: facts.len() as u64,
            magic: MAGIC,
        };
        let footer = bytemuck::bytes_of(&footer);
        for part in [facts, places, footer] {
            self.file.write_all(part)?;
        }
        let bytes = self.offset + facts.len() + places.len() + footer.len();
        let file = self
            .file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        drop(file);
        fs_err::rename(&self.temporary, &self.path)?;
        sync_folder(&self.path)?;
        Ok(bytes as u64)
    }
}

/// Makes a rename last.
fn sync_folder(path: &Path) -> Result<(), SnapshotError> {
    // Only Unix can open a folder; elsewhere the file system orders renames itself.
    if cfg!(unix)
        && let Some(folder) = path.parent()
    {
        fs_err::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Reads sections of a file, from several threads at once.
pub(super) struct Reader {
    path: PathBuf,
    places: Vec<Place>,
    file_bytes: u64,
}

impl Reader {
    /// Reads and checks a file's footer and facts.
    pub fn open<F: Pod>(path: &Path) -> Result<(Self, F), SnapshotError> {
        const DAMAGED: SnapshotError = SnapshotError::Damaged("a snapshot's footer is not whole");
        let mut file = fs_err::File::open(path)?;
        let file_bytes = file.metadata()?.len();
        let footer_at = file_bytes
            .checked_sub(size_of::<Footer>() as u64)
            .ok_or(DAMAGED)?;
        let mut footer = <Footer as bytemuck::Zeroable>::zeroed();
        file.seek(SeekFrom::Start(footer_at))?;
        file.read_exact(bytemuck::bytes_of_mut(&mut footer))?;
        let index_bytes = footer
            .places
            .checked_mul(size_of::<Place>() as u64)
            .and_then(|bytes| bytes.checked_add(footer.fact_bytes))
            .filter(|bytes| *bytes <= footer_at)
            .ok_or(DAMAGED)?;
        if footer.magic != MAGIC || footer.fact_bytes != size_of::<F>() as u64 {
            return Err(DAMAGED);
        }
        let mut index = vec![0; index_bytes as usize];
        file.seek(SeekFrom::Start(footer_at - index_bytes))?;
        file.read_exact(&mut index)?;
        if u64::from(crc32fast::hash(&index)) != footer.check {
            return Err(DAMAGED);
        }
        let (facts, places) = index.split_at(size_of::<F>());
        let reader = Self {
            path: path.to_owned(),
            places: places
                .chunks_exact(size_of::<Place>())
                .map(bytemuck::pod_read_unaligned)
                .collect(),
            file_bytes,
        };
        Ok((reader, bytemuck::pod_read_unaligned(facts)))
    }

    /// How many sections there are.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// A section's numbers.
    pub fn take<T: Pod>(&self, section: usize) -> Result<Vec<T>, SnapshotError> {
        let mut values = vec![T::zeroed(); self.length::<T>(section)?];
        self.fill(section, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }

    /// A section's numbers, in memory for random access.
    pub fn take_pages<T: Pod>(&self, section: usize) -> Result<Pages<T>, SnapshotError> {
        let mut values = Pages::zeroed(self.length::<T>(section)?);
        self.fill(section, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }

    fn place(&self, section: usize) -> Result<Place, SnapshotError> {
        let place = self.places.get(section).copied();
        place.ok_or(SnapshotError::Damaged("a snapshot lacks a section"))
    }

    fn length<T>(&self, section: usize) -> Result<usize, SnapshotError> {
        let place = self.place(section)?;
        let inside = place
            .offset
            .checked_add(place.bytes)
            .is_some_and(|end| end <= self.file_bytes);
        if !inside || !place.bytes.is_multiple_of(size_of::<T>() as u64) {
            return Err(SnapshotError::Damaged(
                "a section is not where it should be",
            ));
        }
        Ok((place.bytes / size_of::<T>() as u64) as usize)
    }

    fn fill(&self, section: usize, bytes: &mut [u8]) -> Result<(), SnapshotError> {
        let place = self.place(section)?;
        let mut file = fs_err::File::open(&self.path)?;
        file.seek(SeekFrom::Start(place.offset))?;
        let mut check = crc32fast::Hasher::new();
        for stretch in bytes.chunks_mut(STRETCH) {
            file.read_exact(stretch)?;
            check.update(stretch);
        }
        if u64::from(check.finalize()) != place.check {
            return Err(SnapshotError::Damaged("a section's checksum is wrong"));
        }
        Ok(())
    }
}
