//! GROUPING SETS, CUBE and ROLLUP: which keys each set has.

use std::sync::Arc;

use arrow_array::Int64Array;
use millrace_connector::{Span, TypeKind};
use millrace_functions::BindContext;
use millrace_program::{Expr, ExprKind, ExprRef};
use millrace_sql::ast::{self, GroupItem};

/// The grouping sets of a GROUP BY: keys by their number.
#[derive(Clone, Debug)]
pub(crate) struct Sets {
    sets: Vec<Vec<usize>>,
    keys: usize,
}

impl Sets {
    /// Returns the one set of all keys.
    pub(super) fn one(keys: usize) -> Self {
        Self {
            sets: vec![(0..keys).collect()],
            keys,
        }
    }

    /// Reads a clause; `key` returns the number of a key, or `None` where there is none.
    pub(super) fn of(
        clause: &ast::GroupBy,
        key: &mut dyn FnMut(&ast::Expr) -> Option<usize>,
    ) -> Self {
        let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
        for item in &clause.items {
            sets = product(&sets, &of_item(item, key));
        }
        if clause.distinct {
            let mut kept: Vec<Vec<usize>> = Vec::new();
            for set in sets {
                if !kept.contains(&set) {
                    kept.push(set);
                }
            }
            sets = kept;
        }
        Self { sets, keys: 0 }
    }

    /// Says how many keys there are.
    pub(super) fn complete(self, keys: usize) -> Self {
        Self { keys, ..self }
    }

    /// Returns how many sets there are.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// Tells whether some set lacks a key.
    pub(super) fn has_absent(&self) -> bool {
        (0..self.keys).any(|key| self.is_absent_somewhere(key)) || self.sets.len() > 1
    }

    /// Tells whether some set lacks that key.
    pub(super) fn is_absent_somewhere(&self, key: usize) -> bool {
        self.sets.iter().any(|set| !set.contains(&key))
    }

    /// Returns for each set which keys it has.
    pub(super) fn present(&self) -> Vec<Vec<bool>> {
        let present = |set: &Vec<usize>| (0..self.keys).map(|key| set.contains(&key)).collect();
        self.sets.iter().map(present).collect()
    }

    /// Returns the numbers that name the sets: a bit for each key that the set lacks, the first key's the highest; what
    /// comes again counts on behind the bits.
    pub(crate) fn numbers(present: &[Vec<bool>]) -> Vec<i64> {
        let mut numbers: Vec<i64> = Vec::with_capacity(present.len());
        for set in present {
            let bits = set
                .iter()
                .fold(0i64, |bits, has| bits << 1 | i64::from(!has));
            let again = numbers
                .iter()
                .filter(|known| *known & ((1 << set.len()) - 1) == bits)
                .count();
            let again = i64::try_from(again).expect("sets are few");
            numbers.push(bits | again << set.len());
        }
        numbers
    }
}

fn product(left: &[Vec<usize>], right: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut all = Vec::with_capacity(left.len() * right.len());
    for a in left {
        for b in right {
            let mut set = a.clone();
            set.extend(b.iter().filter(|key| !a.contains(key)));
            all.push(set);
        }
    }
    all
}

fn of_item(item: &GroupItem, key: &mut dyn FnMut(&ast::Expr) -> Option<usize>) -> Vec<Vec<usize>> {
    match item {
        GroupItem::Expr(expr) => vec![key(expr).into_iter().collect()],
        GroupItem::Set(exprs) => {
            vec![exprs.value.iter().filter_map(&mut *key).collect()]
        }
        GroupItem::GroupingSets(items) => {
            let mut sets = Vec::new();
            for item in &items.value {
                sets.extend(of_item(item, key));
            }
            sets
        }
        GroupItem::Cube(items) => {
            let parts = parts(&items.value, key);
            // The first part is the highest bit, and all parts come first.
            let count = 1usize << parts.len().min(16);
            (0..count)
                .rev()
                .map(|bits| {
                    let has = |index: usize| bits >> (parts.len() - 1 - index) & 1 == 1;
                    let chosen = parts.iter().enumerate().filter(|(index, _)| has(*index));
                    chosen.flat_map(|(_, part)| part.clone()).collect()
                })
                .collect()
        }
        GroupItem::Rollup(items) => {
            let parts = parts(&items.value, key);
            (0..=parts.len())
                .rev()
                .map(|count| parts[..count].concat())
                .collect()
        }
    }
}

fn parts(items: &[GroupItem], key: &mut dyn FnMut(&ast::Expr) -> Option<usize>) -> Vec<Vec<usize>> {
    let sets = items.iter().map(|item| of_item(item, key));
    sets.map(|sets| sets.concat()).collect()
}

/// Returns GROUPING of keys: a bit for each that the row's set lacks, the first key's the highest.
pub(super) fn grouping_number(
    set: Option<&ExprRef>,
    bits: &[usize],
    sets: &Sets,
    span: Span,
) -> ExprRef {
    let ty = TypeKind::BigInt.not_null();
    let literal = |value: i64| {
        let value = Arc::new(Int64Array::from(vec![value]));
        Expr::new(ExprKind::Literal(value), ty.clone(), span)
    };
    let present = sets.present();
    let of_set = |set: &Vec<bool>| {
        let number = |number: i64, key: &usize| number << 1 | i64::from(!set[*key]);
        bits.iter().fold(0, number)
    };
    let Some(set) = set else {
        return literal(present.first().map_or(0, of_set));
    };
    let numbers = Sets::numbers(&present);
    let equal = millrace_functions::registry::lookup("=").expect("it is a function of Flink");
    let branches = numbers.iter().zip(&present).map(|(number, present)| {
        let constant = literal(*number);
        let args = [set, &constant].map(|arg| millrace_functions::Arg {
            ty: arg.ty.clone(),
            literal: arg.literal(),
        });
        let bound = (equal.bind)(&args, &BindContext::default()).expect("numbers can be compared");
        let call = millrace_program::Call {
            name: equal.name,
            kernel: bound.kernel,
            args: vec![Arc::clone(set), constant],
            volatility: equal.volatility,
        };
        let is_set = Expr::new(ExprKind::Call(call), bound.return_type, span);
        (is_set, literal(of_set(present)))
    });
    let kind = ExprKind::Case {
        branches: branches.collect(),
        otherwise: literal(0),
    };
    Expr::new(kind, ty.clone(), span)
}
