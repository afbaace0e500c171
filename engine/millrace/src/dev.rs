//! `millrace dev`: tools for developers.

mod doris;

use std::net::{IpAddr, SocketAddr};

use clap::Subcommand;
use millrace_connector::{Cancel, OptionDef, OptionKind};
use millrace_dev_kafka::{EmbeddedBroker, Options};

use crate::demo::feed::feed;
use crate::demo::scene::Scene;
use crate::failure::Failure;
use crate::settings::definitions::{ALIASES, SETTINGS};
use crate::settings::layers::environment_name;
use crate::{connectors, output, run, stop};

/// A tool.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DevCommand {
    /// Run the stand-in for Kafka alone: one node, in memory, gone when it stops
    Kafka {
        /// The port to listen on; 0 takes a free one
        #[arg(long, default_value_t = 9092)]
        port: u16,
        /// The address to listen on
        #[arg(long, default_value = "127.0.0.1")]
        bind: IpAddr,
        /// Partitions of topics that are made on first use
        #[arg(long, default_value_t = 4)]
        partitions: i32,
    },
    /// Run the stand-in for Doris alone: FE, BE and query port, rows kept in a folder; it is no Doris
    Doris(doris::DorisArgs),
    /// Fill a topic of any Kafka with the demo's events, and put a consumer group at its beginning
    Feed {
        /// The brokers, host:port separated by commas
        #[arg(long, default_value = "127.0.0.1:9092")]
        brokers: String,
        /// Which events
        #[arg(long, value_enum, default_value_t = Scene::Filebeat)]
        events: Scene,
        /// The topic; made if it is not there [default: that of the events' example]
        #[arg(long)]
        topic: Option<String>,
        /// The group [default: that of the events' example]
        #[arg(long)]
        group: Option<String>,
        /// How many partitions the topic has
        #[arg(long, default_value_t = 4)]
        partitions: u32,
        /// How many events
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
        /// Equal seeds make equal events
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Print a page of the reference: settings, or the options of a connector
    #[command(hide = true)]
    Docs {
        /// `settings`, or a connector's name
        page: String,
    },
}

/// Runs a tool.
pub(crate) fn command(command: &DevCommand) -> Result<u8, Failure> {
    match command {
        DevCommand::Kafka {
            port,
            bind,
            partitions,
        } => kafka(SocketAddr::new(*bind, *port), *partitions),
        DevCommand::Doris(args) => doris::command(args),
        DevCommand::Feed {
            brokers,
            events,
            topic,
            group,
            partitions,
            rows,
            seed,
        } => {
            let topic = topic.as_deref().unwrap_or(events.topic());
            let group = group.as_deref().unwrap_or(events.group());
            let fed = feed(*events, brokers, (topic, group), *partitions, *rows, *seed)?;
            let seconds = fed.elapsed.as_secs_f64();
            output::line(format!(
                "{} events, {} in {seconds:.1} s",
                output::grouped(fed.rows),
                output::bytes(fed.bytes)
            ));
            Ok(0)
        }
        DevCommand::Docs { page } => docs(page),
    }
}

fn kafka(listen: SocketAddr, partitions: i32) -> Result<u8, Failure> {
    let options = Options {
        listen,
        default_partitions: partitions,
        ..Options::default()
    };
    let broker = EmbeddedBroker::start(options).map_err(anyhow::Error::new)?;
    output::line(format!("bootstrap.servers = {}", broker.address()));
    output::line(
        "a stand-in for Kafka: one node, in memory; everything is gone when it stops (Ctrl-C)",
    );
    let stop = Cancel::default();
    let runtime = run::async_runtime()?;
    runtime.block_on(async { stop::on_signals(&stop, stop::PATIENCE) })?;
    while !stop.is_cancelled() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    broker.shutdown();
    Ok(0)
}

fn docs(page: &str) -> Result<u8, Failure> {
    if page == "settings" {
        output::print(&settings_table());
        return Ok(0);
    }
    let connector = connectors::all()
        .iter()
        .find(|connector| connector.identifier() == page);
    let Some(connector) = connector else {
        return Err(anyhow::anyhow!("there is no page '{page}'").into());
    };
    output::print(&options_table(connector.options()));
    Ok(0)
}

/// Returns the table of `docs/settings.md`.
pub(crate) fn settings_table() -> String {
    let mut text = String::from(
        "| key | kind | default | what it does | environment |\n|---|---|---|---|---|\n",
    );
    for def in SETTINGS {
        let others: Vec<String> = ALIASES
            .iter()
            .filter(|(_, canonical)| *canonical == def.key)
            .map(|(alias, _)| format!("`{alias}`"))
            .collect();
        let also = if others.is_empty() {
            String::new()
        } else {
            format!(" (also {})", others.join(", "))
        };
        let default = def
            .default
            .map_or_else(String::new, |default| format!("`{default}`"));
        text.push_str(&format!(
            "| `{}`{also} | {} | {default} | {} | `{}` |\n",
            def.key,
            kind(def.kind),
            def.doc,
            environment_name(def.key)
        ));
    }
    text
}

fn options_table(options: &[OptionDef]) -> String {
    let mut text = String::from("| option | kind | default | what it does |\n|---|---|---|---|\n");
    for def in options {
        let default = match (def.default, def.required) {
            (Some(default), _) => format!("`{default}`"),
            (None, true) => "required".to_owned(),
            (None, false) => String::new(),
        };
        let star = if def.kind == OptionKind::Prefix {
            "*"
        } else {
            ""
        };
        text.push_str(&format!(
            "| `{}{star}` | {} | {default} | {} |\n",
            def.key,
            kind(def.kind),
            def.doc
        ));
    }
    text
}

fn kind(kind: OptionKind) -> String {
    match kind {
        OptionKind::Text => "text".to_owned(),
        OptionKind::Integer => "whole number".to_owned(),
        OptionKind::Positive => "whole number from 1".to_owned(),
        OptionKind::Boolean => "true or false".to_owned(),
        OptionKind::Duration => "duration".to_owned(),
        OptionKind::MemorySize => "memory size".to_owned(),
        OptionKind::OneOf(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", "),
        OptionKind::List => "list".to_owned(),
        OptionKind::Prefix => "text".to_owned(),
    }
}
