//! Rows out of the database into columns. Reading waits, parsing goes through the door to work.

use std::{collections::HashSet, sync::Arc};

use super::{Kept, Reader, Table};
use crate::{
    cpu::Lane,
    error::EngineError,
    filter::{Column, Fixed, Origin, Source, StoredRow},
    store::chunk::{self, Parts, PartsRow},
};

/// Rows parsed at a time.
pub(crate) const BATCH_ROWS: usize = 1024;

/// Reads some rows again: those that are gone die, the others get new places.
pub(super) async fn again(
    reader: &mut Reader<'_>,
    table: Arc<Table>,
    keys: HashSet<u64>,
) -> Result<Arc<Table>, EngineError> {
    let parts = parts(table.columns.iter().map(|kept| &kept.source));
    let listed: Vec<u64> = keys.iter().copied().collect();
    let rows = chunk::parts_of(reader.connection, reader.collection_id, parts, &listed).await?;
    let mend = move || {
        let mut table = Arc::unwrap_or_clone(table);
        for key in keys {
            table.remove(key);
        }
        for row in rows {
            let (key, row) = stored(row)?;
            table.append_row(key, &row);
        }
        Ok(Arc::new(table))
    };
    reader.cpu.run(Lane::Request, mend).await?
}

/// Adds columns to a table, and the keys to one that has none.
pub(super) async fn columns(
    reader: &mut Reader<'_>,
    table: Arc<Table>,
    sources: Vec<Source>,
) -> Result<Arc<Table>, EngineError> {
    let mut table = Arc::unwrap_or_clone(table);
    // Without rows there is nothing to match positions with: all columns start anew.
    let mut sources = sources;
    if table.positions.is_empty() {
        sources.extend(
            std::mem::take(&mut table)
                .columns
                .into_iter()
                .map(|kept| kept.source),
        );
    } else if table.keys.len() > table.positions.len() {
        // Dead places have no values any more; the living move together.
        sources.extend(
            std::mem::take(&mut table)
                .columns
                .into_iter()
                .map(|kept| kept.source),
        );
    }
    let fills_keys = table.keys.is_empty();
    let kept = sources
        .into_iter()
        .map(|source| Kept {
            column: Arc::new(Column::new(&source)),
            source,
            used: 0,
        })
        .collect::<Vec<_>>();
    let parts = parts(kept.iter().map(|kept| &kept.source));
    let mut new = (table, kept);
    let mut after = 0;
    loop {
        let rows = chunk::parts_after(
            reader.connection,
            reader.collection_id,
            parts,
            after,
            BATCH_ROWS,
        )
        .await?;
        let Some(last) = rows.last() else {
            break;
        };
        after = last.key;
        let fill = move || {
            let (table, kept) = &mut new;
            for row in rows {
                let (key, row) = stored(row)?;
                if fills_keys {
                    table.append(key);
                }
                for kept in kept.iter_mut() {
                    Arc::make_mut(&mut kept.column).push(kept.source.read(&row));
                }
            }
            Ok::<_, EngineError>(new)
        };
        new = reader.cpu.run(Lane::Request, fill).await??;
    }
    let (mut table, kept) = new;
    table.columns.extend(kept);
    Ok(Arc::new(table))
}

/// What of a row some sources are made of.
fn parts<'a>(sources: impl Iterator<Item = &'a Source>) -> Parts {
    let mut parts = Parts::default();
    for source in sources {
        match &source.origin {
            Origin::Fixed(Fixed::Id) => parts.id = true,
            Origin::Fixed(Fixed::DocName) => parts.file_name = true,
            Origin::Fixed(Fixed::Content) => parts.content = true,
            Origin::Fixed(Fixed::Source) => {}
            Origin::Fixed(Fixed::LoaderMetadata) => parts.loader_metadata = true,
            Origin::Metadata(_) => parts.metadata = true,
        }
    }
    parts
}

fn stored(row: PartsRow) -> Result<(u64, StoredRow), EngineError> {
    let metadata = match &row.metadata {
        Some(text) => serde_json::from_str(text).map_err(EngineError::internal)?,
        None => serde_json::Map::new(),
    };
    let stored = StoredRow {
        id: row.id,
        doc_name: row.file_name,
        content: row.content,
        source: row.of_document.then_some(crate::document::SOURCE),
        loader_metadata: row.loader_metadata,
        metadata,
    };
    Ok((row.key, stored))
}
