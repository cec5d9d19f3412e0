//! One value as the filter language sees it, and how `PostgreSQL` orders two of a type.
//!
//! Invariant: two values that are compared have the same kind, except that whole numbers meet
//! `numeric` as they are; the type check puts casts everywhere else.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

use super::json;

/// A value of a row or a constant.
#[derive(Debug, Clone)]
pub(crate) enum Datum<'a> {
    /// NULL of any type.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `smallint`, `int`, `bigint`.
    Int(i64),
    /// `real` (the nearest `f32`, widened) and `double precision`.
    Float(f64),
    /// `numeric` in digits: no exponent, no leading zeros, the scale as it was given.
    Numeric(Cow<'a, str>),
    /// `text`, `varchar` and, in its canonical form, `uuid`.
    Text(Cow<'a, str>),
    /// `date`, `timestamp`, `timestamptz` in microseconds since 1970 (UTC); `time` in microseconds
    /// since midnight.
    Moment(i64),
    /// `json` and `jsonb`.
    Json(Cow<'a, Value>),
    /// An array; an array of more dimensions holds arrays.
    Array(Cow<'a, [Datum<'static>]>),
}

impl Datum<'_> {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The same value, borrowed from nobody.
    pub(crate) fn into_owned(self) -> Datum<'static> {
        match self {
            Self::Null => Datum::Null,
            Self::Bool(value) => Datum::Bool(value),
            Self::Int(value) => Datum::Int(value),
            Self::Float(value) => Datum::Float(value),
            Self::Numeric(text) => Datum::Numeric(Cow::Owned(text.into_owned())),
            Self::Text(text) => Datum::Text(Cow::Owned(text.into_owned())),
            Self::Moment(value) => Datum::Moment(value),
            Self::Json(value) => Datum::Json(Cow::Owned(value.into_owned())),
            Self::Array(items) => Datum::Array(Cow::Owned(items.into_owned())),
        }
    }

    /// The same value, borrowed from this one.
    pub(crate) fn borrowed(&self) -> Datum<'_> {
        match self {
            Self::Null => Datum::Null,
            Self::Bool(value) => Datum::Bool(*value),
            Self::Int(value) => Datum::Int(*value),
            Self::Float(value) => Datum::Float(*value),
            Self::Numeric(text) => Datum::Numeric(Cow::Borrowed(text)),
            Self::Text(text) => Datum::Text(Cow::Borrowed(text)),
            Self::Moment(value) => Datum::Moment(*value),
            Self::Json(value) => Datum::Json(Cow::Borrowed(value)),
            Self::Array(items) => Datum::Array(Cow::Borrowed(items)),
        }
    }

    /// `PostgreSQL`'s order of two values that are not NULL. Text is ordered by code points, as in
    /// a database of the collation "C".
    pub(crate) fn compare(&self, other: &Datum<'_>) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Datum::Bool(other)) => one.cmp(other),
            (Self::Int(one), Datum::Int(other)) | (Self::Moment(one), Datum::Moment(other)) => {
                one.cmp(other)
            }
            (Self::Float(one), Datum::Float(other)) => compare_floats(*one, *other),
            (Self::Numeric(one), Datum::Numeric(other)) => compare_numerics(one, other),
            (Self::Int(one), Datum::Numeric(other)) => compare_with_numeric(*one, other),
            (Self::Numeric(one), Datum::Int(other)) => compare_with_numeric(*other, one).reverse(),
            (Self::Text(one), Datum::Text(other)) => one.as_bytes().cmp(other.as_bytes()),
            (Self::Json(one), Datum::Json(other)) => json::compare(one, other),
            (Self::Array(one), Datum::Array(other)) => compare_arrays(one, other),
            _ => unreachable!("the type check lets only values of one kind meet"),
        }
    }
}

/// NaN is equal to itself and above everything else, -0 equals 0.
pub(crate) fn compare_floats(one: f64, other: f64) -> Ordering {
    one.partial_cmp(&other)
        .unwrap_or_else(|| one.is_nan().cmp(&other.is_nan()))
}

