//! The type check: from the parser's tree to the small language of [`super::expression`].
//!
//! What the language does not have is refused here if its words and signs got through. A constant
//! that cannot be read as the type it is compared with is an error of the request, as in
//! `PostgreSQL`, whether or not there are rows.

use sqlparser::{
    ast::{
        BinaryOperator, CastKind, DataType, Expr, InTarget, Spanned as _, UnaryOperator, Value,
        ValueWithSpan,
    },
    tokenizer::Span,
};

use super::{
    Fields, FilterLimits,
    column::{Source, Step, plain},
    comparison::{self, Typed},
    datum::Datum,
    error::FilterError,
    expression::{Comparison, Members, Predicate, Scalar, Wanted},
    like::Pattern,
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

    /// An expression in the place of a value.
    fn scalar(&mut self, expression: &Expr, depth: usize) -> Result<Typed, FilterError> {
        let depth = self.deeper(expression, depth)?;
        let position = self.position(expression);
        match expression {
            Expr::Nested(inner) => self.scalar(inner, depth),
            Expr::Identifier(name) => {
                let source = self
                    .fields
                    .source(&name.value)
                    .ok_or_else(|| FilterError::new(position, self.fields.unknown(&name.value)))?;
                Ok(self.slot(source, position))
            }
            Expr::Value(value) => {
                literal(value, position).ok_or_else(|| self.unsupported(expression))
            }
            Expr::UnaryOp {
                op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
                expr,
            } => {
                let typed = self.scalar(expr, depth)?;
                if *op == UnaryOperator::Plus && is_number(typed.sql_type.as_ref()) {
                    return Ok(typed);
                }
                negative(typed)
            }
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                format: None,
            } => {
                let to = sql_type(data_type, position)?;
                let typed = self.scalar(expr, depth)?.cast_to(&to)?;
                Ok(Typed {
                    sql_type: Some(plain(&to)),
                    ..typed
                })
            }
            Expr::TypedString(typed) => {
                let to = sql_type(&typed.data_type, position)?;
                let value = literal(&typed.value, self.at(typed.value.span))
                    .ok_or_else(|| self.unsupported(expression))?;
                let typed = value.or_literal_of(&to)?;
                Ok(Typed {
                    sql_type: Some(plain(&to)),
                    ..typed
                })
            }
            Expr::BinaryOp {
                op: BinaryOperator::Arrow | BinaryOperator::LongArrow,
                ..
            } => self.path(expression, depth),
            Expr::Array(array) if array.named => self.array(&array.elem, position, depth),
            _ => match self.condition(expression, depth)? {
                Some(predicate) => Ok(Typed {
                    scalar: Scalar::Truth(Box::new(predicate)),
                    sql_type: Some(SqlType::Bool),
                    position,
                }),
                None => Err(self.unsupported(expression)),
            },
        }
    }

    /// The slot of a source, a new one when it is the first of its kind.
    fn slot(&mut self, source: Source, position: usize) -> Typed {
        let sql_type = Some(source.sql_type.clone());
        let slot = self
            .sources
            .iter()
            .position(|known| *known == source)
            .unwrap_or_else(|| {
                self.sources.push(source);
                self.sources.len() - 1
            });
        Typed {
            scalar: Scalar::Slot(slot),
            sql_type,
            position,
        }
    }

    /// `field -> 'a' -> 0 ->> 'b'`: constant steps from a field make a source of their own, others
    /// are taken for each row.
    fn path(&mut self, expression: &Expr, depth: usize) -> Result<Typed, FilterError> {
        let mut steps = Vec::new();
        let mut root = expression;
        while let Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::Arrow | BinaryOperator::LongArrow),
            right,
        } = root
        {
            steps.push((*op == BinaryOperator::LongArrow, &**right));
            root = left;
        }
        steps.reverse();
        if steps.len() > self.limits.max_depth {
            return Err(token::too_deep(self.position(expression), self.limits));
        }
        let mut keys = steps
            .into_iter()
            .map(|(as_text, key)| Ok((as_text, self.key(key, depth)?)))
            .collect::<Result<Vec<_>, FilterError>>()?
            .into_iter()
            .peekable();
        let position = self.position(root);
        let mut typed = match self.json_field(root) {
            Some(source) => {
                let mut path = Vec::new();
                let mut ends_as_text = false;
                while let Some((as_text, key)) =
                    keys.next_if(|(_, key)| !ends_as_text && step(key).is_some())
                {
                    path.extend(step(&key));
                    ends_as_text = as_text;
                }
                self.slot(source.inside(path, ends_as_text), position)
            }
            None => self.scalar(root, depth)?,
        };
        for (as_text, key) in keys {
            if typed.sql_type != Some(SqlType::Json) {
                let reason = format!(
                    "-> and ->> reach into json and jsonb, and this is {}; cast it with ::jsonb",
                    typed.type_name()
                );
                return Err(typed.error(reason));
            }
            typed = Typed {
                scalar: Scalar::Get {
                    value: Box::new(typed.scalar),
                    key: Box::new(key.scalar),
                    as_text,
                },
                sql_type: Some(if as_text {
                    SqlType::Text
                } else {
                    SqlType::Json
                }),
                position,
            };
        }
        Ok(typed)
    }

    /// The JSON column that an expression is, brackets and casts to JSON aside.
    fn json_field(&self, expression: &Expr) -> Option<Source> {
        let mut inner = expression;
        // Casts and brackets are bounded where the expression is checked as a value otherwise.
        for _ in 0..self.limits.max_depth {
            inner = match inner {
                Expr::Nested(nested) => nested,
                Expr::Cast {
                    expr,
                    data_type: DataType::JSON | DataType::JSONB,
                    ..
                } => expr,
                Expr::Identifier(name) => {
                    return self
                        .fields
                        .source(&name.value)
                        .filter(|source| source.sql_type == SqlType::Json);
                }
                _ => return None,
            };
        }
        None
    }

    fn key(&mut self, expression: &Expr, depth: usize) -> Result<Typed, FilterError> {
        let key = self
            .scalar(expression, depth)?
            .or_literal_of(&SqlType::Text)?;
        match key.sql_type {
            Some(SqlType::Text | SqlType::SmallInt | SqlType::Int) => Ok(key),
            _ => Err(key.error("behind -> and ->> there must be a key in quotes or an index")),
        }
    }

    fn distinct(
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
    fn member(
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

    fn like(
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

    fn containment(
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
    fn containers(
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
    fn elements(
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

    /// `ARRAY[…]` of constants.
    fn array(
        &mut self,
        items: &[Expr],
        position: usize,
        depth: usize,
    ) -> Result<Typed, FilterError> {
        let items = items
            .iter()
            .map(|item| self.scalar(item, depth))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(element) = comparison::common(items.iter().map(|item| item.sql_type.as_ref()))
        else {
            return Err(FilterError::new(
                position,
                "the elements of the array have no type in common",
            ));
        };
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let item = item.cast_to(&element)?;
            match item.scalar {
                Scalar::Constant(value) if !matches!(value, Datum::Array(_)) => values.push(value),
                _ => {
                    return Err(FilterError::new(
                        item.position,
                        "an array is made of literals",
                    ));
                }
            }
        }
        Ok(Typed {
            scalar: Scalar::Constant(Datum::Array(values.into())),
            sql_type: Some(SqlType::Array(Box::new(element))),
            position,
        })
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

fn comparison_of(operator: &BinaryOperator) -> Option<Comparison> {
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

fn compare(left: Typed, comparison: Comparison, right: Typed) -> Result<Predicate, FilterError> {
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

/// A literal: numbers and truth values have types, text in quotes and NULL have none yet.
fn literal(value: &ValueWithSpan, position: usize) -> Option<Typed> {
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
    let digits = crate::metadata::decimal::normalise(digits, None).ok()?;
    Some((Datum::Numeric(digits.into()), Some(SqlType::Numeric(None))))
}

fn is_number(sql_type: Option<&SqlType>) -> bool {
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

fn negative(typed: Typed) -> Result<Typed, FilterError> {
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

fn sql_type(data_type: &DataType, position: usize) -> Result<SqlType, FilterError> {
    SqlType::parse(&data_type.to_string())
        .map_err(|error| FilterError::new(position, error.to_string()))
}

/// The step that a constant key is.
fn step(key: &Typed) -> Option<Step> {
    match &key.scalar {
        Scalar::Constant(Datum::Text(key)) => Some(Step::Key(key.clone().into_owned())),
        Scalar::Constant(Datum::Int(index)) => Some(Step::Index(*index)),
        _ => None,
    }
}
