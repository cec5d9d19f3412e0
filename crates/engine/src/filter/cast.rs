//! From one type to another: a literal's text, `::type`, a stored value, and text again.
//!
//! Called by the type check for constants, where a failure is the request's, and for every row
//! by [`super::expression`], where it names the value.

mod input;
mod output;

use std::borrow::Cow;

use serde_json::{Number, Value};

use self::output::float_text;
pub(super) use self::{input::parse, output::text};
use super::{
    datum::Datum,
    json,
    moment::{self, Kind},
};
use crate::metadata::{SqlType, decimal};

/// Whether `PostgreSQL` has a cast between two types, and whether it can fail for some values.
pub(super) fn allowed(from: &SqlType, to: &SqlType) -> Option<Fallible> {
    use SqlType as T;
    let whole = |sql_type: &T| matches!(sql_type, T::SmallInt | T::Int | T::BigInt);
    let number =
        |sql_type: &T| whole(sql_type) || matches!(sql_type, T::Real | T::Double | T::Numeric(_));
    let text = |sql_type: &T| matches!(sql_type, T::Text | T::Varchar(_));
    match (from, to) {
        (from, to) if from == to => Some(Fallible(false)),
        (_, to) if text(to) => Some(Fallible(false)),
        (from, _) if text(from) => Some(Fallible(true)),
        (from, to) if number(from) && number(to) => Some(Fallible(
            !matches!(
                (from, to),
                (_, T::Double | T::Numeric(None))
                    | (T::SmallInt, T::Int)
                    | (T::SmallInt | T::Int, T::BigInt)
            ) || matches!((from, to), (T::Real | T::Double, T::Numeric(_))),
        )),
        (T::Int, T::Bool)
        | (T::Bool, T::Int)
        | (T::Date | T::Timestamp | T::TimestampTz, T::Date | T::Timestamp | T::TimestampTz)
        | (T::Timestamp | T::TimestampTz, T::Time) => Some(Fallible(false)),
        (T::Json, to) if number(to) || *to == T::Bool => Some(Fallible(true)),
        (T::Array(from), T::Array(to)) => allowed(from, to),
        _ => None,
    }
}

/// Whether a cast can fail for some values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fallible(pub(super) bool);

/// Casts a value; `from` and `to` were [`allowed`].
pub(super) fn cast<'a>(
    value: Datum<'a>,
    from: &SqlType,
    to: &SqlType,
) -> Result<Datum<'a>, String> {
    if from == to || value.is_null() {
        return Ok(value);
    }
    if matches!(to, SqlType::Text | SqlType::Varchar(_)) {
        let limit = match to {
            SqlType::Varchar(limit) => *limit,
            _ => None,
        };
        return Ok(Datum::Text(match value {
            Datum::Text(Cow::Borrowed(text)) => Cow::Borrowed(shortened(text, limit)),
            value => shortened(&text(&value, from), limit).to_owned().into(),
        }));
    }
    match value {
        Datum::Text(text) if *from != SqlType::Uuid => parse(&text, to),
        Datum::Int(number) => from_number(&Numeral::Int(number), to),
        Datum::Float(number) => from_number(&Numeral::Float(number, from), to),
        Datum::Numeric(digits) => from_number(&Numeral::Digits(&digits), to),
        Datum::Bool(value) => Ok(Datum::Int(i64::from(value))),
        Datum::Moment(micros) => Ok(match to {
            SqlType::Date => Datum::Moment(moment::start_of_day(micros)),
            SqlType::Time => moment::time_of_day(micros).map_or(Datum::Null, Datum::Moment),
            _ => Datum::Moment(micros),
        }),
        Datum::Json(value) => match (&*value, to) {
            (Value::Bool(value), SqlType::Bool) => Ok(Datum::Bool(*value)),
            (Value::Number(number), to) if *to != SqlType::Bool => {
                from_number(&Numeral::Digits(&json::number(number)), to)
            }
            (value, to) => Err(format!("the JSON value {value} cannot be cast to {to}")),
        },
        Datum::Array(items) => {
            let (SqlType::Array(from), SqlType::Array(to)) = (from, to) else {
                unreachable!("arrays are cast to arrays and text only");
            };
            items
                .iter()
                .map(|item| {
                    match item {
                        Datum::Array(_) => cast(
                            item.borrowed(),
                            &SqlType::Array(from.clone()),
                            &SqlType::Array(to.clone()),
                        ),
                        item => cast(item.borrowed(), from, to),
                    }
                    .map(Datum::into_owned)
                })
                .collect::<Result<Vec<_>, _>>()
                .map(|items| Datum::Array(items.into()))
        }
        Datum::Text(_) | Datum::Null => unreachable!("the type check admits no such cast"),
    }
}

