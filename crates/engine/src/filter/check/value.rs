//! Expressions in the place of a value: fields, paths into them, literals, casts, arrays.

use sqlparser::ast::{BinaryOperator, CastKind, DataType, Expr, UnaryOperator};

use super::{
    Checker,
    literal::{is_number, literal, negative, sql_type},
};
use crate::{
    filter::{
        column::{Source, Step, plain},
        comparison::{self, Typed},
        datum::Datum,
        error::FilterError,
        expression::Scalar,
        token,
    },
    metadata::SqlType,
};

impl Checker<'_> {
    /// An expression in the place of a value.
    pub(super) fn scalar(&mut self, expression: &Expr, depth: usize) -> Result<Typed, FilterError> {
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

/// The step that a constant key is.
fn step(key: &Typed) -> Option<Step> {
    match &key.scalar {
        Scalar::Constant(Datum::Text(key)) => Some(Step::Key(key.clone().into_owned())),
        Scalar::Constant(Datum::Int(index)) => Some(Step::Index(*index)),
        _ => None,
    }
}
