//! What `PostgreSQL` calls the input functions of its types: a text becomes a value.

use std::borrow::Cow;

use super::{float, in_range, kind_of, shortened};
use crate::{
    filter::{datum::Datum, moment},
    metadata::{SqlType, decimal},
};

/// Reads a text as a value of a type: what `'text'::type` means.
pub(in crate::filter) fn parse(text: &str, sql_type: &SqlType) -> Result<Datum<'static>, String> {
    let trimmed = text.trim();
    let not = |what: &str| format!("'{text}' is not {what}");
    Ok(match sql_type {
        SqlType::Text => Datum::Text(text.to_owned().into()),
        SqlType::Varchar(limit) => Datum::Text(shortened(text, *limit).to_owned().into()),
        SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            let number = trimmed
                .parse()
                .map_err(|_| not(&format!("a whole number of the type {sql_type}")))?;
            in_range(number, sql_type)?
        }
        SqlType::Real | SqlType::Double => {
            let number: f64 = trimmed.parse().map_err(|_| not("a number"))?;
            let mantissa = trimmed.split(['e', 'E']).next().unwrap_or_default();
            if number == 0.0 && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
                return Err(format!("{trimmed} is out of range for {sql_type}"));
            }
            let named = trimmed
                .bytes()
                .any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'));
            float(number, sql_type, named)?
        }
        SqlType::Numeric(limits) => decimal::normalise(trimmed, *limits)
            .map(|digits| Datum::Numeric(digits.into()))
            .map_err(|error| format!("'{text}' {error}"))?,
        SqlType::Bool => Datum::Bool(boolean(trimmed).ok_or_else(|| not("a boolean"))?),
        SqlType::Date | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz => {
            let kind = kind_of(sql_type).expect("these four are moments");
            Datum::Moment(moment::parse(text, kind)?)
        }
        SqlType::Json => Datum::Json(Cow::Owned(
            serde_json::from_str(text).map_err(|error| format!("'{text}' is not JSON: {error}"))?,
        )),
        SqlType::Uuid => {
            let uuid = uuid(trimmed).ok_or_else(|| not("a UUID"))?;
            Datum::Text(uuid.to_string().into())
        }
        SqlType::Array(element) => array(text, element)?,
    })
}

/// 32 digits, a dash behind any four of them, braces around it all.
fn uuid(text: &str) -> Option<uuid::Uuid> {
    let bare = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(text);
    let mut digits = String::with_capacity(32);
    let mut was_dash = true;
    for letter in bare.chars() {
        let is_dash = letter == '-';
        if is_dash && (was_dash || !digits.len().is_multiple_of(4)) {
            return None;
        }
        was_dash = is_dash;
        digits.extend((!is_dash).then_some(letter));
    }
    let is_whole = digits.len() == 32 && !was_dash;
    is_whole
        .then(|| uuid::Uuid::parse_str(&digits).ok())
        .flatten()
}

