//! Why a filter is refused, and where.

/// A refusal with the place in the text that it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at character {position})")]
pub(crate) struct FilterError {
    /// The character, counted from 1.
    pub(crate) position: usize,
    /// What is wrong and what would be right.
    pub(crate) reason: String,
}

impl FilterError {
    pub(super) fn new(position: usize, reason: impl Into<String>) -> Self {
        Self {
            position,
            reason: reason.into(),
        }
    }
}
