//! New vectors that no segment has yet.
//!
//! Owned by the index's state, changed under its lock. Full blocks are shared
//! with searches; the last one is scanned under the lock. Invariant: a key has at
//! most one living row here, and then none in the segment.

use std::collections::HashMap;
use std::sync::Arc;

use crate::block::{Block, Moment};

/// New vectors.
#[derive(Debug)]
pub(crate) struct Delta {
    dimension: usize,
    /// The number of the first block, counted from the beginning of the index.
    first: usize,
    pub sealed: Vec<Arc<Block>>,
    pub open: Block,
    /// The block and the row of each living key.
    places: HashMap<u64, (usize, usize)>,
}

impl Delta {
    pub fn new(dimension: usize) -> Self {
        Self {
            dimension,
            first: 0,
            sealed: Vec::new(),
            open: Block::new(dimension),
            places: HashMap::new(),
        }
    }

    /// Living keys.
    pub fn live(&self) -> usize {
        self.places.len()
    }

    /// Rows, dead ones included.
    pub fn rows(&self) -> usize {
        self.sealed.iter().map(|block| block.len()).sum::<usize>() + self.open.len()
    }

    pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        self.places.keys().copied()
    }

    /// The block and row of a living key.
    pub fn find(&self, key: u64) -> Option<(&Block, usize)> {
        let (block, row) = *self.places.get(&key)?;
        Some((self.block(block), row))
    }

    fn block(&self, number: usize) -> &Block {
        self.sealed
            .get(number - self.first)
            .map_or(&self.open, |block| block)
    }

    /// Adds a key that is not alive here.
    pub fn insert(&mut self, key: u64, vector: &[f32], squared_norm: f32) {
        if self.open.is_full() {
            self.seal();
        }
        let row = self.open.push(key, vector, squared_norm);
        self.places
            .insert(key, (self.first + self.sealed.len(), row));
    }

    /// Lets a key die; true if it lived here.
    pub fn remove(&mut self, key: u64, now: Moment) -> bool {
        let Some((block, row)) = self.places.remove(&key) else {
            return false;
        };
        self.block(block).kill(row, now)
    }

    /// Closes the open block, so that all rows so far are in sealed ones.
    pub fn seal(&mut self) {
        if self.open.len() > 0 {
            let open = std::mem::replace(&mut self.open, Block::new(self.dimension));
            self.sealed.push(Arc::new(open));
        }
    }

    /// Forgets the first blocks, which a segment has taken over.
    pub fn forget(&mut self, blocks: usize) {
        self.sealed.drain(..blocks);
        self.first += blocks;
        let first = self.first;
        self.places.retain(|_, place| place.0 >= first);
    }
}
