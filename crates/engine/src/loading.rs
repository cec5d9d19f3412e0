//! What is loaded after the start: first the collections, which is quick and makes the engine ready,
//! then what searches by text and sparse vector look in, which reads all rows and keeps nobody
//! waiting but the searches that need it.

use std::sync::Arc;

use lookalike_embed::catalogue::ModelKind;
use tokio::sync::watch;

use crate::{
    collection::CollectionKind,
    engine::{Inner, Opening},
    error::EngineError,
    lookup::{SparseRecipe, TextRecipe},
    resident,
    store::{self, collection::CollectionRow},
};

/// Loads everything, and says through `opening` how far it is.
pub(crate) async fn load(inner: Arc<Inner>, opening: watch::Sender<Opening>) {
    if let Err(error) = collections(&inner).await {
        // Each collection is loaded again when it is used, and then says what is wrong.
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "collections could not be loaded"
        );
    }
    opening.send_replace(Opening::Ready);
    tokio::select! {
        () = inner.stop.cancelled() => return,
        loaded = lookups(&inner) => if let Err(error) = loaded {
            // Whoever searches reads them again, and is told what is wrong.
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "texts could not be loaded"
            );
        }
    }
    opening.send_replace(Opening::Warm);
}

async fn collections(inner: &Inner) -> Result<(), EngineError> {
    let rows = store::collection::list_all(&mut *inner.store.reader().await?).await?;
    inner.residents.sweep(&rows).await?;
    for row in rows {
        if inner.stop.is_cancelled() {
            return Ok(());
        }
        if row.collection.kind == CollectionKind::Document
            && let Err(error) = resident::model_of(&inner.models, &row)
        {
            tracing::warn!(collection = %row.collection.name, reason = %error, "a collection cannot be used");
        }
        // Without a dimension there are no rows yet.
        if row.collection.dimension > 0 {
            inner.residents.get(&inner.store, &row).await?;
        }
    }
    Ok(())
}

async fn lookups(inner: &Inner) -> Result<(), EngineError> {
    // Asked again: requests are answered by now, and may have changed what there is.
    let rows = store::collection::list_all(&mut *inner.store.reader().await?).await?;
    for row in rows.iter().filter(|row| row.collection.dimension > 0) {
        let (texts, sparse) = (has_texts(inner, row), row.collection.has_sparse_vectors());
        if !texts && !sparse {
            continue;
        }
        let resident = inner.residents.get(&inner.store, row).await?;
        let mut connection = inner.store.reader().await?;
        let mut reader = inner.column_reader(&mut connection, row);
        let lookups = resident.lookups();
        if texts {
            let recipe = TextRecipe::of_full_text(&row.collection);
            let door = resident.lock_for_search().await;
            lookups.texts.load_ahead(&mut reader, &recipe, door).await?;
        }
        if sparse {
            let recipe = SparseRecipe::of(&row.collection);
            let door = resident.lock_for_search().await;
            (lookups.sparse)
                .load_ahead(&mut reader, &recipe, door)
                .await?;
        }
        tracing::debug!(collection = %row.collection.name, "texts loaded");
    }
    Ok(())
}

/// Whether full text has anything to look into. Of an image it has not: it has no content.
fn has_texts(inner: &Inner, row: &CollectionRow) -> bool {
    let is_of_texts = || {
        resident::model_of(&inner.models, row).is_ok_and(|model| model.kind() == ModelKind::Text)
    };
    !row.collection.settings.full_text_fields.is_empty()
        || (row.collection.kind == CollectionKind::Document && is_of_texts())
}
