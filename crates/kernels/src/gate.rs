//! Lets the work of one machine go before that of another.
//!
//! A server answers queries while it ingests photos. Work that holds a [`Gate`] makes the pools that were
//! given it, and the threads that stepped back behind it, stop before their next piece, a fraction of a millisecond
//! later, so that the cores are free. It costs them nothing but a look at a counter for each piece.
//!
//! Who waits looks again each millisecond and is not woken by whoever opens the gate: threads that wake up in the last
//! moment of a query, having slept for all of it, would get the core before the query's own, until the kernel's next
//! tick. Nobody waits for ever, so that queries without a gap do not stop ingestion.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks of one who waits.
const LOOK: Duration = Duration::from_millis(1);
/// The longest that anybody waits, and how long all may then go on, whoever holds the gate.
const PATIENCE: Duration = Duration::from_secs(1);
const TURN: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Debug)]
pub struct Gate {
    holders: AtomicUsize,
    made: Instant,
    /// Until when nobody waits, in microseconds after it was made.
    free_until: AtomicU64,
    patience: Duration,
}

impl Default for Gate {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

/// Keeps a [`Gate`] closed until it is dropped.
#[derive(Debug)]
pub struct Held<'a>(&'a Gate);

impl Gate {
    /// An open one.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_patience(patience: Duration) -> Self {
        Self {
            holders: AtomicUsize::new(0),
            made: Instant::now(),
            free_until: AtomicU64::new(0),
            patience,
        }
    }

    /// Closes it. Several may hold it at once.
    pub fn hold(&self) -> Held<'_> {
        self.holders.fetch_add(1, Ordering::SeqCst);
        Held(self)
    }

    /// Waits while anybody holds it, but a second at most.
    #[inline]
    pub fn pass(&self) {
        if self.is_held() {
            self.wait();
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.holders.load(Ordering::Relaxed) > 0
    }

    #[cold]
    fn wait(&self) {
        let began = self.made.elapsed();
        while self.is_held() {
            let now = self.made.elapsed();
            if micros(now) < self.free_until.load(Ordering::Relaxed) {
                return;
            }
            if now.saturating_sub(began) >= self.patience {
                self.free_until.store(micros(now + TURN), Ordering::Relaxed);
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.holders.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pool::Pool;

    const ROUNDS: usize = if cfg!(miri) { 3 } else { 200 };

    #[test]
    fn an_open_gate_stops_nobody() {
        let gate = Gate::new();
        gate.pass();
        drop(gate.hold());
        gate.pass();
    }

    #[test]
    fn no_piece_begins_while_the_gate_is_held() {
        let gate = Arc::new(Gate::with_patience(Duration::MAX));
        let pool = Pool::behind(Arc::clone(&gate), 2);
        let begun = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..ROUNDS {
                let held = gate.hold();
                let other = gate.hold();
                let before = begun.load(Ordering::SeqCst);
                let work = scope.spawn(|| {
                    pool.run(5, |_| {
                        begun.fetch_add(1, Ordering::SeqCst);
                    });
                });
                thread::yield_now();
                drop(other);
                assert_eq!(begun.load(Ordering::SeqCst), before);
                drop(held);
                work.join().expect("the pieces do not panic");
                assert_eq!(begun.load(Ordering::SeqCst), before + 5);
            }
        });
    }

    #[test]
    fn nobody_waits_for_ever_and_then_it_is_a_turn_for_all() {
        let gate = Gate::with_patience(3 * LOOK);
        let turn_ends = || gate.free_until.load(Ordering::Relaxed);
        let held = gate.hold();
        gate.pass();
        assert!(gate.made.elapsed() >= 3 * LOOK);
        let first = turn_ends();
        gate.pass();
        assert!(turn_ends() == first || micros(gate.made.elapsed()) > first);
        thread::sleep(TURN);
        gate.pass();
        assert!(turn_ends() > first);
        drop(held);
    }

    #[test]
    fn a_job_is_stopped_in_the_middle_and_goes_on() {
        let gate = Arc::new(Gate::with_patience(Duration::MAX));
        for threads in [1, 2] {
            let pool = Pool::behind(Arc::clone(&gate), threads);
            let done = AtomicUsize::new(0);
            let (half, reached) = std::sync::mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(|| {
                    pool.run(100, |_| {
                        if done.fetch_add(1, Ordering::SeqCst) == 50 {
                            half.send(()).expect("the test listens");
                        }
                    });
                });
                reached.recv().expect("the job gets that far");
                let held = gate.hold();
                // pieces that had begun may end
                thread::yield_now();
                drop(held);
            });
            assert_eq!(done.into_inner(), 100);
        }
    }
}
