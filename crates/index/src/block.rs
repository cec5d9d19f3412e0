//! The vectors themselves, with their keys, in blocks of about 2 MiB.
//!
//! Rows are appended to the last block and never change; a removed row carries
//! the moment of its death, so that a search sees all changes before the moment
//! it began and none after. Blocks are shared between the generations of an
//! index: folding new vectors into its graph copies none. Invariant: a block may
//! be short, and a slot is `block << shift | row`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::metric::Ranker;

/// Most bytes of vectors in a block: what a search holds a lock for, at most.
const BLOCK_BYTES: usize = 2 << 20;

/// A run of stored vectors.
#[derive(Debug)]
pub(crate) struct Block {
    dimension: usize,
    keys: Vec<u64>,
    /// Shape `[keys.len(), dimension]`.
    vectors: Vec<f32>,
    squared_norms: Vec<f32>,
    /// The moment each row died, or [`ALIVE`].
    deaths: Vec<AtomicU64>,
    dead_count: AtomicUsize,
}

/// A count of changes. Later ones are larger; the first change is 1.
pub(crate) type Moment = u64;

/// After all changes so far.
pub(crate) const NOW: Moment = Moment::MAX - 1;

/// The death of a row that lives: after all moments.
const ALIVE: Moment = Moment::MAX;

/// How many rows a block has at most, as a power of two: its logarithm.
pub(crate) fn block_shift(dimension: usize) -> u32 {
    (BLOCK_BYTES / 4 / dimension).clamp(32, 1024).ilog2()
}

impl Block {
    pub fn new(dimension: usize) -> Self {
        Self {
            dimension,
            keys: Vec::new(),
            vectors: Vec::new(),
            squared_norms: Vec::new(),
            deaths: Vec::new(),
            dead_count: AtomicUsize::new(0),
        }
    }

    /// A block of arrays that were written before; `None` if their lengths disagree.
    /// Rows whose byte in `dead` is not 0 died before all moments.
    pub fn from_parts(
        dimension: usize,
        keys: Vec<u64>,
        squared_norms: Vec<f32>,
        dead: &[u8],
        vectors: Vec<f32>,
    ) -> Option<Self> {
        let rows = keys.len();
        let fits = rows <= 1 << block_shift(dimension)
            && squared_norms.len() == rows
            && dead.len() == rows
            && vectors.len() == rows * dimension;
        let death = |dead: &u8| AtomicU64::new(if *dead == 0 { ALIVE } else { 0 });
        fits.then(|| Self {
            dimension,
            keys,
            vectors,
            squared_norms,
            deaths: dead.iter().map(death).collect(),
            dead_count: AtomicUsize::new(dead.iter().filter(|dead| **dead != 0).count()),
        })
    }

    /// Rows, dead ones included.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_full(&self) -> bool {
        self.len() >= 1 << block_shift(self.dimension)
    }

    /// Appends a row to a block that is not full. Returns its number.
    pub fn push(&mut self, key: u64, vector: &[f32], squared_norm: f32) -> usize {
        self.vectors.extend_from_slice(vector);
        self.squared_norms.push(squared_norm);
        self.deaths.push(AtomicU64::new(ALIVE));
        self.keys.push(key);
        self.keys.len() - 1
    }

    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    pub fn squared_norms(&self) -> &[f32] {
        &self.squared_norms
    }

    pub fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.dimension..(row + 1) * self.dimension]
    }

    /// Lets a row die at a moment; true if it lived. Changes come one at a time.
    pub fn kill(&self, row: usize, now: Moment) -> bool {
        let killed = self.deaths[row].load(Ordering::Relaxed) == ALIVE;
        if killed {
            self.deaths[row].store(now, Ordering::Relaxed);
            self.dead_count.fetch_add(1, Ordering::Relaxed);
        }
        killed
    }

    /// Whether a row was dead at a moment.
    pub fn is_dead(&self, row: usize, at: Moment) -> bool {
        self.deaths[row].load(Ordering::Relaxed) <= at
    }

    /// How many rows are dead.
    pub fn dead_count(&self) -> usize {
        self.dead_count.load(Ordering::Relaxed)
    }

    /// Ranks the rows from `first` on.
    pub fn rank(&self, ranker: &Ranker<'_>, first: usize, ranks: &mut [f32]) {
        let rows = first..first + ranks.len();
        let vectors = &self.vectors[rows.start * self.dimension..rows.end * self.dimension];
        ranker.rank(vectors, &self.squared_norms[rows], ranks);
    }

    /// Bytes in memory: the vectors, and the rest.
    pub fn bytes(&self) -> (usize, usize) {
        let rest = self.keys.capacity() * 8
            + self.squared_norms.capacity() * 4
            + self.deaths.capacity() * 8;
        (self.vectors.capacity() * 4, rest)
    }
}

/// Blocks in a row, addressed by slot.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    shift: u32,
    pub list: Vec<Arc<Block>>,
}

impl Blocks {
    pub fn new(dimension: usize) -> Self {
        Self {
            shift: block_shift(dimension),
            list: Vec::new(),
        }
    }

    /// Most rows in a block.
    pub fn rows_per_block(&self) -> usize {
        1 << self.shift
    }

    /// The slot of a row of a block of the list.
    pub fn slot(&self, block: usize, row: usize) -> u32 {
        u32::try_from(block << self.shift | row).expect("fewer than 2^31 vectors")
    }

    fn at(&self, slot: u32) -> (&Block, usize) {
        let row = slot & ((1 << self.shift) - 1);
        (&self.list[(slot >> self.shift) as usize], row as usize)
    }

    /// Whether there is a row with this slot.
    pub fn has(&self, slot: u32) -> bool {
        let row = slot & ((1 << self.shift) - 1);
        let block = self.list.get((slot >> self.shift) as usize);
        block.is_some_and(|block| (row as usize) < block.len())
    }

    pub fn key(&self, slot: u32) -> u64 {
        let (block, row) = self.at(slot);
        block.keys[row]
    }

    pub fn vector(&self, slot: u32) -> &[f32] {
        let (block, row) = self.at(slot);
        block.vector(row)
    }

    pub fn squared_norm(&self, slot: u32) -> f32 {
        let (block, row) = self.at(slot);
        block.squared_norms[row]
    }

    /// The exact rank of one vector.
    pub fn rank(&self, ranker: &Ranker<'_>, slot: u32) -> f32 {
        let (block, row) = self.at(slot);
        let mut rank = [0.0];
        block.rank(ranker, row, &mut rank);
        rank[0]
    }

    /// Whether a row was dead at a moment.
    pub fn is_dead(&self, slot: u32, at: Moment) -> bool {
        let (block, row) = self.at(slot);
        block.is_dead(row, at)
    }

    /// Lets a row die at a moment; true if it lived.
    pub fn kill(&self, slot: u32, now: Moment) -> bool {
        let (block, row) = self.at(slot);
        block.kill(row, now)
    }

    /// The slots of all rows, dead ones included.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        let rows = self.list.iter().enumerate();
        rows.flat_map(move |(block, rows)| (0..rows.len()).map(move |row| self.slot(block, row)))
    }
}
