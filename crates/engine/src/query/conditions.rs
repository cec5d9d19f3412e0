//! What a request says of the rows besides what it looks for: `Filter` and `OrderBy`.
//!
//! Every operation that takes either of them parses it here, before anything is searched.

use std::sync::Arc;

use lookalike_index::Bitmap;
use sqlx::SqliteConnection;

use crate::{
    collection::{Collection, CollectionKind},
    columns::Reader,
    engine::Inner,
    error::EngineError,
    filter::{Fields, Filter, Fixed, OrderBy},
    resident::Resident,
    store::collection::CollectionRow,
};

/// A condition and an order, parsed for one collection.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) filter: Option<Arc<Filter>>,
    pub(crate) order: Option<Arc<OrderBy>>,
}

impl Inner {
    /// Reads the two texts of a request; an empty one counts as absent.
    pub(crate) fn conditions(
        &self,
        collection: &Collection,
        filter: &str,
        order_by: &str,
    ) -> Result<Conditions, EngineError> {
        let fields = Fields {
            metadata: &collection.columns,
            fixed: match collection.kind {
                CollectionKind::Document => Fixed::OF_DOCUMENTS,
                CollectionKind::Vector => Fixed::OF_VECTORS,
            },
        };
        let ties: &[Fixed] = match collection.kind {
            CollectionKind::Document => &[Fixed::DocName, Fixed::Id],
            CollectionKind::Vector => &[Fixed::Id],
        };
        let limits = self.config.limits.filter;
        let mut conditions = Conditions::default();
        if !filter.trim().is_empty() {
            let parsed = Filter::parse(filter, &fields, &limits)
                .map_err(|error| EngineError::invalid("Filter", error.to_string()))?;
            conditions.filter = Some(Arc::new(parsed));
        }
        if !order_by.trim().is_empty() {
            let parsed = OrderBy::parse(order_by, &fields, ties, &limits)
                .map_err(|error| EngineError::invalid("OrderBy", error.to_string()))?;
            conditions.order = Some(Arc::new(parsed));
        }
        Ok(conditions)
    }

    /// The keys of the rows that match; all of them are allowed without a filter. To be called
    /// under the collection's lock.
    pub(crate) async fn allowed(
        &self,
        connection: &mut SqliteConnection,
        row: &CollectionRow,
        resident: &Resident,
        conditions: &Conditions,
    ) -> Result<Option<Arc<Bitmap>>, EngineError> {
        let Some(filter) = &conditions.filter else {
            return Ok(None);
        };
        let reader = self.column_reader(connection, row);
        Ok(Some(resident.columns().matching(reader, filter).await?))
    }

    /// What [`crate::columns::ColumnCache`] reads with.
    pub(crate) fn column_reader<'a>(
        &'a self,
        connection: &'a mut SqliteConnection,
        row: &CollectionRow,
    ) -> Reader<'a> {
        Reader {
            connection,
            collection_id: row.id,
            cpu: &self.cpu,
        }
    }
}
