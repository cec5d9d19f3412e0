//! Changes of a collection's declared columns, and what they do to the rows that are there.
//!
//! Called by `ModifyCollection`. The API takes them as the text of a JSON object with a list of
//! operations (the field comments of the vendor's SDK): `add` declares a column, `replace` renames
//! one, gives it another type, or both.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Column, Columns, MAX_COLUMNS, SqlType, column_name, value};
use crate::error::EngineError;

/// One operation as the text has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    operator: String,
    old_meta_name: Option<String>,
    new_meta_name: Option<String>,
    new_meta_type: Option<String>,
    #[serde(default)]
    full_text_retrieval: bool,
}

#[derive(Deserialize)]
struct Operations {
    operations: Vec<Operation>,
}

/// What is to be done to each row.
#[derive(Debug, Clone)]
struct Rewrite {
    from: String,
    to: String,
    sql_type: SqlType,
}

/// Changes, checked against the columns they apply to.
#[derive(Debug, Clone)]
pub(crate) struct ColumnChanges {
    /// The columns afterwards.
    pub(crate) columns: Columns,
    /// Names of added columns that full text is to look into.
    pub(crate) full_text: Vec<String>,
    /// Columns that have another name afterwards.
    pub(crate) renamed: Vec<(String, String)>,
    rewrites: Vec<Rewrite>,
}

impl ColumnChanges {
    /// Reads the operations and applies them, one after the other, to `columns`.
    pub(crate) fn parse(
        json: &str,
        columns: &Columns,
        reserved: &[&str],
    ) -> Result<Self, EngineError> {
        let parsed: Operations = serde_json::from_str(json).map_err(|error| {
            refuse(format!(
                "must be a JSON object with a list of operations, such as \
                 {{\"operations\":[{{\"operator\":\"add\",\"newMetaName\":\"title\",\
                 \"newMetaType\":\"text\"}}]}}: {error}"
            ))
        })?;
        if parsed.operations.is_empty() {
            return Err(refuse("has no operations".to_owned()));
        }
        let mut changes = Self {
            columns: columns.clone(),
            full_text: Vec::new(),
            renamed: Vec::new(),
            rewrites: Vec::new(),
        };
        for operation in parsed.operations {
            match operation.operator.as_str() {
                "add" => changes.add(operation, reserved)?,
                "replace" => changes.replace(operation, reserved)?,
                other => {
                    return Err(refuse(format!(
                        "'{other}' is not an operator; valid are add, replace"
                    )));
                }
            }
        }
        Ok(changes)
    }

    fn add(&mut self, operation: Operation, reserved: &[&str]) -> Result<(), EngineError> {
        let (Some(name), Some(declared)) = (operation.new_meta_name, operation.new_meta_type)
        else {
            return Err(refuse("add needs newMetaName and newMetaType".to_owned()));
        };
        self.check_new(&name)?;
        if self.columns.0.len() >= MAX_COLUMNS {
            return Err(refuse(format!("declares more than {MAX_COLUMNS} fields")));
        }
        let column = Column::new(column_name(&name, reserved)?, declared)?;
        self.columns.0.push(column);
        if operation.full_text_retrieval {
            self.full_text.push(name);
        }
        Ok(())
    }

    fn replace(&mut self, operation: Operation, reserved: &[&str]) -> Result<(), EngineError> {
        let Some(from) = operation.old_meta_name else {
            return Err(refuse("replace needs oldMetaName".to_owned()));
        };
        if operation.full_text_retrieval {
            return Err(refuse(
                "fullTextRetrieval can be set by add only, not by replace".to_owned(),
            ));
        }
        if operation.new_meta_name.is_none() && operation.new_meta_type.is_none() {
            return Err(refuse(
                "replace needs newMetaName or newMetaType".to_owned(),
            ));
        }
        let position = (self.columns.0.iter())
            .position(|column| column.name.as_str() == from)
            .ok_or_else(|| {
                refuse(format!(
                    "the field '{from}' is not declared; {}",
                    self.columns.declared_names()
                ))
            })?;
        let to = operation.new_meta_name.unwrap_or_else(|| from.clone());
        if to != from {
            self.check_new(&to)?;
            self.renamed.push((from.clone(), to.clone()));
        }
        let declared =
            (operation.new_meta_type).unwrap_or_else(|| self.columns.0[position].declared.clone());
        let column = Column::new(column_name(&to, reserved)?, declared)?;
        self.rewrites.push(Rewrite {
            from,
            to,
            sql_type: column.sql_type.clone(),
        });
        self.columns.0[position] = column;
        Ok(())
    }

