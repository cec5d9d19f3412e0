//! A filter after the type check, and what it says of one row.
//!
//! [`super::check`] builds it, [`super::evaluate`] runs it over columns and falls back to
//! [`Predicate::truth`] here for what has no quicker way. Logic has three values: `None` is SQL's
//! unknown. A failure is a text for the client: a value that a cast cannot read.

use std::{borrow::Cow, cmp::Ordering, collections::HashSet};

use serde_json::Value;

use super::{cast, column::Column, datum::Datum, json, like::Pattern};
use crate::metadata::SqlType;

/// `=`, `<>`, `<`, `<=`, `>`, `>=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// Whether two values in this order satisfy it.
    pub(super) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// The same with its sides exchanged.
    pub(super) fn flipped(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

/// A value that depends on the row.
#[derive(Debug, Clone)]
pub(super) enum Scalar {
    /// The column in this slot of the filter's list of sources.
    Slot(usize),
    Constant(Datum<'static>),
    Cast {
        value: Box<Scalar>,
        from: SqlType,
        to: SqlType,
        can_fail: bool,
    },
    /// `value -> key`, or `->>` when `as_text`.
    Get {
        value: Box<Scalar>,
        key: Box<Scalar>,
        as_text: bool,
    },
    /// A condition in the place of a boolean.
    Truth(Box<Predicate>),
}

/// A condition.
#[derive(Debug, Clone)]
pub(super) enum Predicate {
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
    Compare {
        left: Scalar,
        comparison: Comparison,
        right: Scalar,
    },
    /// `IS DISTINCT FROM`.
    Distinct {
        left: Scalar,
        right: Scalar,
    },
    In {
        value: Scalar,
        members: Members,
    },
    Like {
        value: Scalar,
        pattern: Wanted,
    },
    IsNull(Scalar),
    /// `IS TRUE`, `IS FALSE`, `IS UNKNOWN`.
    IsTruth {
        predicate: Box<Predicate>,
        wanted: Option<bool>,
    },
    /// A boolean value in the place of a condition.
    Truth(Scalar),
    /// `left @> right` of JSON or arrays.
    Contains {
        left: Scalar,
        right: Scalar,
    },
    /// `left && right` of arrays.
    Overlaps {
        left: Scalar,
        right: Scalar,
    },
    /// `value = ANY (array)`, or `ALL`.
    Elements {
        value: Scalar,
        comparison: Comparison,
        array: Scalar,
        all: bool,
    },
}

/// The pattern of a `LIKE`.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    Fixed(Pattern),
    Computed {
        pattern: Scalar,
        escape: Option<char>,
        ignore_case: bool,
    },
}

/// The constants of an `IN`, all of one kind.
#[derive(Debug, Clone)]
pub(super) struct Members {
    texts: HashSet<String>,
    /// What is not text, in order.
    others: Vec<Datum<'static>>,
    has_null: bool,
}

impl Members {
    pub(super) fn new(items: Vec<Datum<'static>>) -> Self {
        let mut members = Self {
            texts: HashSet::new(),
            others: Vec::new(),
            has_null: false,
        };
        for item in items {
            match item {
                Datum::Null => members.has_null = true,
                Datum::Text(text) => {
                    members.texts.insert(text.into_owned());
                }
                other => members.others.push(other),
            }
        }
        members.others.sort_by(Datum::compare);
        members
    }

    /// Whether a value is one of them; unknown when it is not but a NULL is.
    pub(super) fn contain(&self, value: &Datum<'_>) -> Option<bool> {
        let found = match value {
            Datum::Null => return None,
            Datum::Text(text) => self.texts.contains(&**text),
            value => self
                .others
                .binary_search_by(|other| other.compare(value))
                .is_ok(),
        };
        (found || !self.has_null).then_some(found)
    }
}

/// A row's place in the columns.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    /// One column a slot.
    pub(super) columns: &'a [&'a Column],
    pub(super) position: usize,
}

