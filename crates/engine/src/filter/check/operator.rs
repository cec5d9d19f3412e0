//! Operators between values that make a condition.

use sqlparser::ast::{BinaryOperator, Expr};

use super::Checker;
use crate::{
    filter::{
        comparison::{self, Typed},
        datum::Datum,
        error::FilterError,
        expression::{Comparison, Members, Predicate, Scalar, Wanted},
        like::Pattern,
    },
    metadata::SqlType,
};

impl Checker<'_> {
    pub(super) fn distinct(
        &mut self,
        left: &Expr,
        right: &Expr,
        depth: usize,
    ) -> Result<Predicate, FilterError> {
        let (left, right) = (self.scalar(left, depth)?, self.scalar(right, depth)?);
        let (left, right) = comparison::unify(left, right, "IS DISTINCT FROM")?;
        Ok(Predicate::Distinct {
            left: left.scalar,
            right: right.scalar,
        })
    }

    /// `IN`. As in `PostgreSQL`, several constants are brought to one type together with the value;
    /// a single one, and whatever depends on the row, is compared on its own.
    pub(super) fn member(
        &mut self,
        value: &Expr,
        list: &[Expr],
        depth: usize,
    ) -> Result<Predicate, FilterError> {
        let value = self.scalar(value, depth)?;
        let items = list
            .iter()
            .map(|item| self.scalar(item, depth))
            .collect::<Result<Vec<_>, _>>()?;
        let (constants, mut others): (Vec<Typed>, Vec<Typed>) = items
            .into_iter()
            .partition(|item| matches!(item.scalar, Scalar::Constant(_)));
        let mut any = Vec::new();
        let types = std::iter::once(&value)
            .chain(&constants)
            .map(|item| item.sql_type.as_ref());
        match comparison::common(types) {
            Some(common) if constants.len() > 1 => {
                let mut members = Vec::with_capacity(constants.len());
                for constant in constants {
                    if let Scalar::Constant(datum) = constant.cast_to(&common)?.scalar {
                        members.push(datum);
                    }
                }
                any.push(Predicate::In {
                    value: value.clone().cast_to(&common)?.scalar,
                    members: Members::new(members),
                });
            }
            _ => others.extend(constants),
        }
        for item in others {
            any.push(compare(value.clone(), Comparison::Equal, item)?);
        }
        Ok(Predicate::any(any))
    }

    pub(super) fn like(
        &mut self,
        [value, pattern]: [&Expr; 2],
        escape: Option<&Expr>,
        ignore_case: bool,
        depth: usize,
    ) -> Result<Predicate, FilterError> {
        let mut sides = [value, pattern].into_iter().map(|side| {
            let side = self.scalar(side, depth)?.or_literal_of(&SqlType::Text)?;
            if side.sql_type == Some(SqlType::Text) {
                Ok(side)
            } else {
                let reason = format!(
                    "LIKE is for text, and this is {}; cast it with ::text",
                    side.type_name()
                );
                Err(side.error(reason))
            }
        });
        let (value, pattern) = match (sides.next(), sides.next()) {
            (Some(value), Some(pattern)) => (value?, pattern?),
            _ => unreachable!("there are two sides"),
        };
        let escape = match escape {
            None => Some('\\'),
            Some(escape) => self.escape(escape, depth)?,
        };
        let wanted = match pattern.scalar {
            Scalar::Constant(Datum::Text(text)) => Wanted::Fixed(
                Pattern::new(&text, escape, ignore_case)
                    .map_err(|reason| FilterError::new(pattern.position, reason))?,
            ),
            pattern => Wanted::Computed {
                pattern,
                escape,
                ignore_case,
            },
        };
        Ok(Predicate::Like {
            value: value.scalar,
            pattern: wanted,
        })
    }

    /// The character of `ESCAPE`; none for an empty text.
    fn escape(&mut self, expression: &Expr, depth: usize) -> Result<Option<char>, FilterError> {
        let typed = self.scalar(expression, depth)?;
        if let Scalar::Constant(Datum::Text(text)) = &typed.scalar {
            let mut letters = text.chars();
            if let (escape, None) = (letters.next(), letters.next()) {
                return Ok(escape);
            }
        }
        Err(typed.error("behind ESCAPE there must be one character in quotes, or none"))
    }

    pub(super) fn containment(
        &mut self,
        outer: &Expr,
        inner: &Expr,
        operator: &str,
        depth: usize,
    ) -> Result<Predicate, FilterError> {
        let (left, right) = self.containers(outer, inner, operator, depth)?;
        Ok(Predicate::Contains {
            left: left.scalar,
            right: right.scalar,
        })
    }

    /// Two values of one type that is JSON or an array.
    pub(super) fn containers(
        &mut self,
        left: &Expr,
        right: &Expr,
        operator: &str,
        depth: usize,
    ) -> Result<(Typed, Typed), FilterError> {
        let (left, right) = (self.scalar(left, depth)?, self.scalar(right, depth)?);
        let (left, right) = comparison::unify(left, right, operator)?;
        if matches!(left.sql_type, Some(SqlType::Json | SqlType::Array(_))) {
            Ok((left, right))
        } else {
            let reason = format!(
                "{operator} is for jsonb and arrays, and this is {}",
                left.type_name()
            );
            Err(left.error(reason))
        }
    }

    /// `value = ANY (array)`.
    pub(super) fn elements(
        &mut self,
        value: &Expr,
        operator: &BinaryOperator,
        array: &Expr,
        all: bool,
        depth: usize,
    ) -> Result<Predicate, FilterError> {
        let comparison = comparison_of(operator).ok_or_else(|| self.unsupported(value))?;
        let value = self.scalar(value, depth)?;
        let array = match &value.sql_type {
            Some(element) => self
                .scalar(array, depth)?
                .or_literal_of(&SqlType::Array(Box::new(element.clone())))?,
            // Without any type, both are text.
            None => self
                .scalar(array, depth)?
                .or_literal_of(&SqlType::Array(Box::new(SqlType::Text)))?,
        };
        let Some(SqlType::Array(element)) = array.sql_type.clone() else {
            return Err(array.error("in the brackets of ANY and ALL there must be an array"));
        };
        // An element stands for all of them in the check of the types.
        let sample = Typed {
            scalar: Scalar::Slot(0),
            sql_type: Some(*element.clone()),
            position: array.position,
        };
        let (value, sample) = comparison::unify(value, sample, &operator.to_string())?;
        let array = match sample.sql_type {
            Some(unified) if unified != *element => {
                array.cast_to(&SqlType::Array(Box::new(unified)))?
            }
            _ => array,
        };
        Ok(Predicate::Elements {
            value: value.scalar,
            comparison,
            array: array.scalar,
            all,
        })
    }
}

pub(super) fn comparison_of(operator: &BinaryOperator) -> Option<Comparison> {
    Some(match operator {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

pub(super) fn compare(
    left: Typed,
    comparison: Comparison,
    right: Typed,
) -> Result<Predicate, FilterError> {
    let operator = match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    };
    let (left, right) = comparison::unify(left, right, operator)?;
    Ok(Predicate::Compare {
        left: left.scalar,
        comparison,
        right: right.scalar,
    })
}
