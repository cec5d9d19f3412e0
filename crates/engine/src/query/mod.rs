//! `QueryContent`: a text or an image in, the nearest rows out (semantics.md, `QueryContent`).
//!
//! One way through: a permit (none left = throttling at once), the query's vector (ahead of
//! ingestion in the model's queue), the search by vector, text or both, the rows of the winners. Ties
//! are ordered by file name, then id (row 33), so that equal data gives equal answers.

pub(crate) mod conditions;
mod content;
mod fuse;
mod hybrid;
mod mix;
mod paths;
pub(crate) mod rerank;
mod rows;
mod search;
mod vector;
mod window;

use lookalike_embed::catalogue::ModelKind;
use lookalike_index::Metric;
use serde_json::Value;
use tokio::sync::SemaphorePermit;

pub(crate) use self::vector::embed_error;
use self::{content::ContentPlan, mix::Sought, rerank::Rerank, search::Search};
pub use self::{
    hybrid::HybridSearch,
    paths::RetrievalSource,
    rerank::RerankOptions,
    rows::{QueryRows, RowMatch, RowsResult},
    window::{RecallWindow, WindowRow},
};
use crate::{
    access::NamespaceAccess,
    engine::{Engine, Inner},
    error::EngineError,
    jobs::{Source, Usage},
    metadata::Columns,
    name::{CollectionName, FileName, ObjectId},
    resident,
    rows::SparseVector,
};

/// Matches a query without `TopK` gets (row 9).
pub const DEFAULT_TOP_K: u32 = 10;

/// The most it can ask for (row 9).
pub const MAX_TOP_K: u32 = 1000;

/// The image of a query.
#[derive(Debug, Clone)]
pub struct ImageQuery {
    /// Its bytes.
    pub source: Source,
    /// Its name; the extension must be an image's.
    pub file_name: Option<FileName>,
}

/// A query. Build one with [`QueryContent::new`] and change what differs.
#[derive(Debug, Clone)]
pub struct QueryContent {
    /// The collection to search.
    pub collection: CollectionName,
    /// A text; empty counts as absent (row 10).
    pub text: Option<String>,
    /// An image; with a text as well, the image is used (row 10).
    pub image: Option<ImageQuery>,
    /// How many matches, 1 to [`MAX_TOP_K`].
    pub top_k: Option<i64>,
    /// How many of the best to leave out, for paging.
    pub offset: Option<i64>,
    /// The collection's when absent.
    pub metric: Option<Metric>,
    /// Whether matches carry their vector.
    pub include_vector: bool,
    /// Comma list of metadata fields to show; empty shows all.
    pub metadata_fields: String,
    /// A condition that rows must meet, in the filter language (row 36); empty is none.
    pub filter: String,
    /// Orders the nearest rows by fields rather than by score; empty is none.
    pub order_by: String,
    /// Whether the rows' texts count, too, and how.
    pub hybrid: HybridSearch,
    /// How many chunks around each match are wanted; none without it.
    pub recall_window: Option<RecallWindow>,
    /// Whether and how matches are compared once more; images do not look at it (row 42).
    pub rerank: RerankOptions,
    /// Whether matches that are no images carry their original, too.
    pub include_file_url: bool,
}

impl QueryContent {
    /// A query of `collection` with all defaults and nothing to look for yet.
    pub fn new(collection: CollectionName) -> Self {
        Self {
            collection,
            text: None,
            image: None,
            top_k: None,
            offset: None,
            metric: None,
            include_vector: false,
            metadata_fields: String::new(),
            filter: String::new(),
            order_by: String::new(),
            hybrid: HybridSearch::default(),
            recall_window: None,
            rerank: RerankOptions::default(),
            include_file_url: false,
        }
    }

    /// The text, if there is one.
    fn looked_for_text(&self) -> Option<&str> {
        self.text.as_deref().filter(|text| !text.is_empty())
    }
}

/// A row that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The row's id: a UUID that is the same wherever the same file is stored under the same names,
    /// an underscore, the number of the row in its document.
    pub id: String,
    /// The document it belongs to; `None` for a row that came without a file.
    pub file_name: Option<FileName>,
    /// The document's original; with one that is no image only when asked for.
    pub object: Option<ObjectId>,
    /// Its text; empty for images (row 30).
    pub content: String,
    /// JSON with format, width and height (row 30).
    pub loader_metadata: String,
    /// Metadata as text, in the order of declaration, NULLs left out.
    pub metadata: Vec<(String, String)>,
    /// The same in their own types, when asked for.
    pub(crate) values: Vec<(String, Value)>,
    /// By the metric's own definition: larger is better but for L2. In a hybrid search what its mode
    /// says, and larger is better but for L2 in a cascade.
    pub score: f32,
    /// What found it.
    pub source: RetrievalSource,
    /// Only when it was reranked.
    pub rerank_score: Option<f32>,
    /// Only when asked for.
    pub vector: Option<Vec<f32>>,
    /// Only when asked for, and when the row has one.
    pub(crate) sparse: Option<SparseVector>,
}

