//! A change of encoder: the vectors of collections are made anew from what is stored.
//!
//! `lookalike reindex` calls this on an engine that does nothing else ([`Engine::open_idle`]). New vectors are kept beside the
//! old ones, batch by batch, and take their place a collection at a time in one transaction, so a
//! run that is stopped anywhere leaves every collection with vectors of one encoder, and the next run
//! goes on where it was.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lookalike_embed::{PreparedImage, Priority, ServedModel, catalogue::ModelKind};
use lookalike_media::ImageLimits;

use crate::{
    cpu::Lane,
    engine::{Engine, Inner},
    error::EngineError,
    query::embed_error,
    resident,
    store::{
        collection::CollectionRow,
        reindexing::{self, PendingRow},
    },
};

/// How far a collection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReindexProgress {
    /// Its name.
    pub collection: String,
    /// The encoder that makes its new vectors.
    pub encoder: String,
    /// Rows that have one.
    pub done: u64,
    /// All its rows.
    pub total: u64,
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reindexed {
    /// Collections whose vectors were exchanged.
    pub collections: u64,
    /// Rows in them.
    pub rows: u64,
    /// Collections whose encoder is the one that serves their model now.
    pub unchanged: u64,
}

impl Engine {
    /// Makes the vectors of every collection whose model is served by another encoder than the one
    /// that made them. `on_progress` hears of each batch.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] naming collection and file when an original cannot be read any
    /// more or a model not be served; what was done until then stays done.
    pub async fn reindex(
        &self,
        on_progress: impl Fn(&ReindexProgress) + Send,
    ) -> Result<Reindexed, EngineError> {
        let inner = &self.inner;
        let mut report = Reindexed::default();
        let rows = reindexing::collections(&mut *inner.store.reader().await?).await?;
        for row in rows {
            let collection = &row.collection;
            let model = resident::resolve_model(
                &inner.models,
                &collection.embedding_model,
                Some(collection.dimension),
            )?;
            if model.fingerprint() == collection.encoder_fingerprint {
                report.unchanged += 1;
                continue;
            }
            report.rows += reindex_collection(inner, &row, &model, &on_progress).await?;
            report.collections += 1;
        }
        Ok(report)
    }
}

/// Returns the number of rows.
async fn reindex_collection(
    inner: &Arc<Inner>,
    row: &CollectionRow,
    model: &ServedModel,
    on_progress: &(impl Fn(&ReindexProgress) + Send),
) -> Result<u64, EngineError> {
    let mut transaction = inner.store.begin().await?;
    reindexing::forget_others(&mut transaction, row.id, model.fingerprint()).await?;
    transaction.commit().await?;
    let batch_rows = inner.config.jobs.batch_images.max(1);
    loop {
        let mut reader = inner.store.reader().await?;
        let (done, total) = reindexing::count(&mut reader, row.id).await?;
        let pending = reindexing::pending(&mut reader, row.id, batch_rows).await?;
        drop(reader);
        on_progress(&ReindexProgress {
            collection: row.collection.name.to_string(),
            encoder: model.encoder().name.clone(),
            done,
            total,
        });
        if pending.is_empty() {
            let mut transaction = inner.store.begin().await?;
            let encoder = (&model.encoder().name[..], model.fingerprint());
            reindexing::exchange(&mut transaction, row.id, encoder).await?;
            transaction.commit().await?;
            inner.residents.forget([row.id]);
            return Ok(total);
        }
        let vectors = embed(inner, row, model, pending).await?;
        let mut transaction = inner.store.begin().await?;
        for (key, vector) in vectors {
            let place = (row.id, key);
            reindexing::keep(&mut transaction, place, model.fingerprint(), &vector).await?;
        }
        transaction.commit().await?;
    }
}

/// The vectors of a batch of rows, by key.
async fn embed(
    inner: &Arc<Inner>,
    row: &CollectionRow,
    model: &ServedModel,
    pending: Vec<PendingRow>,
) -> Result<Vec<(i64, Vec<f32>)>, EngineError> {
    let mut vectors = Vec::with_capacity(pending.len());
    let (texts, pictures): (Vec<_>, Vec<_>) = pending
        .into_iter()
        .partition(|pending| model.kind() == ModelKind::Text || !pending.content.is_empty());
    let (keys, texts): (Vec<i64>, Vec<String>) = texts
        .into_iter()
        .map(|text| (text.key, text.content))
        .unzip();
    let embedded = model.embed_document_texts(texts).await;
    let embedded = embedded.map_err(|error| embed_error(&error))?;
    vectors.extend(
        keys.into_iter()
            .zip(embedded.into_iter().map(|text| text.vector)),
    );
    let cores = inner.cpu.cores();
    let prepared: Vec<(i64, PreparedImage)> = stream::iter(pictures)
        .map(|picture| prepare(inner, row, model, picture))
        .buffered(cores)
        .try_collect()
        .await?;
    let (keys, prepared): (Vec<i64>, Vec<PreparedImage>) = prepared.into_iter().unzip();
    let embedded = model.embed_images(prepared, Priority::Ingest).await;
    let embedded = embedded.map_err(|error| embed_error(&error))?;
    vectors.extend(keys.into_iter().zip(embedded));
    Ok(vectors)
}

/// Decodes a row's original.
async fn prepare(
    inner: &Arc<Inner>,
    row: &CollectionRow,
    model: &ServedModel,
    pending: PendingRow,
) -> Result<(i64, PreparedImage), EngineError> {
    let collection = row.collection.name.to_string();
    let Some((file_name, object)) = pending.original else {
        return Err(EngineError::Unavailable {
            reason: format!(
                "a row of collection '{collection}' has neither text nor a file: its vector cannot be made anew"
            ),
        });
    };
    // They were accepted once; a limit that was lowered since then is no reason to lose them.
    let limits = ImageLimits {
        max_bytes: u64::MAX,
        ..inner.config.limits.image.clone()
    };
    let (objects, model) = (Arc::clone(&inner.objects), model.clone());
    let size = model.decode_size(inner.config.exact_photos);
    let decode = move || {
        let reader = objects.open_object_blocking(&object);
        let bytes = reader.and_then(|reader| reader.read_all_blocking(limits.max_bytes));
        let bytes = bytes.map_err(|error| error.to_string())?;
        let picture = lookalike_media::decode_sized(&bytes, &limits, size);
        let picture = picture.map_err(|error| error.to_string())?;
        Ok(model.prepare(&picture.pixels))
    };
    let prepared: Result<PreparedImage, String> = inner.cpu.run(Lane::Ingest, decode).await?;
    let prepared = prepared.map_err(|reason| EngineError::Unavailable {
        reason: format!(
            "the original of '{file_name}' in collection '{collection}' cannot be used: {reason}"
        ),
    })?;
    Ok((pending.key, prepared))
}
