//! `QueryContent`: the request into a query, the rows into matches.

use lookalike_engine::{
    FileName, HybridSearch, ImageQuery, Match, QueryContent, QueryResult, RecallWindow,
    RerankOptions, RetrievalSource, WindowRow, metric_from_name,
};
use lookalike_wire::dto::{
    self, MESSAGE_SUCCESS, Matches, QueryContentRequest, QueryContentResponse, QueryUsage,
    STATUS_SUCCESS, VectorList, WindowMatch, WindowMatchGroup, WindowMatchList, WindowMatches,
};

use super::{Call, access, collection, document, source, url_expiration};
use crate::error::Failure;

pub async fn query_content(
    call: &Call<'_>,
    request: QueryContentRequest,
) -> Result<QueryContentResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let valid_seconds = url_expiration::seconds(request.url_expiration.as_deref())?;
    let recall_window = request
        .recall_window
        .as_ref()
        .map(|window| RecallWindow::new(&window.0))
        .transpose()?;
    let rerank_model = request
        .rerank_model
        .map(|model| model.0)
        .unwrap_or_default();
    let image = match &request.file_url {
        Some(url) => Some(ImageQuery {
            source: source::of_url(call, url)?,
            file_name: request
                .file_name
                .as_deref()
                .map(document::file_name)
                .transpose()?,
        }),
        None => None,
    };
    let query = QueryContent {
        text: request.content,
        image,
        top_k: request.top_k,
        offset: request.offset,
        metric: request
            .metrics
            .as_deref()
            .map(metric_from_name)
            .transpose()?,
        include_vector: request.include_vector.unwrap_or_default(),
        metadata_fields: request.include_metadata_fields.unwrap_or_default(),
        filter: request.filter.unwrap_or_default(),
        order_by: request.order_by.unwrap_or_default(),
        hybrid: HybridSearch {
            mode: request.hybrid_search.unwrap_or_default(),
            args: request
                .hybrid_search_args
                .map(|args| args.0)
                .unwrap_or_default(),
            full_text: request.use_full_text_retrieval.unwrap_or_default(),
        },
        recall_window,
        rerank: RerankOptions {
            factor: request.rerank_factor,
            model: rerank_model.name,
            metadata_fields: rerank_model.rerank_metadata_fields.unwrap_or_default(),
        },
        include_file_url: request.include_file_url.unwrap_or_default(),
        ..QueryContent::new(collection::name(&request.collection)?)
    };
    let result = call.app.engine.query(&namespace, &query).await?;
    call.served_by(&result.encoder);
    Ok(response(call, result, valid_seconds))
}

fn response(call: &Call<'_>, result: QueryResult, valid_seconds: u64) -> QueryContentResponse {
    let matches: Vec<dto::Match> = result
        .matches
        .into_iter()
        .map(|found| found_match(call, found, valid_seconds))
        .collect();
    let tokens = result.usage.tokens.to_string();
    QueryContentResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        embedding_tokens: Some(tokens.clone()),
        usage: Some(QueryUsage {
            embedding_tokens: tokens,
            embedding_entries: result.usage.entries.to_string(),
        }),
        window_matches: result.windows.map(|windows| WindowMatches {
            window_matches: windows.into_iter().map(window).collect(),
        }),
        matches: Matches {
            match_list: matches,
        },
        entities: None,
        relations: None,
    }
}

fn found_match(call: &Call<'_>, found: Match, valid_seconds: u64) -> dto::Match {
    let file_name = found.file_name.as_ref().map_or("", FileName::as_str);
    dto::Match {
        file_url: found
            .object
            .as_ref()
            .map(|object| call.link(object, file_name, valid_seconds)),
        file_name: file_name.to_owned(),
        id: found.id,
        content: found.content,
        loader_metadata: found.loader_metadata,
        metadata: found.metadata.into_iter().collect(),
        score: f64::from(found.score),
        retrieval_source: retrieval_source(found.source),
        rerank_score: found.rerank_score.map(f64::from),
        vector: found.vector.map(|vector| VectorList {
            vector_list: vector,
        }),
    }
}

/// The API's numbers of what found a row.
fn retrieval_source(source: RetrievalSource) -> i64 {
    match source {
        RetrievalSource::Vector => 1,
        RetrievalSource::FullText => 2,
        RetrievalSource::Both => 3,
    }
}

/// The rows around a match.
fn window(rows: Vec<WindowRow>) -> WindowMatchGroup {
    let shown = |row: WindowRow| WindowMatch {
        id: row.id,
        file_name: row
            .file_name
            .as_ref()
            .map_or("", FileName::as_str)
            .to_owned(),
        content: row.content,
        loader_metadata: row.loader_metadata,
        metadata: row.metadata.into_iter().collect(),
    };
    WindowMatchGroup {
        window_match: WindowMatchList {
            window_match: rows.into_iter().map(shown).collect(),
        },
    }
}