impl Scalar {
    pub(super) fn value<'a>(&'a self, row: Row<'a>) -> Result<Datum<'a>, String> {
        match self {
            Self::Slot(slot) => Ok(row.columns[*slot].get(row.position)),
            Self::Constant(datum) => Ok(datum.borrowed()),
            Self::Cast {
                value, from, to, ..
            } => cast::cast(value.value(row)?, from, to),
            Self::Get {
                value,
                key,
                as_text,
            } => {
                let (Datum::Json(value), key) = (value.value(row)?, key.value(row)?) else {
                    return Ok(Datum::Null);
                };
                Ok(get(&value, &key, *as_text))
            }
            Self::Truth(predicate) => Ok(predicate.truth(row)?.map_or(Datum::Null, Datum::Bool)),
        }
    }

    /// Whether there are values for which this has none.
    fn can_fail(&self) -> bool {
        match self {
            Self::Slot(_) | Self::Constant(_) => false,
            Self::Cast {
                value, can_fail, ..
            } => *can_fail || value.can_fail(),
            Self::Get { value, key, .. } => value.can_fail() || key.can_fail(),
            Self::Truth(predicate) => predicate.can_fail(),
        }
    }
}

fn get<'a>(value: &Cow<'a, Value>, key: &Datum<'_>, as_text: bool) -> Datum<'a> {
    fn reach<'v>(value: &'v Value, key: &Datum<'_>) -> Option<&'v Value> {
        match key {
            Datum::Text(key) => json::field(value, key),
            Datum::Int(index) => json::element(value, *index),
            _ => None,
        }
    }
    let found = match value {
        Cow::Borrowed(value) => reach(value, key).map(Cow::Borrowed),
        Cow::Owned(value) => reach(value, key).cloned().map(Cow::Owned),
    };
    match found {
        None => Datum::Null,
        Some(found) if as_text => {
            json::as_text(&found).map_or(Datum::Null, |text| Datum::Text(text.into()))
        }
        Some(found) => Datum::Json(found),
    }
}

impl Predicate {
    /// Conditions that must all hold. What cannot fail goes first, so that it guards the rest:
    /// `kind = 'int' AND v::int > 3` does not read the other kinds as numbers, however it is written.
    pub(super) fn all(mut predicates: Vec<Self>) -> Self {
        predicates.sort_by_key(Self::can_fail);
        Self::And(predicates)
    }

    /// Conditions of which one must hold; what cannot fail goes first.
    pub(super) fn any(mut predicates: Vec<Self>) -> Self {
        predicates.sort_by_key(Self::can_fail);
        Self::Or(predicates)
    }

    pub(super) fn negated(self, negated: bool) -> Self {
        if negated {
            Self::Not(Box::new(self))
        } else {
            self
        }
    }