/// Any unambiguous beginning of `PostgreSQL`'s words for true and false.
fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let begins = |word: &str, least: usize| lower.len() >= least && word.starts_with(&lower);
    if begins("true", 1) || begins("yes", 1) || begins("on", 2) || lower == "1" {
        Some(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || lower == "0" {
        Some(false)
    } else {
        None
    }
}

/// An array literal of one dimension: `{1,2}`, `{"a b",NULL}`.
fn array(text: &str, element: &SqlType) -> Result<Datum<'static>, String> {
    let malformed = || format!("'{text}' is not an array like {{1,2}}");
    let inside = text
        .trim()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or_else(malformed)?;
    let mut items = Vec::new();
    if inside.trim().is_empty() {
        return Ok(Datum::Array(items.into()));
    }
    let mut letters = inside.chars().peekable();
    loop {
        while letters.next_if(char::is_ascii_whitespace).is_some() {}
        let (mut item, mut quoted) = (String::new(), false);
        if letters.next_if_eq(&'"').is_some() {
            quoted = true;
            loop {
                match letters.next().ok_or_else(malformed)? {
                    '"' => break,
                    '\\' => item.push(letters.next().ok_or_else(malformed)?),
                    letter => item.push(letter),
                }
            }
            while letters.next_if(char::is_ascii_whitespace).is_some() {}
        } else {
            while let Some(letter) = letters.next_if(|letter| *letter != ',') {
                match letter {
                    '"' | '{' | '}' => return Err(malformed()),
                    '\\' => item.push(letters.next().ok_or_else(malformed)?),
                    letter => item.push(letter),
                }
            }
            item.truncate(item.trim_ascii_end().len());
            if item.is_empty() {
                return Err(malformed());
            }
        }
        items.push(if !quoted && item.eq_ignore_ascii_case("null") {
            Datum::Null
        } else {
            parse(&item, element)?
        });
        match letters.next() {
            None => return Ok(Datum::Array(items.into())),
            Some(',') => {}
            Some(_) => return Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::cast::text;

    fn typed(text: &str) -> SqlType {
        SqlType::parse(text).unwrap()
    }

    /// Literal, type, and how `PostgreSQL` 15 prints it.
    #[test]
    fn literals_are_read_as_their_type() {
        for (given, sql_type, shown) in [
            (" +7 ", "int", "7"),
            ("tr", "bool", "true"),
            (" OFF ", "bool", "false"),
            ("1e3", "numeric", "1000"),
            ("12.345", "numeric(6,2)", "12.35"),
            ("0.1", "real", "0.1"),
            ("1e15", "double precision", "1e+15"),
            ("100000000000000", "double precision", "100000000000000"),
            ("0.00001", "double precision", "1e-05"),
            ("1000000", "real", "1e+06"),
            ("-infinity", "real", "-Infinity"),
            ("abcdef", "varchar(3)", "abc"),
            (r#"{"b":1,"a":[1,2]}"#, "jsonb", r#"{"a": [1, 2], "b": 1}"#),
            (
                "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}",
                "uuid",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ),
            (
                "a0ee-bc99-9c0b4ef8-bb6d-6bb9-bd38-0a11",
                "uuid",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ),
            ("0e-999", "real", "0"),
            ("-0", "jsonb", "0"),
            ("{ 1 , 2 }", "int[]", "{1,2}"),
            (
                r#"{a,"b c",NULL,"NULL","q\"x"}"#,
                "text[]",
                r#"{a,"b c",NULL,"NULL","q\"x"}"#,
            ),
            ("{}", "text[]", "{}"),
        ] {
            let sql_type = typed(sql_type);
            let value = parse(given, &sql_type).unwrap();
            assert_eq!(text(&value, &sql_type), shown, "{given}::{sql_type}");
        }
    }

    #[test]
    fn literals_of_another_type_are_refused() {
        for (given, sql_type) in [
            ("1.5", "int"),
            ("32768", "smallint"),
            ("3000000000", "int"),
            ("9223372036854775808", "bigint"),
            ("o", "bool"),
            ("", "bool"),
            ("1e400", "double precision"),
            ("1e39", "real"),
            ("1e-400", "double precision"),
            ("1e-50", "real"),
            ("a0eebc99--9c0b4ef8bb6d6bb9bd380a11", "uuid"),
            ("a0eebc999c0b4ef8bb6d6bb9bd380a11-", "uuid"),
            ("x", "real"),
            ("x", "numeric"),
            ("1000", "numeric(3,1)"),
            ("{", "jsonb"),
            ("urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "uuid"),
            ("1,2", "int[]"),
            ("{1,}", "int[]"),
            ("{{1}}", "int[]"),
            ("{\"a", "text[]"),
            ("{x}", "int[]"),
        ] {
            let error = parse(given, &typed(sql_type)).unwrap_err();
            assert!(!error.is_empty(), "{given}::{sql_type}");
        }
    }
}
