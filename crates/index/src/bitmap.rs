//! A set of keys, made for row ids: 64 neighbouring keys share a word.
//!
//! The engine fills one from a filter's rows; searches walk it beside the
//! index's own keys. Invariant: words are in ascending order of position and
//! none is empty.

/// A set of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<Word>,
}

/// The keys `64 * position .. 64 * position + 64`, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    pub position: u64,
    pub bits: u64,
}

impl Bitmap {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key; true if it was not there. Ascending order is fastest.
    pub fn insert(&mut self, key: u64) -> bool {
        let (position, bit) = (key / 64, 1 << (key % 64));
        if let Some(last) = self
            .words
            .last_mut()
            .filter(|last| last.position == position)
        {
            let new = last.bits & bit == 0;
            last.bits |= bit;
            return new;
        }
        match self.find(position) {
            Ok(at) => {
                let new = self.words[at].bits & bit == 0;
                self.words[at].bits |= bit;
                new
            }
            Err(at) => {
                self.words.insert(
                    at,
                    Word {
                        position,
                        bits: bit,
                    },
                );
                true
            }
        }
    }

    /// Takes a key out; true if it was there.
    pub fn remove(&mut self, key: u64) -> bool {
        let Ok(at) = self.find(key / 64) else {
            return false;
        };
        let bit = 1 << (key % 64);
        let was = self.words[at].bits & bit != 0;
        self.words[at].bits &= !bit;
        if self.words[at].bits == 0 {
            self.words.remove(at);
        }
        was
    }

    pub fn contains(&self, key: u64) -> bool {
        self.find(key / 64)
            .is_ok_and(|at| self.words[at].bits >> (key % 64) & 1 == 1)
    }

    /// How many keys are in the set.
    pub fn len(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.bits.count_ones() as usize)
            .sum()
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The keys in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().flat_map(|word| {
            let position = word.position;
            ones(word.bits).map(move |bit| position * 64 + u64::from(bit))
        })
    }

    /// Keys in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut words = Vec::with_capacity(self.words.len().min(other.words.len()));
        let mut theirs = other.words.iter().copied().peekable();
        for word in &self.words {
            while theirs
                .next_if(|their| their.position < word.position)
                .is_some()
            {}
            if let Some(their) = theirs.next_if(|their| their.position == word.position) {
                let bits = word.bits & their.bits;
                if bits != 0 {
                    words.push(Word { bits, ..*word });
                }
            }
        }
        Self { words }
    }

    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    pub(crate) fn into_words(self) -> Vec<Word> {
        self.words
    }

    /// Where the word of a position is, or belongs.
    fn find(&self, position: u64) -> Result<usize, usize> {
        match self.words.last() {
            Some(last) if last.position < position => Err(self.words.len()),
            _ => self
                .words
                .binary_search_by_key(&position, |word| word.position),
        }
    }
}

/// Positions of the set bits, ascending.
pub(crate) fn ones(mut bits: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        (bits != 0).then(|| {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            bit
        })
    })
}

impl FromIterator<u64> for Bitmap {
    fn from_iter<I: IntoIterator<Item = u64>>(keys: I) -> Self {
        let mut bitmap = Self::new();
        bitmap.extend(keys);
        bitmap
    }
}

impl Extend<u64> for Bitmap {
    /// Keys in any order; those that do not ascend are sorted in once at the end.
    fn extend<I: IntoIterator<Item = u64>>(&mut self, keys: I) {
        let mut late = Vec::new();
        for key in keys {
            if self
                .words
                .last()
                .is_none_or(|last| last.position <= key / 64)
            {
                self.insert(key);
            } else {
                late.push(key);
            }
        }
        if late.is_empty() {
            return;
        }
        late.sort_unstable();
        let mut other = Self::new();
        for key in late {
            other.insert(key);
        }
        *self = union(&self.words, &other.words);
    }
}

fn union(left: &[Word], right: &[Word]) -> Bitmap {
    let mut words = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (
        left.iter().copied().peekable(),
        right.iter().copied().peekable(),
    );
    while let (Some(a), Some(b)) = (left.peek().copied(), right.peek().copied()) {
        words.push(Word {
            position: a.position.min(b.position),
            bits: if a.position <= b.position { a.bits } else { 0 }
                | if b.position <= a.position { b.bits } else { 0 },
        });
        left.next_if(|_| a.position <= b.position);
        right.next_if(|_| b.position <= a.position);
    }
    words.extend(left);
    words.extend(right);
    Bitmap { words }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::vec(prop_oneof![0..300_u64, any::<u64>()], 0..200)
    }

    proptest! {
        #[test]
        fn a_bitmap_is_a_set(first in keys(), second in keys(), removed in keys()) {
            let mut set: BTreeSet<u64> = first.iter().copied().collect();
            let mut bitmap: Bitmap = first.iter().copied().collect();
            for key in &second {
                prop_assert_eq!(bitmap.insert(*key), set.insert(*key));
            }
            for key in first.iter().take(20).chain(&removed) {
                prop_assert_eq!(bitmap.remove(*key), set.remove(key));
                prop_assert!(!bitmap.contains(*key));
            }
            prop_assert_eq!(bitmap.len(), set.len());
            prop_assert_eq!(bitmap.is_empty(), set.is_empty());
            prop_assert!(set.iter().all(|key| bitmap.contains(*key)));
            prop_assert!(bitmap.iter().eq(set.iter().copied()));
            prop_assert!(bitmap.words.is_sorted_by(|a, b| a.position < b.position));
        }

        #[test]
        fn an_intersection_holds_what_both_hold(first in keys(), second in keys()) {
            let left: BTreeSet<u64> = first.iter().copied().collect();
            let right: BTreeSet<u64> = second.iter().copied().collect();
            let both: Bitmap = left.intersection(&right).copied().collect();
            let (left, right): (Bitmap, Bitmap) = (left.into_iter().collect(), right.into_iter().collect());
            prop_assert_eq!(left.intersection(&right), both);
        }
    }
}
