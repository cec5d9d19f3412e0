//! The models by themselves: vectors of texts, an order of texts, a list of names.

use lookalike_engine::{EngineError, InstanceId, RankDocuments, Ranked};
use lookalike_wire::dto::{
    EmbeddingList, ListSupportModelsRequest, ListSupportModelsResponse, MESSAGE_SUCCESS,
    MESSAGE_SUCCESSFUL, ModelNames, RerankRequest, RerankResponse, RerankResult, RerankResults,
    STATUS_SUCCESS, TextEmbeddingItem, TextEmbeddingRequest, TextEmbeddingResponse, TextEmbeddings,
};

use super::{Call, access};
use crate::error::Failure;

pub async fn embed(
    call: &Call<'_>,
    request: TextEmbeddingRequest,
) -> Result<TextEmbeddingResponse, Failure> {
    let instance = InstanceId::new(&request.db_instance_id).map_err(EngineError::from)?;
    let dimension = access::unsigned("Dimension", request.dimension)?;
    let texts = request.input.map(|input| input.0).unwrap_or_default();
    let embedded = call
        .app
        .engine
        .embed_texts(&instance, request.model.as_deref(), dimension, &texts)
        .await?;
    call.served_by(&embedded.encoder);
    let items = (0..).zip(embedded.vectors);
    Ok(TextEmbeddingResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESSFUL.to_owned(),
        results: TextEmbeddings {
            results: items
                .map(|(index, embedding)| TextEmbeddingItem {
                    index,
                    embedding: EmbeddingList { embedding },
                })
                .collect(),
        },
        text_tokens: i64::try_from(embedded.usage.tokens).map_err(Failure::internal)?,
    })
}

pub async fn rerank(call: &Call<'_>, request: RerankRequest) -> Result<RerankResponse, Failure> {
    let instance = InstanceId::new(&request.db_instance_id).map_err(EngineError::from)?;
    let with_documents = request.return_documents.unwrap_or(true);
    let rank = RankDocuments {
        query: request.query.unwrap_or_default(),
        documents: request.documents.map(|texts| texts.0).unwrap_or_default(),
        model: request.model,
        top_k: request.top_k,
        max_parts: request.max_chunks_per_doc,
    };
    let ranking = call.app.engine.rank_documents(&instance, &rank).await?;
    call.served_by(&ranking.encoder);
    let result = |ranked: &Ranked| {
        Ok(RerankResult {
            index: i64::try_from(ranked.index).map_err(Failure::internal)?,
            relevance_score: f64::from(ranked.score),
            document: with_documents.then(|| rank.documents[ranked.index].clone()),
        })
    };
    Ok(RerankResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        results: RerankResults {
            results: ranking
                .documents
                .iter()
                .map(result)
                .collect::<Result<_, Failure>>()?,
        },
        tokens: i64::try_from(ranking.usage.tokens).map_err(Failure::internal)?,
    })
}

pub async fn list(
    call: &Call<'_>,
    _: ListSupportModelsRequest,
) -> Result<ListSupportModelsResponse, Failure> {
    let names = call.app.models.list().into_iter();
    Ok(ListSupportModelsResponse {
        request_id: call.request_id(),
        model_names: ModelNames {
            model_names: names.map(|status| status.entry.name).collect(),
        },
    })
}
