//! Literals and the signs before them, and the names of types.

use sqlparser::ast::{DataType, Value, ValueWithSpan};

use crate::{
    filter::{comparison::Typed, datum::Datum, error::FilterError, expression::Scalar},
    metadata::{SqlType, decimal},
};

/// A literal: numbers and truth values have types, text in quotes and NULL have none yet.
pub(super) fn literal(value: &ValueWithSpan, position: usize) -> Option<Typed> {
    let (datum, sql_type) = match &value.value {
        Value::Number(digits, false) => number(digits)?,
        Value::Boolean(truth) => (Datum::Bool(*truth), Some(SqlType::Bool)),
        Value::Null => (Datum::Null, None),
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => {
            (Datum::Text(text.clone().into()), None)
        }
        Value::DollarQuotedString(text) => (Datum::Text(text.value.clone().into()), None),
        _ => return None,
    };
    Some(Typed {
        scalar: Scalar::Constant(datum),
        sql_type,
        position,
    })
}

/// The smallest of `int`, `bigint`, `numeric` that holds it.
fn number(digits: &str) -> Option<(Datum<'static>, Option<SqlType>)> {
    if let Ok(whole) = digits.parse::<i64>() {
        let sql_type = if i32::try_from(whole).is_ok() {
            SqlType::Int
        } else {
            SqlType::BigInt
        };
        return Some((Datum::Int(whole), Some(sql_type)));
    }
    let digits = decimal::normalise(digits, None).ok()?;
    Some((Datum::Numeric(digits.into()), Some(SqlType::Numeric(None))))
}

pub(super) fn is_number(sql_type: Option<&SqlType>) -> bool {
    matches!(
        sql_type,
        Some(
            SqlType::SmallInt
                | SqlType::Int
                | SqlType::BigInt
                | SqlType::Real
                | SqlType::Double
                | SqlType::Numeric(_)
        )
    )
}

pub(super) fn negative(typed: Typed) -> Result<Typed, FilterError> {
    let Typed {
        scalar,
        sql_type,
        position,
    } = typed;
    let value = match scalar {
        Scalar::Constant(Datum::Int(whole)) => whole.checked_neg().map(Datum::Int),
        Scalar::Constant(Datum::Float(number)) => Some(Datum::Float(-number)),
        Scalar::Constant(Datum::Numeric(digits)) => {
            let turned = match digits.strip_prefix('-') {
                Some(positive) => positive.to_owned(),
                None if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) => {
                    digits.into_owned()
                }
                None => format!("-{digits}"),
            };
            // -9223372036854775808 is a bigint whose digits alone are none.
            match turned.parse::<i64>() {
                Ok(i64::MIN) => {
                    return Ok(Typed {
                        scalar: Scalar::Constant(Datum::Int(i64::MIN)),
                        sql_type,
                        position,
                    });
                }
                _ => Some(Datum::Numeric(turned.into())),
            }
        }
        _ => None,
    };
    let value = value.ok_or_else(|| {
        FilterError::new(
            position,
            "a sign can only be before a number; there is no arithmetic",
        )
    })?;
    Ok(Typed {
        scalar: Scalar::Constant(value),
        sql_type,
        position,
    })
}

pub(super) fn sql_type(data_type: &DataType, position: usize) -> Result<SqlType, FilterError> {
    SqlType::parse(&data_type.to_string())
        .map_err(|error| FilterError::new(position, error.to_string()))
}
