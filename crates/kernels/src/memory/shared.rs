//! One mutable slice, of which the pieces of a job write disjoint parts.

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable slice that several threads write, each other parts of it.
pub(crate) struct Shared<'a, T> {
    start: *mut T,
    length: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: a mutable borrow may be sent and, as `part` forbids overlaps, be used from
// several threads if the elements may be sent.
unsafe impl<T: Send> Sync for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Borrows `slice` for as long as the parts are in use.
    pub fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            length: slice.len(),
            borrowed: PhantomData,
        }
    }

    /// Where an element would be, which need not exist.
    #[inline(always)]
    pub fn address(&self, index: usize) -> *const T {
        self.start.wrapping_add(index)
    }

    /// The elements of `range`.
    ///
    /// # Safety
    /// No element may be in two parts that are in use at the same time.
    ///
    /// # Panics
    /// If the range does not lie within the slice.
    #[expect(
        clippy::mut_from_ref,
        reason = "the parts are disjoint, as the caller promises"
    )]
    #[inline(always)]
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.length);
        // SAFETY: within the borrowed slice; disjoint from other parts in use.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
