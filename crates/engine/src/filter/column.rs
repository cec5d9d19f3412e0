//! A column of a collection in memory: the values of one source, row after row.
//!
//! Kept by [`crate::columns`], read by [`super::evaluate`] and [`super::order`]. Texts lie one
//! behind the other in one allocation, so that a scan touches memory in order.

use serde_json::{Map, Value};

use super::{cast, datum::Datum, json};
use crate::{
    metadata::{self, SqlType},
    name::ColumnName,
};

/// The columns that every row has, whatever the collection declares (semantics.md row 37).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fixed {
    /// The row's id.
    Id,
    /// The document's file name.
    DocName,
    /// The row's text.
    Content,
    /// Where the document came from.
    Source,
    /// What the loader found out, as JSON.
    LoaderMetadata,
}

impl Fixed {
    /// Those of a document collection.
    pub(crate) const OF_DOCUMENTS: &'static [Self] = &[
        Self::Id,
        Self::DocName,
        Self::Content,
        Self::Source,
        Self::LoaderMetadata,
    ];

    /// Those of a plain vector collection.
    pub(crate) const OF_VECTORS: &'static [Self] = &[Self::Id, Self::Source];

    /// The name in a filter.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::DocName => "doc_name",
            Self::Content => "content",
            Self::Source => "source",
            Self::LoaderMetadata => "loader_metadata",
        }
    }

    pub(super) fn sql_type(self) -> SqlType {
        match self {
            Self::Id | Self::DocName | Self::Content | Self::Source => SqlType::Text,
            Self::LoaderMetadata => SqlType::Json,
        }
    }
}

/// Where a source's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Fixed(Fixed),
    Metadata(ColumnName),
}

/// A step into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(i64),
}

/// What a column holds: a declared or fixed column, or what a constant path finds in a JSON one.
/// A path is a column of its own: `metadata_ ->> 'k'` is read out of the JSON once and not again
/// for every filter, and the JSON itself need not stay in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) origin: Origin,
    pub(super) path: Vec<Step>,
    /// Whether the path ends with `->>`.
    pub(super) as_text: bool,
    /// The type of the values.
    pub(super) sql_type: SqlType,
}

/// A row as the database has it; what no source needs may be left out.
#[derive(Default)]
pub(crate) struct StoredRow {
    pub(crate) id: Option<String>,
    pub(crate) doc_name: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) source: Option<&'static str>,
    pub(crate) loader_metadata: Option<String>,
    pub(crate) metadata: Map<String, Value>,
}

impl Source {
    pub(super) fn fixed(fixed: Fixed) -> Self {
        Self {
            origin: Origin::Fixed(fixed),
            path: Vec::new(),
            as_text: false,
            sql_type: fixed.sql_type(),
        }
    }

    /// A declared column. Lengths and scales have done their work when the value was stored.
    pub(super) fn metadata(column: &metadata::Column) -> Self {
        Self {
            origin: Origin::Metadata(column.name.clone()),
            path: Vec::new(),
            as_text: false,
            sql_type: plain(&column.sql_type),
        }
    }

    /// What a path into this JSON column finds.
    pub(super) fn inside(self, path: Vec<Step>, as_text: bool) -> Self {
        let sql_type = if as_text {
            SqlType::Text
        } else {
            SqlType::Json
        };
        Self {
            path,
            as_text,
            sql_type,
            ..self
        }
    }

    /// This source's value in a row.
    pub(crate) fn read(&self, row: &StoredRow) -> Datum<'static> {
        let text = |text: Option<&str>| {
            text.map_or(Datum::Null, |text| Datum::Text(text.to_owned().into()))
        };
        match &self.origin {
            Origin::Fixed(Fixed::Id) => text(row.id.as_deref()),
            Origin::Fixed(Fixed::DocName) => text(row.doc_name.as_deref()),
            Origin::Fixed(Fixed::Content) => text(row.content.as_deref()),
            Origin::Fixed(Fixed::Source) => text(row.source),
            Origin::Fixed(Fixed::LoaderMetadata) => {
                let loaded = row.loader_metadata.as_deref();
                // An empty text stands for no loader at all.
                loaded
                    .and_then(|text| serde_json::from_str::<Value>(text).ok())
                    .map_or(Datum::Null, |value| self.reach(&value))
            }
            Origin::Metadata(name) => row
                .metadata
                .get(name.as_str())
                .map_or(Datum::Null, |value| self.reach(value)),
        }
    }

    fn reach(&self, value: &Value) -> Datum<'static> {
        if self.path.is_empty() {
            return cast::stored(value, &self.sql_type);
        }
        let found = self.path.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => json::field(value, key),
            Step::Index(index) => json::element(value, *index),
        });
        match found {
            None => Datum::Null,
            Some(found) if self.as_text => {
                json::as_text(found).map_or(Datum::Null, |text| Datum::Text(text.into()))
            }
            Some(found) => Datum::Json(std::borrow::Cow::Owned(found.clone())),
        }
    }
}

