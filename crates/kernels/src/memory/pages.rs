//! A zeroed, aligned buffer that large contents share with few entries of the
//! processor's address cache.
//!
//! Weights are read from end to end once per forward pass: with 4 KiB pages the
//! look-ups of addresses cost more than a tenth of a batch of one image.

use std::fmt;
use std::ops::{Deref, DerefMut};

use bytemuck::Zeroable;

use super::region::Region;

/// A fixed number of elements, zero at first, aligned to 64 bytes, or to 2 MiB and
/// in huge pages where the contents are at least that large.
pub struct Pages<T: Zeroable + Copy>(Region<T>);

impl<T: Zeroable + Copy> Pages<T> {
    /// `length` zeros.
    ///
    /// # Panics
    /// If the size in bytes overflows; ends the process if memory runs out, as a `Vec` would.
    pub fn zeroed(length: usize) -> Self {
        let region = Region::<T>::new(length);
        // SAFETY: the region has room for `length` elements.
        unsafe { region.start().write_bytes(0, length) };
        Self(region)
    }
}

impl<T: Zeroable + Copy> Deref for Pages<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `length` elements, all zero (a valid `T`) or written since.
        unsafe { std::slice::from_raw_parts(self.0.start(), self.0.length()) }
    }
}

impl<T: Zeroable + Copy> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the buffer is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.0.start(), self.0.length()) }
    }
}

impl<T: Zeroable + Copy> Default for Pages<T> {
    fn default() -> Self {
        Self::zeroed(0)
    }
}

impl<T: Zeroable + Copy> fmt::Debug for Pages<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pages({} elements)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::region::HUGE_BYTES;
    use super::*;

    #[test]
    fn buffers_are_zero_aligned_and_of_their_length() {
        for length in [0, 1, 17, 4096, HUGE_BYTES / 4, HUGE_BYTES / 4 + 1] {
            let mut pages = Pages::<u32>::zeroed(length);
            assert_eq!(pages.len(), length);
            assert!(pages.iter().all(|x| *x == 0));
            if length > 0 {
                let huge = length * 4 >= HUGE_BYTES;
                let align = if huge { HUGE_BYTES } else { 64 };
                assert_eq!(pages.as_ptr().addr() % align, 0);
                pages[length - 1] = 7;
                assert_eq!(pages[length - 1], 7);
            }
        }
    }
}
