//! The weights of a model, packed into few large buffers.
//!
//! A layer's weights are a megabyte or two: each in a buffer of its own would
//! either miss the huge pages or waste half of the last one.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use super::region::Region;

/// Words that one buffer of a vault holds, unless a single request is larger.
const BLOCK_WORDS: usize = 8 << 20;
/// Words in a line of cache: every stored range starts at one.
const LINE_WORDS: usize = 16;

/// Where weights are put while a model is loaded.
#[derive(Default)]
pub struct Vault {
    block: Option<Arc<Block>>,
    used: usize,
}

/// A range of it is written before its [`Stored`] exists and only read afterwards, and
/// ranges do not overlap: [`Vault::store`] hands out each word once.
type Block = Region<u32>;

impl Vault {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps `length` words that `fill` writes (they are zero before).
    pub fn store(&mut self, length: usize, fill: impl FnOnce(&mut [u32])) -> Stored {
        let room = self
            .block
            .as_ref()
            .map_or(0, |block| block.length() - self.used);
        let block = match &self.block {
            Some(block) if length <= room => Arc::clone(block),
            _ => {
                let block = Arc::new(Block::new(length.max(BLOCK_WORDS)));
                self.block = Some(Arc::clone(&block));
                self.used = 0;
                block
            }
        };
        let range = self.used..self.used + length;
        self.used = (range.end.next_multiple_of(LINE_WORDS)).min(block.length());
        // SAFETY: the range lies within the block, no other `Stored` or call has any of it, and
        // it is zeroed before the slice is made.
        fill(unsafe {
            let start = block.start().add(range.start);
            start.write_bytes(0, range.len());
            std::slice::from_raw_parts_mut(start, range.len())
        });
        Stored { block, range }
    }
}

/// Words in a vault's buffer, which lives as long as any of them.
#[derive(Clone)]
pub struct Stored {
    block: Arc<Block>,
    range: Range<usize>,
}

impl Deref for Stored {
    type Target = [u32];
    fn deref(&self) -> &[u32] {
        // SAFETY: the range lies within the block, was written and is not written any more.
        unsafe {
            std::slice::from_raw_parts(self.block.start().add(self.range.start), self.range.len())
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Stored({} words)", self.range.len())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Vault({} words in use)", self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_ranges_share_blocks_and_keep_their_contents() {
        let mut vault = Vault::new();
        let stored: Vec<Stored> = (0..20_u32)
            .map(|i| vault.store(1000 + i as usize, |words| words.fill(i)))
            .collect();
        let large = vault.store(BLOCK_WORDS + 1, |words| words[BLOCK_WORDS] = 5);
        let after = vault.store(3, |words| words.fill(9));
        drop(vault);
        for (i, words) in stored.iter().enumerate() {
            assert_eq!(words.len(), 1000 + i);
            assert!(words.iter().all(|x| *x == i as u32));
            assert_eq!(words.as_ptr().addr() % 64, 0);
        }
        assert_eq!((large[0], large[BLOCK_WORDS]), (0, 5));
        assert_eq!(&after[..], [9, 9, 9]);
    }

    #[test]
    fn an_empty_range_is_allowed() {
        assert!(Vault::new().store(0, |_| ()).is_empty());
    }
}
