//! `QueryContent`: a text or an image in, the nearest rows out (semantics.md, `QueryContent`).
//!
//! One way through: a permit (none left = throttling at once), the query's vector (ahead of
//! ingestion in the model's queue), an exact search, the rows of the winners. Ties are ordered by
//! file name, then id (row 33), so that equal data gives equal answers.

pub(crate) mod conditions;
mod search;
mod vector;

use lookalike_index::Metric;

use self::search::{Search, Window};
pub(crate) use self::vector::embed_error;
use crate::{
    access::NamespaceAccess,
    engine::Engine,
    error::EngineError,
    jobs::{Source, Usage},
    metadata::Columns,
    name::{CollectionName, FileName, ObjectId},
    resident,
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
        }
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
    /// The document's original.
    pub object: Option<ObjectId>,
    /// Its text; empty for images (row 30).
    pub content: String,
    /// JSON with format, width and height (row 30).
    pub loader_metadata: String,
    /// Metadata as text, in the order of declaration, NULLs left out.
    pub metadata: Vec<(String, String)>,
    /// By the metric's own definition: larger is better but for L2.
    pub score: f32,
    /// Only when asked for.
    pub vector: Option<Vec<f32>>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryResult {
    /// Best first.
    pub matches: Vec<Match>,
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
        let namespace_id = inner.check_namespace(access).await?;
        let row = inner
            .find_document_collection(namespace_id, &query.collection)
            .await?;
        let window = window(query)?;
        let fields = shown_fields(&row.collection.columns, &query.metadata_fields)?;
        let conditions = inner.conditions(&row.collection, &query.filter, &query.order_by)?;
        let _permit = inner.queries.try_acquire().map_err(|_| EngineError::Overloaded {
            reason: format!(
                "{} queries are at work, which is the limit (setting max_concurrent_queries); try \
                 again",
                inner.config.limits.max_concurrent_queries
            ),
        })?;
        let model = resident::model_of(&inner.models, &row)?;
        let (vector, usage) = inner.embed_query(query, &model).await?;
        let search = Search {
            metric: query.metric.unwrap_or(row.collection.metric),
            window,
            conditions,
            include_vector: query.include_vector,
            fields,
        };
        let matches = inner.search(&row, vector, &search).await?;
        Ok(QueryResult {
            matches,
            usage,
            encoder: model.label(),
        })
    }
}

fn window(query: &QueryContent) -> Result<Window, EngineError> {
    let top_k = query.top_k.unwrap_or(i64::from(DEFAULT_TOP_K));
    if !(1..=i64::from(MAX_TOP_K)).contains(&top_k) {
        return Err(EngineError::invalid(
            "TopK",
            format!("{top_k} is outside the range 1 to {MAX_TOP_K}"),
        ));
    }
    let offset = query.offset.unwrap_or(0);
    // What the index gives at most, less the page itself.
    let max_offset = i64::try_from(lookalike_index::MAX_K).unwrap_or(i64::MAX) - top_k;
    if !(0..=max_offset).contains(&offset) {
        return Err(EngineError::invalid(
            "Offset",
            format!("{offset} is outside the range 0 to {max_offset}"),
        ));
    }
    let number = |value: i64| usize::try_from(value).expect("checked to be small and positive");
    Ok(Window {
        offset: number(offset),
        top_k: number(top_k),
    })
}

/// Which metadata fields to show; `None` is all.
fn shown_fields(columns: &Columns, list: &str) -> Result<Option<Vec<String>>, EngineError> {
    let fields = columns.field_list("IncludeMetadataFields", list)?;
    Ok((!fields.is_empty()).then_some(fields))
}
