//! The chunks of a text collection, one by one.

use lookalike_engine::{FileName, ListChunks, ListedChunk, TextChunk, UpsertChunks};
use lookalike_wire::ApiError;
use lookalike_wire::dto::{
    self, ChunkItem, ChunkVector, Chunks, DeleteChunksRequest, DeleteChunksResponse,
    ListChunksRequest, ListChunksResponse, MESSAGE_SUCCESS, STATUS_SUCCESS, UpsertChunksRequest,
    UpsertChunksResponse,
};

use super::{Call, access, collection, document};
use crate::error::Failure;

pub async fn upsert(
    call: &Call<'_>,
    request: UpsertChunksRequest,
) -> Result<UpsertChunksResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let chunks = request.text_chunks.map(|chunks| chunks.0);
    let upsert = UpsertChunks {
        collection: collection::name(&request.collection)?,
        file_name: request
            .file_name
            .as_deref()
            .map(document::file_name)
            .transpose()?,
        chunks: chunks
            .unwrap_or_default()
            .into_iter()
            .map(text_chunk)
            .collect::<Result<_, _>>()?,
        replace_file: request.should_replace_file.unwrap_or(true),
        insert_unmatched: request.allow_insert_with_filter.unwrap_or(true),
    };
    let upserted = call.app.engine.upsert_chunks(&namespace, upsert).await?;
    call.served_by(&upserted.encoder);
    Ok(UpsertChunksResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        embedding_tokens: Some(upserted.usage.tokens.to_string()),
        job_id: None,
    })
}

fn text_chunk(chunk: dto::TextChunk) -> Result<TextChunk, ApiError> {
    let content = chunk
        .content
        .ok_or_else(|| ApiError::invalid("TextChunks", "a chunk has no Content"))?;
    Ok(TextChunk {
        content,
        metadata: chunk.metadata,
        id: chunk.id,
        filter: chunk.filter.unwrap_or_default(),
    })
}

pub async fn list(
    call: &Call<'_>,
    request: ListChunksRequest,
) -> Result<ListChunksResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let list = ListChunks {
        collection: collection::name(&request.collection)?,
        file_name: request
            .file_name
            .as_deref()
            .map(document::file_name)
            .transpose()?,
        filter: request.filter.unwrap_or_default(),
        include_vector: request.include_vector.unwrap_or_default(),
        page_number: request.page_number,
        page_size: request.page_size,
    };
    let page = call.app.engine.list_chunks(&namespace, &list).await?;
    let number = |count: u64| i64::try_from(count).map_err(Failure::internal);
    Ok(ListChunksResponse {
        request_id: call.request_id(),
        page_number: number(page.page_number)?,
        page_record_count: number(page.chunks.len() as u64)?,
        total_record_count: number(page.total)?,
        chunks: Chunks {
            chunks: page.chunks.into_iter().map(item).collect(),
        },
    })
}

fn item(chunk: ListedChunk) -> ChunkItem {
    ChunkItem {
        id: chunk.id,
        file_name: chunk
            .file_name
            .as_ref()
            .map_or("", FileName::as_str)
            .to_owned(),
        content: chunk.content,
        loader_metadata: chunk.loader_metadata,
        metadata: chunk.metadata,
        // Texts have no pages.
        page_index: None,
        vector: chunk.vector.map(|vector| ChunkVector { vector }),
    }
}

pub async fn delete(
    call: &Call<'_>,
    request: DeleteChunksRequest,
) -> Result<DeleteChunksResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let name = collection::name(&request.collection)?;
    let ids: Vec<String> = request
        .chunk_ids
        .0
        .iter()
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
        .collect();
    call.app
        .engine
        .delete_chunks(&namespace, &name, &ids)
        .await?;
    Ok(DeleteChunksResponse {
        request_id: call.request_id(),
    })
}
