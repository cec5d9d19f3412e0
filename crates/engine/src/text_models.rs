//! The text models by themselves, without a collection: `TextEmbedding` and `Rerank` (semantics.md).
//!
//! Rerank is a stand-in: the service asks a cross-encoder, here the default text encoder compares. Both answer as fast as a query
//! and count as one.

use lookalike_embed::{ServedModel, TextEmbedding};

use crate::{
    collection::DEFAULT_EMBEDDING_MODEL,
    engine::{Engine, Inner},
    error::EngineError,
    jobs::Usage,
    name::{FileName, InstanceId},
    query::{embed_error, rerank::cosine},
    resident,
    splitter::{SplitOptions, Splitting},
};

/// Texts of one `TextEmbedding`.
const MAX_TEXTS: usize = 100;

/// Documents of one `Rerank`. The service names no number; this is ten times the texts of `TextEmbedding`.
const MAX_DOCUMENTS: usize = 1000;

/// The rerankers by the API's name, the default first, with the parts of a document that each reads unless told otherwise.
const RERANKERS: [(&str, usize); 2] = [
    ("bge-reranker-v2-m3", 10),
    ("bge-reranker-v2-minicpm-layerwise", 5),
];

/// Characters of a part of a document.
const PART_CHARACTERS: i64 = 512;

/// The most that `MaxChunksPerDoc` may be.
const MAX_PARTS: i64 = 100;

/// Vectors of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One a text, in order.
    pub vectors: Vec<Vec<f32>>,
    /// One entry a text.
    pub usage: Usage,
    /// Which encoder answered, in one line for people.
    pub encoder: String,
}

/// Documents to be put in order.
#[derive(Debug, Clone, Default)]
pub struct RankDocuments {
    /// What they are compared with.
    pub query: String,
    /// The documents.
    pub documents: Vec<String>,
    /// The API's name of a reranker.
    pub model: Option<String>,
    /// How many of the best; all when absent.
    pub top_k: Option<i64>,
    /// How many parts of a document are read at most.
    pub max_parts: Option<i64>,
}

/// A document's place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// Its place in the request.
    pub index: usize,
    /// Larger is better.
    pub score: f32,
}

/// Documents in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Best first; ties by their place in the request.
    pub documents: Vec<Ranked>,
    /// What reading all of it cost.
    pub usage: Usage,
    /// Which encoder answered, in one line for people.
    pub encoder: String,
}

impl Engine {
    /// Embeds texts by a text model.
    pub async fn embed_texts(
        &self,
        instance: &InstanceId,
        model: Option<&str>,
        dimension: Option<u32>,
        texts: &[String],
    ) -> Result<Embedded, EngineError> {
        let inner = &self.inner;
        inner.check_instance_is_listed(instance)?;
        let model = model.unwrap_or(DEFAULT_EMBEDDING_MODEL);
        let model = resident::text_model(&inner.models, model, dimension)?;
        inner.check_texts("Input", texts, MAX_TEXTS)?;
        let _permit = inner.query_permit()?;
        let (embedded, usage) = embed(&model, texts.to_vec()).await?;
        Ok(Embedded {
            vectors: embedded.into_iter().map(|text| text.vector).collect(),
            usage,
            encoder: model.label(),
        })
    }

