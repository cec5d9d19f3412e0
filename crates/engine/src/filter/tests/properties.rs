//! Filters made by chance: columns at a time and a row at a time agree, and no text is a panic.

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::Rows;

const DECLARED: &str = r#"{"a":"int","b":"text","c":"double precision","d":"boolean","e":"jsonb","f":"numeric","g":"int[]"}"#;

fn row() -> impl Strategy<Value = Value> {
    let int = prop_oneof![Just(Value::Null), (-2..3_i32).prop_map(Value::from)];
    let text = prop_oneof![
        Just(Value::Null),
        select(vec!["", "a", "ab", "A", "%", "a_b", "1"]).prop_map(Value::from)
    ];
    let float = prop_oneof![
        Just(Value::Null),
        (-2..3_i32).prop_map(|n| json!(f64::from(n) / 2.0))
    ];
    let truth = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from)];
    let object = prop_oneof![
        Just(Value::Null),
        select(vec![
            json!({"k": "a"}),
            json!({"k": 1}),
            json!({"k": null}),
            json!({}),
            json!(["a", 1]),
            json!({"k": ["a", "b"]}),
            json!(3),
        ])
    ];
    let array = prop_oneof![
        Just(Value::Null),
        prop::collection::vec(-1..2_i32, 0..3).prop_map(Value::from)
    ];
    (int.clone(), text, float, truth, object, int, array).prop_map(
        |(a, b, c, d, e, f, g)| json!({"a": a, "b": b, "c": c, "d": d, "e": e, "f": f, "g": g}),
    )
}

fn leaf() -> impl Strategy<Value = String> {
    let compare = || select(vec!["=", "<>", "!=", "<", "<=", ">", ">="]);
    let number = || select(vec!["-1", "0", "1", "0.5", "2", "NULL"]);
    let text = || select(vec!["''", "'a'", "'ab'", "'A'", "'1'", "NULL"]);
    let not = || select(vec!["", "NOT "]);
    prop_oneof![
        (select(vec!["a", "c", "f"]), compare(), number())
            .prop_map(|(f, o, v)| format!("{f} {o} {v}")),
        (number(), compare(), select(vec!["a", "c", "f"]))
            .prop_map(|(v, o, f)| format!("{v} {o} {f}")),
        ("b".prop_map(String::from), compare(), text())
            .prop_map(|(f, o, v)| format!("{f} {o} {v}")),
        (
            select(vec!["a", "f"]),
            compare(),
            select(vec!["a", "c", "f"])
        )
            .prop_map(|(f, o, v)| format!("{f} {o} {v}")),
        (not(), prop::collection::vec(number(), 1..4))
            .prop_map(|(n, v)| format!("a {n}IN ({})", v.join(", "))),
        (not(), prop::collection::vec(text(), 1..4))
            .prop_map(|(n, v)| format!("b {n}IN ({})", v.join(", "))),
        (not(), number(), number()).prop_map(|(n, x, y)| format!("c {n}BETWEEN {x} AND {y}")),
        (
            not(),
            select(vec!["'a%'", "'%b'", "'_'", "'\\%'", "'A'", "''"])
        )
            .prop_map(|(n, p)| format!("b {n}LIKE {p}")),
        (
            select(vec!["a", "b", "c", "d", "e", "f", "g"]),
            select(vec!["IS NULL", "IS NOT NULL"])
        )
            .prop_map(|(f, o)| format!("{f} {o}")),
        select(vec![
            "d",
            "d IS TRUE",
            "d IS NOT FALSE",
            "d IS UNKNOWN",
            "TRUE",
            "NULL"
        ])
        .prop_map(String::from),
        (
            select(vec!["e->>'k'", "e->>0", "e->'k'->>0"]),
            compare(),
            text()
        )
            .prop_map(|(f, o, v)| format!("{f} {o} {v}")),
        select(vec![
            "e @> '{\"k\": \"a\"}'",
            "e->'k' @> '[\"a\"]'",
            "e = '3'",
            "e @> '3'",
            "e->'k' IS NULL"
        ])
        .prop_map(String::from),
        (select(vec!["ANY", "ALL"]), compare(), number())
            .prop_map(|(q, o, v)| format!("{v}::int {o} {q} (g)")),
        select(vec![
            "g @> ARRAY[1]",
            "g && ARRAY[0,1]",
            "g <@ ARRAY[0,1]",
            "g = '{1}'"
        ])
        .prop_map(String::from),
        (
            select(vec!["a::text", "b::text", "c::text", "d::text"]),
            text()
        )
            .prop_map(|(f, v)| format!("{f} = {v}")),
    ]
}

pub(super) fn filter() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|all| format!("({})", all.join(" AND "))),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|any| format!("({})", any.join(" OR "))),
            inner.clone().prop_map(|inner| format!("NOT ({inner})")),
            (inner, select(vec!["TRUE", "FALSE", "UNKNOWN"]))
                .prop_map(|(inner, truth)| format!("({inner}) IS {truth}")),
        ]
    })
}

proptest! {
    /// ours: the quick loops over columns mean what the definition over a row means.
    #[test]
    fn columns_and_rows_agree(rows in prop::collection::vec(row(), 0..150), text in filter()) {
        let rows = Rows::new(DECLARED, &rows);
        let filter = rows.parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(rows.matching(&filter), rows.matching_naively(&filter), "{}", text);
    }

    /// ours: any text is a filter or an error with a place inside it.
    #[test]
    fn no_text_is_a_panic(text in prop_oneof![
        any::<String>(),
        "[ ()a-g0-9'\"%,.<>=!&|@#:\\[\\]{}-]{0,60}",
        prop::collection::vec(select(vec!["a", "b", "e", "AND", "OR", "NOT", "IN", "(", ")", "=", "->>", "'k'", "1",
            "::", "int", "IS", "NULL", "BETWEEN", "LIKE", ",", "[", "]", "ARRAY", "ANY", "-", "@>", "CASE", "SELECT"]), 0..25)
            .prop_map(|words| words.join(" ")),
    ]) {
        let rows = Rows::new(DECLARED, &[]);
        if let Err(error) = rows.parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.position), "{text}: {error}");
        }
    }
}
