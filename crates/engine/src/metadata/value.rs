//! Casting a JSON value to a column's type, and showing a stored value as text.
//!
//! Called by [`super::Columns`]. What is stored is JSON in one canonical form a type: whole numbers
//! and floats as numbers (`NaN` and the infinities as strings, JSON has none), `numeric`, dates and
//! times as strings, JSON columns as they are.

use jiff::{Timestamp, civil, fmt::temporal::Pieces, tz};
use serde_json::{Number, Value};

use super::{SqlType, decimal};

/// Casts `given` to `sql_type`; the error is the rest of a sentence that starts with the value.
pub(super) fn cast(given: &Value, sql_type: &SqlType) -> Result<Value, String> {
    if given.is_null() {
        return Ok(Value::Null);
    }
    match sql_type {
        SqlType::Text => Ok(Value::String(as_text(given))),
        SqlType::Varchar(limit) => {
            let text = as_text(given);
            match limit {
                Some(limit) if text.chars().count() > *limit as usize => {
                    Err(format!("is longer than {limit} characters"))
                }
                _ => Ok(Value::String(text)),
            }
        }
        SqlType::SmallInt => integer(given, i64::from(i16::MIN), i64::from(i16::MAX), sql_type),
        SqlType::Int => integer(given, i64::from(i32::MIN), i64::from(i32::MAX), sql_type),
        SqlType::BigInt => integer(given, i64::MIN, i64::MAX, sql_type),
        SqlType::Real => float(given, f64::from(f32::MAX)),
        SqlType::Double => float(given, f64::MAX),
        SqlType::Numeric(limits) => decimal::normalise(&as_text(given), *limits)
            .map(Value::String)
            .map_err(|error| error.to_string()),
        SqlType::Bool => boolean(given),
        SqlType::Date => {
            pieces(given, "date").map(|pieces| Value::String(pieces.date().to_string()))
        }
        SqlType::Time => time(given),
        SqlType::Timestamp => {
            let pieces = pieces(given, "timestamp")?;
            Ok(Value::String(show(civil_of(&pieces))))
        }
        SqlType::TimestampTz => timestamp_with_zone(given),
        SqlType::Json => given.as_str().map_or_else(
            || Ok(given.clone()),
            |text| serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}")),
        ),
        SqlType::Uuid => given
            .as_str()
            .and_then(|text| uuid::Uuid::parse_str(text.trim()).ok())
            .map(|uuid| Value::String(uuid.to_string()))
            .ok_or_else(|| "is not a UUID".to_owned()),
        SqlType::Array(element) => array(given, element),
    }
}

/// A stored value as the text that replies carry (the API's `Metadata` maps text to text).
/// `None` for NULL, which is left out of replies.
pub(super) fn text(stored: &Value, sql_type: &SqlType) -> Option<String> {
    match (stored, sql_type) {
        (Value::Null, _) => None,
        // A string inside a JSON column keeps its quotes: clients parse it as JSON.
        (value, SqlType::Json) => Some(value.to_string()),
        (Value::String(text), _) => Some(text.clone()),
        // 1.0 shows as 1, as PostgreSQL prints it.
        (Value::Number(number), SqlType::Real | SqlType::Double) => Some(
            number
                .as_f64()
                .map_or_else(|| number.to_string(), |value| value.to_string()),
        ),
        (value, _) => Some(value.to_string()),
    }
}

/// Any JSON value as text: strings as they are, the rest as JSON.
fn as_text(given: &Value) -> String {
    given
        .as_str()
        .map_or_else(|| given.to_string(), str::to_owned)
}

fn integer(given: &Value, min: i64, max: i64, sql_type: &SqlType) -> Result<Value, String> {
    let value = match given.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => given.as_i64().or_else(|| whole(given.as_f64()?)),
    };
    let value = value.ok_or_else(|| "is not a whole number".to_owned())?;
    if (min..=max).contains(&value) {
        Ok(Value::from(value))
    } else {
        Err(format!("is out of range for {sql_type}"))
    }
}

/// A float without a fraction that an `i64` holds exactly.
fn whole(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and within 2^53"
    )]
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

fn float(given: &Value, max: f64) -> Result<Value, String> {
    let value: Option<f64> = match given.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => given.as_f64(),
    };
    let value = value.ok_or_else(|| "is not a number".to_owned())?;
    if value.is_finite() && value.abs() > max {
        return Err("is out of range".to_owned());
    }
    if value.is_nan() {
        return Ok(Value::from("NaN"));
    }
    if value.is_infinite() {
        // "1e999" is no infinity but too large; only the word is one.
        let named = given
            .as_str()
            .is_some_and(|text| text.to_ascii_lowercase().contains("inf"));
        return if named {
            Ok(Value::from(if value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }))
        } else {
            Err("is out of range".to_owned())
        };
    }
    Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
}

/// `PostgreSQL`'s words for true and false, and 0 and 1.
fn boolean(given: &Value) -> Result<Value, String> {
    match as_text(given).trim().to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
        "f" | "false" | "n" | "no" | "off" | "0" => Ok(Value::Bool(false)),
        _ => Err("is not a boolean".to_owned()),
    }
}

fn pieces<'a>(given: &'a Value, what: &str) -> Result<Pieces<'a>, String> {
    given
        .as_str()
        .and_then(|text| Pieces::parse(text.trim()).ok())
        .ok_or_else(|| format!("is not a {what} like 2024-01-08 16:52:04"))
}

fn civil_of(pieces: &Pieces<'_>) -> civil::DateTime {
    pieces
        .date()
        .to_datetime(pieces.time().unwrap_or_else(civil::Time::midnight))
}

