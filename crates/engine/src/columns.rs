//! The columns of a collection in memory: which rows match a filter, and in which order rows are.
//!
//! [`crate::resident::Resident`] holds one of these a collection. Only what filters ask for is
//! loaded, a column at a time, and stays; whoever changes rows names them, and the next filter
//! reads those again and no others.
//!
//! Invariant: [`crate::resident::Changing`] calls [`ColumnCache::touch`] with the keys of all rows
//! that are added, changed or removed, under the collection's lock for change and before the
//! commit, and whoever asks holds the lock for searching or the transaction that writes. So an answer is about the rows that are
//! committed, all of a job or nothing of it.

mod load;

pub(crate) use self::load::BATCH_ROWS;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use lookalike_index::Bitmap;
use sqlx::SqliteConnection;

use crate::{
    cpu::{Cpu, Lane},
    error::EngineError,
    filter::{Column, Filter, OrderBy, Source, StoredRow},
};

/// Columns kept; beyond it the one that was not asked for the longest goes.
const MAX_KEPT_COLUMNS: usize = 64;

/// Answers kept until the next change of the collection.
const MAX_KEPT_ANSWERS: usize = 32;

/// Dead rows that are put up with before everything is loaded anew.
const MAX_DEAD_ROWS: usize = 4096;

/// A collection's columns.
#[derive(Default)]
pub(crate) struct ColumnCache {
    /// Held while rows are read, so that they are read once.
    state: tokio::sync::Mutex<State>,
    /// Keys of rows that changed since they were read, oldest first.
    touched: Mutex<Vec<u64>>,
}

#[derive(Default)]
struct State {
    /// Nothing before the first question.
    table: Option<Arc<Table>>,
    /// By the filter's text.
    answers: HashMap<String, Arc<Bitmap>>,
    /// Counts questions; tells how old a column's last use is.
    clock: u64,
}

/// Rows by position. A changed row gets a new position, its old one is dead.
#[derive(Clone, Default)]
struct Table {
    keys: Vec<u64>,
    /// Where the living row of a key is.
    positions: HashMap<u64, usize>,
    /// A bit a position, set where the row lives.
    live: Vec<u64>,
    columns: Vec<Kept>,
}

#[derive(Clone)]
struct Kept {
    source: Source,
    column: Arc<Column>,
    used: u64,
}

/// Some rows in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderedPage {
    /// The keys of the page.
    pub(crate) keys: Vec<u64>,
    /// How many rows there are with those before and behind it.
    pub(crate) total: usize,
}

/// What every question needs: a connection that sees the committed rows, and the door to work.
pub(crate) struct Reader<'a> {
    pub(crate) connection: &'a mut SqliteConnection,
    pub(crate) collection_id: i64,
    pub(crate) cpu: &'a Cpu,
}

impl ColumnCache {
    /// Says that these rows were added, changed or removed; see the invariant of this module.
    pub(crate) fn touch(&self, keys: impl IntoIterator<Item = u64>) {
        self.touched().extend(keys);
    }

    /// The keys of the rows that match.
    pub(crate) async fn matching(
        &self,
        mut reader: Reader<'_>,
        filter: &Arc<Filter>,
    ) -> Result<Arc<Bitmap>, EngineError> {
        let mut state = self.state.lock().await;
        let table = self
            .table(&mut state, &mut reader, filter.sources())
            .await?;
        if let Some(answer) = state.answers.get(filter.text()) {
            return Ok(Arc::clone(answer));
        }
        drop(state);
        let (asked, rows) = (Arc::clone(filter), Arc::clone(&table));
        let answer = reader
            .cpu
            .run(Lane::Request, move || {
                let columns = rows.columns(asked.sources());
                let matching = asked.rows(&columns, &rows.live)?;
                Ok(positions(&matching).map(|at| rows.keys[at]).collect())
            })
            .await?
            .map_err(|reason: String| EngineError::invalid("Filter", reason))?;
        let answer: Arc<Bitmap> = Arc::new(answer);
        let mut state = self.state.lock().await;
        // An answer over rows that have changed meanwhile is good for its asker only.
        if state
            .table
            .as_ref()
            .is_some_and(|now| Arc::ptr_eq(now, &table))
        {
            if state.answers.len() >= MAX_KEPT_ANSWERS {
                state.answers.clear();
            }
            state
                .answers
                .insert(filter.text().to_owned(), Arc::clone(&answer));
        }
        Ok(answer)
    }