    fn check_new(&self, name: &str) -> Result<(), EngineError> {
        if self.columns.contains(name) {
            return Err(refuse(format!("the field '{name}' is declared already")));
        }
        Ok(())
    }

    /// Whether rows have to be changed at all.
    pub(crate) fn rewrites_rows(&self) -> bool {
        !self.rewrites.is_empty()
    }

    /// Changes the values of a row; whether it had any of them. The error is the rest of a sentence
    /// that starts with the row.
    pub(crate) fn rewrite(&self, stored: &mut Map<String, Value>) -> Result<bool, String> {
        let mut changed = false;
        for rewrite in &self.rewrites {
            let Some(value) = stored.remove(&rewrite.from) else {
                continue;
            };
            let cast = value::cast(&value, &rewrite.sql_type).map_err(|reason| {
                format!(
                    "has a '{}' that as {} {reason}",
                    rewrite.from, rewrite.sql_type
                )
            })?;
            stored.insert(rewrite.to.clone(), cast);
            changed = true;
        }
        Ok(changed)
    }
}

fn refuse(reason: String) -> EngineError {
    EngineError::invalid("Metadata", reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metadata::RESERVED_IN_VECTORS;

    fn changes(operations: &Value) -> Result<ColumnChanges, EngineError> {
        let columns = Columns::parse(r#"{"title":"text","page":"int"}"#, &[]).unwrap();
        let json = json!({ "operations": operations }).to_string();
        ColumnChanges::parse(&json, &columns, RESERVED_IN_VECTORS)
    }

    #[test]
    fn columns_are_added_renamed_and_retyped() {
        let changes = changes(&json!([
            {"operator": "add", "newMetaName": "note", "newMetaType": "text", "fullTextRetrieval": true},
            {"operator": "replace", "oldMetaName": "page", "newMetaName": "number", "newMetaType": "text"},
            {"operator": "replace", "oldMetaName": "title", "newMetaType": "varchar(5)"},
        ]))
        .unwrap();
        assert_eq!(
            changes.columns.to_json(),
            r#"{"title":"varchar(5)","number":"text","note":"text"}"#
        );
        assert_eq!(changes.full_text, ["note"]);
        assert_eq!(changes.renamed, [("page".to_owned(), "number".to_owned())]);
        let mut row = Map::from_iter([
            ("title".to_owned(), json!("short")),
            ("page".to_owned(), json!(3)),
        ]);
        assert!(changes.rewrite(&mut row).unwrap());
        assert_eq!(Value::Object(row), json!({"number": "3", "title": "short"}));
        assert!(!changes.rewrite(&mut Map::new()).unwrap());
        let mut row = Map::from_iter([("title".to_owned(), json!("too long"))]);
        let reason = changes.rewrite(&mut row).unwrap_err();
        assert_eq!(
            reason,
            "has a 'title' that as varchar(5) is longer than 5 characters"
        );
    }

    #[test]
    fn senseless_operations_are_refused() {
        for (operations, part) in [
            (json!([]), "no operations"),
            (
                json!([{"operator": "drop", "oldMetaName": "page"}]),
                "'drop' is not an operator",
            ),
            (
                json!([{"operator": "add", "newMetaName": "x"}]),
                "add needs",
            ),
            (
                json!([{"operator": "add", "newMetaName": "page", "newMetaType": "int"}]),
                "declared already",
            ),
            (
                json!([{"operator": "add", "newMetaName": "vector", "newMetaType": "int"}]),
                "is reserved",
            ),
            (
                json!([{"operator": "add", "newMetaName": "x", "newMetaType": "money"}]),
                "not supported",
            ),
            (
                json!([{"operator": "replace", "newMetaName": "x"}]),
                "needs oldMetaName",
            ),
            (
                json!([{"operator": "replace", "oldMetaName": "page"}]),
                "needs newMetaName or",
            ),
            (
                json!([{"operator": "replace", "oldMetaName": "x", "newMetaType": "int"}]),
                "is not declared",
            ),
            (
                json!([{"operator": "replace", "oldMetaName": "page", "newMetaName": "title"}]),
                "declared already",
            ),
            (
                json!([{"operator": "replace", "oldMetaName": "page", "newMetaType": "text", "fullTextRetrieval": true}]),
                "by add only",
            ),
            (json!("none"), "list of operations"),
        ] {
            let error = changes(&operations).unwrap_err().to_string();
            assert!(error.contains(part), "{operations}: {error}");
        }
    }
}
