//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::failure::Failure;
use crate::{
    bench, check, checkpoints, demo, dev, explain, functions, logging, output, pages, rescale, run,
    sql,
};

/// Runs Flink SQL files as one native process: Kafka in, SQL, Kafka out, exactly once.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, about, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The form of log lines on standard error [default: text on a terminal, else json]
    #[arg(long, global = true, value_enum, env = "MILLRACE_LOG_FORMAT")]
    log_format: Option<logging::Format>,
    /// What is logged: error, warn, info, debug, trace, or a filter such as info,millrace_kafka=debug
    #[arg(long, global = true, default_value = "info", env = "MILLRACE_LOG")]
    log: String,
}

const EXAMPLES: &str = "\
Examples:
  millrace demo                                 see it work, without any service
  millrace check pipeline.sql                   find all mistakes of a file, without connecting to anything
  millrace run pipeline.sql --var brokers=kafka-1:9092 -D state.checkpoints.dir=s3://bucket/checkpoints
  millrace explain pipeline.sql                 what is read, computed and written, and what is guaranteed
  millrace explain MR0103                       what an error code means and what to do
  millrace sql \"SELECT SPLIT_INDEX('a|b|c', '|', 1)\"

Exit codes: 0 done or stopped with everything committed, 1 failed while running, 2 the file or a setting is wrong.";

const RUN_EXAMPLES: &str = "\
Examples:
  millrace run pipeline.sql
  millrace run pipeline.sql --var source.brokers=kafka-1:9092 --var sink.topic=clean
  millrace run pipeline.sql -D execution.checkpointing.interval=25s -D state.checkpoints.dir=s3://bucket/checkpoints
  millrace run pipeline.sql --conf production.conf -D rest.port=8081
  millrace run query.sql --changes-to-stdout      tables, views and one SELECT: see its changes

Start the same command again after a stop or a crash: it goes on from the newest checkpoint.
SIGTERM or Ctrl-C commits the running epoch and ends with code 0; a second one ends at once.
Settings are Flink's own; where they come from, the later wins: defaults, --conf file, environment
(MILLRACE_EXECUTION_CHECKPOINTING_INTERVAL …), SET statements of the file, -D.";

const RESCALE_EXAMPLES: &str = "\
Examples:
  millrace rescale pipeline.sql --slots 4 -D state.checkpoints.dir=s3://bucket/checkpoints

Give it the file, the settings and the variables of `millrace run`. Stop all processes first; one that still runs is
fenced. It may be ended at any moment: the same command brings it to its end. Nothing is read and no row is written.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a pipeline until its sources end or it is told to stop
    #[command(after_help = RUN_EXAMPLES)]
    Run(PipelineArgs),
    /// Find all mistakes of a file, without connecting to anything
    Check {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// The form of what is found
        #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
        format: CheckFormat,
    },
    /// Show how a file runs, or what an error code means
    Explain {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Show the plans: as written, behind the rules, and what lanes run; of EXPLAIN statements, if the file has any
        #[arg(long)]
        plan: bool,
        /// The form of the plans
        #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
        format: PlanFormat,
    },
    /// Evaluate a query that reads no table
    #[command(
        after_help = "Examples:\n  millrace sql \"SELECT UPPER('a'), 1 + 1\"\n  millrace sql --format jsonl \"SELECT JSON_VALUE('{\\\"a\\\":1}', '$.a') AS a\""
    )]
    Sql {
        /// The query; CREATE VIEW and SET may stand before it, separated by semicolons
        query: String,
        /// The form of the result
        #[arg(long, value_enum, default_value_t = sql::Format::Table)]
        format: sql::Format,
        /// A setting, as key=value
        #[arg(short = 'D', value_name = "KEY=VALUE", value_parser = pair)]
        define: Vec<(String, String)>,
    },
    /// List the checkpoints of a pipeline, or below a folder or s3:// address
    Checkpoints {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Show how far every split was read
        #[arg(long)]
        positions: bool,
    },
    /// Change the number of processes that share a pipeline's splits, once they have stopped
    #[command(after_help = RESCALE_EXAMPLES)]
    Rescale(rescale::RescaleArgs),
    /// See it work: an in-memory stand-in for Kafka, generated events, a real pipeline, exactly once
    Demo(demo::DemoArgs),
    /// Measure a file on rows of its own topics or of a file: rows a second, where the time goes, pods needed
    #[command(
        after_help = "Examples:\n  millrace bench pipeline.sql --rows 1000000\n  millrace bench pipeline.sql --input sample.jsonl --daily 10000000000\n  millrace bench pipeline.sql --sinks real"
    )]
    Bench(bench::BenchArgs),
    /// List the functions of Flink SQL that are there, or explain one
    Functions {
        /// The function
        name: Option<String>,
    },
    /// Tools for developers
    #[command(subcommand)]
    Dev(dev::DevCommand),
    /// Print completions for a shell: millrace completions bash > /etc/bash_completion.d/millrace
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// A pipeline's file with everything from outside of it.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PipelineArgs {
    /// The SQL file
    pub(crate) file: PathBuf,
    /// A setting, as key=value; wins over SET in the file
    #[arg(short = 'D', value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) define: Vec<(String, String)>,
    /// The value of ${name} in the file
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) variables: Vec<(String, String)>,
    /// A file of `key: value` lines; `variables.name: value` gives ${name} its value
    #[arg(long, value_name = "FILE")]
    pub(crate) conf: Option<PathBuf>,
    /// Write nothing: print the changes of the file's one SELECT, a line of JSON each
    #[arg(long)]
    pub(crate) changes_to_stdout: bool,
}