/// A number of any type.
enum Numeral<'a> {
    Int(i64),
    Float(f64, &'a SqlType),
    Digits(&'a str),
}

fn from_number(number: &Numeral<'_>, to: &SqlType) -> Result<Datum<'static>, String> {
    match to {
        SqlType::SmallInt | SqlType::Int | SqlType::BigInt => in_range(whole(number, to)?, to),
        SqlType::Real | SqlType::Double => match number {
            #[expect(
                clippy::cast_precision_loss,
                reason = "the nearest double is the cast's value"
            )]
            Numeral::Int(number) => float(*number as f64, to, false),
            Numeral::Float(number, _) => float(*number, to, number.is_infinite()),
            Numeral::Digits(digits) => parse(digits, to),
        },
        SqlType::Numeric(limits) => {
            let digits = match number {
                Numeral::Int(number) => number.to_string(),
                Numeral::Float(number, from) => float_digits(*number, from)?,
                Numeral::Digits(digits) => (*digits).to_owned(),
            };
            decimal::normalise(&digits, *limits)
                .map(|digits| Datum::Numeric(digits.into()))
                .map_err(|error| format!("{digits} {error}"))
        }
        SqlType::Bool => match number {
            Numeral::Int(number) => Ok(Datum::Bool(*number != 0)),
            Numeral::Float(..) | Numeral::Digits(_) => {
                unreachable!("only int is cast to boolean")
            }
        },
        _ => unreachable!("the type check admits no such cast"),
    }
}

/// Rounded: a float half to even, digits half away from zero.
fn whole(number: &Numeral<'_>, to: &SqlType) -> Result<i64, String> {
    let out_of_range = |shown: &dyn std::fmt::Display| format!("{shown} is out of range for {to}");
    match number {
        Numeral::Int(number) => Ok(*number),
        Numeral::Float(number, _) => {
            let rounded = number.round_ties_even();
            // 2^63 as a float is exact, and the first one too large.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "checked to be whole and in range"
            )]
            if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
                Ok(rounded as i64)
            } else {
                Err(out_of_range(number))
            }
        }
        Numeral::Digits(digits) => decimal::normalise(digits, Some((1000, 0)))
            .ok()
            .and_then(|rounded| rounded.parse().ok())
            .ok_or_else(|| out_of_range(digits)),
    }
}

/// A float as `numeric`: 15 significant digits of a double, 6 of a real.
fn float_digits(number: f64, from: &SqlType) -> Result<String, String> {
    if !number.is_finite() {
        return Err(format!(
            "{} cannot be cast to numeric",
            float_text(number, false)
        ));
    }
    let after_first = if *from == SqlType::Real { 5 } else { 14 };
    let digits = decimal::normalise(&format!("{number:.after_first$e}"), None)
        .map_err(|error| error.to_string())?;
    Ok(if digits.contains('.') {
        digits
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else {
        digits
    })
}

fn in_range(number: i64, sql_type: &SqlType) -> Result<Datum<'static>, String> {
    let fits = match sql_type {
        SqlType::SmallInt => i16::try_from(number).is_ok(),
        SqlType::Int => i32::try_from(number).is_ok(),
        _ => true,
    };
    if fits {
        Ok(Datum::Int(number))
    } else {
        Err(format!("{number} is out of range for {sql_type}"))
    }
}

/// `named`: written as a word, so that infinity is meant and not a number too large.
fn float(number: f64, sql_type: &SqlType, named: bool) -> Result<Datum<'static>, String> {
    let stored = if *sql_type == SqlType::Real {
        f64::from(to_real(number))
    } else {
        number
    };
    let is_lost = stored == 0.0 && number != 0.0;
    if is_lost || (stored.is_infinite() && !named) {
        return Err(format!("{number} is out of range for {sql_type}"));
    }
    Ok(Datum::Float(stored))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest f32 is what real keeps"
)]
fn to_real(number: f64) -> f32 {
    number as f32
}

fn shortened(text: &str, limit: Option<u32>) -> &str {
    let end = limit.and_then(|limit| text.char_indices().nth(limit as usize));
    end.map_or(text, |(at, _)| &text[..at])
}

pub(super) fn kind_of(sql_type: &SqlType) -> Option<Kind> {
    Some(match sql_type {
        SqlType::Date => Kind::Date,
        SqlType::Time => Kind::Time,
        SqlType::Timestamp => Kind::Timestamp,
        SqlType::TimestampTz => Kind::TimestampTz,
        SqlType::Text
        | SqlType::Varchar(_)
        | SqlType::SmallInt
        | SqlType::Int
        | SqlType::BigInt
        | SqlType::Real
        | SqlType::Double
        | SqlType::Numeric(_)
        | SqlType::Bool
        | SqlType::Json
        | SqlType::Uuid
        | SqlType::Array(_) => return None,
    })
}

