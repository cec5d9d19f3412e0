//! Threads that nobody waits for give way to those that answer somebody: the system prefers the others, and where
//! [`give_way`] is called they stop while a [`Gate`] is held.

use std::cell::RefCell;
use std::sync::Arc;

use crate::gate::Gate;

thread_local! {
    static BEHIND: RefCell<Option<Arc<Gate>>> = const { RefCell::new(None) };
}

/// Lets the system prefer other threads to the calling one, as [`step_back`], and makes its calls of [`give_way`] wait for `gate`.
pub fn step_back_behind(gate: Arc<Gate>) {
    step_back();
    BEHIND.set(Some(gate));
}

/// To be called about once in a fraction of a millisecond by work that may be done in the background, holding no lock:
/// [passes](Gate::pass) the gate that the calling thread stepped back behind, if it did.
pub fn give_way() {
    BEHIND.with_borrow(|gate| {
        if let Some(gate) = gate {
            gate.pass();
        }
    });
}

/// Steps of `nice` that work in the background takes: beside a busy thread that has taken none it gets a tenth of a core.
#[cfg(target_os = "linux")]
const NICE: libc::c_int = 10;

/// How long such work may go on before others of its kind have a turn: longer than what the system gives a thread by
/// itself (3 ms at most). Only so does Linux take the core from it at once when another thread wakes up; without, that
/// one waits for the next tick, and a query is handed from thread to thread some five times.
#[cfg(target_os = "linux")]
const SLICE_NS: u64 = 6_000_000;

/// Lets the system prefer other threads to the calling one and to those that it starts from now on.
///
/// On Linux, where `nice` is about one thread (nice(2), "C library/kernel differences"); elsewhere it would be about the
/// process, and nothing is done. Linux 6.12 and later know of slices (`sched_setattr`(2); `PREEMPT_SHORT` in the kernel's
/// `kernel/sched/features.h`); earlier ones ignore that part.
pub fn step_back() {
    #[cfg(target_os = "linux")]
    // SAFETY: the structure is as long as it says and outlives the call. A failure leaves the thread as it was.
    unsafe {
        libc::nice(NICE);
        // Whoever gave the process real-time priority knows what for.
        if libc::sched_getscheduler(0) == libc::SCHED_OTHER {
            let attributes = SchedulingAttributes {
                size: size_of::<SchedulingAttributes>() as u32,
                policy: libc::SCHED_OTHER as u32,
                flags: 0,
                nice: libc::getpriority(libc::PRIO_PROCESS, 0),
                priority: 0,
                runtime: SLICE_NS,
                deadline: 0,
                period: 0,
            };
            libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0);
        }
    }
}

/// `struct sched_attr` in its first version, as every kernel takes it (`sched_setattr`(2)).
#[cfg(target_os = "linux")]
#[repr(C)]
struct SchedulingAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// The slice of a thread without real-time priority, in nanoseconds.
    runtime: u64,
    deadline: u64,
    period: u64,
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn priority() -> libc::c_int {
        // SAFETY: no memory is involved.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }

    #[test]
    fn only_the_thread_and_those_that_it_starts_step_back() {
        let before = priority();
        let (stepped, inherited) = thread::spawn(|| {
            step_back();
            (priority(), thread::spawn(priority).join())
        })
        .join()
        .expect("nothing panics");
        assert_eq!(stepped, (before + NICE).min(19));
        assert_eq!(inherited.expect("nothing panics"), stepped);
        assert_eq!(priority(), before);
    }

    #[test]
    fn a_thread_gives_way_behind_its_gate_only() {
        let gate = Arc::new(Gate::with_patience(None));
        let held = gate.hold();
        give_way();
        let behind = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                step_back_behind(Arc::clone(&gate));
                give_way();
                gate.is_held()
            })
        };
        thread::sleep(Duration::from_millis(20));
        assert!(!behind.is_finished());
        drop(held);
        assert!(!behind.join().expect("nothing panics"));
    }
}
