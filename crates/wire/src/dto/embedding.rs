//! `TextEmbedding`, `Rerank`, `ListSupportModels`: the models by themselves, without a collection.

use serde::{Deserialize, Serialize};

use super::Json;
use super::table::request;

request! {
    /// Vectors of texts.
    TextEmbeddingRequest: TextEmbedding -> TextEmbeddingResponse {
        required db_instance_id: String = "DBInstanceId", Used;
        /// Absent: the model's own.
        optional dimension: i64 = "Dimension", Used;
        /// Up to 100 texts.
        optional input: Json<Vec<String>> = "Input", Used;
        /// Absent: `text-embedding-v3`.
        optional model: String = "Model", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
    }
}

/// Reply of `TextEmbedding`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TextEmbeddingResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    pub results: TextEmbeddings,
    pub text_tokens: i64,
}

/// `Results.Results[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TextEmbeddings {
    pub results: Vec<TextEmbeddingItem>,
}

/// The vector of one text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TextEmbeddingItem {
    /// Position in `Input`, from 0.
    pub index: i64,
    pub embedding: EmbeddingList,
}

/// `Embedding.Embedding[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EmbeddingList {
    pub embedding: Vec<f32>,
}

request! {
    /// Orders texts by how well they answer a query.
    RerankRequest: Rerank -> RerankResponse {
        required db_instance_id: String = "DBInstanceId", Used;
        optional documents: Json<Vec<String>> = "Documents", Used;
        optional instruct: String = "Instruct", Accepted;
        optional max_chunks_per_doc: i64 = "MaxChunksPerDoc", Used;
        /// Absent: `bge-reranker-v2-m3`.
        optional model: String = "Model", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        optional query: String = "Query", Used;
        required region_id: String = "RegionId", Accepted;
        /// False: the texts are left out of the reply.
        optional return_documents: bool = "ReturnDocuments", Used;
        optional top_k: i64 = "TopK", Used;
    }
}

/// Reply of `Rerank`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RerankResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    pub results: RerankResults,
    pub tokens: i64,
}

/// `Results.Results[]`, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RerankResults {
    pub results: Vec<RerankResult>,
}

/// One text with its place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RerankResult {
    /// Position in `Documents`, from 0.
    pub index: i64,
    pub relevance_score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

request! {
    /// Names of the models that a collection can be bound to.
    ListSupportModelsRequest: ListSupportModels -> ListSupportModelsResponse {
        optional region_id: String = "RegionId", Accepted;
    }
}

/// Reply of `ListSupportModels`, without `Status` and `Message`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListSupportModelsResponse {
    pub request_id: String,
    pub model_names: ModelNames,
}

/// `ModelNames.modelNames[]`, lower-case inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelNames {
    pub model_names: Vec<String>,
}