/// `2024-01-08 16:52:04.5`.
fn show(moment: civil::DateTime) -> String {
    format!("{} {}", moment.date(), moment.time())
}

fn time(given: &Value) -> Result<Value, String> {
    let text = given.as_str().map(str::trim).unwrap_or_default();
    text.parse::<civil::Time>()
        .map(|time| Value::String(time.to_string()))
        .map_err(|_| "is not a time like 16:52:04".to_owned())
}

/// Brought to UTC; a value without a zone is taken as UTC.
fn timestamp_with_zone(given: &Value) -> Result<Value, String> {
    let pieces = pieces(given, "timestamp")?;
    let out_of_range = || "is out of range".to_owned();
    let moment = civil_of(&pieces);
    let instant: Timestamp = match pieces.to_numeric_offset() {
        None => moment
            .to_zoned(tz::TimeZone::UTC)
            .map_err(|_| out_of_range())?
            .timestamp(),
        Some(offset) => offset.to_timestamp(moment).map_err(|_| out_of_range())?,
    };
    Ok(Value::String(format!(
        "{}+00",
        show(tz::Offset::UTC.to_datetime(instant))
    )))
}

fn array(given: &Value, element: &SqlType) -> Result<Value, String> {
    let parsed;
    let items = match (given.as_array(), given.as_str()) {
        (Some(items), _) => items,
        (None, Some(text)) => {
            parsed = serde_json::from_str::<Vec<Value>>(text)
                .map_err(|_| "is not a JSON array".to_owned())?;
            &parsed
        }
        (None, None) => return Err("is not a JSON array".to_owned()),
    };
    items
        .iter()
        .map(|item| {
            let nested = item.is_array() && *element != SqlType::Json;
            if nested {
                array(item, element)
            } else {
                cast(item, element)
            }
        })
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
        .map_err(|reason| format!("has an element that {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cast_as(given: &Value, sql_type: &str) -> Result<Value, String> {
        cast(given, &SqlType::parse(sql_type).unwrap())
    }

    /// Given, type, and the text a reply shows for it.
    #[test]
    fn values_become_the_declared_type() {
        for (given, sql_type, shown) in [
            (json!("a caption"), "text", "a caption"),
            (json!(3), "text", "3"),
            (json!(true), "text", "true"),
            (json!("abc"), "varchar(3)", "abc"),
            (json!("7"), "int", "7"),
            (json!(7.0), "bigint", "7"),
            (json!(-32768), "smallint", "-32768"),
            (json!(1.0), "float", "1"),
            (json!("0.25"), "real", "0.25"),
            (json!("NaN"), "double precision", "NaN"),
            (json!("-infinity"), "double precision", "-Infinity"),
            (json!(12.345), "numeric(6,2)", "12.35"),
            (json!("YES"), "bool", "true"),
            (json!(0), "bool", "false"),
            (json!("2024-01-08"), "date", "2024-01-08"),
            (json!("2024-01-08 16:52:04"), "date", "2024-01-08"),
            (json!("16:52:04.5"), "time", "16:52:04.5"),
            (
                json!("2024-01-08T16:52:04.864664"),
                "timestamp",
                "2024-01-08 16:52:04.864664",
            ),
            (json!("2024-01-08"), "timestamp", "2024-01-08 00:00:00"),
            (
                json!("2024-01-08 16:52:04+08:00"),
                "timestamptz",
                "2024-01-08 08:52:04+00",
            ),
            (
                json!("2024-01-08 16:52:04"),
                "timestamptz",
                "2024-01-08 16:52:04+00",
            ),
            (json!({"a": [1, 2]}), "jsonb", r#"{"a":[1,2]}"#),
            (json!(r#"{"a": 1}"#), "jsonb", r#"{"a":1}"#),
            (json!(r#""quoted""#), "json", r#""quoted""#),
            (
                json!("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
                "uuid",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ),
            (json!(["1", 2]), "int[]", "[1,2]"),
            (json!(r#"["a","b"]"#), "text[]", r#"["a","b"]"#),
        ] {
            let sql_type = SqlType::parse(sql_type).unwrap();
            let stored = cast(&given, &sql_type).unwrap_or_else(|why| panic!("{given} {why}"));
            assert_eq!(
                text(&stored, &sql_type).as_deref(),
                Some(shown),
                "{given} as {sql_type}"
            );
        }
    }

    #[test]
    fn null_is_null_of_every_type() {
        for sql_type in ["text", "int", "jsonb", "text[]"] {
            assert_eq!(cast_as(&Value::Null, sql_type), Ok(Value::Null));
        }
        assert_eq!(text(&Value::Null, &SqlType::Text), None);
    }

    #[test]
    fn values_that_do_not_cast_are_refused() {
        for (given, sql_type) in [
            (json!("abcd"), "varchar(3)"),
            (json!(32768), "smallint"),
            (json!(2_147_483_648_i64), "int"),
            (json!("9223372036854775808"), "bigint"),
            (json!(1.5), "int"),
            (json!(true), "int"),
            (json!("one"), "int"),
            (json!("x"), "float"),
            (json!("1e999"), "float"),
            (json!(1e39), "real"),
            (json!(1000), "numeric(3,0)"),
            (json!(2), "bool"),
            (json!("maybe"), "bool"),
            (json!("2024-13-01"), "date"),
            (json!(20_240_108), "date"),
            (json!("25:00:00"), "time"),
            (json!("soon"), "timestamptz"),
            (json!("{broken"), "jsonb"),
            (json!("xyz"), "uuid"),
            (json!("1,2"), "int[]"),
            (json!([1, "x"]), "int[]"),
        ] {
            assert!(cast_as(&given, sql_type).is_err(), "{given} as {sql_type}");
        }
    }
}
