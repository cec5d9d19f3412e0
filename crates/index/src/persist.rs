//! An index that a restart finds again: a snapshot, and a log of what came after.
//!
//! Called by the engine when a collection is opened. What is on the disk only
//! saves time: if it is missing, damaged, or of another generation than the
//! engine's database, the engine begins anew with [`VectorIndex::create`] and
//! inserts the vectors again, and searches are exact from the first one on.

use std::path::Path;

use crate::block::Moment;
use crate::index::{Changes, Shared, VectorIndex};
use crate::journal::{Folder, Journal, Logged, segment_path};
use crate::planner::Costs;
use crate::segment::Segment;
use crate::snapshot;
use crate::{Change, Options, SnapshotError};

impl VectorIndex {
    /// Begins an index in a folder, of generation 0. An index that is in the folder is
    /// deleted.
    ///
    /// # Errors
    /// [`SnapshotError::Index`] for bad options, [`SnapshotError::Io`].
    pub fn create(folder: &Path, options: Options) -> Result<Self, SnapshotError> {
        let index = Self::with_options(options)?;
        let journal = Journal::create(folder, index.dimension())?;
        index.shared.changes().journal = Some(journal);
        Ok(index)
    }

    /// Finds an index again. `None` if the folder has none. Its
    /// [`VectorIndex::generation`] tells whether it has all of the engine's changes.
    ///
    /// # Errors
    /// [`SnapshotError::Mismatch`] if the index in the folder was made with other
    /// options, [`SnapshotError::Damaged`] if it is not whole: then the remedy is
    /// [`VectorIndex::create`]. [`SnapshotError::Index`] for bad options,
    /// [`SnapshotError::Io`].
    pub fn open(folder: &Path, options: Options) -> Result<Option<Self>, SnapshotError> {
        let Some(found) = Folder::look(folder)? else {
            return Ok(None);
        };
        let index = Self::with_options(options)?;
        let recipe = &index.shared.recipe;
        let mut snapshot = (0, 0);
        if let Some(sequence) = found.segment {
            let path = segment_path(folder, sequence);
            let (segment, generation, bytes) = index
                .shared
                .with_threads(|| snapshot::read(&path, recipe))?;
            snapshot = (generation, bytes);
            index.use_segment(segment);
        }
        let replay = |changes: Vec<Logged>| {
            let changes: Vec<Change<'_>> = changes.iter().map(Logged::as_change).collect();
            let squared_norms = index.squared_norms(&changes)?;
            index.shared.write().make(&changes, &squared_norms);
            Ok(())
        };
        let (journal, generation) = Journal::resume(folder, &found, recipe, snapshot, replay)?;
        *index.shared.changes() = Changes {
            generation,
            journal: Some(journal),
        };
        index.fold_if_due();
        Ok(Some(index))
    }

    /// The generation of the last change, as [`VectorIndex::commit`] was given it.
    pub fn generation(&self) -> u64 {
        self.shared.changes().generation
    }

    /// Folds everything and writes a snapshot now, on this thread.
    ///
    /// # Errors
    /// [`SnapshotError::Io`]. An index that is not in a folder has nothing to write.
    pub fn snapshot_blocking(&self) -> Result<(), SnapshotError> {
        // A stopped fold leaves the folder as it was: the index is going away.
        let _ = self.shared.fold(true);
        match self
            .shared
            .changes()
            .journal
            .as_ref()
            .and_then(Journal::broken)
        {
            Some(error) => Err(SnapshotError::Io(std::io::Error::other(error.to_owned()))),
            None => Ok(()),
        }
    }

    fn use_segment(&self, segment: Segment) {
        let costs = Costs::measure(&segment, self.metric());
        let mut state = self.shared.write();
        state.segment = segment.into();
        state.costs = costs;
    }
}

/// A snapshot that a fold is to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    sequence: u64,
    generation: u64,
}

impl Changes {
    /// Lets a new log begin if a snapshot of everything up to here is worth writing,
    /// or wanted.
    pub fn begin_snapshot(&mut self, shared: &Shared, wanted: bool) -> Option<Due> {
        let generation = self.generation;
        let journal = self.journal.as_mut()?;
        if !wanted && !journal.snapshot_is_due(shared.options.snapshot_min_bytes) {
            return None;
        }
        match journal.rotate(shared.recipe.dimension, generation) {
            Ok(sequence) => Some(Due {
                sequence,
                generation,
            }),
            Err(error) => {
                journal.fail(&error);
                None
            }
        }
    }
}

impl Shared {
    /// Writes a segment as it was at the moment when its snapshot was begun.
    pub fn write_snapshot(&self, due: Due, segment: &Segment, at: Moment) {
        let folder = self
            .changes()
            .journal
            .as_ref()
            .map(|journal| journal.folder().to_owned());
        let Some(folder) = folder else {
            return;
        };
        let path = segment_path(&folder, due.sequence);
        let written = snapshot::write(&path, segment, &self.recipe, due.generation, at);
        if let Some(journal) = &mut self.changes().journal {
            let noted = written.and_then(|bytes| journal.snapshot_is_written(due.sequence, bytes));
            if let Err(error) = noted {
                journal.fail(&error);
            }
        }
    }
}
