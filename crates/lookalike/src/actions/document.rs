//! The documents of a collection.

use lookalike_engine::{EngineError, FileName, ObjectId, Page, SOURCE};
use lookalike_wire::dto::{
    Acknowledgement, DeleteDocumentRequest, DescribeDocumentRequest, DescribeDocumentResponse,
    DocumentItem, DocumentItems, ListDocumentsRequest, ListDocumentsResponse, MESSAGE_SUCCESS,
    MESSAGE_SUCCESSFUL, STATUS_SUCCESS,
};

use super::{Call, access, collection, job, url_expiration};
use crate::error::Failure;

pub async fn list(
    call: &Call<'_>,
    request: ListDocumentsRequest,
) -> Result<ListDocumentsResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let page = Page {
        max_results: access::unsigned("MaxResults", request.max_results)?,
        next_token: request.next_token,
    };
    let page = call
        .app
        .engine
        .list_documents(&namespace, &collection::name(&request.collection)?, &page)
        .await?;
    let item = |name: &FileName| DocumentItem {
        file_name: name.to_string(),
        source: SOURCE.to_owned(),
    };
    let items: Vec<DocumentItem> = page.file_names.iter().map(item).collect();
    Ok(ListDocumentsResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESSFUL.to_owned(),
        count: i64::try_from(items.len()).map_err(Failure::internal)?,
        items: DocumentItems {
            document_list: items,
        },
        next_token: page.next_token,
    })
}

pub async fn describe(
    call: &Call<'_>,
    request: DescribeDocumentRequest,
) -> Result<DescribeDocumentResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let file_name = file_name(&request.file_name)?;
    let (engine, collection) = (&call.app.engine, collection::name(&request.collection)?);
    let document = engine
        .describe_document(&namespace, &collection, &file_name)
        .await?;
    let files = engine
        .document_chunk_files(&namespace, &collection, &file_name)
        .await?;
    let link = |file: &ObjectId, name: &str| call.link(file, name, url_expiration::DEFAULT_SECONDS);
    let number = |count: u64| i64::try_from(count).map_err(Failure::internal);
    Ok(DescribeDocumentResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        source: SOURCE.to_owned(),
        file_ext: document.file_name.extension(),
        file_md5: hex::encode(document.md5),
        file_size: number(document.size)?,
        file_mtime: job::time(document.modified),
        file_version: number(document.version)?,
        docs_count: number(document.chunks)?,
        file_url: Some(call.link(
            &document.object,
            document.file_name.as_str(),
            url_expiration::DEFAULT_SECONDS,
        )),
        file_name: document.file_name.to_string(),
        document_loader: document.loader,
        text_splitter: document.splitter,
        chunk_file_url: files
            .as_ref()
            .map(|files| link(&files.lines, "chunks.jsonl")),
        plain_chunk_file_url: files.as_ref().map(|files| link(&files.plain, "chunks.txt")),
        document_loader_result_file_url: None,
    })
}

pub async fn delete(
    call: &Call<'_>,
    request: DeleteDocumentRequest,
) -> Result<Acknowledgement, Failure> {
    let namespace = access::namespace(&request)?;
    let file_name = file_name(&request.file_name)?;
    call.app
        .engine
        .delete_document(
            &namespace,
            &collection::name(&request.collection)?,
            &file_name,
        )
        .await?;
    Ok(Acknowledgement::success(call.request_id()))
}

/// A file's name, checked.
pub fn file_name(text: &str) -> Result<FileName, Failure> {
    Ok(FileName::new(text).map_err(EngineError::from)?)
}
