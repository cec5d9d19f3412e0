//! Lets the work of one machine go before that of another.
//!
//! A server answers queries while it ingests photos. Work that holds a [`Gate`] makes the pools that were
//! given it, and the threads that stepped back behind it, stop before their next piece, a fraction of a millisecond
//! later, so that the cores are free. It costs them nothing but a look at a counter for each piece.
//!
//! Who waits looks again each millisecond and is not woken by whoever opens the gate: threads that wake up in the last
//! moment of a query, having slept for all of it, would get the core before the query's own, until the kernel's next
//! tick. Nobody waits for ever, so that queries without a gap do not stop ingestion: who waits does so for those that
//! hold the gate when he comes, for a second at most, and all may then go on for a quarter of that time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks of one who waits.
const LOOK: Duration = Duration::from_millis(1);
/// The longest that anybody waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much longer the waiting was than the turn that follows it.
const TURN: u32 = 4;

/// See the module.
#[derive(Debug)]
pub struct Gate {
    holders: AtomicUsize,
    /// How many have held it and do so no more.
    ended: AtomicUsize,
    made: Instant,
    /// Until when nobody waits, in microseconds after it was made.
    free_until: AtomicU64,
    /// `None` in tests: then who waits does so until nobody holds it.
    patience: Option<Duration>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::with_patience(Some(PATIENCE))
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

    pub(crate) fn with_patience(patience: Option<Duration>) -> Self {
        Self {
            holders: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
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

    /// Waits for those who hold it, but a second at most.
    #[inline]
    pub fn pass(&self) {
        if self.is_held() {
            self.wait(self.all_ended());
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.holders.load(Ordering::SeqCst) > 0
    }

    /// The value of `ended` once all have ended who hold it now, or a greater one: one that ends meanwhile counts twice.
    fn all_ended(&self) -> usize {
        let holders = self.holders.load(Ordering::SeqCst);
        self.ended.load(Ordering::SeqCst).wrapping_add(holders)
    }

    /// Waits until so many have ended.
    #[cold]
    fn wait(&self, all_ended: usize) {
        let began = self.made.elapsed();
        if micros(began) < self.free_until.load(Ordering::Relaxed) {
            return;
        }
        while self.is_held() {
            if let Some(patience) = self.patience {
                let ended = self.ended.load(Ordering::SeqCst);
                let now = self.made.elapsed();
                let waited = now.saturating_sub(began);
                if ended >= all_ended || waited >= patience {
                    let until = micros(now + waited / TURN);
                    self.free_until.fetch_max(until, Ordering::Relaxed);
                    return;
                }
                if micros(now) < self.free_until.load(Ordering::Relaxed) {
                    return;
                }
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
        // in this order, as `all_ended` has to have it
        self.0.ended.fetch_add(1, Ordering::SeqCst);
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
        let gate = Arc::new(Gate::with_patience(None));
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
    fn who_waits_does_not_wait_for_later_ones() {
        let gate = Gate::new();
        let first = gate.hold();
        let all_ended = gate.all_ended();
        let later = gate.hold();
        drop(first);
        gate.wait(all_ended);
        assert!(gate.is_held());
        drop(later);
    }

    #[test]
    fn nobody_waits_for_ever_and_then_it_is_a_turn_for_all() {
        let patience = 40 * LOOK;
        let gate = Gate::with_patience(Some(patience));
        let turn_ends = || gate.free_until.load(Ordering::Relaxed);
        let held = gate.hold();
        gate.pass();
        assert!(gate.made.elapsed() >= patience);
        let first = turn_ends();
        assert!(first >= micros(patience + patience / TURN));
        gate.pass();
        assert!(turn_ends() == first || micros(gate.made.elapsed()) > first);
        thread::sleep(patience);
        gate.pass();
        assert!(turn_ends() > first);
        drop(held);
    }

    #[test]
    fn a_job_is_stopped_in_the_middle_and_goes_on() {
        let gate = Arc::new(Gate::with_patience(None));
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
