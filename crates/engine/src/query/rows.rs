//! `QueryCollectionData`: a vector, a sparse one or a text in, or nothing but a condition, the rows
//! out (semantics.md, `QueryCollectionData`). In collections of either kind (row 48).

use std::sync::Arc;

use lookalike_index::{Bitmap, Metric};
use serde_json::Value;

use super::{
    HybridSearch, Match, RetrievalSource, Wanted, Window,
    conditions::Conditions,
    content::check_alone,
    fuse::Scored,
    hybrid::{Fusion, Hybrid},
    mix::Sought,
    paths::PerPath,
    search::{Found, Search},
    shown_fields,
};
use crate::{
    access::NamespaceAccess,
    collection::{Collection, CollectionKind},
    engine::{Engine, Inner},
    error::EngineError,
    lookup::TextRecipe,
    name::CollectionName,
    rows::{SparseVector, check},
    store::{self, chunk::ChunkRow, collection::CollectionRow},
};

/// A query of rows. Build one with [`QueryRows::new`] and change what differs.
#[derive(Debug, Clone)]
pub struct QueryRows {
    /// The collection to search.
    pub collection: CollectionName,
    /// What to look for; without it, a sparse vector and a text, the rows that meet the filter are
    /// listed.
    pub vector: Option<Vec<f32>>,
    /// Looks for rows whose sparse vectors have large inner products with it; an empty one counts
    /// as absent.
    pub sparse: Option<SparseVector>,
    /// Looks for rows with these words; empty counts as absent.
    pub text: Option<String>,
    /// How what is found by several of them is mixed.
    pub hybrid: HybridSearch,
    /// How many matches, 1 to [`super::MAX_TOP_K`].
    pub top_k: i64,
    /// How many of the best to leave out, for paging.
    pub offset: Option<i64>,
    /// The collection's when absent.
    pub metric: Option<Metric>,
    /// Whether matches carry their vector.
    pub include_vector: bool,
    /// Whether matches carry their sparse vector.
    pub include_sparse: bool,
    /// Comma list of metadata fields to show; empty shows all.
    pub metadata_fields: String,
    /// A condition that rows must meet, in the filter language (row 36); empty is none.
    pub filter: String,
    /// Orders the rows by fields; empty is none.
    pub order_by: String,
}

impl QueryRows {
    /// A query of `collection` for `top_k` rows with all defaults and nothing to look for yet.
    pub fn new(collection: CollectionName, top_k: i64) -> Self {
        Self {
            collection,
            vector: None,
            sparse: None,
            text: None,
            hybrid: HybridSearch::default(),
            top_k,
            offset: None,
            metric: None,
            include_vector: false,
            include_sparse: false,
            metadata_fields: String::new(),
            filter: String::new(),
            order_by: String::new(),
        }
    }
}

/// A row that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct RowMatch {
    /// Its id.
    pub id: String,
    /// As for [`Match::score`]; `None` when there was nothing to compare with.
    pub score: Option<f32>,
    /// Metadata as text, in the order of declaration, NULLs left out.
    pub metadata: Vec<(String, String)>,
    /// The same in their own types.
    pub values: Vec<(String, Value)>,
    /// Only when asked for.
    pub vector: Option<Vec<f32>>,
    /// Only when asked for, and when the row has one.
    pub sparse: Option<SparseVector>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsResult {
    /// Best first.
    pub matches: Vec<RowMatch>,
    /// How many rows there are that meet the filter.
    pub total: usize,
}

impl Engine {
    /// Searches the rows of a collection.
    pub async fn query_rows(
        &self,
        access: &NamespaceAccess,
        query: QueryRows,
    ) -> Result<RowsResult, EngineError> {
        let inner = &self.inner;
        let _held = inner.models.gate().hold();
        let row = inner.open_collection(access, &query.collection).await?;
        let window = Window::checked(query.top_k, query.offset)?;
        let fields = shown_fields(&row.collection.columns, &query.metadata_fields)?;
        let conditions = inner.conditions(&row.collection, &query.filter, &query.order_by)?;
        let sought = sought(&query, &row.collection)?;
        if sought.is_none() && conditions.filter.is_none() {
            return Err(EngineError::invalid(
                "Vector",
                "is empty, and so are SparseVector, Content and Filter; a query needs one of them",
            ));
        }
        inner.check_text_bytes(query.text.as_deref().unwrap_or_default())?;
        let wanted = Wanted {
            fields,
            values: true,
            vector: query.include_vector,
            sparse: query.include_sparse,
        };
        if row.collection.dimension == 0 {
            // Nothing has said how long vectors are, so there are no rows.
            return Ok(RowsResult {
                matches: Vec::new(),
                total: 0,
            });
        }
        let metric = query.metric.unwrap_or(row.collection.metric);
        if let Some(vector) = &query.vector {
            check::vector(vector, row.collection.dimension as usize, metric)
                .map_err(|reason| EngineError::invalid("Vector", reason))?;
        }
        let _permit = inner.query_permit()?;
        let has_scores = sought.is_some();
        let found = match sought {
            Some((sought, fusion)) => {
                let search = Search {
                    metric,
                    fusion,
                    window,
                    conditions,
                    wanted,
                };
                inner.search(&row, sought, &search).await?
            }
            None => inner.listed(&row, window, &conditions, &wanted).await?,
        };
        let shown = |found: Match| RowMatch {
            id: found.id,
            score: has_scores.then_some(found.score),
            metadata: found.metadata,
            values: found.values,
            vector: found.vector,
            sparse: found.sparse,
        };
        Ok(RowsResult {
            matches: found.matches.into_iter().map(shown).collect(),
            total: found.total,
        })
    }
}

