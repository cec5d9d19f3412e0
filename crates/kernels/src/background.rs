//! Threads that nobody waits for give way to those that answer somebody.

/// Steps of `nice` that work in the background takes: beside a busy thread that has taken none it gets a tenth of a core.
#[cfg(target_os = "linux")]
const NICE: libc::c_int = 10;

/// Lets the system prefer other threads to the calling one and to those that it starts from now on.
///
/// On Linux, where `nice` is about one thread (nice(2), "C library/kernel differences"); elsewhere it would be about the
/// process, and nothing is done.
pub fn step_back() {
    #[cfg(target_os = "linux")]
    // SAFETY: no memory is involved. A failure leaves the thread as it was.
    unsafe {
        libc::nice(NICE);
    }
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    fn priority() -> libc::c_int {
        // SAFETY: no memory is involved.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }

    #[test]
    fn only_the_thread_and_those_that_it_starts_step_back() {
        let before = priority();
        let (stepped, inherited) = std::thread::spawn(|| {
            step_back();
            (priority(), std::thread::spawn(priority).join())
        })
        .join()
        .expect("nothing panics");
        assert_eq!(stepped, (before + NICE).min(19));
        assert_eq!(inherited.expect("nothing panics"), stepped);
        assert_eq!(priority(), before);
    }
}
