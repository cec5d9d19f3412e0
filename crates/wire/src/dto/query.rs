//! `QueryContent`: search by text or by image.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Json;
use super::table::request;
use crate::secret::Secret;

request! {
    /// Embeds a text or an image and finds the nearest rows.
    QueryContentRequest: QueryContent -> QueryContentResponse {
        required collection: String = "Collection", Used;
        /// The query text; empty counts as absent, clients send it so beside an image.
        optional content: String = "Content", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        /// Name of the query image; its extension must be an image's.
        optional file_name: String = "FileName", Used;
        /// The query image.
        optional file_url: String = "FileUrl", Used;
        /// Text of a SQL WHERE clause.
        optional filter: String = "Filter", Used;
        optional graph_enhance: bool = "GraphEnhance", Accepted;
        optional graph_search_args: Json<GraphSearchArgs> = "GraphSearchArgs", Accepted;
        /// Empty, `RRF`, `Weight` or `Cascaded`; any of them turns full text on (row 39).
        optional hybrid_search: String = "HybridSearch", Used;
        /// `{"RRF":{"k":60}}`, `{"Weight":{"alpha":0.5}}`, `{"HybridPathsSetting":{"paths":"dense,fulltext"}}`.
        optional hybrid_search_args: Json<Map<String, Value>> = "HybridSearchArgs", Used;
        /// Images have their `FileURL` in any case.
        optional include_file_url: bool = "IncludeFileUrl", Used;
        /// Comma list; absent: all.
        optional include_metadata_fields: String = "IncludeMetadataFields", Used;
        optional include_vector: bool = "IncludeVector", Used;
        /// `l2`, `ip` or `cosine`; absent: the collection's.
        optional metrics: String = "Metrics", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional offset: i64 = "Offset", Used;
        optional order_by: String = "OrderBy", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        /// Two integers, the first −10 to 0, the second 0 to 10.
        optional recall_window: Json<Vec<i64>> = "RecallWindow", Used;
        required region_id: String = "RegionId", Accepted;
        optional rerank_factor: f64 = "RerankFactor", Used;
        optional rerank_model: Json<RerankModel> = "RerankModel", Used;
        /// 1 to 1000; absent: 10 (semantics.md, row 9).
        optional top_k: i64 = "TopK", Used;
        /// Number with `s` or `d`; absent: `7200s`.
        optional url_expiration: String = "UrlExpiration", Used;
        optional use_full_text_retrieval: bool = "UseFullTextRetrieval", Used;
    }
}

/// Knowledge-graph arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphSearchArgs {
    #[serde(rename = "GraphTopK", skip_serializing_if = "Option::is_none")]
    pub graph_top_k: Option<i64>,
}

/// Which model reranks, and over what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RerankModel {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruct: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerank_metadata_fields: Option<String>,
}

/// Reply of `QueryContent`. Counts are **strings** here (semantics.md, "Replies").
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QueryContentResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_tokens: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<QueryUsage>,
    /// Always there, with an empty list when nothing matched: clients iterate it.
    pub matches: Matches,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_matches: Option<WindowMatches>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<Entities>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relations: Option<Relations>,
}

/// Embedding work done, as decimal strings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct QueryUsage {
    pub embedding_tokens: String,
    pub embedding_entries: String,
}

/// `Matches.MatchList[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Matches {
    pub match_list: Vec<Match>,
}

/// One row found, best first in the list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Match {
    pub id: String,
    pub file_name: String,
    /// Capital URL. A plain GET, reachable by a browser, without authorisation.
    #[serde(rename = "FileURL", skip_serializing_if = "Option::is_none")]
    pub file_url: Option<String>,
    /// Empty for images.
    pub content: String,
    /// JSON text, never empty for images.
    pub loader_metadata: String,
    /// Values are strings, whatever the column's type; always an object.
    pub metadata: BTreeMap<String, String>,
    pub score: f64,
    /// 1 vector, 2 full text, 3 both.
    pub retrieval_source: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerank_score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector: Option<VectorList>,
}

/// `Vector.VectorList[]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VectorList {
    pub vector_list: Vec<f32>,
}

/// `WindowMatches.windowMatches[]`, lower-case inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WindowMatches {
    pub window_matches: Vec<WindowMatchGroup>,
}

/// The window around one match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WindowMatchGroup {
    pub window_match: WindowMatchList,
}

/// `WindowMatch.windowMatch[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WindowMatchList {
    pub window_match: Vec<WindowMatch>,
}

/// One row of a window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WindowMatch {
    pub id: String,
    pub file_name: String,
    pub content: String,
    pub loader_metadata: String,
    pub metadata: BTreeMap<String, String>,
}

/// `Entities.entities[]` of the knowledge graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entities {
    pub entities: Vec<Entity>,
}

/// A node of the knowledge graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Entity {
    pub id: String,
    pub entity: String,
    #[serde(rename = "Type")]
    pub entity_type: String,
    pub description: String,
    pub file_name: String,
}

/// `Relations.relations[]` of the knowledge graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Relations {
    pub relations: Vec<Relation>,
}

/// An edge of the knowledge graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Relation {
    pub id: String,
    pub source_entity: String,
    pub target_entity: String,
    pub description: String,
    pub file_name: String,
}
