//! `RecallWindow`: the chunks of the same document around each match (semantics.md, `QueryContent`).
//!
//! Called after the search and after reranking. An image is a document of one row, so its window is the match itself.

use serde_json::{Map, Value};

use super::Match;
use crate::{
    engine::Inner,
    error::EngineError,
    name::FileName,
    store::{self, collection::CollectionRow, text_chunk::ListedRow},
};

/// The most that either end may be.
const MAX_NEIGHBOURS: i64 = 10;

/// How many chunks before and after a match are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecallWindow {
    before: u32,
    after: u32,
}

impl RecallWindow {
    /// Reads the two integers of a request: the first −10 to 0, the second 0 to 10.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] for anything else.
    pub fn new(ends: &[i64]) -> Result<Self, EngineError> {
        if let [first, second] = *ends
            && (-MAX_NEIGHBOURS..=0).contains(&first)
            && (0..=MAX_NEIGHBOURS).contains(&second)
        {
            let number = |end: i64| u32::try_from(end.unsigned_abs()).expect("checked to be small");
            return Ok(Self {
                before: number(first),
                after: number(second),
            });
        }
        Err(EngineError::invalid(
            "RecallWindow",
            "it must be two integers, the first from -10 to 0, the second from 0 to 10",
        ))
    }
}

/// A row of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRow {
    /// Its id.
    pub id: String,
    /// Its document.
    pub file_name: Option<FileName>,
    /// Its text.
    pub content: String,
    /// JSON of whatever loaded it.
    pub loader_metadata: String,
    /// As in a match.
    pub metadata: Vec<(String, String)>,
}

impl Inner {
    /// One window a match, in the order of the matches; each holds its match.
    pub(super) async fn windows(
        &self,
        row: &CollectionRow,
        matches: &[Match],
        window: RecallWindow,
        fields: Option<&[String]>,
    ) -> Result<Vec<Vec<WindowRow>>, EngineError> {
        let mut connection = self.store.reader().await?;
        let mut windows = Vec::with_capacity(matches.len());
        let ends = (window.before, window.after);
        for found in matches {
            let rows =
                store::text_chunk::neighbours(&mut connection, row.id, &found.id, ends).await?;
            let shown = rows.into_iter().map(|near| shown(row, near, fields));
            let mut rows: Vec<WindowRow> = shown.collect::<Result<_, _>>()?;
            // Deleted since it was found: the match is all there is.
            if rows.is_empty() {
                rows.push(WindowRow {
                    id: found.id.clone(),
                    file_name: found.file_name.clone(),
                    content: found.content.clone(),
                    loader_metadata: found.loader_metadata.clone(),
                    metadata: found.metadata.clone(),
                });
            }
            windows.push(rows);
        }
        Ok(windows)
    }
}

fn shown(
    row: &CollectionRow,
    near: ListedRow,
    fields: Option<&[String]>,
) -> Result<WindowRow, EngineError> {
    let stored: Map<String, Value> =
        serde_json::from_str(&near.metadata).map_err(EngineError::internal)?;
    Ok(WindowRow {
        id: near.id,
        file_name: near.file_name,
        content: near.content,
        loader_metadata: near.loader_metadata,
        metadata: row.collection.columns.texts(&stored, fields),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_has_two_ends_within_ten() {
        for good in [[0, 0], [-10, 10]] {
            assert!(RecallWindow::new(&good).is_ok());
        }
        for bad in [
            &[][..],
            &[0],
            &[-11, 0],
            &[1, 0],
            &[0, 11],
            &[0, -1],
            &[0, 0, 0],
        ] {
            assert!(RecallWindow::new(bad).is_err(), "{bad:?}");
        }
    }
}
