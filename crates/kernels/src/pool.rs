//! A few threads that take the pieces of one job together.
//!
//! A forward pass is a chain of some hundred short jobs (a matrix product, a
//! norm), so handing one over must cost less than a microsecond: helpers spin for
//! a moment after each job before they sleep. Each thread has its share of the pieces, the
//! same in each job, so that what it wrote in one is in its own cache in the next (an
//! image on two threads takes 5 to 8 % longer without). Pieces are taken one by one, at
//! last from the others' shares, so that a thread which the system interrupts delays
//! nobody by more than one piece. Which thread does a piece never changes its result:
//! jobs write disjoint places and pieces do not depend on the number of threads.
//!
//! The one `unsafe` promise: [`Pool::run`] returns only after every helper has let
//! go of the closure that it lends them.

use std::any::Any;
use std::cell::UnsafeCell;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;

use crate::gate::Gate;

/// Looks for a new job before a helper goes to sleep: some 50 microseconds.
const SPINS: u32 = if cfg!(miri) { 10 } else { 20_000 };
/// Looks at helpers still at work before the waiting caller offers its core to them.
const PATIENCE: u32 = 10_000;

/// `gate` counts the helpers inside a job in its low bits, …
const OPEN: u64 = 1 << 16;
/// … says in one bit whether they may enter, and numbers the job in the rest.
const JOB: u64 = 1 << 17;

/// A fixed set of threads, the caller's own among them.
pub struct Pool {
    shared: Arc<Shared>,
    /// Held during a job; whoever finds it taken does its job alone.
    turn: Mutex<()>,
    helpers: Vec<JoinHandle<()>>,
}

/// A closure on the stack of the caller, whose lifetime the pool itself sees to.
type Task = &'static (dyn Fn(usize) + Sync);

struct Shared {
    gate: AtomicU64,
    task: UnsafeCell<Option<Task>>,
    pieces: AtomicUsize,
    /// The next piece of each thread's share.
    next: Box<[Next]>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    sleeping: AtomicUsize,
    asleep: Mutex<()>,
    wake: Condvar,
    closing: AtomicBool,
    /// What every piece passes before it begins.
    before: Arc<Gate>,
}

/// Alone in the two lines of cache that processors fetch together.
#[derive(Default)]
#[repr(align(128))]
struct Next(AtomicUsize);

// SAFETY: `task` is written only while the gate is closed and nobody is inside, and
// read only by helpers that entered through the gate after it opened.
unsafe impl Sync for Shared {}
// SAFETY: as above; the task itself is `Sync` and outlives its job.
unsafe impl Send for Shared {}

impl Pool {
    /// A pool whose jobs run on `threads` threads: the caller's and `threads - 1` helpers.
    ///
    /// # Panics
    /// If `threads` is 0 or over 1024, or the system refuses a thread.
    pub fn new(threads: usize) -> Self {
        Self::behind(Arc::new(Gate::new()), threads)
    }