/// Element by element, NULL above everything and equal to itself, then by length.
fn compare_arrays(one: &[Datum<'_>], other: &[Datum<'_>]) -> Ordering {
    one.iter()
        .zip(other)
        .map(|(one, other)| match (one, other) {
            // Arrays of different depth: the deeper one is above, which is as good as any order.
            (Datum::Array(_), other) if !matches!(other, Datum::Array(_)) => Ordering::Greater,
            (one, Datum::Array(_)) if !matches!(one, Datum::Array(_)) => Ordering::Less,
            (one, other) => one.is_null().cmp(&other.is_null()).then_with(|| {
                if one.is_null() {
                    Ordering::Equal
                } else {
                    one.compare(other)
                }
            }),
        })
        .find(|ordering| ordering.is_ne())
        .unwrap_or_else(|| one.len().cmp(&other.len()))
}

/// Two numbers in canonical digits.
pub(crate) fn compare_numerics(one: &str, other: &str) -> Ordering {
    let (one_negative, one_digits) = sign(one);
    let (other_negative, other_digits) = sign(other);
    match (one_negative, other_negative) {
        (false, false) => compare_digits(one_digits, other_digits),
        (true, true) => compare_digits(other_digits, one_digits),
        // Zero has no sign in canonical digits.
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

fn sign(text: &str) -> (bool, &str) {
    text.strip_prefix('-')
        .map_or((false, text), |digits| (true, digits))
}

fn compare_digits(one: &str, other: &str) -> Ordering {
    let (one_integer, one_fraction) = one.split_once('.').unwrap_or((one, ""));
    let (other_integer, other_fraction) = other.split_once('.').unwrap_or((other, ""));
    one_integer
        .len()
        .cmp(&other_integer.len())
        .then_with(|| one_integer.cmp(other_integer))
        .then_with(|| {
            one_fraction
                .trim_end_matches('0')
                .cmp(other_fraction.trim_end_matches('0'))
        })
}

/// A whole number against canonical digits, without writing the former out.
fn compare_with_numeric(one: i64, other: &str) -> Ordering {
    let (negative, digits) = sign(other);
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let beyond = if negative {
        Ordering::Greater
    } else {
        Ordering::Less
    };
    let Ok(magnitude) = integer.parse::<i128>() else {
        return beyond;
    };
    let whole = if negative { -magnitude } else { magnitude };
    i128::from(one).cmp(&whole).then_with(|| {
        if fraction.bytes().all(|digit| digit == b'0') {
            Ordering::Equal
        } else {
            beyond
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerics_are_ordered_by_value_not_by_text() {
        let ascending = [
            "-100", "-20.5", "-20.49", "-0.001", "0", "0.001", "0.01", "9", "10", "10.5", "99.99",
            "100",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (other_at, other) in ascending.iter().enumerate() {
                assert_eq!(
                    compare_numerics(one, other),
                    at.cmp(&other_at),
                    "{one} {other}"
                );
            }
        }
        assert_eq!(compare_numerics("1.50", "1.5"), Ordering::Equal);
    }

    #[test]
    fn whole_numbers_meet_numerics() {
        for (one, other, expected) in [
            (2, "2.0", Ordering::Equal),
            (2, "2.5", Ordering::Less),
            (-2, "-2.5", Ordering::Greater),
            (0, "-0.5", Ordering::Greater),
            (i64::MAX, "9223372036854775808", Ordering::Less),
            (i64::MIN, "-9223372036854775809", Ordering::Greater),
            (
                1,
                "1000000000000000000000000000000000000000000",
                Ordering::Less,
            ),
        ] {
            assert_eq!(compare_with_numeric(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn not_a_number_is_above_everything() {
        assert_eq!(compare_floats(f64::NAN, f64::INFINITY), Ordering::Greater);
        assert_eq!(compare_floats(1.0, f64::NAN), Ordering::Less);
        assert_eq!(compare_floats(f64::NAN, f64::NAN), Ordering::Equal);
        assert_eq!(compare_floats(-0.0, 0.0), Ordering::Equal);
    }

    #[test]
    fn arrays_are_ordered_by_element_then_length() {
        let array = |items: &[i64]| {
            Datum::Array(
                items
                    .iter()
                    .map(|item| Datum::Int(*item))
                    .collect::<Vec<_>>()
                    .into(),
            )
        };
        assert_eq!(array(&[1, 2]).compare(&array(&[1, 3])), Ordering::Less);
        assert_eq!(array(&[1, 2]).compare(&array(&[1])), Ordering::Greater);
        assert_eq!(array(&[]).compare(&array(&[])), Ordering::Equal);
    }
}
