//! Memory that passes leave for the next ones.

use std::sync::{Mutex, PoisonError};

/// What no pass uses at the moment: as many as there ever were passes at once.
#[derive(Debug, Default)]
pub(crate) struct Idle<T>(Mutex<Vec<T>>);

impl<T: Default> Idle<T> {
    /// Lends one to `run`. A pass that panics loses its memory, no more.
    pub(crate) fn with<R>(&self, run: impl FnOnce(&mut T) -> R) -> R {
        let idle = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = idle().pop().unwrap_or_default();
        let result = run(&mut memory);
        idle().push(memory);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_reused_and_never_shared() {
        let idle = Idle::<Vec<u8>>::default();
        idle.with(|outer| {
            outer.push(1);
            idle.with(|inner| {
                assert!(inner.is_empty());
                inner.push(2);
            });
        });
        assert_eq!(idle.with(|last| last.clone()), [1]);
    }
}
