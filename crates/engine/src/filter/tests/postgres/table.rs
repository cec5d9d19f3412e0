//! The table that both sides get: columns of every type, rows drawn from small pools, so that
//! values meet equal ones often.

use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Map, Value};

/// What can be compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Bool,
    Day,
    Time,
    Json,
    Uuid,
    TextArray,
    IntArray,
}

pub(super) const KINDS: [Kind; 9] = [
    Kind::Text,
    Kind::Number,
    Kind::Bool,
    Kind::Day,
    Kind::Time,
    Kind::Json,
    Kind::Uuid,
    Kind::TextArray,
    Kind::IntArray,
];

/// Name, type, kind. One name needs its quotes.
pub(super) const COLUMNS: [(&str, &str, Kind); 22] = [
    ("title", "text", Kind::Text),
    ("Label", "text", Kind::Text),
    ("ref_doc_id", "text", Kind::Text),
    ("short", "varchar(12)", Kind::Text),
    ("small", "smallint", Kind::Number),
    ("page", "int", Kind::Number),
    ("big", "bigint", Kind::Number),
    ("half", "real", Kind::Number),
    ("rate", "double precision", Kind::Number),
    ("amount", "numeric", Kind::Number),
    ("price", "numeric(8,2)", Kind::Number),
    ("seen", "boolean", Kind::Bool),
    ("done", "boolean", Kind::Bool),
    ("day", "date", Kind::Day),
    ("taken", "timestamp", Kind::Day),
    ("sent", "timestamptz", Kind::Day),
    ("clock", "time", Kind::Time),
    ("metadata_", "jsonb", Kind::Json),
    ("more", "jsonb", Kind::Json),
    ("code", "uuid", Kind::Uuid),
    ("tags", "text[]", Kind::TextArray),
    ("pages", "int[]", Kind::IntArray),
];

pub(super) const TEXTS: &[&str] = &[
    "", "a", "ab", "A", "b", "%", "a_b", "a%b", "1", "12", "it's", "\\", "a\\b", "Ä", "ä", "ß",
    "狗", "🐕狗", "a\nb", "\"q\"", " a", "null", "test", "testing", "tr",
];
pub(super) const WHOLES: &[&str] = &["-2", "-1", "0", "1", "2", "3", "12"];
pub(super) const DECIMALS: &[&str] = &[
    "0", "1", "-1.5", "0.1", "2.5", "-2.5", "0.5", "1.0", "3.00", "99.99", "12",
];
pub(super) const FLOATS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1.5",
    "0.1",
    "2.5",
    "1e10",
    "NaN",
    "Infinity",
    "-Infinity",
    "16777217",
    "1e-30",
    "3e38",
    "0.3",
    "123456789",
];
pub(super) const DAYS: &[&str] = &[
    "2024-01-08",
    "2023-12-31",
    "1970-01-01",
    "2024-02-29",
    "0001-01-01",
    "9999-12-30",
];
pub(super) const MOMENTS: &[&str] = &[
    "2024-01-08 16:52:04",
    "2024-01-08 00:00:00",
    "2024-01-08",
    "1969-12-31 23:59:59.999999",
    "2023-12-31 12:30:00.5",
    "1970-01-01 00:00:00",
];
pub(super) const ZONED: &[&str] = &[
    "2024-01-08 16:52:04+00",
    "2024-01-08 16:52:04+08",
    "2024-01-08 00:00:00-05:30",
    "2024-01-08",
    "1970-01-01 00:00:00Z",
];
pub(super) const CLOCKS: &[&str] = &[
    "00:00:00",
    "16:52:04",
    "16:52:04.5",
    "23:59:59.999999",
    "12:30",
];
pub(super) const JSONS: &[&str] = &[
    r#"{"k": "v"}"#,
    r#"{"k": "v", "n": 3}"#,
    r#"{"k": null}"#,
    r#"{"k": ["v", "w"], "list": [1, 2]}"#,
    r#"{"k": {"k": "v", "a": 1.5}}"#,
    r#"{"it's": "a\"b", "": 0}"#,
    "{}",
    "[]",
    r#"["v", 1, null]"#,
    r#"["v"]"#,
    "[[1], [2, 3]]",
    "3",
    "3.0",
    "-1.5",
    r#""v""#,
    r#""""#,
    "true",
    "false",
    r#"{"k": 3, "n": "3", "b": true}"#,
    r#"{"狗": "🐕", "n": 1000}"#,
];
pub(super) const UUIDS: &[&str] = &[
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];
pub(super) const TEXT_ARRAYS: &[&str] = &[
    "[]",
    r#"["a"]"#,
    r#"["a", "b"]"#,
    r#"["b", "a", "a"]"#,
    r#"["a", null]"#,
    r#"["it's", "b c", "x\"y", "NULL", ""]"#,
];
pub(super) const INT_ARRAYS: &[&str] = &[
    "[]",
    "[1]",
    "[1, 2]",
    "[2, 1]",
    "[1, null]",
    "[0]",
    "[-1, 3, 3]",
];