    /// As [`Pool::new`], with pieces that begin only while `before` is open.
    ///
    /// # Panics
    /// As [`Pool::new`].
    pub fn behind(before: Arc<Gate>, threads: usize) -> Self {
        assert!((1..=1024).contains(&threads), "1 to 1024 threads");
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            task: UnsafeCell::new(None),
            pieces: AtomicUsize::new(0),
            next: (0..threads).map(|_| Next::default()).collect(),
            panic: Mutex::new(None),
            sleeping: AtomicUsize::new(0),
            asleep: Mutex::new(()),
            wake: Condvar::new(),
            closing: AtomicBool::new(false),
            before,
        });
        let helpers = (1..threads)
            .map(|i| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("kernel-{i}"))
                    .spawn(move || shared.help(i))
                    .expect("the system gives a thread")
            })
            .collect();
        Self {
            shared,
            turn: Mutex::new(()),
            helpers,
        }
    }

    /// Threads that share a job.
    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Calls `task` once with each of `0..pieces`, on all threads, and returns when all are done.
    ///
    /// A call from within a task, or while another thread uses the pool, runs
    /// its pieces one after the other on the calling thread.
    ///
    /// # Panics
    /// With the panic of a task, after the other threads have finished theirs.
    pub fn run(&self, pieces: usize, task: impl Fn(usize) + Sync) {
        if pieces > 1 && !self.helpers.is_empty() {
            let turn = match self.turn.try_lock() {
                Ok(turn) => Some(turn),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if turn.is_some() {
                return self.share(pieces, &task);
            }
        }
        for piece in 0..pieces {
            self.shared.before.pass();
            task(piece);
        }
    }

    /// Splits `0..items` into ranges of at least `grain` items, a few for each thread, and
    /// calls `task` with each.
    ///
    /// # Panics
    /// As [`Pool::run`].
    pub fn run_ranges(&self, items: usize, grain: usize, task: impl Fn(Range<usize>) + Sync) {
        // more pieces than threads: one that is interrupted holds up less
        let pieces = (items / grain.max(1)).clamp(1, 4 * self.threads());
        let pieces = if self.threads() == 1 { 1 } else { pieces };
        self.run(pieces, |i| {
            task(share(items, i, pieces));
        });
    }

    /// The caller holds the turn.
    fn share(&self, pieces: usize, task: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        // SAFETY: only the lifetime is erased. `Closing` waits for every helper that
        // entered before this function is left, by return or by panic.
        let lent = unsafe {
            std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(task)
        };
        // SAFETY: the gate is closed and nobody is inside: the last job waited for that.
        unsafe { *shared.task.get() = Some(lent) };
        // a job whose caller panicked leaves a helper's panic behind
        drop(lock(&shared.panic).take());
        shared.pieces.store(pieces, Ordering::Relaxed);
        for (thread, next) in shared.next.iter().enumerate() {
            let own = share(pieces, thread, shared.next.len());
            next.0.store(own.start, Ordering::Relaxed);
        }
        let job = shared.gate.load(Ordering::Relaxed) / JOB;
        shared.gate.store(
            job.wrapping_add(1).wrapping_mul(JOB) | OPEN,
            Ordering::SeqCst,
        );
        let closing = Closing(shared);
        if shared.sleeping.load(Ordering::SeqCst) > 0 {
            drop(lock(&shared.asleep));
            shared.wake.notify_all();
        }
        shared.work(0, task);
        drop(closing);
        if let Some(panic) = lock(&shared.panic).take() {
            resume_unwind(panic);
        }
    }
}

/// Closes the gate and waits until the helpers inside have left, also during a panic.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        // after a panic of the caller's own piece the rest is not begun
        self.0.give_up();
        self.0.gate.fetch_and(!OPEN, Ordering::AcqRel);
        let mut looks: u32 = 0;
        while !self.0.gate.load(Ordering::Acquire).is_multiple_of(OPEN) {
            // helpers that are stopped there must not be waited for at the cost of a core
            self.0.before.pass();
            looks = looks.wrapping_add(1);
            if u32::is_multiple_of(looks, PATIENCE) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }
}

impl Shared {
    /// Takes pieces until none is left: first a thread's own, then what the others have not begun.
    fn work(&self, thread: usize, task: &(dyn Fn(usize) + Sync)) {
        let (pieces, threads) = (self.pieces.load(Ordering::Relaxed), self.next.len());
        for owner in (thread..threads).chain(0..thread) {
            let (next, end) = (&self.next[owner].0, share(pieces, owner, threads).end);
            // looked at first: of many threads that all add to each other's counters, each would wait for each
            while next.load(Ordering::Relaxed) < end {
                let piece = next.fetch_add(1, Ordering::Relaxed);
                if piece >= end {
                    break;
                }
                self.before.pass();
                task(piece);
            }
        }
    }

    /// Leaves all pieces that are not begun.
    fn give_up(&self) {
        let pieces = self.pieces.load(Ordering::Relaxed);
        for next in &self.next {
            next.0.fetch_max(pieces, Ordering::Relaxed);
        }
    }

