//! The examples of `docs/embedding.md` run, and a session says what is wrong with a text.

use millrace::{Session, SessionError};

#[path = "../examples/filebeat.rs"]
mod filebeat;
#[path = "../examples/functions.rs"]
mod functions;

#[test]
fn the_filebeat_pipeline_runs_inside_a_program() {
    filebeat::main().expect("the example runs");
}

#[test]
fn functions_and_a_connector_of_the_program_are_used() {
    let seen = functions::run().expect("the example runs");
    assert_eq!(seen, [-5, -4, -3, -2, -1]);
    functions::main().expect("the example runs");
}

#[test]
fn a_wrong_text_is_refused_with_its_places() {
    let mut session = Session::new("wrong");
    session.register_tables("CREATE TABLE t (a INT) WITH ('connector' = 'blackhole');");
    let Err(SessionError::Refused {
        diagnostics,
        rendered,
    }) = session.plan("INSERT INTO t SELECT b FROM nobody;")
    else {
        panic!("the text is wrong");
    };
    assert_eq!(diagnostics[0].code, "MR0301");
    assert!(
        rendered.contains("INSERT INTO t SELECT b FROM nobody"),
        "{rendered}"
    );
}
