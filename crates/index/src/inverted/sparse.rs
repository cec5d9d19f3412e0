//! Sparse vectors by inner product.

use std::collections::HashMap;

use super::{Postings, Slots, best};
use crate::{Bitmap, Hit};

/// Sparse vectors by key, and those with the largest inner products with another.
#[derive(Debug, Default)]
pub struct SparseIndex {
    pub(super) slots: Slots,
    pub(super) lists: HashMap<u32, Postings<f32>>,
}

impl SparseIndex {
    /// Stores a vector, indices with their values, in place of the key's former one. No index is
    /// there twice.
    pub fn insert(&mut self, key: u64, pairs: &[(u32, f32)]) {
        self.remove(key);
        if pairs.is_empty() {
            return;
        }
        let slot = self.slots.add(key);
        for (index, value) in pairs {
            self.lists.entry(*index).or_default().push(slot, *value);
        }
    }

    /// Forgets a key, if it is there.
    pub fn remove(&mut self, key: u64) {
        self.slots.remove(key);
        if self.slots.is_worth_renumbering() {
            let new_slots = self.slots.renumber();
            self.lists.retain(|_, list| list.renumber(&new_slots));
        }
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.slots.live()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `k` vectors with the largest inner products and all that tie with the last of them. One
    /// that shares no index with the query is not found.
    pub fn search(&self, query: &[(u32, f32)], k: usize, allowed: Option<&Bitmap>) -> Vec<Hit> {
        let mut sums = vec![0.0_f32; self.slots.len()];
        let mut shares = vec![false; self.slots.len()];
        for (index, weight) in query {
            for (slot, value) in self.lists.get(index).iter().flat_map(|list| list.iter()) {
                sums[slot] += weight * value;
                shares[slot] = true;
            }
        }
        let found = sums
            .into_iter()
            .enumerate()
            .zip(shares)
            .filter_map(|(found, shares)| shares.then_some(found));
        best(&self.slots, found, k, allowed)
    }
}