    /// Puts documents in the order of how near they are to a query.
    pub async fn rank_documents(
        &self,
        instance: &InstanceId,
        rank: &RankDocuments,
    ) -> Result<Ranking, EngineError> {
        let inner = &self.inner;
        inner.check_instance_is_listed(instance)?;
        let max_parts = max_parts(rank)?;
        let top_k = match rank.top_k {
            None => rank.documents.len(),
            Some(top_k) => usize::try_from(top_k)
                .ok()
                .filter(|top_k| *top_k > 0)
                .ok_or_else(|| EngineError::invalid("TopK", format!("{top_k} is not 1 or more")))?,
        };
        inner.check_texts("Query", std::slice::from_ref(&rank.query), 1)?;
        if rank.query.trim().is_empty() {
            return Err(EngineError::invalid("Query", "is empty"));
        }
        inner.check_texts("Documents", &rank.documents, MAX_DOCUMENTS)?;
        let model = resident::text_model(&inner.models, DEFAULT_EMBEDDING_MODEL, None)?;
        let _permit = inner.query_permit()?;

        let mut texts = vec![rank.query.clone()];
        let mut owners = Vec::new();
        let splitting = part_splitting()?;
        for (index, document) in rank.documents.iter().enumerate() {
            let parts = parts(&splitting, document);
            owners.extend(parts.iter().take(max_parts).map(|_| index));
            texts.extend(parts.into_iter().take(max_parts));
        }
        let (embedded, usage) = embed(&model, texts).await?;
        let Some((query, parts)) = embedded.split_first() else {
            return Err(EngineError::internal("no vector for the query"));
        };
        let mut documents: Vec<Ranked> = (0..rank.documents.len())
            .map(|index| Ranked {
                index,
                score: f32::NEG_INFINITY,
            })
            .collect();
        // A document is as good as the best of it.
        for (index, part) in owners.into_iter().zip(parts) {
            let score = cosine(&query.vector, &part.vector);
            documents[index].score = documents[index].score.max(score);
        }
        documents.sort_by(|one, other| other.score.total_cmp(&one.score));
        documents.truncate(top_k);
        Ok(Ranking {
            documents,
            usage,
            encoder: format!("stand-in for a reranker: {}", model.label()),
        })
    }
}

impl Inner {
    fn check_texts(
        &self,
        field: &'static str,
        texts: &[String],
        most: usize,
    ) -> Result<(), EngineError> {
        if texts.is_empty() || texts.len() > most {
            return Err(EngineError::invalid(
                field,
                format!("there must be 1 to {most} texts, not {}", texts.len()),
            ));
        }
        let max_bytes = self.config.limits.max_query_text_bytes;
        match texts.iter().find(|text| text.len() > max_bytes) {
            None => Ok(()),
            Some(text) => Err(EngineError::TooLarge {
                reason: format!(
                    "a text of {field} has {} bytes, more than the limit of {max_bytes} (setting \
                     max_query_text_bytes)",
                    text.len()
                ),
            }),
        }
    }
}

async fn embed(
    model: &ServedModel,
    texts: Vec<String>,
) -> Result<(Vec<TextEmbedding>, Usage), EngineError> {
    let embedded = model.embed_document_texts(texts).await;
    let embedded = embedded.map_err(|error| embed_error(&error))?;
    let usage = Usage {
        tokens: embedded.iter().map(|text| u64::from(text.tokens)).sum(),
        entries: embedded.len() as u64,
    };
    Ok((embedded, usage))
}

fn max_parts(rank: &RankDocuments) -> Result<usize, EngineError> {
    let name = rank.model.as_deref().unwrap_or(RERANKERS[0].0);
    let Some((_, default)) = RERANKERS.iter().find(|(known, _)| *known == name) else {
        let valid: Vec<&str> = RERANKERS.iter().map(|(name, _)| *name).collect();
        return Err(EngineError::invalid(
            "Model",
            format!("'{name}' is not a reranker; valid are {}", valid.join(", ")),
        ));
    };
    match rank.max_parts {
        None => Ok(*default),
        Some(parts) if (1..=MAX_PARTS).contains(&parts) => {
            Ok(usize::try_from(parts).expect("checked to be small and positive"))
        }
        Some(parts) => Err(EngineError::invalid(
            "MaxChunksPerDoc",
            format!("{parts} is outside the range 1 to {MAX_PARTS}"),
        )),
    }
}

fn part_splitting() -> Result<Splitting, EngineError> {
    let options = SplitOptions {
        chunk_size: Some(PART_CHARACTERS),
        chunk_overlap: Some(0),
        ..SplitOptions::default()
    };
    Splitting::checked(&options, &FileName::new("document.txt")?)
}

/// A document that is white space is one empty part: it has a place in the ranking, too.
fn parts(splitting: &Splitting, document: &str) -> Vec<String> {
    let chunks = splitting.split(document, usize::MAX).unwrap_or_default();
    if chunks.is_empty() {
        return vec![String::new()];
    }
    chunks.into_iter().map(|chunk| chunk.content).collect()
}
