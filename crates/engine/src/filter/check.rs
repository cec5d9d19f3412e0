//! The type check: from the parser's tree to the small language of [`super::expression`].
//!
//! What the language does not have is refused here if its words and signs got through. A constant
//! that cannot be read as the type it is compared with is an error of the request, as in
//! `PostgreSQL`, whether or not there are rows.

mod literal;
mod operator;
mod value;

use sqlparser::{
    ast::{BinaryOperator, Expr, InTarget, Spanned as _, UnaryOperator},
    tokenizer::Span,
};

use self::operator::{compare, comparison_of};
use super::{
    Fields, FilterLimits,
    column::Source,
    error::FilterError,
    expression::{Comparison, Predicate, Scalar},
    token::{self, LANGUAGE, Positions},
};
use crate::metadata::SqlType;

/// A condition over columns.
pub(super) fn filter(
    expression: &Expr,
    fields: &Fields<'_>,
    positions: &Positions,
    limits: &FilterLimits,
) -> Result<(Predicate, Vec<Source>), FilterError> {
    let mut checker = Checker::new(fields, positions, limits);
    let predicate = checker.predicate(expression, 0)?;
    Ok((predicate, checker.sources))
}

/// A field, or a path into one, and nothing else.
pub(super) fn field(
    expression: &Expr,
    fields: &Fields<'_>,
    positions: &Positions,
    limits: &FilterLimits,
) -> Result<Source, FilterError> {
    let mut checker = Checker::new(fields, positions, limits);
    let typed = checker.scalar(expression, 0)?;
    match (&typed.scalar, checker.sources.pop()) {
        (Scalar::Slot(_), Some(source)) => Ok(source),
        _ => Err(typed.error("only fields, and paths into them with -> and ->>, can be here")),
    }
}

/// The part of `a IS DISTINCT FROM b IS NULL` that `PostgreSQL` does not know where to put; other
/// chains of `IS` it takes from the left.
fn ambiguous_test(expression: &Expr) -> Option<&Expr> {
    let is_distinct = |inner: &Expr| {
        matches!(
            inner,
            Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..)
        )
    };
    match expression {
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            let is_test = is_distinct(right) || tested(right).is_some();
            if is_test {
                Some(&**right)
            } else {
                Some(&**left).filter(|left| is_distinct(left))
            }
        }
        expression => tested(expression).filter(|inner| is_distinct(inner)),
    }
}

/// What an `IS NULL` or `IS TRUE` is about.
fn tested(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner) => Some(inner),
        _ => None,
    }
}

struct Checker<'a> {
    fields: &'a Fields<'a>,
    positions: &'a Positions,
    limits: &'a FilterLimits,
    sources: Vec<Source>,
}

impl<'a> Checker<'a> {
    fn new(fields: &'a Fields<'a>, positions: &'a Positions, limits: &'a FilterLimits) -> Self {
        Self {
            fields,
            positions,
            limits,
            sources: Vec::new(),
        }
    }

    fn at(&self, span: Span) -> usize {
        self.positions.character(span.start)
    }

    fn position(&self, expression: &Expr) -> usize {
        self.at(expression.span())
    }

    fn unsupported(&self, expression: &Expr) -> FilterError {
        FilterError::new(
            self.position(expression),
            format!("this is not part of the filter language, which has {LANGUAGE}"),
        )
    }

    fn deeper(&self, expression: &Expr, depth: usize) -> Result<usize, FilterError> {
        if depth >= self.limits.max_depth {
            return Err(token::too_deep(self.position(expression), self.limits));
        }
        Ok(depth + 1)
    }

    /// An expression in the place of a condition.
    fn predicate(&mut self, expression: &Expr, depth: usize) -> Result<Predicate, FilterError> {
        if let Expr::Nested(inner) = expression {
            let depth = self.deeper(expression, depth)?;
            return self.predicate(inner, depth);
        }
        if let Some(predicate) = self.condition(expression, depth)? {
            return Ok(predicate);
        }
        let typed = self
            .scalar(expression, depth)?
            .or_literal_of(&SqlType::Bool)?;
        if typed.sql_type != Some(SqlType::Bool) {
            let reason = format!(
                "a condition is expected, and this is {}; compare it with something",
                typed.type_name()
            );
            return Err(typed.error(reason));
        }
        Ok(Predicate::Truth(typed.scalar))
    }