/// What a column's values are drawn from, as JSON texts for arrays.
fn pool(column: &str) -> &'static [&'static str] {
    match column {
        "title" | "Label" | "ref_doc_id" | "short" => TEXTS,
        "small" | "page" | "big" => WHOLES,
        "half" | "rate" => FLOATS,
        "amount" | "price" => DECIMALS,
        "seen" | "done" => &["t", "f"],
        "day" => DAYS,
        "taken" => MOMENTS,
        "sent" => ZONED,
        "clock" => CLOCKS,
        "metadata_" | "more" => JSONS,
        "code" => UUIDS,
        "tags" => TEXT_ARRAYS,
        "pages" => INT_ARRAYS,
        other => panic!("{other} has no values"),
    }
}

/// `{"title":"text", …}` for our side.
pub(super) fn declared() -> String {
    let columns = COLUMNS
        .iter()
        .map(|(name, sql_type, _)| ((*name).to_owned(), Value::from(*sql_type)));
    Value::Object(columns.collect()).to_string()
}

/// A row in our form; a column that is missing is NULL.
pub(super) fn row(random: &mut StdRng) -> Value {
    let mut row = Map::new();
    for (name, _, kind) in COLUMNS {
        if random.random_bool(0.2) {
            continue;
        }
        let text = *pool(name).choose(random).expect("no pool is empty");
        let value = match kind {
            Kind::TextArray | Kind::IntArray => serde_json::from_str(text).unwrap(),
            _ => Value::from(text),
        };
        row.insert(name.to_owned(), value);
    }
    Value::Object(row)
}

/// The statements that make the same table on their side, with the fixed columns of documents.
pub(super) fn script(rows: &[Value]) -> String {
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, sql_type, _)| format!("\"{name}\" {sql_type}"))
        .collect();
    let mut script = format!(
        "DROP TABLE IF EXISTS t; CREATE TABLE t (n int, id text, doc_name text, content text, source text, \
         loader_metadata jsonb, {});\nCOPY t FROM STDIN;\n",
        columns.join(", ")
    );
    for (at, row) in rows.iter().enumerate() {
        let mut cells = vec![
            at.to_string(),
            format!("row_{at}"),
            format!("{at}.png"),
            String::new(),
            "OSS".to_owned(),
            format!("{{\"width\":{at}}}"),
        ];
        cells.extend(COLUMNS.iter().map(|(name, ..)| match row.get(*name) {
            None => "\\N".to_owned(),
            Some(Value::Array(items)) => copied(&array(items)),
            Some(value) => copied(value.as_str().expect("values are texts or arrays")),
        }));
        script.push_str(&cells.join("\t"));
        script.push('\n');
    }
    script.push_str("\\.\n");
    script
}

/// `{a,"b c",NULL}`.
pub(super) fn array(items: &[Value]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| match item {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            other => other.to_string(),
        })
        .collect();
    format!("{{{}}}", items.join(","))
}

/// A text in the format of `COPY`.
pub(super) fn copied(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
        .replace('\r', "\\r")
}

/// A text out of the format of `COPY`.
pub(super) fn uncopied(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => out.push(match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => break,
            }),
            (letter, false) => out.push(letter),
        }
    }
    out
}