/// What a query looks for and how what is found is mixed; `None` when it looks for nothing.
fn sought(
    query: &QueryRows,
    collection: &Collection,
) -> Result<Option<(Sought, Option<Fusion>)>, EngineError> {
    let sparse = query
        .sparse
        .as_ref()
        .filter(|sparse| !(sparse.indices.is_empty() && sparse.values.is_empty()));
    let text = query.text.as_deref().filter(|text| !text.is_empty());
    if sparse.is_some() {
        check_sparse_support(collection)?;
    }
    let hybrid = query.hybrid.checked()?.unwrap_or(Hybrid {
        fusion: Fusion::AsTheyAre,
        paths: None,
    });
    if query.vector.is_none() && sparse.is_none() && text.is_none() {
        return Ok(None);
    }
    let everything = PerPath {
        dense: true,
        sparse: true,
        full_text: true,
    };
    let obstacles = PerPath {
        dense: query.vector.is_none().then_some("Vector is empty"),
        sparse: sparse.is_none().then_some("SparseVector is empty"),
        full_text: text.is_none().then_some("Content is empty"),
    };
    let taken = hybrid.paths(everything, obstacles)?;
    let fusion = hybrid.fusion_of(taken);
    if fusion.is_some() {
        check_alone(query.offset, &query.order_by)?;
    }
    let pairs = sparse
        .filter(|_| taken.sparse)
        .map(|sparse| check::sparse_pairs(sparse.clone()))
        .transpose()
        .map_err(|reason| EngineError::invalid("SparseVector", reason))?;
    let analyzer = TextRecipe::of_full_text(collection).analyzer;
    let sought = Sought {
        vector: query.vector.clone().filter(|_| taken.dense),
        sparse: pairs,
        words: text
            .filter(|_| taken.full_text)
            .map(|text| analyzer.of_query(text)),
    };
    Ok(Some((sought, fusion)))
}

/// Only the caller's own sparse vectors can be compared with one of the caller's.
fn check_sparse_support(collection: &Collection) -> Result<(), EngineError> {
    let reason = match collection.kind {
        CollectionKind::Vector if collection.settings.support_sparse => return Ok(()),
        CollectionKind::Vector => "the collection was made without SupportSparse",
        CollectionKind::Document => {
            "the sparse vectors of a document collection are made of its texts; use Content"
        }
    };
    Err(EngineError::invalid("SparseVector", reason))
}

impl Inner {
    /// The rows of the window of those that meet a filter, in the order asked for, else in that in
    /// which they came.
    async fn listed(
        &self,
        row: &CollectionRow,
        window: Window,
        conditions: &Conditions,
        wanted: &Wanted,
    ) -> Result<Found, EngineError> {
        let Window { offset, top_k } = window;
        let resident = self.residents.get(&self.store, row).await?;
        let mut connection = self.store.reader().await?;
        // Held until the rows are read, as in a search.
        let index = resident.lock_for_search().await;
        let allowed: Arc<Bitmap> = self
            .allowed(&mut connection, row, &resident, conditions)
            .await?
            .unwrap_or_else(|| Arc::new(index.keys()));
        let total = allowed.len();
        let keys: Vec<u64> = match &conditions.order {
            None => allowed.iter().skip(offset).take(top_k).collect(),
            Some(order) => {
                let reader = self.column_reader(&mut connection, row);
                let page = resident
                    .columns()
                    .ordered(reader, order, Some(allowed), offset, top_k)
                    .await?;
                page.keys
            }
        };
        let mut rows = store::chunk::find(&mut connection, &keys).await?;
        rows.sort_by_key(|row| keys.iter().position(|key| *key == row.key));
        let listed = |row: ChunkRow| {
            let scored = Scored {
                key: row.key,
                score: 0.0,
                source: RetrievalSource::Vector,
            };
            (scored, row)
        };
        let rows = rows.into_iter().map(listed).collect();
        let columns = &row.collection.columns;
        let matches = super::search::shown(&mut connection, columns, rows, wanted).await?;
        drop(index);
        Ok(Found { matches, total })
    }
}
