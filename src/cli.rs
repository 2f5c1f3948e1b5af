//! The commands.

mod calibrate;
mod check;
mod customer;
mod demo;
mod load;
mod past;
mod replay;
mod run;
mod snapshot;
mod source;
mod topics;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Decides from Kafka topics who is a VIP now, and why, by written rules.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Calibrate(calibrate::Args),
    Check(check::Args),
    Customer(customer::Args),
    Demo(demo::Args),
    Load(Box<load::Args>),
    Replay(replay::Args),
    Run(run::Args),
    Snapshot(snapshot::Args),
    Topics(topics::Args),
}

/// A mistake in the arguments that shows only once they are read together: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Reads the arguments and runs the command: 0 done, 1 failed while running, 2 wrong usage or configuration.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Customer(args) => customer::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Load(args) => load::run(*args),
        Command::Replay(args) => replay::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Snapshot(args) => snapshot::run(&args),
        Command::Topics(args) => topics::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vipstream: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}
