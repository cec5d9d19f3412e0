//! The language as a whole: text and rows in, the rows that match out.

mod postgres;
mod properties;

use serde_json::{Map, Value, json};

use super::{Column, Fields, Filter, FilterError, FilterLimits, Fixed, OrderBy, StoredRow};
use crate::metadata::Columns;

/// Columns of every kind that a filter tells apart.
const DECLARED: &str = r#"{"title":"text","page":"int","price":"numeric(8,2)","rate":"double precision",
    "seen":"boolean","day":"date","taken":"timestamp","tags":"text[]","ref_doc_id":"text","metadata_":"jsonb"}"#;

/// Rows with their values by column.
pub(super) struct Rows {
    columns: Columns,
    rows: Vec<StoredRow>,
}

impl Rows {
    pub(super) fn new(declared: &str, rows: &[Value]) -> Self {
        let columns = Columns::parse(declared, &[]).unwrap();
        let stored = |(at, row): (usize, &Value)| {
            let given: Map<String, Value> = row.as_object().unwrap().clone();
            StoredRow {
                id: Some(format!("row_{at}")),
                doc_name: Some(format!("{at}.png")),
                content: Some(String::new()),
                source: Some("OSS"),
                loader_metadata: Some(json!({"width": at}).to_string()),
                metadata: columns.cast(&given).unwrap(),
            }
        };
        let rows = rows.iter().enumerate().map(stored).collect();
        Self { columns, rows }
    }

    fn fields(&self) -> Fields<'_> {
        Fields {
            metadata: &self.columns,
            fixed: Fixed::OF_DOCUMENTS,
        }
    }

    fn read(&self, sources: &[super::Source]) -> Vec<Column> {
        let column = |source: &super::Source| {
            let mut column = Column::new(source);
            for row in &self.rows {
                column.push(source.read(row));
            }
            column
        };
        sources.iter().map(column).collect()
    }

    pub(super) fn parse(&self, text: &str) -> Result<Filter, FilterError> {
        Filter::parse(text, &self.fields(), &FilterLimits::default())
    }

    /// The numbers of the rows that match.
    pub(super) fn matching(&self, filter: &Filter) -> Result<Vec<usize>, String> {
        let columns = self.read(filter.sources());
        let columns: Vec<&Column> = columns.iter().collect();
        let mut active = vec![0; self.rows.len().div_ceil(64)];
        for at in 0..self.rows.len() {
            active[at / 64] |= 1 << (at % 64);
        }
        let bits = filter.rows(&columns, &active)?;
        Ok((0..self.rows.len())
            .filter(|at| bits[at / 64] >> (at % 64) & 1 == 1)
            .collect())
    }

    /// The same, one row at a time, without any of the loops over columns.
    pub(super) fn matching_naively(&self, filter: &Filter) -> Result<Vec<usize>, String> {
        let columns = self.read(filter.sources());
        let columns: Vec<&Column> = columns.iter().collect();
        let mut found = Vec::new();
        for position in 0..self.rows.len() {
            let row = super::expression::Row {
                columns: &columns,
                position,
            };
            if filter.predicate.truth(row)? == Some(true) {
                found.push(position);
            }
        }
        Ok(found)
    }

    #[track_caller]
    fn assert(&self, text: &str, expected: &[usize]) {
        let filter = self
            .parse(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(self.matching(&filter).unwrap(), expected, "{text}");
        assert_eq!(
            self.matching_naively(&filter).unwrap(),
            expected,
            "{text}, row by row"
        );
    }
}

fn shelf() -> Rows {
    Rows::new(
        DECLARED,
        &[
            json!({"title": "test", "page": 1, "price": 1.5, "rate": 0.5, "seen": true, "day": "2024-01-08",
                "taken": "2024-01-08 16:52:04", "tags": ["a", "b"], "ref_doc_id": "x",
                "metadata_": {"k": "v", "n": 3, "list": ["v", "w"]}}),
            json!({"title": "testing", "page": 20, "price": 10, "rate": 2, "seen": false, "day": "2023-12-31",
                "taken": "2024-01-08 00:00:00", "tags": [], "ref_doc_id": "it's",
                "metadata_": {"k": "w", "n": 30, "list": []}}),
            json!({"title": "Other 100%", "page": 3, "price": 99.99, "seen": true, "ref_doc_id": "y",
                "metadata_": {"k": null}}),
            json!({}),
        ],
    )
}

