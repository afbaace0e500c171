use super::*;
use crate::testing::{BIGINT, Dice, Harness, INT, STRING, Step, Steps, check_restore, row};

const TYPES: &[DataType] = &[STRING, INT, INT];
const DESCENDING: SortOptions = SortOptions {
    descending: true,
    nulls_first: false,
};
const ASCENDING: SortOptions = SortOptions {
    descending: false,
    nulls_first: true,
};

/// A Top-N by the third column within the first.
fn spec(end: i64, strategy: RankStrategy) -> RankSpec {
    RankSpec {
        columns: TYPES.to_vec(),
        partition: vec![0],
        sort: vec![SortColumn {
            column: 2,
            options: DESCENDING,
        }],
        start: 1,
        end: RankEnd::Constant(end),
        with_number: false,
        update_before: true,
        strategy,
        ttl: None,
    }
}

fn operator(spec: RankSpec) -> Rank {
    Rank::new(spec).unwrap()
}

#[track_caller]
fn check(spec: RankSpec, steps: Steps) {
    let types = spec.columns.clone();
    Harness::new(operator(spec.clone()), &[&types]).check_all(steps);
    Harness::new(operator(spec), &[&types]).check_all_at_once(steps);
}

/// Top-2 by key, DESC.
const TOP_2: Steps = &[
    (0, "+I a|1|10", &["+I a|1|10"]),
    (0, "+I a|2|20", &["+I a|2|20"]),
    (0, "+I b|3|5", &["+I b|3|5"]),
    (0, "+I a|4|20", &["-D a|1|10", "+I a|4|20"]),
    (0, "+I a|5|7", &[]),
    (0, "+I b|6|5", &["+I b|6|5"]),
    (0, "+I NULL|7|1", &["+I NULL|7|1"]),
    (0, "+I a|8|NULL", &[]),
    (0, "+I a|9|30", &["-D a|4|20", "+I a|9|30"]),
    (0, "+I NULL|10|2", &["+I NULL|10|2"]),
    (0, "+I a|11|25", &["-D a|2|20", "+I a|11|25"]),
    (0, "+I b|12|50", &["-D b|6|5", "+I b|12|50"]),
];

#[test]
fn top_2_of_inserted_rows() {
    check(spec(2, RankStrategy::Append), TOP_2);
    check(spec(2, RankStrategy::Retract), TOP_2);
}

/// Top-1 by value, with rank.
const TOP_1: Steps = &[
    (0, "+I a|1|10", &["+I a|1|10|1"]),
    (0, "+I a|2|20", &["-U a|1|10|1", "+U a|2|20|1"]),
    (0, "+I b|3|5", &["+I b|3|5|1"]),
    (0, "+I a|4|20", &[]),
    (0, "+I a|5|7", &[]),
    (0, "+I b|6|5", &[]),
    (0, "+I NULL|7|1", &["+I NULL|7|1|1"]),
    (0, "+I a|8|NULL", &[]),
    (0, "+I a|9|30", &["-U a|2|20|1", "+U a|9|30|1"]),
    (0, "+I NULL|10|2", &["-U NULL|7|1|1", "+U NULL|10|2|1"]),
    (0, "+I a|11|25", &[]),
    (0, "+I b|12|50", &["-U b|3|5|1", "+U b|12|50|1"]),
];

#[test]
fn top_1_of_inserted_rows() {
    let mut top_1 = spec(1, RankStrategy::Append);
    top_1.with_number = true;
    check(top_1, TOP_1);
}

/// second and third, without rank.
const SECOND_AND_THIRD: Steps = &[
    (0, "+I a|1|10", &[]),
    (0, "+I a|2|20", &["+I a|1|10"]),
    (0, "+I b|3|5", &[]),
    (0, "+I a|4|20", &["-U a|1|10", "+U a|4|20", "+I a|1|10"]),
    (0, "+I a|5|7", &[]),
    (0, "+I b|6|5", &["+I b|6|5"]),
    (0, "+I NULL|7|1", &[]),
    (0, "+I a|8|NULL", &[]),
    (
        0,
        "+I a|9|30",
        &["-U a|4|20", "+U a|2|20", "-U a|1|10", "+U a|4|20"],
    ),
    (0, "+I NULL|10|2", &["+I NULL|7|1"]),
    (
        0,
        "+I a|11|25",
        &["-U a|2|20", "+U a|11|25", "-U a|4|20", "+U a|2|20"],
    ),
    (0, "+I b|12|50", &["-U b|6|5", "+U b|3|5", "+I b|6|5"]),
];

#[test]
fn ranks_that_do_not_begin_with_the_first() {
    for strategy in [RankStrategy::Append, RankStrategy::Retract] {
        let mut ranks = spec(3, strategy);
        ranks.start = 2;
        check(ranks, SECOND_AND_THIRD);
    }
}

