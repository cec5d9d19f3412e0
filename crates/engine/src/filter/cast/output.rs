//! What `PostgreSQL` calls the output functions of its types: a value becomes a text.

use super::{kind_of, to_real};
use crate::{
    filter::{datum::Datum, json, moment},
    metadata::SqlType,
};

/// A value as text: what `value::text` gives.
pub(in crate::filter) fn text(value: &Datum<'_>, sql_type: &SqlType) -> String {
    match value {
        Datum::Null => String::new(),
        Datum::Bool(value) => value.to_string(),
        Datum::Int(value) => value.to_string(),
        Datum::Float(value) => float_text(*value, *sql_type == SqlType::Real),
        Datum::Numeric(text) | Datum::Text(text) => text.clone().into_owned(),
        Datum::Moment(micros) => {
            let kind = kind_of(sql_type).expect("moments have types of their own");
            moment::text(*micros, kind)
        }
        Datum::Json(value) => json::text(value),
        Datum::Array(items) => array_text(items, sql_type),
    }
}

/// The shortest digits that read back as the same number, with an exponent where `PostgreSQL`
/// writes one.
pub(super) fn float_text(value: f64, real: bool) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (scientific, fixed, largest) = if real {
        let value = to_real(value);
        (format!("{value:e}"), value.to_string(), 6)
    } else {
        (format!("{value:e}"), value.to_string(), 15)
    };
    let (mantissa, exponent) = scientific.split_once('e').expect("{:e} writes an exponent");
    let exponent: i32 = exponent.parse().expect("{:e} writes a number behind the e");
    if (-4..largest).contains(&exponent) {
        return fixed;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `{1,2}`, with quotes where an element needs them.
fn array_text(items: &[Datum<'_>], sql_type: &SqlType) -> String {
    let element = match sql_type {
        SqlType::Array(element) => element,
        other => other,
    };
    let parts: Vec<String> = items
        .iter()
        .map(|item| match item {
            Datum::Null => "NULL".to_owned(),
            Datum::Array(items) => array_text(items, sql_type),
            item => {
                let text = text(item, element);
                let plain = !text.is_empty()
                    && !text.eq_ignore_ascii_case("null")
                    && !text.contains(|letter: char| {
                        "{},\"\\".contains(letter) || letter.is_ascii_whitespace()
                    });
                if plain {
                    text
                } else {
                    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
                }
            }
        })
        .collect();
    format!("{{{}}}", parts.join(","))
}
