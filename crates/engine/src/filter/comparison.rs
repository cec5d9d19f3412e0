//! Which types may meet, and as what: `PostgreSQL`'s rules for literals, numbers and moments.
//!
//! Called by [`super::check`]. A literal in quotes has no type of its own and takes that of what it
//! meets; numbers of different types meet as the wider one; text meets only text.

use super::{
    cast::{self, Fallible},
    datum::Datum,
    error::FilterError,
    expression::Scalar,
};
use crate::metadata::SqlType;

/// A checked expression.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) scalar: Scalar,
    /// `None` for NULL and a literal in quotes that nothing gave a type yet; the scalar is then
    /// that constant.
    pub(super) sql_type: Option<SqlType>,
    /// Where it starts.
    pub(super) position: usize,
}

impl Typed {
    pub(super) fn error(&self, reason: impl Into<String>) -> FilterError {
        FilterError::new(self.position, reason)
    }

    /// A literal without a type as a value of `sql_type`; anything else as it is.
    pub(super) fn or_literal_of(mut self, sql_type: &SqlType) -> Result<Self, FilterError> {
        if self.sql_type.is_none() {
            if let Scalar::Constant(Datum::Text(text)) = &self.scalar {
                let value = cast::parse(text, sql_type).map_err(|reason| {
                    self.error(if *sql_type == SqlType::Json {
                        format!("{reason}; to compare text, reach for it with ->>")
                    } else {
                        reason
                    })
                })?;
                self.scalar = Scalar::Constant(value);
            }
            self.sql_type = Some(sql_type.clone());
        }
        Ok(self)
    }

    /// The same value as another type. A constant is cast here and now.
    pub(super) fn cast_to(self, to: &SqlType) -> Result<Self, FilterError> {
        let typed = match self.sql_type {
            None => return self.or_literal_of(to),
            Some(ref from) if from == to => return Ok(self),
            Some(_) => self,
        };
        let from = typed.sql_type.clone().expect("the untyped went above");
        let Some(Fallible(can_fail)) = cast::allowed(&from, to) else {
            return Err(typed.error(format!("{from} cannot be cast to {to}")));
        };
        let scalar = match typed.scalar {
            Scalar::Constant(value) => Scalar::Constant(
                cast::cast(value, &from, to)
                    .map_err(|reason| FilterError::new(typed.position, reason))?,
            ),
            scalar => Scalar::Cast {
                value: Box::new(scalar),
                from,
                to: to.clone(),
                can_fail,
            },
        };
        Ok(Self {
            scalar,
            sql_type: Some(to.clone()),
            position: typed.position,
        })
    }

    /// The type in words.
    pub(super) fn type_name(&self) -> String {
        self.sql_type
            .as_ref()
            .map_or_else(|| "a literal".to_owned(), ToString::to_string)
    }
}

/// How wide a number type is.
fn width(sql_type: &SqlType) -> Option<u8> {
    Some(match sql_type {
        SqlType::SmallInt => 0,
        SqlType::Int => 1,
        SqlType::BigInt => 2,
        SqlType::Numeric(_) => 3,
        SqlType::Real => 4,
        SqlType::Double => 5,
        _ => return None,
    })
}

/// How much a moment says, of those that can be compared; all are microseconds in UTC.
fn precision(sql_type: &SqlType) -> Option<u8> {
    Some(match sql_type {
        SqlType::Date => 0,
        SqlType::Timestamp => 1,
        SqlType::TimestampTz => 2,
        _ => return None,
    })
}

/// Brings two values to one kind, or says why they cannot be compared. `operator` is for the
/// message.
pub(super) fn unify(
    left: Typed,
    right: Typed,
    operator: &str,
) -> Result<(Typed, Typed), FilterError> {
    let (left, right) = match (&left.sql_type, &right.sql_type) {
        (None, None) => (
            left.or_literal_of(&SqlType::Text)?,
            right.or_literal_of(&SqlType::Text)?,
        ),
        (Some(sql_type), None) => {
            let sql_type = sql_type.clone();
            (left, right.or_literal_of(&sql_type)?)
        }
        (None, Some(sql_type)) => {
            let sql_type = sql_type.clone();
            (left.or_literal_of(&sql_type)?, right)
        }
        (Some(_), Some(_)) => (left, right),
    };
    let (one, other) = match (&left.sql_type, &right.sql_type) {
        (Some(one), Some(other)) => (one.clone(), other.clone()),
        _ => unreachable!("both sides have a type by now"),
    };
    if one == other || (precision(&one).is_some() && precision(&other).is_some()) {
        return Ok((left, right));
    }
    match (width(&one), width(&other)) {
        // Whole numbers and numerics are compared as they are.
        (Some(0..=3), Some(0..=3)) => Ok((left, right)),
        (Some(_), Some(_)) => Ok((
            left.cast_to(&SqlType::Double)?,
            right.cast_to(&SqlType::Double)?,
        )),
        _ => Err(left.error(format!(
            "{one} {operator} {other} cannot be compared; cast one side, as in x::{one}"
        ))),
    }
}

/// The type that a list of values has together, if there is one: what is without a type takes that
/// of the others, numbers that of the widest, moments that of the most precise.
pub(super) fn common<'a>(types: impl Iterator<Item = Option<&'a SqlType>>) -> Option<SqlType> {
    let mut common: Option<&SqlType> = None;
    for sql_type in types.flatten() {
        let wider = |rank: fn(&SqlType) -> Option<u8>| {
            let (so_far, this) = (rank(common?)?, rank(sql_type)?);
            Some(if so_far >= this { common? } else { sql_type })
        };
        common = Some(match common {
            None => sql_type,
            Some(so_far) if so_far == sql_type => so_far,
            Some(_) => wider(width).or_else(|| wider(precision))?,
        });
    }
    Some(common.cloned().unwrap_or(SqlType::Text))
}
