//! Keeps the best k of a stream of ranks, and everything that ties with the
//! last of them.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// The best entries seen so far. Larger ranks are better; NaN is not taken.
#[derive(Debug)]
pub(crate) struct TopK<T> {
    k: usize,
    /// The best k, their ties, and some that were among them once.
    entries: Vec<(f32, T)>,
    /// The best k ranks, the worst of them on top.
    best: BinaryHeap<Reverse<Rank>>,
    /// Ranks below this cannot be among the best k any more.
    floor: f32,
    /// How many entries call for dropping what has fallen below the floor.
    full: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Rank(f32);

impl Eq for Rank {}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Copy> TopK<T> {
    pub fn new(k: usize) -> Self {
        Self {
            k,
            entries: Vec::new(),
            best: BinaryHeap::new(),
            floor: f32::NEG_INFINITY,
            full: 2 * k + 64,
        }
    }

    /// The worst rank among the best k; everything if fewer were seen.
    pub fn floor(&self) -> f32 {
        self.floor
    }

    #[inline]
    pub fn push(&mut self, rank: f32, value: T) {
        if rank >= self.floor {
            self.take(rank, value);
        }
    }

    fn take(&mut self, rank: f32, value: T) {
        self.entries.push((rank, value));
        self.best.push(Reverse(Rank(rank)));
        if self.best.len() > self.k {
            self.best.pop();
        }
        if self.best.len() == self.k {
            self.floor = self.best.peek().map_or(self.floor, |worst| worst.0.0);
        }
        if self.entries.len() >= self.full {
            self.drop_losers();
            // Ties stay, however many: room in proportion keeps this rare.
            self.full = 2 * self.entries.len() + 64;
        }
    }

    fn drop_losers(&mut self) {
        let floor = self.floor;
        self.entries.retain(|entry| entry.0 >= floor);
    }

    /// The best k and their ties, in no particular order.
    pub fn into_entries(mut self) -> Vec<(f32, T)> {
        self.drop_losers();
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(k: usize, ranks: &[f32]) -> Vec<usize> {
        let mut top = TopK::new(k);
        for (index, rank) in ranks.iter().enumerate() {
            top.push(*rank, index);
        }
        let mut kept: Vec<usize> = top
            .into_entries()
            .into_iter()
            .map(|entry| entry.1)
            .collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn ties_with_the_last_place_stay() {
        assert_eq!(kept(2, &[1.0, 3.0, 2.0, 2.0, 0.0]), [1, 2, 3]);
        assert_eq!(kept(1, &[2.0; 500]), (0..500).collect::<Vec<_>>());
    }

    #[test]
    fn fewer_than_k_are_all_kept_and_nan_never() {
        assert_eq!(kept(5, &[1.0, f32::NAN, 0.5]), [0, 2]);
    }

    #[test]
    fn ascending_input_keeps_the_end() {
        let ranks: Vec<f32> = (0..10_000_u16).map(f32::from).collect();
        assert_eq!(kept(3, &ranks), [9997, 9998, 9999]);
    }
}
