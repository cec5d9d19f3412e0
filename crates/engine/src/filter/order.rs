//! `OrderBy`: fields in turn, each with its direction, over columns in memory.

use std::cmp::Ordering;

use sqlparser::ast::OrderBySort;

use super::{
    Fields, FilterLimits, check,
    column::{Column, Fixed, Source},
    error::FilterError,
    parser,
    token::{self, Language},
};

/// An order of rows.
#[derive(Debug, Clone)]
pub(crate) struct OrderBy {
    sources: Vec<Source>,
    directions: Vec<Direction>,
}

#[derive(Debug, Clone, Copy)]
struct Direction {
    descending: bool,
    nulls_first: bool,
}

impl OrderBy {
    /// Reads `title, page DESC`. NULL is above every value, so first when descending, unless
    /// `NULLS FIRST` or `NULLS LAST` says otherwise. Rows that are equal in all of it are ordered
    /// by `ties`, upwards.
    pub(crate) fn parse(
        text: &str,
        fields: &Fields<'_>,
        ties: &[Fixed],
        limits: &FilterLimits,
    ) -> Result<Self, FilterError> {
        let (tokens, positions) = token::read(text, Language::Order, fields, limits)?;
        let terms = parser::order(tokens, &positions, limits)?;
        let mut order = Self {
            sources: Vec::with_capacity(terms.len()),
            directions: Vec::with_capacity(terms.len()),
        };
        for term in terms {
            let descending = matches!(term.options.sort, Some(OrderBySort::Desc));
            order
                .sources
                .push(check::field(&term.expr, fields, &positions, limits)?);
            order.directions.push(Direction {
                descending,
                nulls_first: term.options.nulls_first.unwrap_or(descending),
            });
        }
        for tie in ties {
            order.sources.push(Source::fixed(*tie));
            order.directions.push(Direction {
                descending: false,
                nulls_first: false,
            });
        }
        Ok(order)
    }

    /// The columns it needs, in the order in which [`OrderBy::compare`] takes them.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// How two rows are ordered.
    pub(crate) fn compare(&self, columns: &[&Column], one: usize, other: usize) -> Ordering {
        columns
            .iter()
            .zip(&self.directions)
            .map(|(column, direction)| {
                let nulls = (column.is_null(one), column.is_null(other));
                match nulls {
                    (true, true) => Ordering::Equal,
                    (true, false) if direction.nulls_first => Ordering::Less,
                    (true, false) => Ordering::Greater,
                    (false, true) if direction.nulls_first => Ordering::Greater,
                    (false, true) => Ordering::Less,
                    (false, false) => {
                        let ordering = column.get(one).compare(&column.get(other));
                        if direction.descending {
                            ordering.reverse()
                        } else {
                            ordering
                        }
                    }
                }
            })
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}
