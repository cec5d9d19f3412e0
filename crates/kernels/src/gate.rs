//! Lets the work of one machine go before that of another.
//!
//! A server answers queries while it ingests photos. Work that holds a [`Gate`] makes the pools that were
//! given it stop before their next piece, a fraction of a millisecond later, so that the cores are free. It costs
//! them nothing but a look at a counter for each piece.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// See the module.
#[derive(Debug, Default)]
pub struct Gate {
    holders: AtomicUsize,
    lock: Mutex<()>,
    opened: Condvar,
}

/// Keeps a [`Gate`] closed until it is dropped.
#[derive(Debug)]
pub struct Held<'a>(&'a Gate);

impl Gate {
    /// An open one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes it. Several may hold it at once.
    pub fn hold(&self) -> Held<'_> {
        self.holders.fetch_add(1, Ordering::SeqCst);
        Held(self)
    }

    /// Waits while anybody holds it.
    #[inline]
    pub fn pass(&self) {
        if self.holders.load(Ordering::Relaxed) > 0 {
            self.wait();
        }
    }

    #[cold]
    fn wait(&self) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.holders.load(Ordering::SeqCst) > 0 {
            let waited = self.opened.wait(guard);
            guard = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.0.holders.fetch_sub(1, Ordering::SeqCst) == 1 {
            // whoever has looked at the counter before has the lock or sleeps by now
            drop(self.0.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.0.opened.notify_all();
        }
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
        let gate = Arc::new(Gate::new());
        let pool = Pool::behind(Arc::clone(&gate), 2);
        let begun = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..ROUNDS {
                let held = gate.hold();
                let other = gate.hold();
                let before = begun.load(Ordering::SeqCst);
                let work = scope.spawn(|| {
                    pool.run(5, |_| {
                        begun.fetch_add(1, Ordering::SeqCst);
                    });
                });
                std::thread::yield_now();
                drop(other);
                assert_eq!(begun.load(Ordering::SeqCst), before);
                drop(held);
                work.join().expect("the pieces do not panic");
                assert_eq!(begun.load(Ordering::SeqCst), before + 5);
            }
        });
    }

    #[test]
    fn a_job_is_stopped_in_the_middle_and_goes_on() {
        let gate = Arc::new(Gate::new());
        for threads in [1, 2] {
            let pool = Pool::behind(Arc::clone(&gate), threads);
            let done = AtomicUsize::new(0);
            let (half, reached) = std::sync::mpsc::channel();
            std::thread::scope(|scope| {
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
                std::thread::yield_now();
                drop(held);
            });
            assert_eq!(done.into_inner(), 100);
        }
    }
}
