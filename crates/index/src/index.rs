//! The index: a segment that searches share, new vectors beside it, and their
//! folding into the next segment.
//!
//! Called by the engine from any thread. Invariants: a change is seen by every
//! search that begins after it, and by none that began before; a search never
//! waits for a fold, and a change waits for no search longer than the scan of one
//! block; scores are exact whatever the plan.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::block::{Moment, NOW};
use crate::delta::Delta;
use crate::generation::Recipe;
use crate::journal::Journal;
use crate::metric::Ranker;
use crate::planner::{Costs, PlanCounts};
use crate::segment::{Ask, Segment};
use crate::topk::TopK;
use crate::{
    Answer, Bitmap, Change, Effort, Hit, IndexError, MAX_K, Metric, Options, Plan, Query, Stats,
    exact,
};

/// Vectors by key. All methods take `&self`: share it between threads.
#[derive(Debug)]
pub struct VectorIndex {
    pub(crate) shared: Arc<Shared>,
}

/// What the index and its folds share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub options: Options,
    pub recipe: Recipe,
    /// Held while a change is made: changes come one at a time. Taken before the state.
    changes: Mutex<Changes>,
    pub state: RwLock<State>,
    /// Held by whoever folds.
    pub folding: Mutex<()>,
    /// A fold in the background is running or about to.
    pub fold_started: AtomicBool,
    /// The index is going away: folds stop.
    pub stop: AtomicBool,
    plans: PlanCounts,
}

/// What making a change needs.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// That of the last change.
    pub generation: u64,
    /// Where changes are written to, for an index in a folder.
    pub journal: Option<Journal>,
}

impl Changes {
    fn log(&mut self, generation: u64, changes: &[Change<'_>]) {
        self.generation = generation;
        if let Some(journal) = &mut self.journal {
            journal.append(generation, changes);
        }
    }
}

/// What searches read.
#[derive(Debug)]
pub(crate) struct State {
    pub segment: Arc<Segment>,
    pub costs: Costs,
    pub delta: Delta,
    /// Changes so far.
    pub now: Moment,
    /// While a fold runs: the keys whose rows died meanwhile.
    pub died: Option<HashSet<u64>>,
}

impl VectorIndex {
    /// An empty index of vectors with `dimension` elements, with the default options.
    ///
    /// # Errors
    /// [`IndexError::Dimension`] outside 1 to [`crate::MAX_DIMENSION`].
    pub fn new(dimension: usize, metric: Metric) -> Result<Self, IndexError> {
        Self::with_options(Options::new(dimension, metric))
    }

