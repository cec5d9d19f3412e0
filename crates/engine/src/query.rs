//! `QueryContent`: a text or an image in, the nearest rows out (semantics.md, `QueryContent`).
//!
//! One way through: a permit (none left = throttling at once), the query's vector (ahead of
//! ingestion in the model's queue), an exact search, the rows of the winners. Ties are ordered by
//! file name, then id (row 33), so that equal data gives equal answers.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use lookalike_embed::{EmbedError, Priority, ServedModel};
use lookalike_index::{Hit, Metric, Query};
use lookalike_media::{ImageLimits, decode, extension};
use serde_json::{Map, Value};

use crate::{
    access::NamespaceAccess,
    cpu::Lane,
    engine::{Engine, Inner},
    error::EngineError,
    jobs::{ENTRIES_AN_IMAGE, Source, Usage},
    metadata::Columns,
    name::{CollectionName, FileName, ObjectId},
    resident,
    store::{self, chunk::ChunkRow, collection::CollectionRow},
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
    /// A condition on metadata; refused unless empty, for now.
    pub filter: String,
    /// Another order than by score; refused unless empty, for now.
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
    /// The document it belongs to.
    pub file_name: FileName,
    /// The document's original.
    pub object: ObjectId,
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

/// The numbers of a query, checked.
#[derive(Clone, Copy)]
struct Window {
    offset: usize,
    top_k: usize,
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
            .find_collection(namespace_id, &query.collection)
            .await?;
        let window = window(query)?;
        let fields = shown_fields(&row.collection.columns, &query.metadata_fields)?;
        refuse_not_supported(query)?;
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

/// A query without what it looks for.
struct Search {
    metric: Metric,
    window: Window,
    include_vector: bool,
    /// Metadata fields to show; `None` is all.
    fields: Option<Vec<String>>,
}

impl Inner {
    /// The query's vector and its price.
    async fn embed_query(
        &self,
        query: &QueryContent,
        model: &ServedModel,
    ) -> Result<(Vec<f32>, Usage), EngineError> {
        let text = query.text.as_deref().filter(|text| !text.is_empty());
        match (&query.image, text) {
            (Some(image), text) => {
                if text.is_some() {
                    tracing::warn!(collection = %query.collection, "a query has a text and an image: the image is used");
                }
                let vector = self.embed_query_image(image, model).await?;
                Ok((
                    vector,
                    Usage {
                        tokens: 0,
                        entries: ENTRIES_AN_IMAGE,
                    },
                ))
            }
            (None, Some(text)) => {
                let max_bytes = self.config.limits.max_query_text_bytes;
                if text.len() > max_bytes {
                    return Err(EngineError::TooLarge {
                        reason: format!(
                            "Content has {} bytes, more than the limit of {max_bytes} (setting \
                             max_query_text_bytes)",
                            text.len()
                        ),
                    });
                }
                let embedding = model.embed_text(text).await.map_err(|e| embed_error(&e))?;
                let usage = Usage {
                    tokens: u64::from(embedding.tokens),
                    entries: 1,
                };
                Ok((embedding.vector, usage))
            }
            (None, None) => Err(EngineError::invalid(
                "Content",
                "is empty and there is no FileUrl; a query needs one of them",
            )),
        }
    }

    async fn embed_query_image(
        &self,
        image: &ImageQuery,
        model: &ServedModel,
    ) -> Result<Vec<f32>, EngineError> {
        check_image_name(image)?;
        let limits = self.image_limits(model.model());
        let bytes = self.query_image_bytes(image, &limits).await?;
        let for_decoding = model.clone();
        let decoded = move || {
            let picture = decode(&bytes, &limits)?;
            Ok::<_, lookalike_media::DecodeError>(for_decoding.prepare(&picture.pixels))
        };
        let prepared = self
            .cpu
            .run(Lane::Request, decoded)
            .await?
            .map_err(|error| {
                EngineError::invalid(
                    "FileUrl",
                    format!("the query image cannot be used: {error}"),
                )
            })?;
        let mut vectors = model
            .embed_images(vec![prepared], Priority::Query)
            .await
            .map_err(|error| embed_error(&error))?;
        vectors
            .pop()
            .ok_or_else(|| EngineError::internal("no vector for the query image"))
    }

    async fn query_image_bytes(
        &self,
        image: &ImageQuery,
        limits: &ImageLimits,
    ) -> Result<Bytes, EngineError> {
        let max_bytes = limits.max_bytes;
        let too_large = |bytes: u64| EngineError::TooLarge {
            reason: format!(
                "the query image has {bytes} bytes, more than the limit of {max_bytes}"
            ),
        };
        if let Some(object) = self.pin_source(&image.source).await? {
            if object.size() > max_bytes {
                return Err(too_large(object.size()));
            }
            let read = move || object.open_blocking()?.read_all_blocking(max_bytes);
            return self
                .cpu
                .run(Lane::Request, read)
                .await?
                .map_err(EngineError::internal);
        }
        let Source::Url(url) = &image.source else {
            return Err(EngineError::internal("a stored source has no object"));
        };
        let fetched = async { self.fetcher.get(url, max_bytes).await?.bytes().await };
        fetched
            .await
            .map_err(|error| EngineError::invalid("FileUrl", error.to_string()))
    }

    /// The limits for one image of a model (row 20: 3 MB where the model says so).
    pub(crate) fn image_limits(&self, model: &str) -> ImageLimits {
        let mut limits = self.config.limits.image.clone();
        limits.max_bytes = limits.max_bytes.min(self.config.limits.max_document_bytes);
        if self.config.limits.enforce_model_image_bytes
            && let Some(max_bytes) = self
                .models
                .find(model)
                .and_then(|entry| entry.max_image_bytes)
        {
            limits.max_bytes = limits.max_bytes.min(max_bytes);
        }
        limits
    }

    /// The rows of the window, best first.
    async fn search(
        &self,
        row: &CollectionRow,
        vector: Vec<f32>,
        search: &Search,
    ) -> Result<Vec<Match>, EngineError> {
        let Search {
            metric,
            window: Window { offset, top_k },
            ..
        } = *search;
        let k = offset + top_k;
        let resident = self.residents.get(&self.store, row).await?;
        let mut connection = self.store.reader().await?;
        // Held until the rows are read: no job commits between the search and the reading.
        let index = Arc::new(resident.lock_for_search().await);
        let searched = Arc::clone(&index);
        let scan = move || {
            searched.search(&Query {
                vector: &vector,
                k,
                metric,
                allowed: None,
            })
        };
        let hits = self
            .cpu
            .run(Lane::Request, scan)
            .await?
            .map_err(EngineError::internal)?;
        let keys: Vec<u64> = hits.iter().map(|hit| hit.key).collect();
        let rows = store::chunk::find(&mut connection, &keys).await?;
        let mut winners = ranked(hits, rows, metric);
        winners.truncate(k);
        winners.drain(..offset.min(winners.len()));
        let mut vectors = HashMap::new();
        if search.include_vector {
            let keys: Vec<u64> = winners.iter().map(|(_, row)| row.key).collect();
            vectors.extend(store::chunk::vectors(&mut connection, &keys).await?);
        }
        drop(index);
        drop(connection);
        let columns = &row.collection.columns;
        winners
            .into_iter()
            .map(|(score, row)| {
                let stored: Map<String, Value> =
                    serde_json::from_str(&row.metadata).map_err(EngineError::internal)?;
                Ok(Match {
                    vector: vectors.remove(&row.key),
                    id: row.id,
                    file_name: row.file_name,
                    object: row.object,
                    content: row.content,
                    loader_metadata: row.loader_metadata,
                    metadata: columns.texts(&stored, search.fields.as_deref()),
                    score,
                })
            })
            .collect()
    }
}

/// Hits with their rows: by score, then file name, then id. A hit whose row is gone belongs to a
/// collection that is being deleted.
fn ranked(hits: Vec<Hit>, rows: Vec<ChunkRow>, metric: Metric) -> Vec<(f32, ChunkRow)> {
    let mut rows: HashMap<u64, ChunkRow> = rows.into_iter().map(|row| (row.key, row)).collect();
    let mut ranked: Vec<(f32, ChunkRow)> = hits
        .into_iter()
        .filter_map(|hit| rows.remove(&hit.key).map(|row| (hit.score, row)))
        .collect();
    ranked.sort_by(|(one, one_row), (other, other_row)| {
        let by_score = match metric {
            Metric::L2 => one.total_cmp(other),
            Metric::Cosine | Metric::InnerProduct => other.total_cmp(one),
        };
        by_score
            .then_with(|| one_row.file_name.cmp(&other_row.file_name))
            .then_with(|| one_row.id.cmp(&other_row.id))
    });
    ranked
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

fn refuse_not_supported(query: &QueryContent) -> Result<(), EngineError> {
    for (field, value) in [("Filter", &query.filter), ("OrderBy", &query.order_by)] {
        if !value.trim().is_empty() {
            return Err(EngineError::invalid(
                field,
                "is not supported here yet; leave it out",
            ));
        }
    }
    Ok(())
}

/// The name decides what is refused, the content how it is read (row 24). Without a name a URL's
/// own path counts; a file that was uploaded here under a key of ours has no name to judge.
fn check_image_name(image: &ImageQuery) -> Result<(), EngineError> {
    let (field, name) = match (&image.file_name, &image.source) {
        (Some(name), _) => ("FileName", name.as_str()),
        (None, Source::Url(url)) => ("FileUrl", url.path()),
        (None, Source::Object(_) | Source::Stored(_)) => return Ok(()),
    };
    if extension::is_image_name(name) {
        return Ok(());
    }
    Err(EngineError::invalid(
        field,
        format!(
            "must end in an image extension: {}",
            extension::IMAGE_EXTENSIONS
        ),
    ))
}

pub(crate) fn embed_error(error: &EmbedError) -> EngineError {
    match error {
        EmbedError::Closed => EngineError::Unavailable {
            reason: error.to_string(),
        },
        EmbedError::Model(_)
        | EmbedError::Tokenize(_)
        | EmbedError::WrongInput { .. }
        | EmbedError::NotFinite
        | EmbedError::Panicked(_) => EngineError::internal(error.clone()),
    }
}
