//! The sink against the stand-in: each row once in the table, whatever breaks on the way.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "the harness serves several files of tests")]
mod harness;

use harness::{Pipeline, Table, doris, ids, row_kinds};
use millrace_connector::sink::{CommitOutcome, CommitRole};
use millrace_connector::{ErrorKind, Retry, RowKind};
use millrace_dev_doris::{DorisStandIn, Fault, FaultPoint, Keys, Settings, TransactionState};

fn strike(doris: &DorisStandIn, point: FaultPoint, times: u32) {
    doris.add_fault(Fault {
        point,
        times,
        after: 0,
    });
}

fn states(doris: &DorisStandIn) -> Vec<TransactionState> {
    let all = doris.transactions().unwrap();
    all.iter().map(|transaction| transaction.state).collect()
}

#[test]
fn rows_are_seen_when_their_epoch_is_committed_and_not_before() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    assert_eq!(pipeline.role(), CommitRole::Follows);
    pipeline.write(1, &[1, 2, 3]);
    let prepared = pipeline.prepare(1);
    assert!(ids(&doris).is_empty());
    assert_eq!(pipeline.commit(1, &prepared), CommitOutcome::Committed);
    assert_eq!(ids(&doris), [1, 2, 3]);
    pipeline.write(2, &[4]);
    let prepared = pipeline.prepare(2);
    pipeline.commit(2, &prepared);
    assert_eq!(ids(&doris), [1, 2, 3, 4]);
    let row = &doris.rows("db", "t").unwrap()[0];
    assert_eq!(row["amount"], "0.1250");
    assert_eq!(row["at"], "2024-03-01 12:34:56.789");
    assert_eq!(row["name"], "tab\t\"你\n1");
}

#[test]
fn an_epoch_without_rows_opens_no_load() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.write(1, &[]);
    let prepared = pipeline.prepare(1);
    assert_eq!(pipeline.commit(1, &prepared), CommitOutcome::Committed);
    assert!(doris.transactions().unwrap().is_empty());
}

#[test]
fn what_was_prepared_is_committed_by_the_next_process() {
    let (folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.write(1, &[1, 2]);
    let prepared = pipeline.prepare(1);
    // Both die: the pipeline after its manifest, Doris with it.
    drop(pipeline);
    drop(doris);
    let doris = harness::start(&folder);
    let mut next = Pipeline::open(&doris, &Table::exactly_once(&doris));
    for _ in 0..3 {
        assert_eq!(next.commit(1, &prepared), CommitOutcome::Committed);
    }
    assert_eq!(ids(&doris), [1, 2]);
}

#[test]
fn a_commit_whose_reply_is_lost_counts_once() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.write(1, &[1]);
    let prepared = pipeline.prepare(1);
    strike(&doris, FaultPoint::CommitReplyLost, 1);
    assert_eq!(pipeline.commit(1, &prepared), CommitOutcome::Committed);
    assert_eq!(ids(&doris), [1]);
}

#[test]
fn a_commit_is_asked_for_again_while_doris_cannot() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.write(1, &[1]);
    let prepared = pipeline.prepare(1);
    strike(&doris, FaultPoint::CommitServerError, 2);
    strike(&doris, FaultPoint::CommitLockTimeout, 1);
    strike(&doris, FaultPoint::FrontendFailed, 1);
    strike(&doris, FaultPoint::FrontendRedirectsToNowhere, 1);
    assert_eq!(pipeline.commit(1, &prepared), CommitOutcome::Committed);
    assert_eq!(ids(&doris), [1]);
}

