//! The exact index: vectors in one flat table, answered by scanning it.
//!
//! Invariant: slots are dense (a removal moves the last vector into the hole),
//! so a scan reads memory in order. Searches share the table; a change waits
//! for the searches under way, which are short.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::metric::Ranker;
use crate::topk::TopK;
use crate::{Bitmap, Hit, IndexError, MAX_DIMENSION, MAX_K, Metric, Query};

/// Rows ranked at a time: ranks stay in the first-level cache.
const BLOCK_ROWS: usize = 128;

/// Vectors by key. All methods take `&self`: share it between threads.
#[derive(Debug)]
pub struct VectorIndex {
    dimension: usize,
    metric: Metric,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Key of each slot.
    keys: Vec<u64>,
    /// Shape `[keys.len(), dimension]`.
    vectors: Vec<f32>,
    squared_norms: Vec<f32>,
    /// Slot of each key.
    slots: HashMap<u64, usize>,
}

impl VectorIndex {
    /// An empty index of vectors with `dimension` elements, 1 to [`MAX_DIMENSION`].
    pub fn new(dimension: usize, metric: Metric) -> Result<Self, IndexError> {
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            return Err(IndexError::Dimension(dimension));
        }
        Ok(Self {
            dimension,
            metric,
            table: RwLock::default(),
        })
    }

    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The metric vectors are checked for at insertion.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// How many keys are stored.
    pub fn len(&self) -> usize {
        self.read().keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, key: u64) -> bool {
        self.read().slots.contains_key(&key)
    }

    /// Stores a vector under a key, in place of the key's former one.
    ///
    /// # Errors
    /// [`IndexError`] for a wrong length, an element that is not finite, a norm
    /// beyond [`crate::MAX_NORM`], or a zero vector under cosine.
    pub fn insert(&self, key: u64, vector: &[f32]) -> Result<(), IndexError> {
        let squared_norm = self.metric.check(self.dimension, vector)?;
        self.write().insert(key, vector, squared_norm);
        Ok(())
    }

    /// Forgets a key; true if it was stored.
    pub fn remove(&self, key: u64) -> bool {
        self.write().remove(key, self.dimension)
    }

    /// The best `query.k` hits, best first, and every further hit whose score
    /// equals the last one's. Equal scores are ordered by key.
    ///
    /// # Errors
    /// [`IndexError`] for a vector that could not be stored under the query's
    /// metric, or a `k` outside 1 to [`MAX_K`].
    pub fn search(&self, query: &Query<'_>) -> Result<Vec<Hit>, IndexError> {
        if !(1..=MAX_K).contains(&query.k) {
            return Err(IndexError::HitCount(query.k));
        }
        let ranker = Ranker::new(query.metric, self.dimension, query.vector)?;
        let mut top = TopK::new(query.k);
        let table = self.read();
        match query.allowed {
            None => table.scan(&ranker, self.dimension, &mut top),
            Some(allowed) => table.scan_allowed(&ranker, self.dimension, allowed, &mut top),
        }
        drop(table);
        let mut entries = top.into_entries();
        entries.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let hit = |(rank, key)| Hit {
            key,
            score: query.metric.score(rank),
        };
        Ok(entries.into_iter().map(hit).collect())
    }

    // A panic while a lock is held cannot leave a table half changed: all that
    // can panic in a change is running out of memory, before anything moves.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn insert(&mut self, key: u64, vector: &[f32], squared_norm: f32) {
        if let Some(slot) = self.slots.get(&key).copied() {
            let at = slot * vector.len();
            self.vectors[at..at + vector.len()].copy_from_slice(vector);
            self.squared_norms[slot] = squared_norm;
            return;
        }
        self.keys.reserve(1);
        self.squared_norms.reserve(1);
        self.slots.reserve(1);
        self.vectors.extend_from_slice(vector);
        self.slots.insert(key, self.keys.len());
        self.keys.push(key);
        self.squared_norms.push(squared_norm);
    }

    fn remove(&mut self, key: u64, dimension: usize) -> bool {
        let Some(slot) = self.slots.remove(&key) else {
            return false;
        };
        let last = self.keys.len() - 1;
        self.vectors
            .copy_within(last * dimension.., slot * dimension);
        self.vectors.truncate(last * dimension);
        self.keys.swap_remove(slot);
        self.squared_norms.swap_remove(slot);
        if let Some(moved) = self.keys.get(slot) {
            self.slots.insert(*moved, slot);
        }
        true
    }

    fn scan(&self, ranker: &Ranker<'_>, dimension: usize, top: &mut TopK<u64>) {
        let mut ranks = [0.0; BLOCK_ROWS];
        let blocks = self
            .vectors
            .chunks(BLOCK_ROWS * dimension)
            .zip(self.squared_norms.chunks(BLOCK_ROWS))
            .zip(self.keys.chunks(BLOCK_ROWS));
        for ((rows, squared_norms), keys) in blocks {
            let ranks = &mut ranks[..keys.len()];
            ranker.rank(rows, squared_norms, ranks);
            top.extend(ranks, |index| keys[index]);
        }
    }

    fn scan_allowed(
        &self,
        ranker: &Ranker<'_>,
        dimension: usize,
        allowed: &Bitmap,
        top: &mut TopK<u64>,
    ) {
        let mut offer = |key: u64, slot: usize| {
            let mut rank = [0.0];
            let row = &self.vectors[slot * dimension..(slot + 1) * dimension];
            ranker.rank(row, &self.squared_norms[slot..=slot], &mut rank);
            top.push(rank[0], key);
        };
        if allowed.len() < self.keys.len() {
            for key in allowed.iter() {
                if let Some(slot) = self.slots.get(&key) {
                    offer(key, *slot);
                }
            }
        } else {
            for (slot, key) in self.keys.iter().enumerate() {
                if allowed.contains(*key) {
                    offer(*key, slot);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