    /// An empty index.
    ///
    /// # Errors
    /// As [`VectorIndex::new`].
    pub fn with_options(options: Options) -> Result<Self, IndexError> {
        let recipe = options.recipe()?;
        let segment = Segment::empty(&recipe);
        let state = State {
            costs: Costs::measure(&segment, recipe.metric),
            segment: Arc::new(segment),
            delta: Delta::new(recipe.dimension),
            now: 0,
            died: None,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                options,
                recipe,
                changes: Mutex::default(),
                state: RwLock::new(state),
                folding: Mutex::default(),
                fold_started: AtomicBool::new(false),
                stop: AtomicBool::new(false),
                plans: PlanCounts::default(),
            }),
        })
    }

    pub fn dimension(&self) -> usize {
        self.shared.recipe.dimension
    }

    /// The metric vectors are checked for at insertion.
    pub fn metric(&self) -> Metric {
        self.shared.recipe.metric
    }

    /// How many keys are stored.
    pub fn len(&self) -> usize {
        self.shared.read().live()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, key: u64) -> bool {
        let state = self.shared.read();
        state.delta.find(key).is_some() || state.segment.slot(key).is_some()
    }

    /// The vector stored under a key.
    pub fn vector(&self, key: u64) -> Option<Vec<f32>> {
        let state = self.shared.read();
        if let Some((block, row)) = state.delta.find(key) {
            return Some(block.vector(row).to_vec());
        }
        let slot = state.segment.slot(key)?;
        Some(state.segment.blocks.vector(slot).to_vec())
    }

    /// All keys.
    pub fn keys(&self) -> Bitmap {
        let state = self.shared.read();
        let slots = state.segment.slots.iter();
        let living = slots.filter(|slot| !state.segment.blocks.is_dead(**slot, NOW));
        let mut keys: Bitmap = living.map(|slot| state.segment.blocks.key(*slot)).collect();
        keys.extend(state.delta.keys());
        keys
    }

    /// What the index holds and how it was searched.
    pub fn stats(&self) -> Stats {
        let changes = self.shared.changes();
        let journal = changes.journal.as_ref();
        let state = self.shared.read();
        let segment = &state.segment;
        let graph = segment.graph.as_ref();
        let blocks = segment.blocks.list.iter().chain(&state.delta.sealed);
        let bytes = blocks
            .map(|block| block.bytes())
            .chain([state.delta.open.bytes()]);
        let (vectors, rows) = bytes.fold((0, 0), |sum, bytes| (sum.0 + bytes.0, sum.1 + bytes.1));
        Stats {
            live: state.live(),
            dead: segment.dead_rows(),
            unfolded: state.delta.rows(),
            nodes: segment.owners.len(),
            graph_ef: graph.and_then(|_| segment.tuning.ef(10)),
            vector_bytes: vectors,
            hot_bytes: rows + segment.bytes(),
            log_bytes: journal.map_or(0, |journal| journal.log_bytes),
            snapshot_bytes: journal.map_or(0, |journal| journal.snapshot_bytes),
            persistence_failure: journal.and_then(|journal| journal.broken().map(str::to_owned)),
            plans: self.shared.plans.all(),
        }
    }

    /// Stores a vector under a key, in place of the key's former one.
    ///
    /// # Errors
    /// [`IndexError`] for a wrong length, an element that is not finite, a norm
    /// beyond [`crate::MAX_NORM`], or a zero vector under cosine.
    pub fn insert(&self, key: u64, vector: &[f32]) -> Result<(), IndexError> {
        self.apply(&[Change::Insert { key, vector }])
    }

    /// Forgets a key; true if it was stored.
    pub fn remove(&self, key: u64) -> bool {
        let mut changes = self.shared.changes();
        let generation = changes.generation;
        changes.log(generation, &[Change::Remove { key }]);
        let mut state = self.shared.write();
        state.now += 1;
        let removed = state.remove(key);
        drop(state);
        drop(changes);
        self.fold_if_due();
        removed
    }

    /// Makes several changes at once: a search sees all of them or none. A key that
    /// is removed need not be there.
    ///
    /// # Errors
    /// As [`VectorIndex::insert`] for the first bad vector; then nothing is changed.
    pub fn apply(&self, changes: &[Change<'_>]) -> Result<(), IndexError> {
        self.make(None, changes)
    }

    /// As [`VectorIndex::apply`], for an index whose generation follows that of the
    /// engine's database: after a restart it says which changes the index has.
    ///
    /// # Errors
    /// As [`VectorIndex::apply`].
    pub fn commit(&self, generation: u64, changes: &[Change<'_>]) -> Result<(), IndexError> {
        self.make(Some(generation), changes)
    }

    /// Whether a vector could be inserted.
    ///
    /// # Errors
    /// As [`VectorIndex::insert`].
    pub fn check(&self, vector: &[f32]) -> Result<(), IndexError> {
        self.squared_norm(vector).map(|_| ())
    }

    /// Stops what runs in the background and lets go of the folder. Searches and changes go on
    /// in memory. Waits for what cannot be stopped, such as writing a snapshot.
    pub fn close(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _turn = self
            .shared
            .folding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.shared.changes().journal = None;
    }

    fn make(&self, generation: Option<u64>, list: &[Change<'_>]) -> Result<(), IndexError> {
        let squared_norms = self.squared_norms(list)?;
        let mut changes = self.shared.changes();
        let generation = generation.unwrap_or(changes.generation);
        changes.log(generation, list);
        self.shared.write().make(list, &squared_norms);
        drop(changes);
        self.fold_if_due();
        Ok(())
    }

    /// The squared norms of the vectors of some changes, 0 for removals.
    pub(crate) fn squared_norms(&self, changes: &[Change<'_>]) -> Result<Vec<f32>, IndexError> {
        let norm = |change: &Change<'_>| match change {
            Change::Insert { vector, .. } => self.squared_norm(vector),
            Change::Remove { .. } => Ok(0.0),
        };
        changes.iter().map(norm).collect()
    }

    fn squared_norm(&self, vector: &[f32]) -> Result<f32, IndexError> {
        self.metric().check(self.dimension(), vector)
    }

    /// The best `query.k` hits, best first, and every further hit whose score
    /// equals the last one's. Equal scores are ordered by key.
    ///
    /// # Errors
    /// [`IndexError`] for a vector that could not be stored under the query's
    /// metric, or a `k` outside 1 to [`MAX_K`].
    pub fn search(&self, query: &Query<'_>) -> Result<Vec<Hit>, IndexError> {
        Ok(self.answer(query, Effort::Planned)?.hits)
    }

    /// As [`VectorIndex::search`], with a say in how hard to look, and the plan taken.
    ///
    /// # Errors
    /// As [`VectorIndex::search`].
    pub fn answer(&self, query: &Query<'_>, effort: Effort) -> Result<Answer, IndexError> {
        if !(1..=MAX_K).contains(&query.k) {
            return Err(IndexError::HitCount(query.k));
        }
        let ranker = Ranker::new(query.metric, self.dimension(), query.vector)?;
        let mut top = TopK::new(query.k);
        let mut ask = Ask {
            ranker: &ranker,
            vector: query.vector,
            k: query.k,
            allowed: query.allowed,
            now: NOW,
        };
        let state = self.shared.read();
        ask.now = state.now;
        let (segment, costs, sealed) = (
            state.segment.clone(),
            state.costs,
            state.delta.sealed.clone(),
        );
        let dead = segment.dead_nodes();
        exact::scan(&state.delta.open, &ask, &mut top);
        drop(state);
        for block in &sealed {
            exact::scan(block, &ask, &mut top);
        }
        let plan = if query.metric == self.metric() {
            let keep = segment.keep(&ask, dead.as_ref());
            let (way, mut plan) = match effort {
                Effort::Planned => costs.choose(&segment, query.k, keep.as_ref()),
                Effort::Exact => costs.choose_scan(&segment, keep.as_ref()),
                Effort::Graph { ef } => {
                    costs.choose_graph(&segment, ef.max(query.k), keep.as_ref())
                }
            };
            if !segment.search(&ask, way, keep.as_ref(), &mut top) {
                let (way, _) = costs.choose_scan(&segment, keep.as_ref());
                segment.search(&ask, way, keep.as_ref(), &mut top);
                plan = Plan::BoundedGraphThenScan;
            }
            if segment.owners.len() == 0 {
                Plan::Vectors
            } else {
                plan
            }
        } else {
            segment.scan_vectors(&ask, &mut top);
            Plan::Vectors
        };
        self.shared.plans.count(plan);
        let mut entries = top.into_entries();
        entries.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let hit = |(rank, key)| Hit {
            key,
            score: query.metric.score(rank),
        };
        Ok(Answer {
            hits: entries.into_iter().map(hit).collect(),
            plan,
        })
    }
}

impl Shared {
    /// The right to make changes.
    pub fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod fold_tests;
#[cfg(test)]
mod tests;
