//! When memory is read: asked for before it is needed, or by the compiler not too early. Hints: they never fault and change no result.

/// Words, or floats, in a line of cache.
pub(crate) const LINE_WORDS: usize = 16;

/// Asks for the line of cache at `address`, which may be any, in the first level.
#[inline(always)]
pub(crate) fn to_first_level(address: *const u32) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every x86-64 has the instruction, and it takes any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// Asks for the line of cache at `address`, which may be any, in the second level.
#[inline(always)]
pub(crate) fn to_second_level(address: *const u32) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every x86-64 has the instruction, and it takes any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// `index`, but so that the compiler moves no load with it before another call's. No instruction comes of it.
#[inline(always)]
pub(crate) fn in_order(index: usize) -> usize {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let mut index = index;
        // SAFETY: there is no instruction.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) index, options(nomem, nostack, preserves_flags));
        }
        index
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    index
}

/// `value`, but so that the compiler reads nothing of it before: what one of many branches needs is not made ready for all of
/// them in front of a loop. No instruction comes of it.
#[inline(always)]
pub(crate) fn afresh<T>(value: &T) -> &T {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let mut address: *const T = value;
        // SAFETY: there is no instruction, and the address is the same.
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) address, options(nostack, preserves_flags));
            &*address
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    value
}