/// A type without its length or scale: what a value of it is compared as.
pub(super) fn plain(sql_type: &SqlType) -> SqlType {
    match sql_type {
        SqlType::Varchar(_) => SqlType::Text,
        SqlType::Numeric(_) => SqlType::Numeric(None),
        SqlType::Array(element) => SqlType::Array(Box::new(plain(element))),
        other => other.clone(),
    }
}

/// The values of one source. A row's place holds any value where it is NULL.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(super) values: Values,
    nulls: Vec<u64>,
    len: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Values {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Moment(Vec<i64>),
    Numeric(Texts),
    Text(Texts),
    Json(Vec<Value>),
    Array(Vec<Vec<Datum<'static>>>),
}

/// Texts one behind the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    bytes: String,
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn get(&self, position: usize) -> &str {
        let start = position
            .checked_sub(1)
            .map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[position]]
    }

    fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }
}

impl Column {
    /// An empty column for the values of a source.
    pub(crate) fn new(source: &Source) -> Self {
        let values = match source.sql_type {
            SqlType::Text | SqlType::Varchar(_) | SqlType::Uuid => Values::Text(Texts::default()),
            SqlType::SmallInt | SqlType::Int | SqlType::BigInt => Values::Int(Vec::new()),
            SqlType::Real | SqlType::Double => Values::Float(Vec::new()),
            SqlType::Numeric(_) => Values::Numeric(Texts::default()),
            SqlType::Bool => Values::Bool(Vec::new()),
            SqlType::Date | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz => {
                Values::Moment(Vec::new())
            }
            SqlType::Json => Values::Json(Vec::new()),
            SqlType::Array(_) => Values::Array(Vec::new()),
        };
        Self {
            values,
            nulls: Vec::new(),
            len: 0,
        }
    }

    /// Adds the next row's value.
    pub(crate) fn push(&mut self, value: Datum<'static>) {
        let position = self.len;
        self.len += 1;
        if position.is_multiple_of(64) {
            self.nulls.push(0);
        }
        if value.is_null() {
            self.nulls[position / 64] |= 1 << (position % 64);
        }
        match (&mut self.values, value) {
            (Values::Bool(values), Datum::Bool(value)) => values.push(value),
            (Values::Int(values), Datum::Int(value))
            | (Values::Moment(values), Datum::Moment(value)) => values.push(value),
            (Values::Float(values), Datum::Float(value)) => values.push(value),
            (Values::Numeric(values), Datum::Numeric(text))
            | (Values::Text(values), Datum::Text(text)) => values.push(&text),
            (Values::Json(values), Datum::Json(value)) => values.push(value.into_owned()),
            (Values::Array(values), Datum::Array(items)) => values.push(items.into_owned()),
            (Values::Bool(values), _) => values.push(false),
            (Values::Int(values) | Values::Moment(values), _) => values.push(0),
            (Values::Float(values), _) => values.push(0.0),
            (Values::Numeric(values) | Values::Text(values), _) => values.push(""),
            (Values::Json(values), _) => values.push(Value::Null),
            (Values::Array(values), _) => values.push(Vec::new()),
        }
    }

    pub(super) fn is_null(&self, position: usize) -> bool {
        self.nulls[position / 64] >> (position % 64) & 1 == 1
    }

    /// One bit a row, set where it is NULL.
    pub(super) fn nulls(&self) -> &[u64] {
        &self.nulls
    }

    pub(super) fn get(&self, position: usize) -> Datum<'_> {
        if self.is_null(position) {
            return Datum::Null;
        }
        match &self.values {
            Values::Bool(values) => Datum::Bool(values[position]),
            Values::Int(values) => Datum::Int(values[position]),
            Values::Float(values) => Datum::Float(values[position]),
            Values::Moment(values) => Datum::Moment(values[position]),
            Values::Numeric(values) => Datum::Numeric(values.get(position).into()),
            Values::Text(values) => Datum::Text(values.get(position).into()),
            Values::Json(values) => Datum::Json(std::borrow::Cow::Borrowed(&values[position])),
            Values::Array(values) => Datum::Array(std::borrow::Cow::Borrowed(&values[position])),
        }
    }
}