#[test]
fn rows_prepared_without_a_manifest_are_loaded_again_and_count_once() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut first = Pipeline::open(&doris, &Table::exactly_once(&doris));
    first.write(1, &[1, 2]);
    first.prepare(1);
    drop(first);
    let mut next = Pipeline::open(&doris, &Table::exactly_once(&doris));
    next.write(1, &[1, 2, 3]);
    let prepared = next.prepare(1);
    assert_eq!(states(&doris), [TransactionState::Precommitted; 2]);
    next.commit(1, &prepared);
    assert_eq!(ids(&doris), [1, 2, 3]);
    let expected = [TransactionState::Aborted, TransactionState::Visible];
    assert_eq!(
        states(&doris),
        expected,
        "what the first one left is thrown away"
    );
}

#[test]
fn a_copy_that_runs_beside_loses_nothing_until_it_has_lost_the_race() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut first = Pipeline::open(&doris, &Table::exactly_once(&doris));
    first.write(1, &[1]);
    let of_first = first.prepare(1);
    let mut second = Pipeline::open(&doris, &Table::exactly_once(&doris));
    second.write(1, &[1]);
    second.prepare(1);
    // The first one's manifest was written, so the second one stops. Its load times out.
    drop(second);
    assert_eq!(first.commit(1, &of_first), CommitOutcome::Committed);
    assert_eq!(ids(&doris), [1]);
}

#[test]
fn a_load_under_way_when_the_process_dies_leaves_nothing() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut first = Pipeline::open(&doris, &Table::exactly_once(&doris));
    first.write(1, &[1, 2]);
    drop(first);
    let mut next = Pipeline::open(&doris, &Table::exactly_once(&doris));
    next.write(1, &[1, 2]);
    let prepared = next.prepare(1);
    next.commit(1, &prepared);
    assert_eq!(ids(&doris), [1, 2]);
}

#[test]
fn a_load_whose_answer_is_lost_is_found_by_its_label() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.write(1, &[1]);
    strike(&doris, FaultPoint::LoadReplyLost, 1);
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    assert_eq!(ids(&doris), [1]);
    assert_eq!(states(&doris), [TransactionState::Visible]);
    // Without two phases the rows are there already; loaded again they would be there twice.
    let mut pipeline = Pipeline::open(&doris, &Table::seed(&doris));
    pipeline.write(2, &[2]);
    strike(&doris, FaultPoint::LoadReplyLost, 1);
    pipeline.prepare(2);
    assert_eq!(ids(&doris), [1, 2]);
}

#[test]
fn a_load_that_doris_cancels_fails_the_epoch_with_its_words() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    strike(&doris, FaultPoint::LoadCancelled, 1);
    pipeline.write(1, &[1]);
    let error = pipeline.try_prepare(1).unwrap_err();
    assert_eq!(error.retry, Retry::Restart);
    assert!(
        error.message.contains("cancelled by the stand-in"),
        "{error}"
    );
    assert_eq!(states(&doris), [TransactionState::Aborted]);
}

#[test]
fn overload_slows_the_sink_down() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    strike(&doris, FaultPoint::LoadTooManyVersions, 1);
    strike(&doris, FaultPoint::LoadServerError, 1);
    pipeline.write(1, &[1]);
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    assert_eq!(ids(&doris), [1]);
}

#[test]
fn an_answer_without_status_is_a_refusal() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(
        &doris,
        &Table::exactly_once(&doris).with("sink.max-retries", "0"),
    );
    strike(&doris, FaultPoint::FrontendFailed, 1);
    let error = pipeline.try_write(1, &[1]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(
        error.message.contains("No backend load available"),
        "{error}"
    );
}

#[test]
fn the_password_goes_to_hosts_of_the_cluster_only() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    strike(&doris, FaultPoint::FrontendRedirectsToStranger, 1);
    let error = pipeline.try_write(1, &[1]).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        cause.contains("stranger.invalid:8040, which is no host of the cluster"),
        "{cause}"
    );
}

#[test]
fn the_next_frontend_is_asked_when_one_is_dead() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let nodes = format!("127.0.0.1:9,{}", doris.fe_address());
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris).with("fenodes", &nodes));
    pipeline.write(1, &[1]);
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    assert_eq!(ids(&doris), [1]);
}