/// A value out of a row's stored metadata, of the column's type. The upload checked it, so that
/// only a damaged database holds anything else; such a value is NULL.
pub(super) fn stored(value: &Value, sql_type: &SqlType) -> Datum<'static> {
    match (value, sql_type) {
        (Value::Null, _) => Datum::Null,
        (value, SqlType::Json) => Datum::Json(Cow::Owned(value.clone())),
        (Value::Array(items), SqlType::Array(element)) => Datum::Array(
            items
                .iter()
                .map(|item| {
                    if item.is_array() && **element != SqlType::Json {
                        stored(item, sql_type)
                    } else {
                        stored(item, element)
                    }
                })
                .collect::<Vec<_>>()
                .into(),
        ),
        (Value::Bool(value), SqlType::Bool) => Datum::Bool(*value),
        (Value::Number(number), _) => stored_number(number, sql_type),
        (Value::String(text), _) => parse(text, sql_type).unwrap_or(Datum::Null),
        _ => Datum::Null,
    }
}

fn stored_number(number: &Number, sql_type: &SqlType) -> Datum<'static> {
    match sql_type {
        SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            number.as_i64().map_or(Datum::Null, Datum::Int)
        }
        SqlType::Real => number
            .as_f64()
            .map_or(Datum::Null, |value| Datum::Float(f64::from(to_real(value)))),
        SqlType::Double => number.as_f64().map_or(Datum::Null, Datum::Float),
        _ => Datum::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> SqlType {
        SqlType::parse(text).unwrap()
    }

    /// Literal, its type, the type it is cast to, and what `PostgreSQL` 15 prints.
    #[test]
    fn casts_round_as_postgresql_does() {
        for (given, from, to, shown) in [
            ("2.5", "numeric", "int", "3"),
            ("-2.5", "numeric", "int", "-3"),
            ("2.5", "double precision", "int", "2"),
            ("3.5", "double precision", "int", "4"),
            ("7", "int", "numeric(5,2)", "7.00"),
            ("0.1", "real", "numeric", "0.1"),
            ("0.1", "real", "double precision", "0.10000000149011612"),
            ("123456789", "real", "numeric", "123457000"),
            ("0", "int", "bool", "false"),
            ("t", "bool", "int", "1"),
            ("t", "bool", "text", "true"),
            ("2024-01-08 16:52:04", "timestamp", "date", "2024-01-08"),
            ("2024-01-08 16:52:04", "timestamp", "time", "16:52:04"),
            (
                "2024-01-08",
                "date",
                "timestamptz",
                "2024-01-08 00:00:00+00",
            ),
            ("1.5", "jsonb", "numeric", "1.5"),
            ("2.5", "jsonb", "int", "3"),
            ("true", "jsonb", "bool", "true"),
            ("{1,2}", "int[]", "text[]", "{1,2}"),
            ("{1,NULL}", "text[]", "int[]", "{1,NULL}"),
            ("abc", "text", "varchar(2)", "ab"),
            ("7", "text", "int", "7"),
        ] {
            let (from, to) = (typed(from), typed(to));
            assert!(allowed(&from, &to).is_some(), "{from} to {to}");
            let value = cast(parse(given, &from).unwrap(), &from, &to).unwrap();
            assert_eq!(text(&value, &to), shown, "{given}::{from}::{to}");
        }
    }

    #[test]
    fn casts_that_cannot_be_are_refused() {
        for (from, to) in [
            ("bool", "bigint"),
            ("int", "date"),
            ("time", "date"),
            ("jsonb", "date"),
            ("uuid", "int"),
            ("int[]", "int"),
            ("real", "bool"),
        ] {
            assert_eq!(allowed(&typed(from), &typed(to)), None, "{from} to {to}");
        }
        for (given, from, to) in [
            ("70000", "int", "smallint"),
            ("1e300", "double precision", "real"),
            ("1e300", "double precision", "bigint"),
            ("NaN", "double precision", "numeric"),
            ("\"x\"", "jsonb", "int"),
            ("null", "jsonb", "int"),
            ("1", "jsonb", "bool"),
            ("x", "text", "int"),
            ("{x}", "text[]", "int[]"),
        ] {
            let (from, to) = (typed(from), typed(to));
            assert_eq!(allowed(&from, &to), Some(Fallible(true)), "{from} to {to}");
            assert!(
                cast(parse(given, &from).unwrap(), &from, &to).is_err(),
                "{given}::{to}"
            );
        }
    }
}
