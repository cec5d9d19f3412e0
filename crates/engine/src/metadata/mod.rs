//! The metadata columns a collection declares: their names and types, the check of what an upload
//! gives for them, and the text that a reply shows.
//!
//! Called when a collection is created, when an upload is submitted (so that a bad value is a 400
//! and not a failed job: semantics.md rows 22 and 23) and when matches are shown.

pub(crate) mod change;
pub(crate) mod decimal;
mod sql_type;
mod value;

use serde_json::{Map, Value};
pub use sql_type::{SqlType, TypeError};

use crate::{error::EngineError, name::ColumnName};

/// Names that a document collection's own columns have (semantics.md, PY).
pub const RESERVED_IN_DOCUMENTS: &[&str] = &[
    "id",
    "vector",
    "doc_name",
    "content",
    "loader_metadata",
    "source",
    "to_tsvector",
];

/// Names that a vector collection's own columns have (semantics.md, PY).
pub const RESERVED_IN_VECTORS: &[&str] = &["id", "vector", "to_tsvector", "source"];

/// Columns of one collection; `PostgreSQL` allows 1600 in a table, its own ones included.
pub const MAX_COLUMNS: usize = 1000;

/// One declared column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: ColumnName,
    /// Its type.
    pub sql_type: SqlType,
    /// Its type in the words of the declaration, which is what a listing shows.
    declared: String,
}

impl Column {
    /// Its type in the words of the declaration.
    pub fn declared(&self) -> &str {
        &self.declared
    }

    fn new(name: ColumnName, declared: String) -> Result<Self, EngineError> {
        let sql_type = SqlType::parse(&declared).map_err(|error| {
            EngineError::invalid("Metadata", format!("field '{name}': {error}"))
        })?;
        Ok(Self {
            name,
            sql_type,
            declared,
        })
    }
}

fn column_name(name: &str, reserved: &[&str]) -> Result<ColumnName, EngineError> {
    let name = ColumnName::new(name)
        .map_err(|error| EngineError::invalid("Metadata", error.to_string()))?;
    if reserved.contains(&name.as_str()) {
        return Err(EngineError::invalid(
            "Metadata",
            format!(
                "the name '{name}' is reserved; reserved are {}",
                reserved.join(", ")
            ),
        ));
    }
    Ok(name)
}