    /// Up to `limit` rows behind the first `offset`, of those in `allowed` when it is given.
    pub(crate) async fn ordered(
        &self,
        mut reader: Reader<'_>,
        order: &Arc<OrderBy>,
        allowed: Option<Arc<Bitmap>>,
        offset: usize,
        limit: usize,
    ) -> Result<OrderedPage, EngineError> {
        let mut state = self.state.lock().await;
        let rows = self.table(&mut state, &mut reader, order.sources()).await?;
        drop(state);
        let order = Arc::clone(order);
        let sort = move || {
            let columns = rows.columns(order.sources());
            let mut found: Vec<usize> = positions(&rows.live)
                .filter(|at| {
                    allowed
                        .as_ref()
                        .is_none_or(|allowed| allowed.contains(rows.keys[*at]))
                })
                .collect();
            let total = found.len();
            let end = offset.saturating_add(limit);
            if end < total {
                found.select_nth_unstable_by(end, |one, other| {
                    order.compare(&columns, *one, *other)
                });
                found.truncate(end);
            }
            found.sort_unstable_by(|one, other| order.compare(&columns, *one, *other));
            let keys = found
                .into_iter()
                .skip(offset)
                .map(|at| rows.keys[at])
                .collect();
            OrderedPage { keys, total }
        };
        reader.cpu.run(Lane::Request, sort).await
    }

    /// The rows as they are committed, with at least the columns of `wanted`.
    async fn table(
        &self,
        state: &mut State,
        reader: &mut Reader<'_>,
        wanted: &[Source],
    ) -> Result<Arc<Table>, EngineError> {
        state.clock += 1;
        let touched = self.touched().clone();
        // Taken out while it is worked on: if reading fails or the asker leaves, what is left is
        // nothing, which is right.
        let mut table = state.table.take();
        if !touched.is_empty() {
            state.answers.clear();
            table = match table {
                Some(table) if table.is_worth_mending(touched.len()) => {
                    Some(load::again(reader, table, touched.iter().copied().collect()).await?)
                }
                _ => None,
            };
        }
        let mut table = table.unwrap_or_else(|| {
            state.answers.clear();
            Arc::default()
        });
        let is_new = table.keys.is_empty();
        let missing: Vec<Source> = wanted
            .iter()
            .filter(|source| table.find(source).is_none())
            .cloned()
            .collect();
        if is_new || !missing.is_empty() {
            table = load::columns(reader, table, missing).await?;
        }
        let kept = Arc::make_mut(&mut table);
        for source in wanted {
            if let Some(at) = kept.find(source) {
                kept.columns[at].used = state.clock;
            }
        }
        while kept.columns.len() > MAX_KEPT_COLUMNS.max(wanted.len()) {
            let oldest = (0..kept.columns.len()).min_by_key(|at| kept.columns[*at].used);
            kept.columns.swap_remove(oldest.expect("there are columns"));
        }
        self.touched().drain(..touched.len());
        state.table = Some(Arc::clone(&table));
        Ok(table)
    }

    fn touched(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        // A list of keys is whole between any two statements, whoever panicked.
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, source: &Source) -> Option<usize> {
        self.columns.iter().position(|kept| kept.source == *source)
    }

    /// The columns of some sources, all of which are there.
    fn columns(&self, sources: &[Source]) -> Vec<&Column> {
        sources
            .iter()
            .map(|source| {
                let at = self
                    .find(source)
                    .expect("the table was made for these sources");
                &*self.columns[at].column
            })
            .collect()
    }

    /// Whether reading so many rows again is less work than reading all, and the dead are few.
    fn is_worth_mending(&self, touched: usize) -> bool {
        let dead = self.keys.len() - self.positions.len();
        touched <= self.positions.len().max(64)
            && dead + touched <= MAX_DEAD_ROWS.max(self.positions.len())
    }

    /// Ends the life of a row.
    fn remove(&mut self, key: u64) {
        if let Some(at) = self.positions.remove(&key) {
            self.live[at / 64] &= !(1 << (at % 64));
        }
    }

    /// Adds a row to the keys; its values are the columns' business.
    fn append(&mut self, key: u64) {
        let at = self.keys.len();
        self.keys.push(key);
        self.positions.insert(key, at);
        if at.is_multiple_of(64) {
            self.live.push(0);
        }
        self.live[at / 64] |= 1 << (at % 64);
    }

    /// Adds a row with its values.
    fn append_row(&mut self, key: u64, row: &StoredRow) {
        self.append(key);
        for kept in &mut self.columns {
            Arc::make_mut(&mut kept.column).push(kept.source.read(row));
        }
    }
}

/// The positions of the set bits.
fn positions(bits: &[u64]) -> impl Iterator<Item = usize> + '_ {
    bits.iter().enumerate().flat_map(|(word, bits)| {
        let mut left = *bits;
        std::iter::from_fn(move || {
            (left != 0).then(|| {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                word * 64 + bit
            })
        })
    })
}
