//! A model as a collection sees it: a name and a dimension of the contract, and the encoder that answers for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use lookalike_media::{Pixels, Size};
use moka::sync::Cache;

use crate::batcher::{Batcher, Priority, panic_text};
use crate::catalogue::ModelKind;
use crate::encoder::{Encoder, EncoderInfo, PreparedImage, TextEmbedding};
use crate::error::EmbedError;
use crate::vector::Lift;

/// Longer texts are not cached: they hardly ever come twice, and would let the cache grow by their own length. Nor are they
/// embedded at once.
const MAX_SHORT_TEXT_BYTES: usize = 1024;

/// An encoder, its thread and its cache; shared by every dimension that it serves.
pub(crate) struct Loaded {
    pub(crate) encoder: Arc<dyn Encoder>,
    pub(crate) batcher: Batcher,
    /// By dimension after the lift, and text.
    pub(crate) texts: Cache<(u32, String), TextEmbedding>,
}

/// Handle to a model in one dimension. Clones share everything.
#[derive(Clone)]
pub struct ServedModel {
    inner: Arc<Inner>,
}

struct Inner {
    model: String,
    dimension: u32,
    stand_in: bool,
    lift: Option<Arc<Lift>>,
    loaded: Arc<Loaded>,
}

impl ServedModel {
    pub(crate) fn new(
        model: String,
        dimension: u32,
        stand_in: bool,
        lift: Option<Arc<Lift>>,
        loaded: Arc<Loaded>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                model,
                dimension,
                stand_in,
                lift,
                loaded,
            }),
        }
    }

    /// The name that the client used.
    pub fn model(&self) -> &str {
        &self.inner.model
    }

    /// Whether it takes pictures, too.
    pub fn kind(&self) -> ModelKind {
        self.inner.loaded.encoder.kind()
    }

    /// Length of the vectors that come out.
    pub fn dimension(&self) -> u32 {
        self.inner.dimension
    }

    /// What really computes them.
    pub fn encoder(&self) -> &EncoderInfo {
        self.inner.loaded.encoder.info()
    }

    /// The encoder's identity, to be stored beside the vectors.
    pub fn fingerprint(&self) -> &str {
        &self.encoder().fingerprint
    }

    /// Whether another encoder than the model named answers. To be said wherever the model's name is shown.
    pub fn is_stand_in(&self) -> bool {
        self.inner.stand_in
    }

    /// One line for start-up, listings and reply headers.
    pub fn label(&self) -> String {
        label(self.encoder(), self.is_stand_in(), self.dimension())
    }

    /// How many pixels of a picture this model needs: all of them when `exact`, else at least so many that the square it
    /// looks at can be resized with a difference of two levels at most.
    pub fn decode_size(&self, exact: bool) -> Size {
        match self.inner.loaded.encoder.short_edge() {
            Some(edge) if !exact => Size::Centre { edge },
            Some(_) | None => Size::Full,
        }
    }

    /// Crops and resizes a picture for this model, on the caller's thread. A text model makes nothing of it, and
    /// [`Self::embed_images`] refuses that.
    pub fn prepare(&self, pixels: &Pixels) -> PreparedImage {
        self.inner.loaded.encoder.prepare(pixels)
    }

    /// The unit vector of a text. Repeated texts come from a cache. Goes ahead of all ingestion.
    ///
    /// # Errors
    /// [`EmbedError`]; no text is an error by its content.
    pub async fn embed_text(&self, text: &str) -> Result<TextEmbedding, EmbedError> {
        let key = (self.inner.dimension, text.to_owned());
        if let Some(known) = self.inner.loaded.texts.get(&key) {
            return Ok(known);
        }
        let is_short = text.len() <= MAX_SHORT_TEXT_BYTES;
        let plain = match is_short.then(|| self.at_once(text)).flatten() {
            Some(plain) => plain?,
            None => self.inner.loaded.batcher.text(key.1.clone()).await?,
        };
        let embedding = TextEmbedding {
            vector: self.finish(plain.vector)?,
            tokens: plain.tokens,
        };
        if is_short {
            self.inner.loaded.texts.insert(key, embedding.clone());
        }
        Ok(embedding)
    }

    /// The encoder's own vector of a text, if it takes no time worth another thread.
    fn at_once(&self, text: &str) -> Option<Result<TextEmbedding, EmbedError>> {
        let embed = AssertUnwindSafe(|| self.inner.loaded.encoder.text_at_once(text));
        // As with the batcher: a panic is the error of the one whose text caused it.
        catch_unwind(embed)
            .unwrap_or_else(|panic| Some(Err(EmbedError::Panicked(panic_text(&*panic)))))
    }

    /// One unit vector a text, in order: parts of documents, which are not cached and wait for queries. A request is
    /// answered as a whole.
    ///
    /// # Errors
    /// [`EmbedError`]; no text is an error by its content.
    pub async fn embed_document_texts(
        &self,
        texts: Vec<String>,
    ) -> Result<Vec<TextEmbedding>, EmbedError> {
        let plain = self.inner.loaded.batcher.document_texts(texts).await?;
        plain
            .into_iter()
            .map(|TextEmbedding { vector, tokens }| {
                let vector = self.finish(vector)?;
                Ok(TextEmbedding { vector, tokens })
            })
            .collect()
    }

    /// One unit vector a picture, in order. A request is answered as a whole: one bad picture fails it.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub async fn embed_images(
        &self,
        images: Vec<PreparedImage>,
        priority: Priority,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let vectors = self.inner.loaded.batcher.images(images, priority).await?;
        vectors
            .into_iter()
            .map(|vector| self.finish(vector))
            .collect()
    }

    fn finish(&self, vector: Vec<f32>) -> Result<Vec<f32>, EmbedError> {
        if !vector.iter().all(|x| x.is_finite()) {
            return Err(EmbedError::NotFinite);
        }
        Ok(match &self.inner.lift {
            Some(lift) => lift.apply(&vector),
            None => vector,
        })
    }
}

/// Who answers, said in one line.
pub(crate) fn label(encoder: &EncoderInfo, stand_in: bool, dimension: u32) -> String {
    let role = if stand_in { "stand-in " } else { "" };
    let lifted = if encoder.dimension == dimension {
        String::new()
    } else {
        format!(
            ", lifted from {} to {dimension} dimensions",
            encoder.dimension
        )
    };
    format!("{role}{}{lifted}", encoder.name)
}

#[cfg(test)]
mod tests;
