//! `millrace dev doris`: the stand-in for Doris in a process of its own.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use millrace_connector::Cancel;
use millrace_dev_doris::{DorisStandIn, Fault, Options, Settings};

use crate::failure::Failure;
use crate::{output, run, stop};

/// Where it listens, what it keeps, what goes wrong.
#[derive(Clone, Debug, Args)]
pub(crate) struct DorisArgs {
    /// The FE's HTTP port; say it again for more FE; 0 takes a free one
    #[arg(long = "http-port", default_value = "8030")]
    http_ports: Vec<u16>,
    /// The BE's HTTP port; say it again for more BE
    #[arg(long = "be-port", default_value = "8040")]
    be_ports: Vec<u16>,
    /// The port for MySQL's protocol
    #[arg(long, default_value_t = 9030)]
    mysql_port: u16,
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    bind: String,
    /// Where rows and transactions are kept
    #[arg(long)]
    data_dir: PathBuf,
    /// Who may log in
    #[arg(long, default_value = "root")]
    user: String,
    /// With which password
    #[arg(long, default_value = "")]
    password: String,
    /// Run the statements of this file first, such as CREATE DATABASE and CREATE TABLE
    #[arg(long)]
    init: Option<PathBuf>,
    /// Let something go wrong: POINT[:TIMES[:AFTER]]; say it again for more
    #[arg(long = "fault")]
    faults: Vec<Fault>,
    /// How long a prepared transaction lives
    #[arg(long, default_value_t = 3600)]
    precommit_timeout_seconds: u32,
    /// How long a load may take that says nothing
    #[arg(long, default_value_t = 259_200)]
    load_timeout_seconds: u32,
    /// How long a finished transaction is remembered
    #[arg(long, default_value_t = 43_200)]
    label_keep_seconds: u32,
    /// How many finished transactions of a database are remembered
    #[arg(long, default_value_t = 2000)]
    labels_max: usize,
    /// Write messages as Doris 2.0 does, and refuse compressed JSON as it does
    #[arg(long)]
    old_messages: bool,
}

/// Runs it until somebody stops it.
pub(crate) fn command(args: &DorisArgs) -> Result<u8, Failure> {
    let doris = DorisStandIn::start(options(args)).map_err(anyhow::Error::new)?;
    let millis = |seconds: u32| i64::from(seconds) * 1000;
    doris.set_settings(Settings {
        load_timeout_ms: millis(args.load_timeout_seconds),
        precommit_timeout_ms: millis(args.precommit_timeout_seconds),
        label_keep_ms: millis(args.label_keep_seconds),
        labels_max: args.labels_max,
        old_messages: args.old_messages,
    });
    for fault in &args.faults {
        doris.add_fault(*fault);
    }
    if let Some(path) = &args.init {
        let sql = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        doris
            .execute(&sql)
            .with_context(|| format!("{} is refused", path.display()))?;
    }
    output::line(format!("fenodes = {}", doris.fe_addresses().join(",")));
    output::line(format!("benodes = {}", doris.be_addresses().join(",")));
    output::line(format!("jdbc-url = jdbc:mysql://{}", doris.query_address()));
    output::line(format!(
        "a stand-in for Doris, which is no Doris: rows lie in {}, and what is committed stays there; Ctrl-C ends it",
        args.data_dir.display()
    ));
    let stop = Cancel::default();
    let runtime = run::async_runtime()?;
    runtime.block_on(async { stop::on_signals(&stop, stop::PATIENCE) })?;
    while !stop.is_cancelled() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Ok(0)
}

fn options(args: &DorisArgs) -> Options {
    let split = |ports: &[u16]| {
        let (first, more) = ports.split_first().expect("there is a default");
        (*first, more.to_vec())
    };
    let (http_port, more_http_ports) = split(&args.http_ports);
    let (be_port, more_be_ports) = split(&args.be_ports);
    Options {
        host: args.bind.clone(),
        http_port,
        more_http_ports,
        be_port,
        more_be_ports,
        query_port: args.mysql_port,
        data_dir: args.data_dir.clone(),
        user: args.user.clone(),
        password: args.password.clone(),
    }
}
