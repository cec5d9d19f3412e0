//! From keys to the rows of a segment, in a few bits a key.
//!
//! Row ids lie close together: 64 neighbouring ones share a word of presence
//! bits and the number of keys before it. Walking these words beside those of a
//! [`Bitmap`] turns a filter into rows without a look-up for each key.

use crate::Bitmap;
use crate::bitmap::{Word, ones};

/// Ranks of keys in their ascending order.
#[derive(Debug, Default)]
pub(crate) struct KeyMap {
    words: Vec<Word>,
    /// How many keys are in the words before each.
    before: Vec<u32>,
}

impl KeyMap {
    /// The map of keys that ascend strictly.
    pub fn of(keys: impl IntoIterator<Item = u64>) -> Self {
        let words = keys.into_iter().collect::<Bitmap>().into_words();
        let mut total = 0;
        let before = words
            .iter()
            .map(|word| {
                let before = total;
                total += word.bits.count_ones();
                before
            })
            .collect();
        Self { words, before }
    }

    /// The place of a key among the keys.
    pub fn rank(&self, key: u64) -> Option<usize> {
        let at = self
            .words
            .binary_search_by_key(&(key / 64), |word| word.position)
            .ok()?;
        let (bits, bit) = (self.words[at].bits, key % 64);
        let below = (bits & ((1 << bit) - 1)).count_ones();
        (bits >> bit & 1 == 1).then(|| (self.before[at] + below) as usize)
    }

    /// Calls `take` with the rank of each key that is in the set too.
    pub fn for_each_rank(&self, allowed: &Bitmap, mut take: impl FnMut(usize)) {
        let mut allowed = allowed.words().iter().peekable();
        for (word, before) in self.words.iter().zip(&self.before) {
            while allowed
                .next_if(|other| other.position < word.position)
                .is_some()
            {}
            let Some(other) = allowed.next_if(|other| other.position == word.position) else {
                continue;
            };
            let both = word.bits & other.bits;
            if both == word.bits {
                (0..both.count_ones()).for_each(|below| take((before + below) as usize));
            } else {
                for bit in ones(both) {
                    let below = (word.bits & ((1 << bit) - 1)).count_ones();
                    take((before + below) as usize);
                }
            }
        }
    }

    pub fn bytes(&self) -> usize {
        size_of_val(&self.words[..]) + size_of_val(&self.before[..])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn keys() -> impl Strategy<Value = BTreeSet<u64>> {
        proptest::collection::btree_set(prop_oneof![0..300_u64, any::<u64>()], 0..200)
    }

    proptest! {
        #[test]
        fn ranks_are_places_in_order(keys in keys(), others in keys()) {
            let map = KeyMap::of(keys.iter().copied());
            for (rank, key) in keys.iter().enumerate() {
                prop_assert_eq!(map.rank(*key), Some(rank));
            }
            for key in others.difference(&keys) {
                prop_assert_eq!(map.rank(*key), None);
            }
        }

        #[test]
        fn common_keys_are_found_in_order(keys in keys(), others in keys()) {
            let map = KeyMap::of(keys.iter().copied());
            let mut found = Vec::new();
            map.for_each_rank(&others.iter().copied().collect(), |rank| found.push(rank));
            let common = keys.iter().enumerate().filter(|(_, key)| others.contains(key));
            prop_assert_eq!(found, common.map(|(rank, _)| rank).collect::<Vec<_>>());
        }
    }
}