/// The declared columns in the order of declaration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// Reads a declaration: a JSON object of column name to SQL type, e.g.
    /// `{"title":"text","page":"int"}`. Empty text declares nothing. The names in `reserved` cannot
    /// be declared.
    pub fn parse(json: &str, reserved: &[&str]) -> Result<Self, EngineError> {
        let refuse = |reason: String| EngineError::invalid("Metadata", reason);
        if json.trim().is_empty() {
            return Ok(Self::default());
        }
        let declared: Map<String, Value> = serde_json::from_str(json).map_err(|error| {
            refuse(format!(
                "must be a JSON object of field name to SQL type: {error}"
            ))
        })?;
        if declared.len() > MAX_COLUMNS {
            return Err(refuse(format!("declares more than {MAX_COLUMNS} fields")));
        }
        declared
            .into_iter()
            .map(|(name, sql_type)| {
                let name = column_name(&name, reserved)?;
                let Value::String(declared) = sql_type else {
                    return Err(refuse(format!("the type of '{name}' must be a string")));
                };
                Column::new(name, declared)
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The declaration as JSON again, in its own words and order.
    pub fn to_json(&self) -> String {
        let declared: Map<String, Value> = self
            .0
            .iter()
            .map(|column| {
                (
                    column.name.to_string(),
                    Value::from(column.declared.clone()),
                )
            })
            .collect();
        Value::Object(declared).to_string()
    }

    /// The columns.
    pub fn iter(&self) -> impl Iterator<Item = &Column> {
        self.0.iter()
    }

    /// Whether `name` is declared.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&Column> {
        self.0.iter().find(|column| column.name.as_str() == name)
    }

    /// Checks and casts the values of an upload. Keys that are not declared and values that do
    /// not cast are refused by name.
    pub(crate) fn cast(
        &self,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, EngineError> {
        let refuse = |reason: String| EngineError::invalid("Metadata", reason);
        if let Some(unknown) = given.keys().find(|key| !self.contains(key)) {
            return Err(refuse(format!(
                "the field '{unknown}' is not declared; {}",
                self.declared_names()
            )));
        }
        // In the order of declaration, so that equal values are stored equally.
        let mut stored = Map::new();
        for column in &self.0 {
            let Some(value) = given.get(column.name.as_str()) else {
                continue;
            };
            let cast = value::cast(value, &column.sql_type).map_err(|reason| {
                refuse(format!(
                    "the value of '{}', declared as {}, {reason}",
                    column.name, column.declared
                ))
            })?;
            stored.insert(column.name.to_string(), cast);
        }
        Ok(stored)
    }

    /// Stored values in their own types, in the order of declaration, NULLs left out. With `wanted`
    /// only those fields.
    pub(crate) fn values(
        &self,
        stored: &Map<String, Value>,
        wanted: Option<&[String]>,
    ) -> Vec<(String, Value)> {
        self.shown(wanted)
            .filter_map(|column| {
                let value = stored.get(column.name.as_str())?;
                (!value.is_null()).then(|| (column.name.to_string(), value.clone()))
            })
            .collect()
    }

    /// The columns that a reply shows.
    fn shown<'a>(&'a self, wanted: Option<&'a [String]>) -> impl Iterator<Item = &'a Column> {
        self.0.iter().filter(move |column| {
            wanted.is_none_or(|wanted| wanted.iter().any(|name| name == column.name.as_str()))
        })
    }

    fn declared_names(&self) -> String {
        if self.0.is_empty() {
            return "the collection declares no metadata".to_owned();
        }
        let names: Vec<&str> = self.0.iter().map(|column| column.name.as_str()).collect();
        format!("declared are {}", names.join(", "))
    }

    /// Stored values as text, in the order of declaration, NULLs left out. With `wanted` only
    /// those fields.
    pub(crate) fn texts(
        &self,
        stored: &Map<String, Value>,
        wanted: Option<&[String]>,
    ) -> Vec<(String, String)> {
        self.shown(wanted)
            .filter_map(|column| {
                let value = stored.get(column.name.as_str())?;
                Some((
                    column.name.to_string(),
                    value::text(value, &column.sql_type)?,
                ))
            })
            .collect()
    }

    /// Reads a comma list of declared fields, as `FullTextRetrievalFields` and the like are.
    pub(crate) fn field_list(
        &self,
        field: &'static str,
        list: &str,
    ) -> Result<Vec<String>, EngineError> {
        list.split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| {
                if self.contains(name) {
                    Ok(name.to_owned())
                } else {
                    Err(EngineError::invalid(
                        field,
                        format!(
                            "'{name}' is not a field of Metadata; {}",
                            self.declared_names()
                        ),
                    ))
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns(json: &str) -> Columns {
        Columns::parse(json, RESERVED_IN_DOCUMENTS).unwrap()
    }

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else {
            panic!("not an object")
        };
        map
    }

    fn reason(error: &EngineError) -> String {
        let EngineError::Invalid { field, reason } = error else {
            panic!("{error:?}")
        };
        assert_eq!(*field, "Metadata");
        reason.clone()
    }

    #[test]
    fn a_declaration_keeps_its_words_and_order() {
        let declared = r#"{"title":"TEXT","page":"int","added":"timestamp with time zone"}"#;
        assert_eq!(columns(declared).to_json(), declared);
        assert_eq!(columns(" ").to_json(), "{}");
    }

    #[test]
    fn reserved_names_and_bad_declarations_are_refused() {
        for (json, part) in [
            (r#"{"doc_name":"text"}"#, "'doc_name' is reserved"),
            (
                r#"{"price":"money"}"#,
                "'price': the type 'money' is not supported",
            ),
            (
                r#"{"a b":"text"}"#,
                "metadata field must start with a letter",
            ),
            (r#"{"a":1}"#, "the type of 'a' must be a string"),
            ("[]", "must be a JSON object"),
            ("{", "must be a JSON object"),
        ] {
            let reason = reason(&Columns::parse(json, RESERVED_IN_DOCUMENTS).unwrap_err());
            assert!(reason.contains(part), "{json}: {reason}");
        }
    }

    #[test]
    fn values_are_cast_and_shown_in_declared_order() {
        let columns = columns(r#"{"caption":"text","page":"int","extra":"jsonb","unset":"text"}"#);
        let stored = columns
            .cast(&object(
                json!({"extra": {"k": "v"}, "page": "3", "caption": "a dog"}),
            ))
            .unwrap();
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(
            columns.texts(&stored, None),
            [
                pair("caption", "a dog"),
                pair("page", "3"),
                pair("extra", r#"{"k":"v"}"#)
            ]
        );
        assert_eq!(
            columns.texts(&stored, Some(&["page".to_owned()])),
            [pair("page", "3")]
        );
    }

    #[test]
    fn undeclared_keys_and_bad_values_are_refused_by_name() {
        let columns = columns(r#"{"page":"int"}"#);
        let error = columns.cast(&object(json!({"pages": 1}))).unwrap_err();
        assert_eq!(
            reason(&error),
            "the field 'pages' is not declared; declared are page"
        );
        let error = columns.cast(&object(json!({"page": "one"}))).unwrap_err();
        assert_eq!(
            reason(&error),
            "the value of 'page', declared as int, is not a whole number"
        );
        let error = Columns::default()
            .cast(&object(json!({"caption": "x"})))
            .unwrap_err();
        assert!(reason(&error).ends_with("the collection declares no metadata"));
    }

    #[test]
    fn field_lists_name_declared_fields_only() {
        let columns = columns(r#"{"a":"text","b":"text"}"#);
        assert_eq!(
            columns.field_list("MetadataIndices", "a, b,").unwrap(),
            ["a", "b"]
        );
        let error = columns.field_list("MetadataIndices", "a,c").unwrap_err();
        assert!(matches!(
            error,
            EngineError::Invalid {
                field: "MetadataIndices",
                ..
            }
        ));
    }
}