    /// What this says of a row.
    pub(super) fn truth(&self, row: Row<'_>) -> Result<Option<bool>, String> {
        Ok(match self {
            Self::And(predicates) => {
                let mut all = Some(true);
                for predicate in predicates {
                    match predicate.truth(row)? {
                        Some(false) => return Ok(Some(false)),
                        None => all = None,
                        Some(true) => {}
                    }
                }
                all
            }
            Self::Or(predicates) => {
                let mut any = Some(false);
                for predicate in predicates {
                    match predicate.truth(row)? {
                        Some(true) => return Ok(Some(true)),
                        None => any = None,
                        Some(false) => {}
                    }
                }
                any
            }
            Self::Not(predicate) => predicate.truth(row)?.map(|truth| !truth),
            Self::Compare {
                left,
                comparison,
                right,
            } => compared(&left.value(row)?, &right.value(row)?)
                .map(|ordering| comparison.holds(ordering)),
            Self::Distinct { left, right } => {
                let (left, right) = (left.value(row)?, right.value(row)?);
                Some(match compared(&left, &right) {
                    Some(ordering) => ordering.is_ne(),
                    None => left.is_null() != right.is_null(),
                })
            }
            Self::In { value, members } => members.contain(&value.value(row)?),
            Self::Like { value, pattern } => like(&value.value(row)?, pattern, row)?,
            Self::IsNull(value) => Some(value.value(row)?.is_null()),
            Self::IsTruth { predicate, wanted } => Some(predicate.truth(row)? == *wanted),
            Self::Truth(value) => match value.value(row)? {
                Datum::Bool(truth) => Some(truth),
                _ => None,
            },
            Self::Contains { left, right } => match (left.value(row)?, right.value(row)?) {
                (Datum::Json(left), Datum::Json(right)) => Some(json::contains(&left, &right)),
                (Datum::Array(left), Datum::Array(right)) => {
                    let left = flat(&left);
                    Some(flat(&right).iter().all(|wanted| has(&left, wanted)))
                }
                _ => None,
            },
            Self::Overlaps { left, right } => match (left.value(row)?, right.value(row)?) {
                (Datum::Array(left), Datum::Array(right)) => {
                    let left = flat(&left);
                    Some(flat(&right).iter().any(|wanted| has(&left, wanted)))
                }
                _ => None,
            },
            Self::Elements {
                value,
                comparison,
                array,
                all,
            } => {
                let Datum::Array(items) = array.value(row)? else {
                    return Ok(None);
                };
                let value = value.value(row)?;
                let truths = flat(&items)
                    .into_iter()
                    .map(|item| compared(&value, item).map(|ordering| comparison.holds(ordering)));
                quantified(truths, *all)
            }
        })
    }

    fn can_fail(&self) -> bool {
        match self {
            Self::And(predicates) | Self::Or(predicates) => predicates.iter().any(Self::can_fail),
            Self::Not(predicate) | Self::IsTruth { predicate, .. } => predicate.can_fail(),
            Self::Compare { left, right, .. }
            | Self::Distinct { left, right }
            | Self::Contains { left, right }
            | Self::Overlaps { left, right } => left.can_fail() || right.can_fail(),
            Self::Like { value, pattern } => {
                value.can_fail() || matches!(pattern, Wanted::Computed { .. })
            }
            Self::In { value, .. } | Self::IsNull(value) | Self::Truth(value) => value.can_fail(),
            Self::Elements { value, array, .. } => value.can_fail() || array.can_fail(),
        }
    }
}

/// How two values are ordered; nothing where one is NULL.
fn compared(left: &Datum<'_>, right: &Datum<'_>) -> Option<Ordering> {
    (!left.is_null() && !right.is_null()).then(|| left.compare(right))
}

fn like(value: &Datum<'_>, pattern: &Wanted, row: Row<'_>) -> Result<Option<bool>, String> {
    let Datum::Text(text) = value else {
        return Ok(None);
    };
    match pattern {
        Wanted::Fixed(pattern) => Ok(Some(pattern.matches(text))),
        Wanted::Computed {
            pattern,
            escape,
            ignore_case,
        } => {
            let Datum::Text(pattern) = pattern.value(row)? else {
                return Ok(None);
            };
            Ok(Some(
                Pattern::new(&pattern, *escape, *ignore_case)?.matches(text),
            ))
        }
    }
}

/// The elements of an array, whatever its dimensions.
fn flat<'a>(items: &'a [Datum<'static>]) -> Vec<&'a Datum<'static>> {
    items
        .iter()
        .flat_map(|item| match item {
            Datum::Array(inner) => flat(inner),
            item => vec![item],
        })
        .collect()
}

/// Whether an element is there; NULL is nowhere.
fn has(items: &[&Datum<'_>], wanted: &Datum<'_>) -> bool {
    items
        .iter()
        .any(|item| compared(item, wanted) == Some(Ordering::Equal))
}

/// ANY is an OR over the elements, ALL an AND.
fn quantified(truths: impl Iterator<Item = Option<bool>>, all: bool) -> Option<bool> {
    let mut result = Some(all);
    for truth in truths {
        match truth {
            Some(truth) if truth != all => return Some(!all),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}
