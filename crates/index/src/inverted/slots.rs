//! The places of rows in an inverted index. Lists of rows hold places instead of keys: they are
//! small, dense, and stay in order when rows come and go.

use std::collections::HashMap;

/// Dead places that are put up with whatever the number of rows.
const MAX_IDLE_DEAD: usize = if cfg!(test) { 8 } else { 1024 };

/// Which key is at which place. A row that is stored again gets a new place, its old one is dead.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// `None` where the row is gone.
    keys: Vec<Option<u64>>,
    slots: HashMap<u64, u32>,
}

impl Slots {
    /// The place of a new row; its key has none.
    pub(super) fn add(&mut self, key: u64) -> u32 {
        let slot = u32::try_from(self.keys.len()).expect("memory ends before 2^32 rows do");
        self.keys.push(Some(key));
        self.slots.insert(key, slot);
        slot
    }

    /// Ends a row and says where it was.
    pub(super) fn remove(&mut self, key: u64) -> Option<usize> {
        let slot = self.slots.remove(&key)? as usize;
        self.keys[slot] = None;
        Some(slot)
    }

    /// The row at a place, if it lives.
    pub(super) fn key(&self, slot: usize) -> Option<u64> {
        self.keys[slot]
    }

    /// Rows that live.
    pub(super) fn live(&self) -> usize {
        self.slots.len()
    }

    /// All places there are, dead ones included.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn has_dead(&self) -> bool {
        self.live() < self.len()
    }

    /// Whether the dead outweigh the living.
    pub(super) fn is_worth_renumbering(&self) -> bool {
        self.len() - self.live() > self.live().max(MAX_IDLE_DEAD)
    }

    /// Closes the gaps; the new place of each old one.
    pub(super) fn renumber(&mut self) -> Vec<Option<u32>> {
        let old = std::mem::take(self);
        old.keys
            .into_iter()
            .map(|key| key.map(|key| self.add(key)))
            .collect()
    }
}
