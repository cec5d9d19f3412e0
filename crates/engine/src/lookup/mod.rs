//! Lists in memory of what a collection's rows hold: the words of their texts, the indices of their
//! sparse vectors.
//!
//! [`crate::resident::Resident`] holds one of each a collection. They are loaded in the background
//! after the start, or by the first query that needs them; from then on whoever changes rows names
//! them, and the next query reads those again and no others. Nothing of it is stored: rows are the
//! truth, and reading them all again takes a second or two for a hundred thousand (docs/adr/0003).
//!
//! Invariant: as for [`crate::columns::ColumnCache`], [`Lookup::touch`] is called with the keys of
//! all rows that change, under the collection's lock for change and before the commit, and whoever
//! asks holds the lock for searching. So an answer is about the rows that are committed.

mod sparse;
mod text;

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

pub(crate) use self::{sparse::SparseRecipe, text::TextRecipe};
use crate::{
    columns::Reader,
    cpu::Lane,
    error::EngineError,
    store::row_content::{self, Parts, RowContent},
};

/// Rows read and taken in at a time.
const BATCH_ROWS: usize = 1024;

/// Changed rows that are remembered whatever the number of rows; beyond it and the number of rows
/// all are read anew.
const MAX_TOUCHED: usize = 4096;

/// What is made of rows: one of the indexes of `lookalike_index`.
pub(crate) trait Table: Default + Send + Sync + 'static {
    /// What it makes of a row.
    type Recipe: Clone + PartialEq + Send + Sync + 'static;

    /// What of a row the recipe needs.
    fn parts(recipe: &Self::Recipe) -> Parts;

    /// Takes a row in, in place of what it was before.
    fn put(&mut self, recipe: &Self::Recipe, row: RowContent) -> Result<(), EngineError>;

    /// Forgets a row, if it is there.
    fn remove(&mut self, key: u64);

    /// How many rows there are.
    fn len(&self) -> usize;
}

/// A table that follows its collection's rows.
pub(crate) struct Lookup<T: Table> {
    /// Held while rows are read, so that they are read once.
    state: tokio::sync::Mutex<Option<Kept<T>>>,
    touched: Mutex<Vec<u64>>,
    /// Without a table, or one that is being made, there is nothing to remember changes for.
    is_followed: AtomicBool,
}

struct Kept<T: Table> {
    recipe: T::Recipe,
    table: Arc<RwLock<T>>,
}

impl<T: Table> Default for Lookup<T> {
    fn default() -> Self {
        Self {
            state: tokio::sync::Mutex::default(),
            touched: Mutex::default(),
            is_followed: AtomicBool::new(false),
        }
    }
}

impl<T: Table> Lookup<T> {
    /// Says that these rows were added, changed or removed; see the invariant of this module.
    pub(crate) fn touch(&self, keys: &[u64]) {
        if self.is_followed.load(Ordering::Acquire) {
            self.touched().extend(keys);
        }
    }

    /// The table of the committed rows.
    pub(crate) async fn current(
        &self,
        reader: &mut Reader<'_>,
        recipe: &T::Recipe,
    ) -> Result<Arc<RwLock<T>>, EngineError> {
        let mut state = self.state.lock().await;
        let touched = self.touched().clone();
        // Taken out while it is worked on: if reading fails or the asker leaves, what is left is
        // nothing, which is right.
        let kept = state.take().filter(|kept| {
            kept.recipe == *recipe && touched.len() <= MAX_TOUCHED.max(read(&kept.table).len())
        });
        let table = match kept {
            Some(kept) => mended(reader, recipe, kept.table, &touched).await?,
            None => loaded(reader, recipe).await?,
        };
        self.touched().drain(..touched.len());
        self.is_followed.store(true, Ordering::Release);
        *state = Some(Kept {
            recipe: recipe.clone(),
            table: Arc::clone(&table),
        });
        Ok(table)
    }

    /// Loads the table before anybody asks. `searching` is the collection's lock for searching: it is
    /// let go of as soon as changes are remembered, so that who makes them need not wait for the
    /// rows to be read. Those that change meanwhile are read again when somebody asks.
    pub(crate) async fn load_ahead(
        &self,
        reader: &mut Reader<'_>,
        recipe: &T::Recipe,
        searching: impl Sized,
    ) -> Result<(), EngineError> {
        let mut state = self.state.lock().await;
        if state.is_some() {
            return Ok(());
        }
        self.is_followed.store(true, Ordering::Release);
        drop(searching);
        match loaded(reader, recipe).await {
            Ok(table) => {
                let recipe = recipe.clone();
                *state = Some(Kept { recipe, table });
                Ok(())
            }
            Err(error) => {
                self.is_followed.store(false, Ordering::Release);
                self.touched().clear();
                Err(error)
            }
        }
    }

    /// Waits while rows are read. Who waits so before the collection's lock and a connection are taken keeps
    /// neither from others meanwhile.
    pub(crate) async fn settled(&self) {
        drop(self.state.lock().await);
    }

    fn touched(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        // A list of keys is whole between any two statements, whoever panicked.
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For asking. Who panicked while changing a table has taken it along, see [`Lookup::current`].
pub(crate) fn read<T: Table>(table: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    table.read().unwrap_or_else(PoisonError::into_inner)
}

/// All rows of the collection.
async fn loaded<T: Table>(
    reader: &mut Reader<'_>,
    recipe: &T::Recipe,
) -> Result<Arc<RwLock<T>>, EngineError> {
    let table = Arc::new(RwLock::new(T::default()));
    let (parts, mut after) = (T::parts(recipe), 0);
    loop {
        let collection_id = reader.collection_id;
        let rows = row_content::after(reader.connection, (collection_id, parts), after, BATCH_ROWS)
            .await?;
        let Some(last) = rows.last() else {
            return Ok(table);
        };
        after = last.key;
        put_all(reader, recipe, &table, (Vec::new(), rows)).await?;
    }
}

/// The table with some rows read again: those that are gone leave it.
async fn mended<T: Table>(
    reader: &mut Reader<'_>,
    recipe: &T::Recipe,
    table: Arc<RwLock<T>>,
    touched: &[u64],
) -> Result<Arc<RwLock<T>>, EngineError> {
    for keys in touched.chunks(BATCH_ROWS) {
        let asked = (reader.collection_id, T::parts(recipe));
        let rows = row_content::of(reader.connection, asked, keys).await?;
        put_all(reader, recipe, &table, (keys.to_vec(), rows)).await?;
    }
    Ok(table)
}

/// Removes rows, then takes rows in.
async fn put_all<T: Table>(
    reader: &Reader<'_>,
    recipe: &T::Recipe,
    table: &Arc<RwLock<T>>,
    (gone, rows): (Vec<u64>, Vec<RowContent>),
) -> Result<(), EngineError> {
    let (table, recipe) = (Arc::clone(table), recipe.clone());
    let put = move || {
        let mut table = table.write().unwrap_or_else(PoisonError::into_inner);
        for key in gone {
            table.remove(key);
        }
        rows.into_iter().try_for_each(|row| table.put(&recipe, row))
    };
    reader.cpu.run(Lane::Request, put).await?
}
