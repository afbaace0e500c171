//! The FE's query port: the MySQL protocol, as much SQL as it takes to look at what was loaded.

mod ddl;
mod functions;
mod insert;
mod login;
mod mirror;
mod packet;
mod session;
mod show;
mod show_statement;
mod statement;
mod token;

pub(crate) use mirror::Mirrors;
pub(crate) use session::serve;

use std::sync::Arc;

use crate::server::{ExecuteError, Shared};

/// Runs statements, with `;` between them.
pub(crate) fn execute(shared: &Arc<Shared>, sql: &str) -> Result<(), ExecuteError> {
    let said = |refusal: packet::Refusal| ExecuteError { said: refusal.text };
    let tokens = mirror::cut(sql).map_err(said)?;
    let mut speaker = statement::Speaker {
        shared: Arc::clone(shared),
        user: shared.user.clone(),
        connection: 0,
        db: None,
    };
    for one in tokens.split(|token| token.is_sign(";")) {
        statement::answer(&mut speaker, one).map_err(said)?;
    }
    Ok(())
}
