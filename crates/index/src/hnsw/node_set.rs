//! Sets of a segment's nodes: what a filter keeps, what is dead, what was seen.

use crate::bitmap::ones;

/// A set of numbers below a fixed one.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeSet {
    words: Vec<u64>,
}

impl NodeSet {
    /// The empty set of numbers below `count`.
    pub fn empty(count: usize) -> Self {
        Self {
            words: vec![0; count.div_ceil(64)],
        }
    }

    /// All numbers below `count`, with room for those below `room`.
    pub fn below(count: usize, room: usize) -> Self {
        let mut set = Self::empty(room);
        set.words[..count / 64].fill(u64::MAX);
        if let rest @ 1.. = count % 64 {
            set.words[count / 64] = (1 << rest) - 1;
        }
        set
    }

    /// Empties the set and makes room for numbers below `count`.
    pub fn reset(&mut self, count: usize) {
        self.words.clear();
        self.words.resize(count.div_ceil(64), 0);
    }

    pub fn insert(&mut self, node: u32) {
        self.words[node as usize / 64] |= 1 << (node % 64);
    }

    /// Adds a number; 1 if it was not there, else 0.
    #[inline]
    pub fn insert_new(&mut self, node: u32) -> usize {
        let word = &mut self.words[node as usize / 64];
        let new = *word >> (node % 64) & 1 ^ 1;
        *word |= 1 << (node % 64);
        new as usize
    }

    #[inline]
    pub fn contains(&self, node: u32) -> bool {
        self.words[node as usize / 64] >> (node % 64) & 1 == 1
    }

    pub fn len(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// Takes out what is in another set.
    pub fn subtract(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    /// All numbers below `count` that are not in the set.
    pub fn complement(&self, count: usize) -> Self {
        let mut all = Self::below(count, count);
        all.subtract(self);
        all
    }

    /// The numbers in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words
            .iter()
            .zip(0_u32..)
            .flat_map(|(word, at)| ones(*word).map(move |bit| at * 64 + bit))
    }
}

impl FromIterator<u64> for NodeSet {
    /// From words of 64 numbers, the lowest in the lowest bit.
    fn from_iter<I: IntoIterator<Item = u64>>(words: I) -> Self {
        Self {
            words: words.into_iter().collect(),
        }
    }
}
