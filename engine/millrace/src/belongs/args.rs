//! What a user may say of the checkpoints, by one set of words for all commands.

use std::collections::BTreeSet;

use clap::Args;
use millrace_checkpoint::matching::Reason;

/// Which checkpoints the file goes on from, where that is not clear by itself.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct BelongArgs {
    /// Start all anew (none), or go on as the pipeline of another name, which is closed (pipeline:NAME)
    #[arg(long, value_name = "none|pipeline:NAME", value_parser = from)]
    pub(crate) from: Option<From>,
    /// A source or sink of the checkpoint is now this table of the file
    #[arg(long = "match", value_name = "OLD=NEW", value_parser = pair)]
    pub(crate) matches: Vec<(String, String)>,
    /// Drop a source, sink or topic of the checkpoint; what the file has of that name is new
    #[arg(long, value_name = "NAME")]
    pub(crate) forget: Vec<String>,
    /// This is another pipeline than the one that writes to the same place, or a copied checkpoint folder
    #[arg(long)]
    pub(crate) copy: bool,
    /// The checkpoint folder was moved here, and nobody uses the old one
    #[arg(long)]
    pub(crate) moved: bool,
    /// The last epoch that is in the output, where the output's mark of it is lost
    #[arg(long, value_name = "EPOCH")]
    pub(crate) accept_lost_mark: Option<u64>,
    /// Go back to a file as it was before
    #[arg(long)]
    pub(crate) roll_back: bool,
}

/// `--from none` as the record keeps it.
pub(crate) const ANEW: &str = "from none";

/// Returns `--match` as the record keeps it.
pub(crate) fn matching((old, new): &(String, String)) -> String {
    format!("match {old}={new}")
}

/// Returns `--forget` as the record keeps it.
pub(crate) fn forgetting(name: &str) -> String {
    format!("forget {name}")
}

impl BelongArgs {
    /// Returns everything that is to be carried out once.
    pub(crate) fn words(&self) -> BTreeSet<String> {
        let anew = (self.from == Some(From::Nothing)).then(|| ANEW.to_owned());
        let matches = self.matches.iter().map(matching);
        let forgets = self.forget.iter().map(|name| forgetting(name));
        anew.into_iter().chain(matches).chain(forgets).collect()
    }
}

/// What `--from` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Nothing,
    Pipeline(String),
}

fn from(text: &str) -> Result<From, String> {
    match text.split_once(':') {
        None if text == "none" => Ok(From::Nothing),
        Some(("pipeline", name)) if !name.trim().is_empty() => {
            Ok(From::Pipeline(name.trim().to_owned()))
        }
        _ => Err("write none, or pipeline:NAME".to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.trim().is_empty() && !new.trim().is_empty() => {
            Ok((old.trim().to_owned(), new.trim().to_owned()))
        }
        _ => Err("write old=new".to_owned()),
    }
}

/// Returns a location in one spelling.
pub(crate) fn plain(location: &str) -> String {
    let path = location.strip_prefix("file://").unwrap_or(location);
    path.trim_end_matches('/').to_owned()
}

/// Returns why a source goes on from its positions, for people.
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Told => "--match says so",
        Reason::Place => "it reads the same place",
        Reason::Feeds => "it feeds the same sink",
        Reason::Name => "it has the same name",
    }
}
