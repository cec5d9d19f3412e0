//! The ways to a row: one file each. A path turns what a query looks for into hits, best first, and
//! knows nothing of the others.
//!
//! Called by [`super::search`], under the collection's lock for searching.

pub(super) mod dense;
pub(super) mod full_text;
pub(super) mod sparse;

use std::{
    ops::{Index, IndexMut},
    sync::Arc,
};

use lookalike_index::{Bitmap, Hit};

/// What found a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetrievalSource {
    /// Its vector, dense or sparse.
    Vector,
    /// Its text.
    FullText,
    /// Both of them.
    Both,
}

/// What one path is asked.
#[derive(Clone)]
pub(super) struct Ask {
    /// How many hits.
    pub(super) k: usize,
    /// Only these rows may answer; `None` allows all.
    pub(super) allowed: Option<Arc<Bitmap>>,
}

/// What it answers.
pub(super) struct Answer {
    /// Best first.
    pub(super) hits: Vec<Hit>,
    /// How they were found, for the request log.
    pub(super) plan: &'static str,
}

/// One of the ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    Dense,
    Sparse,
    FullText,
}

impl Path {
    pub(super) const ALL: [Self; 3] = [Self::Dense, Self::Sparse, Self::FullText];
}

/// Something for each of the ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PerPath<T> {
    pub(super) dense: T,
    pub(super) sparse: T,
    pub(super) full_text: T,
}

impl<T> PerPath<T> {
    /// One for each, by its path.
    pub(super) fn of(make: impl Fn(Path) -> T) -> Self {
        Self {
            dense: make(Path::Dense),
            sparse: make(Path::Sparse),
            full_text: make(Path::FullText),
        }
    }
}

impl<T> Index<Path> for PerPath<T> {
    type Output = T;

    fn index(&self, path: Path) -> &T {
        match path {
            Path::Dense => &self.dense,
            Path::Sparse => &self.sparse,
            Path::FullText => &self.full_text,
        }
    }
}

impl<T> IndexMut<Path> for PerPath<T> {
    fn index_mut(&mut self, path: Path) -> &mut T {
        match path {
            Path::Dense => &mut self.dense,
            Path::Sparse => &mut self.sparse,
            Path::FullText => &mut self.full_text,
        }
    }
}
