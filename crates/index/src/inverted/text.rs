//! Texts by the words they share with a query, scored by BM25.
//!
//! The score of a row is the sum over the words of the query of
//! `idf × count × (K1 + 1) / (count + K1 × (1 − B + B × length / average length))` with
//! `idf = ln(1 + (rows − holders + 0.5) / (holders + 0.5))`: the formula of Robertson and Zaragoza with
//! the idf that Lucene uses, which is above 0 for words that most rows hold, too. Rows, holders and
//! lengths are counted over this index alone.

use std::collections::HashMap;

use super::{Postings, Slots, best};
use crate::{Bitmap, Hit};

/// How soon more of the same word counts for less.
const K1: f32 = 1.2;

/// How much longer texts are held back.
const B: f32 = 0.75;

/// Texts by key.
#[derive(Debug, Default)]
pub struct TextIndex {
    pub(super) slots: Slots,
    /// How many words each text has, by slot.
    lengths: Vec<u32>,
    /// Of the texts that live.
    total_length: u64,
    /// Where the list of each word is.
    pub(super) words: HashMap<Box<str>, u32>,
    pub(super) lists: Vec<Postings<u16>>,
}

impl TextIndex {
    /// Stores a text, given as its words in any order, in place of the key's former one.
    pub fn insert<W: AsRef<str>>(&mut self, key: u64, words: impl IntoIterator<Item = W>) {
        self.remove(key);
        let mut lists: Vec<u32> = words
            .into_iter()
            .map(|word| self.list_of(word.as_ref()))
            .collect();
        if lists.is_empty() {
            return;
        }
        let slot = self.slots.add(key);
        let length = u32::try_from(lists.len()).unwrap_or(u32::MAX);
        self.lengths.push(length);
        self.total_length += u64::from(length);
        lists.sort_unstable();
        for same in lists.chunk_by(|one, other| one == other) {
            let count = u16::try_from(same.len()).unwrap_or(u16::MAX);
            self.lists[same[0] as usize].push(slot, count);
        }
    }

    /// Forgets a key, if it is there.
    pub fn remove(&mut self, key: u64) {
        if let Some(slot) = self.slots.remove(key) {
            self.total_length -= u64::from(self.lengths[slot]);
        }
        if self.slots.is_worth_renumbering() {
            self.close_gaps();
        }
    }

    /// How many texts there are; those without a word do not count.
    pub fn len(&self) -> usize {
        self.slots.live()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `k` texts with the best scores and all that tie with the last of them. One that shares no
    /// word with the query is not found. A word that is given twice counts twice.
    pub fn search<W: AsRef<str>>(
        &self,
        words: &[W],
        k: usize,
        allowed: Option<&Bitmap>,
    ) -> Vec<Hit> {
        let rows = self.len() as f32;
        let average = self.total_length as f32 / rows.max(1.0);
        // What the length of a text adds to the count it is divided by.
        let held_back: Vec<f32> = self
            .lengths
            .iter()
            .map(|length| K1 * (1.0 - B + B * *length as f32 / average))
            .collect();
        let mut scores = vec![0.0_f32; self.slots.len()];
        for list in words.iter().filter_map(|word| self.find(word.as_ref())) {
            let holders = self.holders(list) as f32;
            let idf = (1.0 + (rows - holders + 0.5) / (holders + 0.5)).ln();
            for (slot, count) in list.iter() {
                let count = f32::from(count);
                scores[slot] += idf * count * (K1 + 1.0) / (count + held_back[slot]);
            }
        }
        // Every term of the sum is above 0.
        let found = scores
            .into_iter()
            .enumerate()
            .filter(|(_, score)| *score > 0.0);
        best(&self.slots, found, k, allowed)
    }

    /// The keys of all texts that share a word with the query.
    pub fn matching<W: AsRef<str>>(&self, words: &[W]) -> Bitmap {
        let lists = words.iter().filter_map(|word| self.find(word.as_ref()));
        lists
            .flat_map(Postings::iter)
            .filter_map(|(slot, _)| self.slots.key(slot))
            .collect()
    }

    /// How many living texts are on a list.
    fn holders(&self, list: &Postings<u16>) -> usize {
        if !self.slots.has_dead() {
            return list.slots.len();
        }
        list.iter()
            .filter(|(slot, _)| self.slots.key(*slot).is_some())
            .count()
    }

    fn find(&self, word: &str) -> Option<&Postings<u16>> {
        Some(&self.lists[*self.words.get(word)? as usize])
    }

    /// Where the list of a word is; a new word gets one.
    fn list_of(&mut self, word: &str) -> u32 {
        if let Some(list) = self.words.get(word) {
            return *list;
        }
        let list = u32::try_from(self.lists.len()).expect("memory ends before 2^32 words do");
        self.lists.push(Postings::default());
        self.words.insert(word.into(), list);
        list
    }

    /// Lets go of dead places, and of words that no text holds any more.
    fn close_gaps(&mut self) {
        let new_slots = self.slots.renumber();
        let mut new_slot = new_slots.iter();
        self.lengths
            .retain(|_| new_slot.next().is_some_and(Option::is_some));
        let mut old = std::mem::take(&mut self.lists);
        let lists = &mut self.lists;
        self.words.retain(|_, list| {
            let mut postings = std::mem::take(&mut old[*list as usize]);
            let is_held = postings.renumber(&new_slots);
            if is_held {
                *list = u32::try_from(lists.len()).expect("there are no more than before");
                lists.push(postings);
            }
            is_held
        });
    }
}