/// The form of plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// A line for each node, for people.
    Text,
    /// For programs: an array of statements with their plans.
    Json,
    /// A graph of the physical plans for Graphviz.
    Dot,
}

/// The form of what `check` finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people.
    Text,
    /// For programs: an array of findings.
    Json,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write key=value".to_owned()),
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ExitCode::from(failure.report()),
    }
}

fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let logging = logging::Options {
        format: cli.log_format,
        filter: cli.log,
    };
    match cli.command {
        Command::Run(pipeline) => {
            logging.start()?;
            run::command(&pipeline)
        }
        Command::Check { pipeline, format } => check::command(&pipeline, format),
        Command::Explain {
            pipeline,
            plan,
            format,
        } => match pages::code(&pipeline.file) {
            Some(code) => pages::command(&code),
            None => explain::command(&pipeline, plan, format),
        },
        Command::Sql {
            query,
            format,
            define,
        } => sql::command(&query, format, &define),
        Command::Checkpoints {
            pipeline,
            positions,
        } => checkpoints::command(&pipeline, positions),
        Command::Rescale(args) => {
            logging.start()?;
            rescale::command(&args)
        }
        Command::Demo(args) => {
            logging.quiet().start()?;
            demo::command(&args)
        }
        Command::Bench(args) => {
            logging.quiet().start()?;
            bench::command(&args)
        }
        Command::Functions { name } => functions::command(name.as_deref()),
        Command::Dev(command) => {
            logging.start()?;
            dev::command(&command)
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "millrace", &mut text);
            output::print(&String::from_utf8_lossy(&text));
            Ok(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_takes_settings_and_variables_in_any_order() {
        let cli = Cli::try_parse_from([
            "millrace",
            "run",
            "-D",
            "a.b=c=d",
            "--var",
            "x=",
            "p.sql",
            "-Dparallelism.default=2",
            "--conf",
            "c.conf",
        ])
        .unwrap();
        let Command::Run(args) = cli.command else {
            panic!("another command")
        };
        assert_eq!(args.file, PathBuf::from("p.sql"));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            args.define,
            [pair("a.b", "c=d"), pair("parallelism.default", "2")]
        );
        assert_eq!(args.variables, [pair("x", "")]);
        assert_eq!(args.conf, Some(PathBuf::from("c.conf")));
    }

    #[test]
    fn a_setting_without_a_value_is_refused() {
        for bad in [["run", "p.sql", "-D", "a"], ["run", "p.sql", "--var", "=b"]] {
            let args = std::iter::once("millrace").chain(bad);
            assert!(Cli::try_parse_from(args).is_err(), "{bad:?}");
        }
    }
}