/// Top-3 global, with rank.
const GLOBAL_WITH_RANK: Steps = &[
    (0, "+I 1|10", &["+I 1|10|1"]),
    (0, "+I 2|20", &["-U 1|10|1", "+U 2|20|1", "+I 1|10|2"]),
    (0, "+I 3|5", &["+I 3|5|3"]),
    (
        0,
        "+I 4|20",
        &["-U 1|10|2", "+U 4|20|2", "-U 3|5|3", "+U 1|10|3"],
    ),
    (0, "+I 5|7", &[]),
    (0, "+I 6|5", &[]),
    (0, "+I 7|1", &[]),
    (0, "+I 8|NULL", &[]),
    (
        0,
        "+I 9|30",
        &[
            "-U 2|20|1",
            "+U 9|30|1",
            "-U 4|20|2",
            "+U 2|20|2",
            "-U 1|10|3",
            "+U 4|20|3",
        ],
    ),
    (0, "+I 10|2", &[]),
    (
        0,
        "+I 11|25",
        &["-U 2|20|2", "+U 11|25|2", "-U 4|20|3", "+U 2|20|3"],
    ),
    (
        0,
        "+I 12|50",
        &[
            "-U 9|30|1",
            "+U 12|50|1",
            "-U 11|25|2",
            "+U 9|30|2",
            "-U 2|20|3",
            "+U 11|25|3",
        ],
    ),
];

#[test]
fn top_3_without_partitions() {
    for strategy in [RankStrategy::Append, RankStrategy::Retract] {
        let mut global = spec(3, strategy);
        global.columns = vec![INT, INT];
        global.partition = vec![];
        global.sort[0].column = 1;
        global.with_number = true;
        check(global, GLOBAL_WITH_RANK);
    }
}

/// Top-2 by proc time.
const BY_ARRIVAL: Steps = &[
    (0, "+I a|1", &["+I a|1|1"]),
    (0, "+I a|2", &["+I a|2|2"]),
    (0, "+I b|3", &["+I b|3|1"]),
    (0, "+I a|4", &[]),
    (0, "+I a|5", &[]),
    (0, "+I b|6", &["+I b|6|2"]),
    (0, "+I NULL|7", &["+I NULL|7|1"]),
    (0, "+I a|8", &[]),
    (0, "+I a|9", &[]),
    (0, "+I NULL|10", &["+I NULL|10|2"]),
    (0, "+I a|11", &[]),
    (0, "+I b|12", &[]),
];

#[test]
fn top_2_by_arrival_keeps_a_count() {
    let mut first = spec(2, RankStrategy::First);
    first.columns = vec![STRING, INT];
    first.sort = vec![];
    first.with_number = true;
    check(first.clone(), BY_ARRIVAL);
    first.strategy = RankStrategy::Append;
    check(first, BY_ARRIVAL);
}

/// Top-2 by key over a changelog.
const CHANGES: Steps = &[
    (0, "+I a|1|10", &["+I a|1|10"]),
    (0, "+I a|2|20", &["+I a|2|20"]),
    (0, "+I b|3|5", &["+I b|3|5"]),
    (0, "-D a|2|20", &["-D a|2|20"]),
    (0, "-U a|1|10", &["-D a|1|10"]),
    (0, "+U a|1|40", &["+I a|1|40"]),
    (0, "+I a|4|15", &["+I a|4|15"]),
    (0, "+I a|5|40", &["-D a|4|15", "+I a|5|40"]),
    (0, "-D a|1|40", &["-D a|1|40", "+I a|4|15"]),
    (0, "-D b|3|5", &["-D b|3|5"]),
    (0, "+I a|6|12", &[]),
    (0, "-D a|4|15", &["-D a|4|15", "+I a|6|12"]),
    (0, "-D a|5|40", &["-D a|5|40"]),
    (0, "-D a|6|12", &["-D a|6|12"]),
];

#[test]
fn top_2_of_changes() {
    check(spec(2, RankStrategy::Retract), CHANGES);
}

/// Top-2 by key over a changelog, with rank.
const CHANGES_WITH_RANK: Steps = &[
    (0, "+I a|1|10", &["+I a|1|10|1"]),
    (
        0,
        "+I a|2|20",
        &["-U a|1|10|1", "+U a|2|20|1", "+I a|1|10|2"],
    ),
    (0, "+I b|3|5", &["+I b|3|5|1"]),
    (
        0,
        "-D a|2|20",
        &["-U a|2|20|1", "+U a|1|10|1", "-D a|1|10|2"],
    ),
    (0, "-U a|1|10", &["-D a|1|10|1"]),
    (0, "+U a|1|40", &["+I a|1|40|1"]),
    (0, "+I a|4|15", &["+I a|4|15|2"]),
    (0, "+I a|5|40", &["-U a|4|15|2", "+U a|5|40|2"]),
    (
        0,
        "-D a|1|40",
        &["-U a|1|40|1", "+U a|5|40|1", "-U a|5|40|2", "+U a|4|15|2"],
    ),
    (0, "-D b|3|5", &["-D b|3|5|1"]),
    (0, "+I a|6|12", &[]),
    (0, "-D a|4|15", &["-U a|4|15|2", "+U a|6|12|2"]),
    (
        0,
        "-D a|5|40",
        &["-U a|5|40|1", "+U a|6|12|1", "-D a|6|12|2"],
    ),
    (0, "-D a|6|12", &["-D a|6|12|1"]),
];

