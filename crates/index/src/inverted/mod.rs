//! Rows by what they hold: the words of a text, the indices of a sparse vector.
//!
//! Called by the engine, which says what a row holds and mends these indexes after changes. Both keep
//! a list of rows for everything that rows can hold, and add up what the lists of a query say.
//!
//! Invariants: every answer is exact and the same for the same rows, however they came to be stored;
//! a row that was removed or stored anew leaves nothing behind in any answer.

mod slots;
mod sparse;
mod text;

pub use sparse::SparseIndex;
pub use text::TextIndex;

use crate::topk::TopK;
use crate::{Bitmap, Hit};
use slots::Slots;

/// The rows that hold something, by ascending slot, and how much of it.
#[derive(Debug)]
struct Postings<V> {
    slots: Vec<u32>,
    values: Vec<V>,
}

impl<V> Default for Postings<V> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl<V: Copy> Postings<V> {
    fn push(&mut self, slot: u32, value: V) {
        self.slots.push(slot);
        self.values.push(value);
    }

    fn iter(&self) -> impl Iterator<Item = (usize, V)> + '_ {
        self.slots
            .iter()
            .zip(&self.values)
            .map(|(slot, value)| (*slot as usize, *value))
    }

    /// Gives rows their new slots and leaves out those that have none. Returns whether any is left.
    fn renumber(&mut self, new_slots: &[Option<u32>]) -> bool {
        let mut kept = 0;
        for at in 0..self.slots.len() {
            if let Some(slot) = new_slots[self.slots[at] as usize] {
                self.slots[kept] = slot;
                self.values[kept] = self.values[at];
                kept += 1;
            }
        }
        self.slots.truncate(kept);
        self.values.truncate(kept);
        self.slots.shrink_to_fit();
        self.values.shrink_to_fit();
        kept > 0
    }
}

/// The best `k` of the rows that were found and are allowed, with all that tie with the last of
/// them; best first, then by key.
fn best(
    slots: &Slots,
    found: impl Iterator<Item = (usize, f32)>,
    k: usize,
    allowed: Option<&Bitmap>,
) -> Vec<Hit> {
    let mut top = TopK::new(k);
    for (slot, score) in found {
        if score < top.floor() {
            continue;
        }
        let Some(key) = slots.key(slot) else {
            continue;
        };
        if allowed.is_none_or(|allowed| allowed.contains(key)) {
            top.push(score, key);
        }
    }
    let mut hits: Vec<Hit> = top
        .into_entries()
        .into_iter()
        .map(|(score, key)| Hit { key, score })
        .collect();
    hits.sort_unstable_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| one.key.cmp(&other.key))
    });
    hits
}

#[cfg(test)]
mod tests;
