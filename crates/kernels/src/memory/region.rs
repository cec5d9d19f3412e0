//! A raw piece of memory, in huge pages if it is large and the system gives them.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// One line of cache; every region starts at one.
const LINE_BYTES: usize = 64;
/// The huge page of x86-64 and of most aarch64 systems.
pub(super) const HUGE_BYTES: usize = 2 << 20;

/// Memory for a number of elements of plain data, which nothing has been written to yet.
#[derive(Debug)]
pub(super) struct Region<T> {
    start: NonNull<T>,
    length: usize,
    layout: Option<Layout>,
}

// SAFETY: the memory is owned; what its owner does with it is the owner's promise.
unsafe impl<T: Send> Send for Region<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Region<T> {}

impl<T: Copy> Region<T> {
    /// Room for `length` elements, aligned to 64 bytes, or to 2 MiB and in huge pages if it
    /// is that large. Pages that are never touched cost nothing.
    ///
    /// # Panics
    /// If the size overflows; ends the process if memory runs out, as a `Vec` would.
    pub fn new(length: usize) -> Self {
        let bytes = length.checked_mul(size_of::<T>());
        let bytes = bytes.expect("a buffer's size fits the address space");
        if bytes == 0 {
            return Self {
                start: NonNull::dangling(),
                length,
                layout: None,
            };
        }
        let huge = bytes >= HUGE_BYTES;
        let align = if huge { HUGE_BYTES } else { LINE_BYTES };
        let layout = Layout::from_size_align(bytes, align.max(align_of::<T>()))
            .expect("a buffer's size fits the address space");
        // SAFETY: the size is not zero.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        if huge {
            prefer_huge_pages(start, bytes);
        }
        Self {
            start: start.cast(),
            length,
            layout: Some(layout),
        }
    }

    pub fn start(&self) -> *mut T {
        self.start.as_ptr()
    }

    pub fn length(&self) -> usize {
        self.length
    }
}

impl<T> Drop for Region<T> {
    fn drop(&mut self) {
        if let Some(layout) = self.layout {
            // SAFETY: allocated by `new` with this layout, and freed once.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) }
        }
    }
}

/// Asks for huge pages; a system that has none, or refuses, serves small ones.
#[cfg(all(target_os = "linux", not(miri)))]
fn prefer_huge_pages(start: NonNull<u8>, bytes: usize) {
    // SAFETY: the range is our own fresh allocation, and the advice does not change its contents.
    unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
}

#[cfg(any(not(target_os = "linux"), miri))]
fn prefer_huge_pages(_: NonNull<u8>, _: usize) {}
