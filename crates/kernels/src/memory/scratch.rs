//! Places for the intermediate results of a forward pass, reused pass after pass.
//!
//! Fresh buffers from the system cost a page fault and the zeroing of every page:
//! up to a fifth of the time of a pass in a tensor library that allocates them.

use super::Pages;

/// Floats between the starts of two slices are a multiple of this: one line of cache.
const LINE_FLOATS: usize = 16;

/// A buffer that grows to the largest pass it has served and stays.
#[derive(Debug, Default)]
pub struct Scratch {
    floats: Pages<f32>,
}

impl Scratch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Disjoint slices of the given lengths, each at the start of a cache line.
    ///
    /// Their contents are what was left there: write before reading.
    ///
    /// # Panics
    /// If the total size overflows the address space.
    pub fn slices<const N: usize>(&mut self, lengths: [usize; N]) -> [&mut [f32]; N] {
        let total = lengths
            .iter()
            .try_fold(0_usize, |sum, length| {
                sum.checked_add(length.checked_next_multiple_of(LINE_FLOATS)?)
            })
            .expect("a pass's intermediate results fit the address space");
        if self.floats.len() < total {
            // the old buffer goes first: its contents are not kept
            self.floats = Pages::default();
            self.floats = Pages::zeroed(total);
        }
        let mut rest = &mut self.floats[..];
        lengths.map(|length| {
            let (head, tail) =
                std::mem::take(&mut rest).split_at_mut(length.next_multiple_of(LINE_FLOATS));
            rest = tail;
            &mut head[..length]
        })
    }

    /// Bytes it holds now.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.floats[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_disjoint_aligned_and_reused() {
        let mut scratch = Scratch::new();
        {
            let [a, b, c] = scratch.slices([3, 0, 40]);
            a.fill(1.0);
            b.fill(2.0);
            c.fill(3.0);
            assert_eq!((a.len(), b.len(), c.len()), (3, 0, 40));
            assert_eq!(a, [1.0; 3]);
            assert_eq!(c.as_ptr().addr() % 64, 0);
        }
        let bytes = scratch.bytes();
        let address = scratch.slices([1])[0].as_ptr().addr();
        let [small] = scratch.slices([5]);
        assert_eq!(small.as_ptr().addr(), address);
        assert_eq!(scratch.bytes(), bytes);
        let [large] = scratch.slices([100_000]);
        assert_eq!(large.len(), 100_000);
    }
}