/// What of a row a query shows besides what all do.
struct Wanted {
    /// Metadata fields; `None` is all.
    fields: Option<Vec<String>>,
    /// Metadata in their own types.
    values: bool,
    vector: bool,
    sparse: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryResult {
    /// Best first.
    pub matches: Vec<Match>,
    /// One a match, in their order, when windows were asked for.
    pub windows: Option<Vec<Vec<WindowRow>>>,
    /// What the query's own embedding cost.
    pub usage: Usage,
    /// Which encoder answered, in one line for people.
    pub encoder: String,
}

impl Engine {
    /// Searches a collection.
    pub async fn query(
        &self,
        access: &NamespaceAccess,
        query: &QueryContent,
    ) -> Result<QueryResult, EngineError> {
        let inner = &self.inner;
        // an image may have to be fetched, which takes as long as some other server likes
        let _held = query.image.is_none().then(|| inner.models.gate().hold());
        let row = inner
            .open_document_collection(access, &query.collection)
            .await?;
        let top_k = query.top_k.unwrap_or(i64::from(DEFAULT_TOP_K));
        let window = Window::checked(top_k, query.offset)?;
        let fields = shown_fields(&row.collection.columns, &query.metadata_fields)?;
        let conditions = inner.conditions(&row.collection, &query.filter, &query.order_by)?;
        let model = resident::model_of(&inner.models, &row)?;
        vector::check_model(query, &model)?;
        let plan = ContentPlan::of(query, &row.collection)?;
        inner.check_query_text(query)?;
        let _permit = inner.query_permit()?;
        let is_text = model.kind() == ModelKind::Text;
        let rerank = Rerank::checked(&query.rerank, &row.collection.columns)?.filter(|_| is_text);
        let mut sought: Sought = plan.texts(query, &row.collection);
        let mut usage = Usage::default();
        // Reranking compares with the query's vector, too.
        let mut question = None;
        if plan.paths.dense || rerank.is_some() {
            let (vector, cost) = inner.embed_query(query, &model).await?;
            usage = cost;
            question = rerank.is_some().then(|| vector.clone());
            sought.vector = plan.paths.dense.then_some(vector);
        }
        let mut search = Search {
            metric: query.metric.unwrap_or(row.collection.metric),
            fusion: plan.fusion,
            window,
            conditions,
            wanted: Wanted {
                fields,
                values: false,
                vector: query.include_vector,
                sparse: false,
            },
        };
        let mut matches = match (rerank, question) {
            (Some(rerank), Some(question)) => {
                search.window = Window {
                    offset: 0,
                    top_k: rerank.candidates(window.offset + window.top_k),
                };
                let found = inner.search(&row, sought, &search).await?.matches;
                let order: Vec<String> = found.iter().map(|found| found.id.clone()).collect();
                let question = (&model, &question[..]);
                let reranked = inner.reranked(&row, question, &rerank, found).await?;
                let page = (window.offset, window.top_k);
                rerank::page(reranked, &order, &search.conditions, page)
            }
            _ => inner.search(&row, sought, &search).await?.matches,
        };
        if is_text && !query.include_file_url {
            for found in &mut matches {
                found.object = None;
            }
        }
        let windows = match query.recall_window {
            None => None,
            Some(window) => {
                let fields = search.wanted.fields.as_deref();
                Some(inner.windows(&row, &matches, window, fields).await?)
            }
        };
        Ok(QueryResult {
            matches,
            windows,
            usage,
            encoder: model.label(),
        })
    }
}

impl Inner {
    /// The right to search or to embed, while there are not too many who do.
    pub(crate) fn query_permit(&self) -> Result<SemaphorePermit<'_>, EngineError> {
        self.queries.try_acquire().map_err(|_| EngineError::Overloaded {
            reason: format!(
                "{} queries are at work, which is the limit (setting max_concurrent_queries); try \
                 again",
                self.config.limits.max_concurrent_queries
            ),
        })
    }
}

/// The numbers of a query, checked.
#[derive(Clone, Copy)]
struct Window {
    offset: usize,
    top_k: usize,
}

impl Window {
    fn checked(top_k: i64, offset: Option<i64>) -> Result<Self, EngineError> {
        if !(1..=i64::from(MAX_TOP_K)).contains(&top_k) {
            return Err(EngineError::invalid(
                "TopK",
                format!("{top_k} is outside the range 1 to {MAX_TOP_K}"),
            ));
        }
        let offset = offset.unwrap_or(0);
        // What the index gives at most, less the page itself.
        let max_offset = i64::try_from(lookalike_index::MAX_K).unwrap_or(i64::MAX) - top_k;
        if !(0..=max_offset).contains(&offset) {
            return Err(EngineError::invalid(
                "Offset",
                format!("{offset} is outside the range 0 to {max_offset}"),
            ));
        }
        let number = |value| usize::try_from(value).expect("checked to be small and positive");
        Ok(Self {
            offset: number(offset),
            top_k: number(top_k),
        })
    }
}

/// Which metadata fields to show; `None` is all.
fn shown_fields(columns: &Columns, list: &str) -> Result<Option<Vec<String>>, EngineError> {
    let fields = columns.field_list("IncludeMetadataFields", list)?;
    Ok((!fields.is_empty()).then_some(fields))
}
