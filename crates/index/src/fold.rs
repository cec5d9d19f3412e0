//! Folding: new vectors join the segment, dead ones leave it, in the background.
//!
//! A fold reads what was there when it began, builds without a lock, and swaps
//! the new segment in; what died meanwhile dies in the new one too, and what came
//! stays beside it. One fold runs at a time.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use lookalike_kernels::step_back;

use crate::Change;
use crate::generation;
use crate::hnsw::build::Stopped;
use crate::index::{Shared, State, VectorIndex};
use crate::planner::Costs;

/// New rows wait for a fold until they are this part of the segment…
const DELTA_PART: usize = 64;

/// …or so many times [`crate::Options::fold_rows`].
const MAX_DELTA_FOLDS: usize = 8;

impl VectorIndex {
    /// Folds everything now, on this thread and as many as the options say, and
    /// returns when it is done. Searches and changes go on meanwhile.
    pub fn fold_blocking(&self) {
        // Stopped only when the index is closed.
        let _ = self.shared.fold(false);
    }

    /// Starts a fold in the background if one is due and none runs.
    pub(crate) fn fold_if_due(&self) {
        let shared = &self.shared;
        if !shared.options.fold_in_background
            || !shared.read().fold_is_due(shared.options.fold_rows)
        {
            return;
        }
        if shared.fold_started.swap(true, Ordering::AcqRel) {
            return;
        }
        let worker = Arc::clone(shared);
        let work = move || {
            step_back();
            // A panic would leave the flag set: no further fold, and scans stay exact.
            while worker.read().fold_is_due(worker.options.fold_rows) && worker.fold(false).is_ok()
            {
            }
            worker.fold_started.store(false, Ordering::Release);
        };
        let spawned = std::thread::Builder::new()
            .name("index-fold".to_owned())
            .spawn(work);
        if spawned.is_err() {
            // No thread to be had: a later change tries again.
            shared.fold_started.store(false, Ordering::Release);
        }
    }
}

impl Drop for VectorIndex {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        // What can panic under the lock is running out of memory, before anything moves.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Folds once, and writes a snapshot if one is due, or wanted.
    pub fn fold(&self, snapshot: bool) -> Result<(), Stopped> {
        let _turn = self.folding.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stop.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        let mut changes = self.changes();
        let mut state = self.write();
        let due = changes.begin_snapshot(self, snapshot);
        state.delta.seal();
        state.died = Some(HashSet::new());
        let (former, further, now) = (
            Arc::clone(&state.segment),
            state.delta.sealed.clone(),
            state.now,
        );
        drop((state, changes));
        let made = self.with_threads(|| {
            let segment = generation::make(&former, &further, now, &self.recipe, &self.stop)?;
            let costs = Costs::measure(&segment, self.recipe.metric);
            Ok((Arc::new(segment), costs))
        });
        let mut state = self.write();
        let died = state.died.take().unwrap_or_default();
        let (segment, costs) = made?;
        segment.settle(&died, state.now);
        state.segment = Arc::clone(&segment);
        state.costs = costs;
        state.delta.forget(further.len());
        drop(state);
        if let Some(due) = due {
            self.write_snapshot(due, &segment, now);
        }
        Ok(())
    }

    /// Runs work on as many threads as the options say.
    pub fn with_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.options.fold_threads)
            .thread_name(|_| "index-fold".to_owned())
            .build();
        match pool {
            Ok(pool) => pool.install(work),
            // No threads to be had: the shared ones, then.
            Err(_) => work(),
        }
    }
}

impl State {
    /// Makes checked changes.
    pub fn make(&mut self, changes: &[Change<'_>], squared_norms: &[f32]) {
        self.now += 1;
        for (change, squared_norm) in changes.iter().zip(squared_norms) {
            match change {
                Change::Insert { key, vector } => {
                    self.remove(*key);
                    self.delta.insert(*key, vector, *squared_norm);
                }
                Change::Remove { key } => {
                    self.remove(*key);
                }
            }
        }
    }

    pub fn live(&self) -> usize {
        self.segment.live() + self.delta.live()
    }

    /// Lets a key die; true if it lived. The moment is this one.
    pub fn remove(&mut self, key: u64) -> bool {
        let removed = self.delta.remove(key, self.now) || self.segment.remove(key, self.now);
        if removed && let Some(died) = &mut self.died {
            died.insert(key);
        }
        removed
    }

    fn fold_is_due(&self, fold_rows: usize) -> bool {
        let most =
            (self.segment.slots.len() / DELTA_PART).clamp(fold_rows, MAX_DELTA_FOLDS * fold_rows);
        let dead = self.segment.dead_rows();
        self.delta.rows() >= most
            || dead >= fold_rows && generation::is_mostly_dead(dead, self.segment.slots.len())
    }
}
