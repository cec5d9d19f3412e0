//! From a query's text or image to its vector.
//!
//! Called by [`super`]; the model's queue lets these go ahead of ingestion.

use bytes::Bytes;
use lookalike_embed::{EmbedError, Priority, ServedModel, catalogue::ModelKind};
use lookalike_media::{ImageLimits, decode_sized, extension};

use super::{HybridSearch, ImageQuery, QueryContent};
use crate::{
    cpu::Lane,
    engine::Inner,
    error::EngineError,
    jobs::{ENTRIES_AN_IMAGE, Source, Usage},
};

/// Whether a model can embed what a query looks for (row 11), also where another path is asked.
pub(super) fn check_model(query: &QueryContent, model: &ServedModel) -> Result<(), EngineError> {
    if query.image.is_none() || model.kind() == ModelKind::Image {
        return Ok(());
    }
    Err(EngineError::invalid(
        "FileUrl",
        format!(
            "an image cannot be looked for in the collection '{}': its model {} embeds texts only",
            query.collection,
            model.model()
        ),
    ))
}

impl Inner {
    /// The query's vector and its price.
    pub(super) async fn embed_query(
        &self,
        query: &QueryContent,
        model: &ServedModel,
    ) -> Result<(Vec<f32>, Usage), EngineError> {
        match (&query.image, query.looked_for_text()) {
            (Some(image), text) => {
                if text.is_some() && query.hybrid == HybridSearch::default() {
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
                let embedding = model.embed_text(text).await.map_err(|e| embed_error(&e))?;
                let usage = Usage {
                    tokens: u64::from(embedding.tokens),
                    entries: 1,
                };
                Ok((embedding.vector, usage))
            }
            (None, None) => Err(EngineError::internal("a query without text or image")),
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
        let size = model.decode_size(self.config.exact_photos);
        let decoded = move || {
            let picture = decode_sized(&bytes, &limits, size)?;
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
        | EmbedError::TextOnly
        | EmbedError::NotFinite
        | EmbedError::Panicked(_) => EngineError::internal(error.clone()),
    }
}
