//! Conditions that bound the time between the rows of a pair.
//!
//! # Flink
//! `IntervalJoinUtil.extractWindowBoundsFromPredicate`: comparisons of the time attributes of both sides, with constants added,
//! that bound the time from both sides.

use millrace_program::{ExprKind, ExprRef};

use super::sides;
use crate::logical::{BoundQuery, Interval, TimeAttribute};
use crate::query::group_window::interval_ms;

/// What was found.
pub(super) struct Found {
    pub(super) bounds: Interval,
    /// The other parts of the condition.
    pub(super) rest: Vec<ExprRef>,
}

/// A side of a comparison: a time attribute and what is added to it.
struct Term {
    column: usize,
    added_ms: i64,
}

/// Looks for the bounds among the parts of a condition over both sides.
pub(super) fn of(left: &BoundQuery, right: &BoundQuery, parts: &[ExprRef]) -> Option<Found> {
    let width = left.width();
    let time = |column: usize| match column < width {
        true => left.columns[column].time,
        false => right.columns[column - width].time,
    };
    let mut lower: Option<i64> = None;
    let mut upper: Option<i64> = None;
    let mut pair: Option<(usize, usize)> = None;
    let mut rest = Vec::new();
    for part in parts {
        let Some((left_term, right_term, name)) = comparison(part, width, &time) else {
            rest.push(part.clone());
            continue;
        };
        let columns = (left_term.column, right_term.column);
        if pair.is_some_and(|known| known != columns) {
            rest.push(part.clone());
            continue;
        }
        pair = Some(columns);
        // left + a OP right + b: left - right OP b - a.
        let distance = right_term.added_ms - left_term.added_ms;
        let raise = |bound: Option<i64>, to: i64| Some(bound.map_or(to, |known| known.max(to)));
        let cut = |bound: Option<i64>, to: i64| Some(bound.map_or(to, |known| known.min(to)));
        match name {
            "=" => {
                lower = raise(lower, distance);
                upper = cut(upper, distance);
            }
            ">=" => lower = raise(lower, distance),
            ">" => lower = raise(lower, distance + 1),
            "<=" => upper = cut(upper, distance),
            "<" => upper = cut(upper, distance - 1),
            _ => rest.push(part.clone()),
        }
    }
    let ((left_time, right_time), lower_ms, upper_ms) = (pair?, lower?, upper?);
    let rowtimes = match time(left_time)? {
        TimeAttribute::Rowtime => Some((left_time, right_time - width)),
        TimeAttribute::Proctime => None,
    };
    Some(Found {
        bounds: Interval {
            rowtimes,
            lower_ms,
            upper_ms,
        },
        rest,
    })
}

/// Returns the terms of a comparison of both sides' time attributes, and its sign with the left side first.
fn comparison(
    part: &ExprRef,
    width: usize,
    time: &dyn Fn(usize) -> Option<TimeAttribute>,
) -> Option<(Term, Term, &'static str)> {
    let ExprKind::Call(call) = &part.kind else {
        return None;
    };
    let [a, b] = call.args.as_slice() else {
        return None;
    };
    let (first, second) = (term(a, time)?, term(b, time)?);
    if time(first.column) != time(second.column) {
        return None;
    }
    match (sides(a, width), sides(b, width)) {
        ((true, false), (false, true)) => Some((first, second, call.name)),
        ((false, true), (true, false)) => {
            let name = match call.name {
                "<" => ">",
                "<=" => ">=",
                ">" => "<",
                ">=" => "<=",
                other => other,
            };
            Some((second, first, name))
        }
        _ => None,
    }
}

fn term(expr: &ExprRef, time: &dyn Fn(usize) -> Option<TimeAttribute>) -> Option<Term> {
    match &expr.kind {
        ExprKind::Column(column) => {
            time(*column)?;
            Some(Term {
                column: *column,
                added_ms: 0,
            })
        }
        ExprKind::Retype(inner) => term(inner, time),
        ExprKind::Call(call) => {
            let sign = match call.name {
                "CAST" => {
                    let inner = term(call.args.first()?, time)?;
                    return expr.ty.kind.is_datetime().then_some(inner);
                }
                "+" => 1,
                "-" | "MINUS_DATE" => -1,
                _ => return None,
            };
            let [a, b] = call.args.as_slice() else {
                return None;
            };
            let (inner, added) = match (term(a, time), interval_ms(b)) {
                (Some(inner), Some(added)) => (inner, added),
                _ => match (interval_ms(a), term(b, time)) {
                    (Some(added), Some(inner)) if sign == 1 => (inner, added),
                    _ => return None,
                },
            };
            Some(Term {
                added_ms: inner.added_ms + sign * added,
                ..inner
            })
        }
        _ => None,
    }
}
