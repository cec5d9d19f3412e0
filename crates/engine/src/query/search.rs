//! From what a query looks for to the rows that are found, in an order that equal data always has.
//!
//! Every operation that searches comes here with a [`Search`] and a [`Sought`].

use std::{collections::HashMap, sync::Arc, time::Instant};

use lookalike_index::{Bitmap, Metric};
use serde_json::{Map, Value};
use sqlx::SqliteConnection;

use super::{
    Match, Wanted, Window,
    conditions::Conditions,
    fuse::Scored,
    hybrid::Fusion,
    mix::{self, Findings, Manner, Scene, Sought},
};
use crate::{
    engine::Inner,
    error::EngineError,
    metadata::Columns,
    rows::check,
    store::{self, chunk::ChunkRow, collection::CollectionRow},
};

/// A query without what it looks for.
pub(super) struct Search {
    pub(super) metric: Metric,
    /// How several answers become one; `None` searches by vector alone.
    pub(super) fusion: Option<Fusion>,
    pub(super) window: Window,
    pub(super) conditions: Conditions,
    pub(super) wanted: Wanted,
}

/// What a query found.
pub(super) struct Found {
    /// The rows of the window, in their order.
    pub(super) matches: Vec<Match>,
    /// How many rows there are that meet the filter.
    pub(super) total: usize,
}

impl Inner {
    /// The rows of the window, best first.
    pub(super) async fn search(
        &self,
        row: &CollectionRow,
        sought: Sought,
        search: &Search,
    ) -> Result<Found, EngineError> {
        let Window { offset, top_k } = search.window;
        let manner = Manner {
            metric: search.metric,
            k: offset + top_k,
            fusion: search.fusion,
        };
        let resident = self.residents.get(&self.store, row).await?;
        if sought.words.is_some() {
            resident.lookups().texts.settled().await;
        }
        if sought.sparse.is_some() {
            resident.lookups().sparse.settled().await;
        }
        let mut connection = self.store.reader().await?;
        // Held until the rows are read: no job commits between the search and the reading.
        let index = Arc::new(resident.lock_for_search().await);
        let started = Instant::now();
        let allowed = self
            .allowed(&mut connection, row, &resident, &search.conditions)
            .await?;
        record_us("filter_us", started);
        let started = Instant::now();
        let total = (allowed.as_ref()).map_or_else(|| index.len(), |allowed| allowed.len());
        let scene = Scene {
            cpu: &self.cpu,
            row,
            resident: &resident,
            index: &index,
            allowed,
        };
        let reader = self.column_reader(&mut connection, row);
        let findings = mix::find(&scene, reader, (sought, manner)).await?;
        record_us("search_us", started);
        tracing::Span::current().record("plan", &*findings.plan);
        let started = Instant::now();
        let keys: Vec<u64> = findings.found.iter().map(|found| found.key).collect();
        let rows = store::chunk::find(&mut connection, &keys).await?;
        let mut winners = ranked(findings, rows);
        winners.truncate(manner.k);
        winners.drain(..offset.min(winners.len()));
        if let Some(order) = &search.conditions.order {
            let keys: Bitmap = winners.iter().map(|(_, row)| row.key).collect();
            let reader = self.column_reader(&mut connection, row);
            let page = resident
                .columns()
                .ordered(reader, order, Some(Arc::new(keys)), 0, winners.len())
                .await?;
            let places: HashMap<u64, usize> = page.keys.into_iter().zip(0..).collect();
            winners.sort_by_key(|(_, row)| places.get(&row.key).copied());
        }
        let columns = &row.collection.columns;
        let matches = shown(&mut connection, columns, winners, &search.wanted).await?;
        drop(index);
        record_us("fetch_us", started);
        Ok(Found { matches, total })
    }
}

/// Writes down in the request's log line what a part of it took.
pub(super) fn record_us(part: &'static str, since: Instant) {
    let us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::Span::current().record(part, us);
}

/// Rows with their scores as matches with all that is wanted of them.
pub(super) async fn shown(
    connection: &mut SqliteConnection,
    columns: &Columns,
    rows: Vec<(Scored, ChunkRow)>,
    wanted: &Wanted,
) -> Result<Vec<Match>, EngineError> {
    let keys: Vec<u64> = rows.iter().map(|(_, row)| row.key).collect();
    let (mut vectors, mut sparse) = (HashMap::new(), HashMap::new());
    if wanted.vector {
        vectors.extend(store::chunk::vectors(connection, &keys).await?);
    }
    if wanted.sparse {
        sparse.extend(store::row::sparse_of(connection, &keys).await?);
    }
    rows.into_iter()
        .map(|(found, row)| {
            let stored: Map<String, Value> =
                serde_json::from_str(&row.metadata).map_err(EngineError::internal)?;
            let fields = wanted.fields.as_deref();
            Ok(Match {
                vector: vectors.remove(&row.key),
                sparse: (sparse.remove(&row.key))
                    .map(|bytes| check::read_sparse(&bytes))
                    .transpose()?,
                id: row.id,
                file_name: row.file_name,
                object: row.object,
                content: row.content,
                loader_metadata: row.loader_metadata,
                metadata: columns.texts(&stored, fields),
                values: if wanted.values {
                    columns.values(&stored, fields)
                } else {
                    Vec::new()
                },
                score: found.score,
                source: found.source,
                rerank_score: None,
            })
        })
        .collect()
}

/// What was found with its rows: by score, then file name, then id. A hit whose row is gone belongs
/// to a collection that is being deleted.
fn ranked(findings: Findings, rows: Vec<ChunkRow>) -> Vec<(Scored, ChunkRow)> {
    let mut rows: HashMap<u64, ChunkRow> = rows.into_iter().map(|row| (row.key, row)).collect();
    let mut ranked: Vec<(Scored, ChunkRow)> = findings
        .found
        .into_iter()
        .filter_map(|found| rows.remove(&found.key).map(|row| (found, row)))
        .collect();
    ranked.sort_by(|(one, one_row), (other, other_row)| {
        let by_score = if findings.larger_is_better {
            other.score.total_cmp(&one.score)
        } else {
            one.score.total_cmp(&other.score)
        };
        by_score
            .then_with(|| one_row.file_name.cmp(&other_row.file_name))
            .then_with(|| one_row.id.cmp(&other_row.id))
    });
    ranked
}
