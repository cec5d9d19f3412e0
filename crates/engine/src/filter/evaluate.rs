//! A filter over whole columns.
//!
//! Each condition answers for 64 rows at a time with two bits a row, one for true and one for
//! false; neither is SQL's unknown. The common conditions, a column against constants, have a loop
//! of their own over the column's values. The right side of an AND is asked only for rows that the
//! left side left open, which is also what keeps a cast from failing on rows it was guarded from.

use std::cmp::Ordering;

use super::{
    column::{Column, Values},
    datum::{self, Datum},
    expression::{Comparison, Predicate, Row, Scalar, Wanted},
};

/// A bit a row.
pub(super) type Bits = Vec<u64>;

/// The answers to a condition. No row is in both.
struct Truth {
    yes: Bits,
    no: Bits,
}

/// The rows of `active` for which the condition holds. `columns` has one column a slot.
pub(super) fn rows(
    predicate: &Predicate,
    columns: &[&Column],
    active: &[u64],
) -> Result<Bits, String> {
    Ok(truth(predicate, columns, active)?.yes)
}

fn truth(predicate: &Predicate, columns: &[&Column], active: &[u64]) -> Result<Truth, String> {
    match predicate {
        Predicate::And(predicates) => {
            let (mut yes, mut no) = (active.to_vec(), vec![0; active.len()]);
            let mut open = active.to_vec();
            for predicate in predicates {
                let part = truth(predicate, columns, &open)?;
                merge(&mut yes, &part.yes, |all, part| all & part);
                merge(&mut no, &part.no, |any, part| any | part);
                merge(&mut open, &part.no, |open, part| open & !part);
            }
            Ok(Truth { yes, no })
        }
        Predicate::Or(predicates) => {
            let (mut yes, mut no) = (vec![0; active.len()], active.to_vec());
            let mut open = active.to_vec();
            for predicate in predicates {
                let part = truth(predicate, columns, &open)?;
                merge(&mut yes, &part.yes, |any, part| any | part);
                merge(&mut no, &part.no, |all, part| all & part);
                merge(&mut open, &part.yes, |open, part| open & !part);
            }
            Ok(Truth { yes, no })
        }
        Predicate::Not(predicate) => {
            let Truth { yes, no } = truth(predicate, columns, active)?;
            Ok(Truth { yes: no, no: yes })
        }
        Predicate::IsNull(Scalar::Slot(slot)) => {
            let nulls = columns[*slot].nulls();
            Ok(Truth {
                yes: active
                    .iter()
                    .zip(nulls)
                    .map(|(active, nulls)| active & nulls)
                    .collect(),
                no: active
                    .iter()
                    .zip(nulls)
                    .map(|(active, nulls)| active & !nulls)
                    .collect(),
            })
        }
        Predicate::Compare {
            left,
            comparison,
            right,
        } => match (left, right) {
            (Scalar::Slot(slot), Scalar::Constant(constant)) => {
                Ok(compare(columns[*slot], *comparison, constant, active))
            }
            (Scalar::Constant(constant), Scalar::Slot(slot)) => Ok(compare(
                columns[*slot],
                comparison.flipped(),
                constant,
                active,
            )),
            _ => row_by_row(predicate, columns, active),
        },
        Predicate::In {
            value: Scalar::Slot(slot),
            members,
        } => {
            let column = columns[*slot];
            Ok(each(active, |position| {
                members.contain(&column.get(position))
            }))
        }
        Predicate::Like {
            value: Scalar::Slot(slot),
            pattern: Wanted::Fixed(pattern),
        } => {
            let column = columns[*slot];
            let Values::Text(texts) = &column.values else {
                return row_by_row(predicate, columns, active);
            };
            Ok(each_known(column, active, |position| {
                pattern.matches(texts.get(position))
            }))
        }
        Predicate::IsNull(_)
        | Predicate::Distinct { .. }
        | Predicate::In { .. }
        | Predicate::Like { .. }
        | Predicate::IsTruth { .. }
        | Predicate::Truth(_)
        | Predicate::Contains { .. }
        | Predicate::Overlaps { .. }
        | Predicate::Elements { .. } => row_by_row(predicate, columns, active),
    }
}

/// A column against a constant.
fn compare(column: &Column, comparison: Comparison, constant: &Datum<'_>, active: &[u64]) -> Truth {
    match (&column.values, constant) {
        (Values::Int(values), Datum::Int(constant))
        | (Values::Moment(values), Datum::Moment(constant)) => {
            ordered(column, comparison, active, |position| {
                values[position].cmp(constant)
            })
        }
        (Values::Float(values), Datum::Float(constant)) => {
            ordered(column, comparison, active, |position| {
                datum::compare_floats(values[position], *constant)
            })
        }
        (Values::Text(texts), Datum::Text(constant)) => match comparison {
            // Unequal lengths settle most rows without reading the text.
            Comparison::Equal => {
                each_known(column, active, |position| texts.get(position) == constant)
            }
            Comparison::NotEqual => {
                each_known(column, active, |position| texts.get(position) != constant)
            }
            _ => ordered(column, comparison, active, |position| {
                texts.get(position).as_bytes().cmp(constant.as_bytes())
            }),
        },
        (_, Datum::Null) => each(active, |_| None),
        (_, constant) => ordered(column, comparison, active, |position| {
            column.get(position).compare(constant)
        }),
    }
}

fn ordered(
    column: &Column,
    comparison: Comparison,
    active: &[u64],
    order: impl Fn(usize) -> Ordering,
) -> Truth {
    each_known(column, active, |position| comparison.holds(order(position)))
}

/// Asks for the active rows whose value is not NULL; the others are unknown.
fn each_known(column: &Column, active: &[u64], holds: impl Fn(usize) -> bool) -> Truth {
    let known: Bits = active
        .iter()
        .zip(column.nulls())
        .map(|(active, nulls)| active & !nulls)
        .collect();
    each(&known, |position| Some(holds(position)))
}

fn row_by_row(predicate: &Predicate, columns: &[&Column], active: &[u64]) -> Result<Truth, String> {
    let mut failure = None;
    let truth = each(active, |position| {
        if failure.is_some() {
            return None;
        }
        predicate
            .truth(Row { columns, position })
            .unwrap_or_else(|reason| {
                failure = Some(reason);
                None
            })
    });
    failure.map_or(Ok(truth), Err)
}

/// Asks for each active row.
fn each(active: &[u64], mut ask: impl FnMut(usize) -> Option<bool>) -> Truth {
    let (mut yes, mut no) = (
        Vec::with_capacity(active.len()),
        Vec::with_capacity(active.len()),
    );
    for (word, active) in active.iter().enumerate() {
        let (mut yes_word, mut no_word) = (0, 0);
        let mut left = *active;
        while left != 0 {
            let bit = left.trailing_zeros();
            left &= left - 1;
            let answer = ask(word * 64 + bit as usize);
            yes_word |= u64::from(answer == Some(true)) << bit;
            no_word |= u64::from(answer == Some(false)) << bit;
        }
        yes.push(yes_word);
        no.push(no_word);
    }
    Truth { yes, no }
}

fn merge(into: &mut [u64], other: &[u64], combine: impl Fn(u64, u64) -> u64) {
    for (into, other) in into.iter_mut().zip(other) {
        *into = combine(*into, *other);
    }
}
