//! The threads and instructions that models share.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use lookalike_kernels::{Cpu, Gate, Machine, step_back};

/// What models compute with; shared by all.
#[derive(Debug)]
pub(crate) struct Machines {
    pub(crate) query: Machine,
    /// Stops while `gate` is held.
    pub(crate) ingest: Machine,
    pub(crate) gate: Arc<Gate>,
}

impl Machines {
    pub(crate) fn new(cpu: Cpu, threads: usize) -> Self {
        let gate = Arc::new(Gate::new());
        let ingest = || {
            // The machine's threads are started here and step back with this one.
            step_back();
            Machine::behind(Arc::clone(&gate), cpu, threads)
        };
        let ingest = thread::scope(|scope| scope.spawn(ingest).join());
        Self {
            query: Machine::new(cpu, threads),
            ingest: ingest.unwrap_or_else(|panic| resume_unwind(panic)),
            gate,
        }
    }
}