#[test]
fn backends_that_are_named_are_asked_without_redirect() {
    let (_folder, doris) = doris(Keys::Duplicate);
    strike(&doris, FaultPoint::FrontendFailed, u32::MAX);
    let table = Table::exactly_once(&doris).with("benodes", &doris.be_address());
    let mut pipeline = Pipeline::open(&doris, &table);
    pipeline.write(1, &[1]);
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    assert_eq!(ids(&doris), [1]);
}

fn expire_what_is_prepared(doris: &DorisStandIn) {
    doris.set_settings(Settings {
        precommit_timeout_ms: -1,
        ..Settings::default()
    });
    assert!(!states(doris).contains(&TransactionState::Precommitted));
    doris.set_settings(Settings::default());
}

#[test]
fn a_transaction_that_timed_out_is_lost_and_its_rows_are_asked_for_again() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.write(1, &[1]);
    let prepared = pipeline.prepare(1);
    expire_what_is_prepared(&doris);
    let mut next = Pipeline::open(&doris, &Table::exactly_once(&doris));
    assert_eq!(next.commit(1, &prepared), CommitOutcome::Lost(vec![0]));
    next.write(2, &[1]);
    let again = next.prepare(2);
    assert_eq!(next.commit(2, &again), CommitOutcome::Committed);
    assert_eq!(ids(&doris), [1]);
}

#[test]
fn what_is_half_lost_is_only_repeated_where_that_changes_nothing() {
    for keys in [Keys::Duplicate, Keys::Unique] {
        let (_folder, doris) = doris(keys);
        let table = Table::exactly_once(&doris).with("sink.load.max-rows", "1");
        let mut pipeline = Pipeline::open(&doris, &table);
        pipeline.write(1, &[1]);
        pipeline.write_more(&[2]);
        let prepared = pipeline.prepare(1);
        // The process dies between the two commits, and stays away for long.
        let mut first = prepared.clone();
        first.0["loads"].as_array_mut().unwrap().truncate(1);
        pipeline.commit(1, &first);
        expire_what_is_prepared(&doris);
        assert_eq!(ids(&doris), [1]);
        let outcome = pipeline.try_commit(1, &prepared);
        match keys {
            Keys::Unique => assert_eq!(outcome.unwrap(), CommitOutcome::Lost(vec![0])),
            _ => {
                let error = outcome.unwrap_err();
                assert_eq!(error.retry, Retry::Never);
                assert!(
                    error.message.contains("would double the first part"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn a_load_is_split_within_its_epoch_and_its_parts_are_committed_in_order() {
    let (_folder, doris) = doris(Keys::Unique);
    let table = Table::exactly_once(&doris).with("sink.load.max-rows", "2");
    let mut pipeline = Pipeline::open(&doris, &table);
    pipeline.write_kinds(1, &[(1, "a"), (2, "a")], None);
    pipeline.write_more(&[1]);
    let prepared = pipeline.prepare(1);
    assert_eq!(doris.transactions().unwrap().len(), 2);
    pipeline.commit(1, &prepared);
    let rows = doris.rows("db", "t").unwrap();
    assert_eq!(rows.len(), 2);
    let first = rows.iter().find(|row| row["id"] == 1).unwrap();
    assert_ne!(first["name"], "a", "the later part wins");
}

#[test]
fn a_transaction_that_doris_forgot_within_the_hour_was_committed() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.write(1, &[1]);
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    assert_eq!(ids(&doris), [1]);
    doris.set_settings(Settings {
        labels_max: 0,
        ..Settings::default()
    });
    assert!(doris.transactions().unwrap().is_empty());
    assert_eq!(pipeline.commit(1, &prepared), CommitOutcome::Committed);
    assert_eq!(ids(&doris), [1]);
}

#[test]
fn a_void_epoch_is_thrown_away_by_its_handles() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.write(1, &[1]);
    let prepared = pipeline.prepare(1);
    pipeline.discard(1, &prepared);
    pipeline.discard(1, &prepared);
    assert_eq!(states(&doris), [TransactionState::Aborted]);
}

#[test]
fn bad_rows_fail_the_load_with_doris_s_reason() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    // The column takes 20 bytes.
    pipeline.try_write_named(1, &[(1, "x".repeat(21))]).unwrap();
    let error = pipeline.try_prepare(1).unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Data, Retry::Never));
    assert!(error.message.contains("column_name[name]"), "{error}");
    assert!(error.message.contains("21 bytes, at most 20"), "{error}");
}

#[test]
fn changes_update_and_delete_rows_of_a_unique_table() {
    let (_folder, doris) = doris(Keys::Unique);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    let kinds = row_kinds(&[RowKind::Insert, RowKind::Insert, RowKind::UpdateAfter]);
    pipeline.write_kinds(1, &[(1, "a"), (2, "b"), (1, "c")], Some(&kinds));
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    pipeline.write_kinds(2, &[(2, "b")], Some(&row_kinds(&[RowKind::Delete])));
    let prepared = pipeline.prepare(2);
    pipeline.commit(2, &prepared);
    let rows = doris.rows("db", "t").unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["id"], &rows[0]["name"]), (&1.into(), &"c".into()));
}