#[test]
fn top_2_of_changes_with_numbers() {
    let mut numbers = spec(2, RankStrategy::Retract);
    numbers.with_number = true;
    check(numbers, CHANGES_WITH_RANK);
}

/// Top-2 ascending over a changelog.
const ASCENDING_CHANGES: Steps = &[
    (0, "+I a|1|10", &["+I a|1|10|1"]),
    (0, "+I a|2|20", &["+I a|2|20|2"]),
    (0, "+I b|3|5", &["+I b|3|5|1"]),
    (0, "-D a|2|20", &["-D a|2|20|2"]),
    (0, "-U a|1|10", &["-D a|1|10|1"]),
    (0, "+U a|1|40", &["+I a|1|40|1"]),
    (
        0,
        "+I a|4|15",
        &["-U a|1|40|1", "+U a|4|15|1", "+I a|1|40|2"],
    ),
    (0, "+I a|5|40", &[]),
    (0, "-D a|1|40", &["-U a|1|40|2", "+U a|5|40|2"]),
    (0, "-D b|3|5", &["-D b|3|5|1"]),
    (
        0,
        "+I a|6|12",
        &["-U a|4|15|1", "+U a|6|12|1", "-U a|5|40|2", "+U a|4|15|2"],
    ),
    (0, "-D a|4|15", &["-U a|4|15|2", "+U a|5|40|2"]),
    (0, "-D a|5|40", &["-D a|5|40|2"]),
    (0, "-D a|6|12", &["-D a|6|12|1"]),
];

#[test]
fn the_lowest_two_of_changes() {
    let mut lowest = spec(2, RankStrategy::Retract);
    lowest.sort[0].options = ASCENDING;
    lowest.with_number = true;
    check(lowest, ASCENDING_CHANGES);
}

/// ORDER BY LIMIT over a changelog.
const ORDERED_LIMIT: Steps = &[
    (0, "+I a|3", &["+I a|3"]),
    (0, "+I b|1", &["+I b|1"]),
    (0, "+I c|2", &["-D a|3", "+I c|2"]),
    (0, "-D b|1", &["-D b|1", "+I a|3"]),
    (0, "+I d|0", &["-D a|3", "+I d|0"]),
    (0, "-U d|0", &["-D d|0", "+I a|3"]),
    (0, "+U d|9", &[]),
    (0, "-D c|2", &["-D c|2", "+I d|9"]),
];
/// LIMIT over a changelog.
const LIMIT: Steps = &[
    (0, "+I a|3", &["+I a|3"]),
    (0, "+I b|1", &["+I b|1"]),
    (0, "+I c|2", &[]),
    (0, "-D b|1", &["-D b|1", "+I c|2"]),
    (0, "+I d|0", &[]),
    (0, "-D a|3", &["-D a|3", "+I d|0"]),
];

#[test]
fn order_by_and_limit_are_ranks_without_partitions() {
    let mut limit = spec(2, RankStrategy::Retract);
    limit.columns = vec![STRING, INT];
    limit.partition = vec![];
    limit.sort[0] = SortColumn {
        column: 1,
        options: ASCENDING,
    };
    check(limit.clone(), ORDERED_LIMIT);
    limit.sort = vec![];
    check(limit, LIMIT);
}

/// Top-2 over an aggregate that only grows, with rank: what the aggregate gives.
const GROWING: Steps = &[
    (0, "+I a|1|1", &["+I a|1|1|1"]),
    (0, "+I a|2|1", &["+I a|2|1|2"]),
    (0, "+I b|0|1", &["+I b|0|1|1"]),
    (0, "+U a|1|2", &["-U a|1|1|1", "+U a|1|2|1"]),
    (0, "+U a|2|2", &["-U a|2|1|2", "+U a|2|2|2"]),
    (0, "+U b|0|2", &["-U b|0|1|1", "+U b|0|2|1"]),
    (0, "+I NULL|1|1", &["+I NULL|1|1|1"]),
    (
        0,
        "+U a|2|3",
        &["-U a|1|2|1", "-U a|2|2|2", "+U a|2|3|1", "+U a|1|2|2"],
    ),
    (0, "+I a|0|1", &[]),
    (0, "+U NULL|1|2", &["-U NULL|1|1|1", "+U NULL|1|2|1"]),
    (0, "+U a|2|4", &["-U a|2|3|1", "+U a|2|4|1"]),
    (0, "+U b|0|3", &["-U b|0|2|1", "+U b|0|3|1"]),
];