/// docs, client: the filters that semantics.md records (QRY, LLI, DIFY).
#[test]
fn recorded_filters() {
    let rows = shelf();
    rows.assert("title = 'test' AND title like 'test%'", &[0]);
    rows.assert("ref_doc_id='x'", &[0]);
    rows.assert("ref_doc_id IN ('x','it''s')", &[0, 1]);
    rows.assert("ref_doc_id NOT IN ('x')", &[1, 2]);
    rows.assert("metadata_ ->> 'k' = 'v'", &[0]);
    rows.assert("metadata_->>'k' IN ('v', 'w')", &[0, 1]);
    rows.assert("metadata_->>'k' NOT IN ('v')", &[1]);
    rows.assert("metadata_::jsonb->'list' @> '[\"v\"]'", &[0]);
    rows.assert("metadata_ ->> 'k' = 'v' and page = 1 or page = 20", &[0, 1]);
    rows.assert("(metadata_->>'n')::int > 3", &[1]);
}

/// docs: each operator of the documented list, on values and on NULL.
#[test]
fn operators_have_three_values() {
    let rows = shelf();
    rows.assert("page <> 1", &[1, 2]);
    rows.assert("page != 1", &[1, 2]);
    rows.assert("page >= 3 AND page <= 20", &[1, 2]);
    rows.assert("page BETWEEN 1 AND 3", &[0, 2]);
    rows.assert("page NOT BETWEEN 1 AND 3", &[1]);
    rows.assert("NOT page = 1", &[1, 2]);
    rows.assert("page IS NULL", &[3]);
    rows.assert("page IS NOT NULL", &[0, 1, 2]);
    rows.assert("page NOT IN (1, NULL)", &[]);
    rows.assert("page = NULL", &[]);
    rows.assert("seen", &[0, 2]);
    rows.assert("NOT seen", &[1]);
    rows.assert("seen IS NOT TRUE", &[1, 3]);
    rows.assert("price = 1.50", &[0]);
    rows.assert("price > '9.5'", &[1, 2]);
    rows.assert("rate < 1 OR rate IS NULL", &[0, 2, 3]);
    rows.assert("title LIKE '%100\\%'", &[2]);
    rows.assert("title LIKE 'other%'", &[]);
    rows.assert("title ILIKE 'other%'", &[2]);
    rows.assert("title LIKE 't_st'", &[0]);
    rows.assert("title NOT LIKE 'test%'", &[2]);
    rows.assert("day < '2024-01-01'", &[1]);
    rows.assert("taken >= timestamp '2024-01-08 12:00'", &[0]);
    rows.assert("'a' = ANY (tags)", &[0]);
    rows.assert("tags @> ARRAY['b']", &[0]);
    rows.assert("metadata_->'n' = '3'", &[0]);
    rows.assert("metadata_->'list'->>-1 = 'w'", &[0]);
    rows.assert("metadata_->'list'->-1 = '\"w\"'", &[0]);
    rows.assert("metadata_->'n'->0 = '3'", &[0]);
    rows.assert("page>=-1 AND page<>+1", &[1, 2]);
    rows.assert("page IS NULL IS TRUE", &[3]);
    rows.assert("'a' = ANY ('{a,b}') AND page = 1", &[0]);
    rows.assert("metadata_ @> '{\"k\": \"w\"}'", &[1]);
    rows.assert("id = 'row_2'", &[2]);
    rows.assert("doc_name IN ('0.png', '3.png')", &[0, 3]);
    rows.assert("loader_metadata->>'width' = '1'", &[1]);
    rows.assert("source = 'OSS'", &[0, 1, 2, 3]);
    rows.assert("TITLE = 'test'", &[0]);
    rows.assert("\"title\" = 'test'", &[0]);
}

