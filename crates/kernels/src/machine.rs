//! What kernels run on: instructions and threads.

use std::sync::Arc;

use crate::dispatch::Cpu;
use crate::gate::Gate;
use crate::pool::Pool;

/// A processor level and the threads that share the work.
#[derive(Debug)]
pub struct Machine {
    /// The instructions.
    pub cpu: Cpu,
    /// The threads.
    pub pool: Pool,
}

impl Machine {
    /// `threads` threads that use the instructions of `cpu`.
    ///
    /// # Panics
    /// As [`Pool::new`].
    pub fn new(cpu: Cpu, threads: usize) -> Self {
        Self {
            cpu,
            pool: Pool::new(threads),
        }
    }

    /// As [`Machine::new`], for work that stops while `before` is held.
    ///
    /// # Panics
    /// As [`Pool::new`].
    pub fn behind(before: Arc<Gate>, cpu: Cpu, threads: usize) -> Self {
        Self {
            cpu,
            pool: Pool::behind(before, threads),
        }
    }
}