#[test]
fn top_2_of_rows_that_move_up() {
    let mut growing = spec(2, RankStrategy::Update { key: vec![0, 1] });
    growing.with_number = true;
    check(growing.clone(), GROWING);
    growing.with_number = false;
    let mut test = Harness::new(operator(growing), &[TYPES]);
    test.check(0, "+I a|1|1", &["+I a|1|1"]);
    test.check(0, "+I a|2|2", &["+I a|2|2"]);
    test.check(0, "+I a|3|3", &["-D a|1|1", "+I a|3|3"]);
    test.check(0, "+U a|1|9", &["-D a|2|2", "+I a|1|9"]);
    test.check(0, "+U a|3|4", &["-U a|3|3", "+U a|3|4"]);
}

#[test]
fn top_1_of_rows_that_move_up() {
    let mut best = spec(1, RankStrategy::Update { key: vec![0, 1] });
    best.update_before = false;
    let mut test = Harness::new(operator(best), &[TYPES]);
    test.check(0, "+I a|1|1", &["+I a|1|1"]);
    test.check(0, "+I a|2|1", &[]);
    test.check(0, "+U a|2|2", &["+U a|2|2"]);
}

#[test]
fn the_first_row_decides_how_many_are_shown() {
    let mut variable = spec(0, RankStrategy::Append);
    variable.columns = vec![STRING, INT, INT, BIGINT];
    variable.end = RankEnd::Column(3);
    let types = variable.columns.clone();
    let mut test = Harness::new(operator(variable), &[&types]);
    test.check(0, "+I a|1|1|1", &["+I a|1|1|1"]);
    test.check(0, "+I a|2|2|5", &["-D a|1|1|1", "+I a|2|2|5"]);
    test.check(0, "+I b|3|1|0", &[]);
    test.check(0, "+I c|4|1|NULL", &[]);
}

#[test]
fn rows_that_are_too_old_give_way_silently() {
    let mut timed = spec(1, RankStrategy::Append);
    timed.ttl = Some(Ttl { ms: 3_000 });
    let mut test = Harness::new(operator(timed), &[TYPES]);
    test.check(0, "+I a|1|9", &["+I a|1|9"]);
    test.check_time(1_002_999, &[]);
    test.check(0, "+I a|2|1", &[]);
    test.check_time(1_003_000, &[]);
    test.check(0, "+I a|3|1", &["+I a|3|1"]);
}

#[test]
fn insert_only_strategies_refuse_retractions() {
    for strategy in [RankStrategy::Append, RankStrategy::First] {
        let mut test = Harness::new(operator(spec(1, strategy)), &[TYPES]);
        let error = test.step(&row(0, "-D a|1|1")).unwrap_err();
        assert!(matches!(
            error,
            OperatorError::UnexpectedKind(RowKind::Delete)
        ));
    }
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(23);
    let mut inserts = Vec::new();
    let mut upserts = Vec::new();
    let mut changes = Vec::new();
    let mut counts = [0; 8];
    for id in 0..60 {
        let (key, value) = (["a", "NULL"][dice.roll(2) as usize], dice.roll(9));
        inserts.push(row(0, &format!("+I {key}|{id}|{value}")));
        let kind = ["+I", "-D", "+U", "-U"][dice.roll(4) as usize];
        changes.push(row(0, &format!("{kind} {key}|{}|{}", id % 2, value % 4)));
        let grown = dice.roll(8) as usize;
        counts[grown] += 1 + dice.roll(2);
        let key = ["a", "b"][grown % 2];
        upserts.push(row(0, &format!("+U {key}|{grown}|{}", counts[grown])));
        if id % 10 == 9 {
            let time = Step::Time(1_000_000 + id * 700);
            inserts.push(time.clone());
            changes.push(time.clone());
            upserts.push(time);
        }
    }
    let key = vec![0, 1];
    for (strategy, steps) in [
        (RankStrategy::First, &inserts),
        (RankStrategy::Append, &inserts),
        (RankStrategy::Update { key }, &upserts),
        (RankStrategy::Retract, &changes),
    ] {
        for (with_number, end, ttl) in [
            (true, 3, None),
            (false, 1, None),
            (false, 3, Some(Ttl { ms: 9_000 })),
        ] {
            let mut spec = spec(end, strategy.clone());
            spec.with_number = with_number;
            spec.ttl = ttl;
            let make = || Box::new(operator(spec.clone())) as Box<dyn Operator>;
            check_restore(make, &[TYPES], steps);
        }
    }
}