/// ours: what is refused says where and what would be right (row 36).
#[test]
fn refusals_have_a_place() {
    let rows = shelf();
    for (text, position, part) in [
        ("nothing = 1", 1, "there is no field 'nothing'"),
        ("page = 'one'", 8, "one"),
        ("page =", 7, "expected"),
        ("page = 1 page", 10, "not expected"),
        ("lower(title) = 'a'", 1, "functions are not part"),
        ("page IN (SELECT 1)", 10, "SELECT"),
        ("page = 1; DROP TABLE chunks", 9, "';' is not part"),
        ("page + 1 = 2", 1, "arithmetic"),
        ("page = 1 -- all", 10, "comments"),
        ("title = 1", 1, "text"),
        ("title ~ 'a'", 7, "not part"),
        ("title = 'a", 9, "Unterminated"),
        ("metadata_ @? '$.k'", 11, "not part"),
        ("page::money = 1", 7, "money"),
        ("price = 1 AND\n  nothing = 2", 17, "nothing"),
        ("NULL IS DISTINCT FROM seen IS NULL", 1, "chained"),
        ("page!=-1", 7, "space"),
    ] {
        let error = rows.parse(text).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert_eq!(error.position, position, "{text}: {error}");
    }
}

/// ours: each limit at its edge.
#[test]
fn limits_hold() {
    let rows = shelf();
    let limits = FilterLimits {
        max_bytes: 40,
        max_terms: 7,
        max_depth: 3,
    };
    let refusal = |text: &str| {
        Filter::parse(text, &rows.fields(), &limits)
            .err()
            .map(|error| error.reason)
    };
    assert_eq!(refusal(&format!("title = '{}'", "a".repeat(30))), None);
    let reason = refusal(&format!("title = '{}'", "a".repeat(31))).unwrap();
    assert!(
        reason.contains("41 bytes") && reason.contains("max_filter_bytes"),
        "{reason}"
    );
    assert_eq!(refusal("page=1 or page=2 or page=3").map(|_| ()), Some(()));
    assert_eq!(refusal("page in (1,2,3,4,5,6,7,8,9)"), None);
    let reason = refusal("page=1 or page=2 or page=3").unwrap();
    assert!(reason.contains("max_filter_terms"), "{reason}");
    let limits = FilterLimits {
        max_depth: 4,
        ..FilterLimits::default()
    };
    let parse = |text: &str| Filter::parse(text, &rows.fields(), &limits).map(|_| ());
    assert_eq!(parse("(((seen)))"), Ok(()));
    let error = parse("((((seen))))").unwrap_err();
    assert_eq!(error.position, 5);
    assert!(error.reason.contains("max_filter_depth"), "{error}");
    assert!(parse(&"(".repeat(100_000)).is_err());
    assert!(parse(&"not ".repeat(60_000)).is_err());
}

/// docs: fields with ASC and DESC, NULL above every value; equal rows by the ties.
#[test]
fn orders_are_postgresqls() {
    let rows = Rows::new(
        DECLARED,
        &[
            json!({"page": 2, "title": "b"}),
            json!({"page": 1}),
            json!({"title": "a"}),
            json!({"page": 2, "title": "a"}),
        ],
    );
    let order = |text: &str| {
        let order =
            OrderBy::parse(text, &rows.fields(), &[Fixed::Id], &FilterLimits::default()).unwrap();
        let columns = rows.read(order.sources());
        let columns: Vec<&Column> = columns.iter().collect();
        let mut sorted: Vec<usize> = (0..rows.rows.len()).collect();
        sorted.sort_by(|one, other| order.compare(&columns, *one, *other));
        sorted
    };
    assert_eq!(order("page"), [1, 0, 3, 2]);
    assert_eq!(order("page DESC"), [2, 0, 3, 1]);
    assert_eq!(order("page DESC NULLS LAST, title"), [3, 0, 1, 2]);
    assert_eq!(order("title desc, page"), [1, 0, 3, 2]);
    assert_eq!(order("id DESC"), [3, 2, 1, 0]);
    let error = OrderBy::parse("nothing", &rows.fields(), &[], &FilterLimits::default());
    assert!(error.unwrap_err().reason.contains("no field"));
}
