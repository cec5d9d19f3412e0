//! What `PostgreSQL` does with `jsonb` values: reaching in, containment, order, text.
//!
//! Columns declared `json` behave as `jsonb` here. Numbers are what the JSON reader keeps of them:
//! 1.10 is 1.1.

use std::{cmp::Ordering, fmt::Write as _};

use serde_json::{Map, Value};

use super::datum;
use crate::metadata::decimal;

/// `value -> 'key'`: a field of an object; nothing of anything else.
pub(super) fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_object()?.get(key)
}

/// `value -> index`: an element of an array, counted from the end when negative. A scalar is kept as
/// an array of one, which shows here.
pub(super) fn element(value: &Value, index: i64) -> Option<&Value> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        Value::Object(_) => return None,
        scalar => std::slice::from_ref(scalar),
    };
    let position = if index < 0 {
        i64::try_from(items.len()).ok()?.checked_add(index)?
    } else {
        index
    };
    items.get(usize::try_from(position).ok()?)
}

/// What `->>` gives: strings without quotes, NULL for JSON's null, other values as text.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(text(value)),
    }
}

/// `left @> right`. An array contains a value that is one of its elements, at the top only.
pub(super) fn contains(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(items), scalar) if is_scalar(scalar) => items
            .iter()
            .any(|item| is_scalar(item) && equal(item, scalar)),
        _ => holds(left, right),
    }
}

fn holds(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => right
            .iter()
            .all(|(key, wanted)| left.get(key).is_some_and(|value| holds(value, wanted))),
        (Value::Array(left), Value::Array(right)) => right
            .iter()
            .all(|wanted| left.iter().any(|item| holds(item, wanted))),
        (left, right) => is_scalar(left) && is_scalar(right) && equal(left, right),
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn equal(one: &Value, other: &Value) -> bool {
    compare(one, other).is_eq()
}

/// The order of `jsonb`: object, array, boolean, number, string, null, from the top down; longer
/// above shorter. At the top an empty array is below a scalar (`compareJsonbContainers` of
/// `PostgreSQL` up to 17 does so).
pub(super) fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Array(items), scalar) if is_scalar(scalar) => {
            if items.is_empty() {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (scalar, Value::Array(items)) if is_scalar(scalar) => {
            if items.is_empty() {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        _ => compare_inside(one, other),
    }
}

fn compare_inside(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => {
            datum::compare_numerics(&number(one), &number(other))
        }
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Array(one), Value::Array(other)) => one.len().cmp(&other.len()).then_with(|| {
            one.iter()
                .zip(other)
                .map(|(one, other)| compare_inside(one, other))
                .find(|ordering| ordering.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        (Value::Object(one), Value::Object(other)) => one.len().cmp(&other.len()).then_with(|| {
            sorted(one)
                .into_iter()
                .zip(sorted(other))
                .map(|((one_key, one), (other_key, other))| {
                    one_key
                        .cmp(other_key)
                        .then_with(|| compare_inside(one, other))
                })
                .find(|ordering| ordering.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        (one, other) => rank(one).cmp(&rank(other)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::String(_) => 1,
        Value::Number(_) => 2,
        Value::Bool(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// Fields in the order in which `jsonb` keeps them: short keys first.
fn sorted(object: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = object.iter().collect();
    fields.sort_by(|(one, _), (other, _)| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
    fields
}

/// A number's digits. `-0` is what the JSON reader takes for a float.
pub(super) fn number(number: &serde_json::Number) -> String {
    if number.as_f64() == Some(0.0) && number.as_u64().is_none() {
        return "0".to_owned();
    }
    decimal::normalise(&number.to_string(), None).expect("a JSON number is a decimal number")
}

/// A value as `jsonb` prints it.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    print(value, &mut out);
    out
}

fn print(value: &Value, out: &mut String) {
    match value {
        Value::Number(value) => out.push_str(&number(value)),
        Value::Null | Value::Bool(_) | Value::String(_) => {
            write!(out, "{value}").expect("writing to a string succeeds");
        }
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push_str(", ");
                }
                print(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (position, (key, value)) in sorted(object).into_iter().enumerate() {
                if position > 0 {
                    out.push_str(", ");
                }
                write!(out, "{}: ", Value::from(key.as_str()))
                    .expect("writing to a string succeeds");
                print(value, out);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Each line was asked of a `PostgreSQL` 15.
    #[test]
    fn containment_is_that_of_jsonb() {
        for (left, right, expected) in [
            (json!({"a": 1, "b": 2}), json!({"a": 1}), true),
            (json!({"a": 1}), json!({"a": 1, "b": 2}), false),
            (json!(["v", "w"]), json!(["v"]), true),
            (json!(["v"]), json!("v"), true),
            (json!("v"), json!(["v"]), false),
            (json!([["v"]]), json!("v"), false),
            (json!([1, [1, 3]]), json!([1, 3]), false),
            (json!([1, [1, 3]]), json!([[1]]), true),
            (json!({"a": ["x", "y"]}), json!({"a": "x"}), false),
            (json!({"a": {"b": 1, "c": 2}}), json!({"a": {}}), true),
            (json!(1), json!(1.0), true),
            (json!([]), json!([]), true),
        ] {
            assert_eq!(contains(&left, &right), expected, "{left} @> {right}");
        }
    }

    #[test]
    fn order_is_that_of_jsonb() {
        let ascending = [
            json!([]),
            json!(null),
            json!("a"),
            json!("b"),
            json!(1),
            json!(1.5),
            json!(10),
            json!(false),
            json!(true),
            json!(["z"]),
            json!(["a", "b"]),
            json!({}),
            json!({"b": 1}),
            json!({"a": 1, "b": 0}),
            json!({"b": 1, "aa": 0}),
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (other_at, other) in ascending.iter().enumerate() {
                assert_eq!(compare(one, other), at.cmp(&other_at), "{one} {other}");
            }
        }
    }

    #[test]
    fn text_is_that_of_jsonb() {
        let value = json!({"bb": [1, 2.5, "x\n"], "a": {"k": null}, "c": 1e20});
        assert_eq!(
            text(&value),
            r#"{"a": {"k": null}, "c": 100000000000000000000, "bb": [1, 2.5, "x\n"]}"#
        );
        assert_eq!(as_text(&json!("x")), Some("x".to_owned()));
        assert_eq!(as_text(&json!(null)), None);
        assert_eq!(as_text(&json!([true])), Some("[true]".to_owned()));
    }

    #[test]
    fn reaching_in_gives_nothing_where_there_is_nothing() {
        let value = json!({"a": [10, 20]});
        assert_eq!(field(&value, "a"), Some(&json!([10, 20])));
        assert_eq!(field(&value["a"], "a"), None);
        assert_eq!(element(&value, 0), None);
        assert_eq!(element(&value["a"], -1), Some(&json!(20)));
        assert_eq!(element(&value["a"], -3), None);
        assert_eq!(element(&value["a"], i64::MIN), None);
        assert_eq!(element(&json!("x"), 0), Some(&json!("x")));
        assert_eq!(element(&json!(3), -1), Some(&json!(3)));
        assert_eq!(element(&json!(3), 1), None);
    }
}