#[test]
fn the_documents_options_load_at_least_once() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let table = Table::seed(&doris).with("sink.buffer-flush.max-rows", "2");
    let mut pipeline = Pipeline::open(&doris, &table);
    assert_eq!(pipeline.role(), CommitRole::Flushes);
    strike(&doris, FaultPoint::PublishTimeout, 1);
    pipeline.write(1, &[1, 2]);
    assert_eq!(ids(&doris), [1, 2], "a full load ends at once");
    pipeline.write_more(&[3]);
    let prepared = pipeline.prepare(1);
    assert!(prepared.0.is_null());
    assert_eq!(ids(&doris), [1, 2, 3]);
    // The same epoch once more, as after a crash before the manifest: nothing is lost to labels that are taken.
    let mut next = Pipeline::open(&doris, &Table::seed(&doris));
    next.write(1, &[3, 4]);
    next.prepare(1);
    assert_eq!(ids(&doris), [1, 2, 3, 3, 4]);
}

#[test]
fn a_table_that_does_not_fit_is_found_before_the_first_row() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let error =
        Pipeline::try_open(&Table::exactly_once(&doris).with("table.identifier", "db.other"))
            .err()
            .unwrap();
    assert_eq!((error.kind, error.retry), (ErrorKind::Config, Retry::Never));
    let error = Pipeline::try_open(&Table::exactly_once(&doris).with("password", "wrong"))
        .err()
        .unwrap();
    assert_eq!((error.kind, error.retry), (ErrorKind::Auth, Retry::Never));
    let error = Pipeline::try_open(&Table::exactly_once(&doris).rename("amount", "amounts"))
        .err()
        .unwrap();
    assert!(error.message.contains("has no such column"), "{error}");
    assert!(
        error
            .help
            .unwrap()
            .contains("ADD COLUMN `amounts` DECIMAL(18, 4);")
    );
}

#[test]
fn lanes_share_one_load_and_large_bodies_flow_through_it() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.begin(1);
    let lanes: Vec<_> = (0..3).map(|lane| pipeline.writer(lane)).collect();
    std::thread::scope(|scope| {
        for (lane, mut writer) in lanes.into_iter().enumerate() {
            scope.spawn(move || {
                for batch in 0..10 {
                    let first = (lane * 10 + batch) as i64 * 1000;
                    let all: Vec<i64> = (first..first + 1000).collect();
                    harness::write_ids(writer.as_mut(), &all).unwrap();
                }
            });
        }
    });
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    assert_eq!(doris.transactions().unwrap().len(), 1);
    let mut found = ids(&doris);
    found.sort_unstable();
    assert_eq!(found, (0..30_000).collect::<Vec<i64>>());
}