    /// What can only be a condition; `None` for anything else.
    fn condition(
        &mut self,
        expression: &Expr,
        depth: usize,
    ) -> Result<Option<Predicate>, FilterError> {
        let depth = self.deeper(expression, depth)?;
        if let Some(inner) = ambiguous_test(expression) {
            let reason = "IS cannot be chained with IS DISTINCT FROM; use brackets";
            return Err(FilterError::new(self.position(inner), reason));
        }
        let is_null = |checker: &mut Self, inner: &Expr| {
            let typed = checker.scalar(inner, depth)?;
            Ok(Predicate::IsNull(typed.scalar))
        };
        let is_truth = |checker: &mut Self, inner: &Expr, wanted: Option<bool>| {
            Ok(Predicate::IsTruth {
                predicate: Box::new(checker.predicate(inner, depth)?),
                wanted,
            })
        };
        Ok(Some(match expression {
            Expr::BinaryOp {
                op: op @ (BinaryOperator::And | BinaryOperator::Or),
                ..
            } => {
                let operands = chain(expression, op)
                    .into_iter()
                    .map(|operand| self.predicate(operand, depth))
                    .collect::<Result<_, _>>()?;
                if *op == BinaryOperator::And {
                    Predicate::all(operands)
                } else {
                    Predicate::any(operands)
                }
            }
            Expr::BinaryOp { left, op, right } => match comparison_of(op) {
                Some(comparison) => {
                    for side in [left, right] {
                        if matches!(&**side, Expr::BinaryOp { op, .. } if comparison_of(op).is_some())
                        {
                            let reason = "comparisons cannot be chained; use AND or brackets";
                            return Err(FilterError::new(self.position(side), reason));
                        }
                    }
                    let (left, right) = (self.scalar(left, depth)?, self.scalar(right, depth)?);
                    compare(left, comparison, right)?
                }
                None => match op {
                    BinaryOperator::AtArrow => self.containment(left, right, "@>", depth)?,
                    BinaryOperator::ArrowAt => self.containment(right, left, "<@", depth)?,
                    BinaryOperator::PGOverlap => {
                        let (left, right) = self.containers(left, right, "&&", depth)?;
                        if !matches!(left.sql_type, Some(SqlType::Array(_))) {
                            return Err(left.error("&& is for arrays"));
                        }
                        Predicate::Overlaps {
                            left: left.scalar,
                            right: right.scalar,
                        }
                    }
                    _ => return Ok(None),
                },
            },
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => self.predicate(expr, depth)?.negated(true),
            Expr::IsNull(inner) => is_null(self, inner)?,
            Expr::IsNotNull(inner) => is_null(self, inner)?.negated(true),
            Expr::IsTrue(inner) => is_truth(self, inner, Some(true))?,
            Expr::IsNotTrue(inner) => is_truth(self, inner, Some(true))?.negated(true),
            Expr::IsFalse(inner) => is_truth(self, inner, Some(false))?,
            Expr::IsNotFalse(inner) => is_truth(self, inner, Some(false))?.negated(true),
            Expr::IsUnknown(inner) => is_truth(self, inner, None)?,
            Expr::IsNotUnknown(inner) => is_truth(self, inner, None)?.negated(true),
            Expr::IsDistinctFrom(left, right) => self.distinct(left, right, depth)?,
            Expr::IsNotDistinctFrom(left, right) => {
                self.distinct(left, right, depth)?.negated(true)
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let value = self.scalar(expr, depth)?;
                let (low, high) = (self.scalar(low, depth)?, self.scalar(high, depth)?);
                let above = compare(value.clone(), Comparison::GreaterOrEqual, low)?;
                let below = compare(value, Comparison::LessOrEqual, high)?;
                Predicate::all(vec![above, below]).negated(*negated)
            }
            Expr::In {
                expr,
                target: InTarget::List(list),
                negated,
                ..
            } => self.member(expr, list, depth)?.negated(*negated),
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self
                .like([expr, pattern], escape_char.as_deref(), false, depth)?
                .negated(*negated),
            Expr::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self
                .like([expr, pattern], escape_char.as_deref(), true, depth)?
                .negated(*negated),
            Expr::AnyOp {
                left,
                compare_op,
                right,
                ..
            } => self.elements(left, compare_op, right, false, depth)?,
            Expr::AllOp {
                left,
                compare_op,
                right,
            } => self.elements(left, compare_op, right, true, depth)?,
            _ => return Ok(None),
        }))
    }
}

/// The operands of `a AND b AND c`, however many, without a call for each.
fn chain<'e>(expression: &'e Expr, operator: &BinaryOperator) -> Vec<&'e Expr> {
    let mut operands = Vec::new();
    let mut rest = expression;
    while let Expr::BinaryOp { left, op, right } = rest
        && op == operator
    {
        operands.push(&**right);
        rest = left;
    }
    operands.push(rest);
    operands.reverse();
    operands
}