    /// A helper's life.
    fn help(&self, thread: usize) {
        let mut last = 0;
        while let Some(job) = self.enter(last) {
            last = job;
            // SAFETY: inside an open job the task is set and the caller waits for us to leave.
            let task = unsafe { *self.task.get() };
            if let Some(task) = task
                && let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work(thread, task)))
            {
                self.give_up();
                lock(&self.panic).get_or_insert(panic);
            }
            self.gate.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a job other than `last` and enters it; `None` when the pool closes.
    fn enter(&self, last: u64) -> Option<u64> {
        let mut spins = 0;
        loop {
            let gate = self.gate.load(Ordering::Acquire);
            let job = gate / JOB;
            if gate & OPEN != 0 && job != last {
                let entered = self.gate.compare_exchange_weak(
                    gate,
                    gate + 1,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                if entered.is_ok() {
                    return Some(job);
                }
            } else if self.closing.load(Ordering::Relaxed) {
                return None;
            } else if spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else {
                self.sleep(last);
                spins = 0;
            }
        }
    }

    /// Sleeps until there may be a job other than `last`.
    ///
    /// No wake-up is lost: `sleeping` is raised before the gate is looked at, and a
    /// caller opens the gate before it looks at `sleeping`.
    fn sleep(&self, last: u64) {
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        let mut asleep = lock(&self.asleep);
        loop {
            let gate = self.gate.load(Ordering::SeqCst);
            let fresh = gate & OPEN != 0 && gate / JOB != last;
            if fresh || self.closing.load(Ordering::SeqCst) {
                break;
            }
            asleep = self
                .wake
                .wait(asleep)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(asleep);
        self.sleeping.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One of so many equal shares of some items.
fn share(items: usize, index: usize, shares: usize) -> Range<usize> {
    items * index / shares..items * (index + 1) / shares
}

/// A lock whose holders cannot panic: what it guards is whole even if it is poisoned.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        drop(lock(&self.shared.asleep));
        self.shared.wake.notify_all();
        for helper in self.helpers.drain(..) {
            // a helper catches its tasks' panics, so there is no result to look at
            drop(helper.join());
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pool({} threads)", self.threads())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDS: usize = if cfg!(miri) { 3 } else { 300 };

    #[test]
    fn every_piece_is_done_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            for pieces in (0..ROUNDS).map(|i| i % 13) {
                let counts: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
                pool.run(pieces, |i| {
                    counts[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts
                        .iter()
                        .all(|count| count.load(Ordering::Relaxed) == 1)
                );
            }
        }
    }

    #[test]
    fn ranges_cover_all_items_once() {
        let pool = Pool::new(3);
        for items in [0, 1, 2, 5, 100, 1001] {
            for grain in [0, 1, 7, 200] {
                let counts: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
                pool.run_ranges(items, grain, |range| {
                    for i in range {
                        counts[i].fetch_add(1, Ordering::Relaxed);
                    }
                });
                assert!(
                    counts
                        .iter()
                        .all(|count| count.load(Ordering::Relaxed) == 1)
                );
            }
        }
    }

    #[test]
    fn a_job_within_a_job_runs_on_its_own_thread() {
        let pool = Pool::new(2);
        let total = AtomicUsize::new(0);
        pool.run(4, |_| {
            let thread = std::thread::current().id();
            pool.run(5, |i| {
                assert_eq!(std::thread::current().id(), thread);
                total.fetch_add(i, Ordering::Relaxed);
            });
        });
        assert_eq!(total.into_inner(), 40);
    }

    #[test]
    fn several_threads_may_share_a_pool() {
        let pool = Pool::new(2);
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        pool.run(6, |i| {
                            total.fetch_add(i, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 4 * ROUNDS * 15);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = Pool::new(2);
        for bad in 0..6 {
            let failed = catch_unwind(AssertUnwindSafe(|| {
                pool.run(6, |i| assert_ne!(i, bad, "piece {i} is bad"));
            }));
            let panic = failed.expect_err("the bad piece panics");
            let message = panic.downcast_ref::<String>().expect("a formatted message");
            assert!(
                message.contains(&format!("piece {bad} is bad")),
                "{message}"
            );
            let done = AtomicUsize::new(0);
            pool.run(6, |_| {
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(done.into_inner(), 6);
        }
    }

    #[test]
    fn sleeping_helpers_wake_for_a_job() {
        let pool = Pool::new(2);
        for _ in 0..3 {
            while pool.shared.sleeping.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            // two pieces that wait for each other need both threads
            let barrier = std::sync::Barrier::new(2);
            pool.run(2, |_| {
                barrier.wait();
            });
        }
    }
}
