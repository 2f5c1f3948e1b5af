//! `vipstream run`: the service.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use crate::app::{self, StartError};
use crate::config::{Config, ConfigError};
use crate::http;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::task::TaskError;
use crate::telemetry::{self, LogForm};

/// Decide from Kafka topics, until stopped
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The configuration; variables VIPSTREAM_... win over it
    #[arg(long, value_name = "FILE", default_value = "vipstream.yaml")]
    config: PathBuf,
    /// With `time: event`: stop once everything there now is read and deadlines up to this time have fired
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<EventTime>,
    /// Log as JSON, also on a terminal
    #[arg(long)]
    json: bool,
}

/// Runs the app: 0 when it was asked to end or reached its end, 1 when it failed, 2 when the configuration is wrong.
///
/// # Errors
/// What is neither: the system refuses a thread or a socket.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    telemetry::log(LogForm::of_stderr(args.json));
    let config = match Config::load(&args.config, std::env::vars()) {
        Ok(config) => config,
        Err(error) => return Ok(refuse(&error)),
    };
    let rules = match load_rules(&config) {
        Ok(rules) => Arc::new(rules),
        Err(error) => return Ok(refuse(&error)),
    };
    let metrics = telemetry::exporter().context("the metrics exporter cannot be installed")?;
    let running = match app::start_until(&config, rules, args.until) {
        Ok(running) => running,
        Err(error) => return Ok(failed_to_start(&error)),
    };
    let server = match config.http {
        Some(address) => {
            let served = http::serve(address, metrics, running.health());
            Some(served.with_context(|| format!("http: cannot listen on {address}"))?)
        }
        None => None,
    };
    let http = server.as_ref().map(|server| server.address.to_string());
    tracing::info!(app = config.app, tasks = config.tasks, http, "started");
    stop_on_signal(running.switch()).context("signals cannot be received")?;
    match running.join() {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Ok(failed(&error)),
    }
}

fn load_rules(config: &Config) -> Result<Ruleset, ConfigError> {
    let path = &config.rules;
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
    Ruleset::parse(&path.display().to_string(), &text).map_err(ConfigError::Invalid)
}

fn refuse(error: &ConfigError) -> ExitCode {
    eprintln!("vipstream: {error}");
    ExitCode::from(WRONG)
}

fn failed_to_start(error: &StartError) -> ExitCode {
    eprintln!("vipstream: {error}");
    ExitCode::from(if error.is_configuration() { WRONG } else { FAILED })
}

fn failed(error: &TaskError) -> ExitCode {
    eprintln!("vipstream: {error}");
    ExitCode::from(if matches!(error, TaskError::Changed(_)) { WRONG } else { FAILED })
}

/// Asks the app to end on SIGTERM or an interrupt from the terminal.
fn stop_on_signal(switch: Arc<AtomicBool>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut terminate, mut interrupt) = {
        use tokio::signal::unix::{SignalKind, signal};
        let _within = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        tracing::info!("asked to end: finishing the epoch");
        switch.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}

/// Reads RFC 3339 with an offset, or milliseconds since 1970.
fn instant(text: &str) -> Result<EventTime, String> {
    let parsed =
        text.parse::<i64>().ok().or_else(|| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond));
    parsed
        .map(EventTime)
        .filter(|time| (EventTime::MIN..=EventTime::MAX).contains(time))
        .ok_or_else(|| "write a time as 2026-05-01T00:00:00Z".to_owned())
}

const FAILED: u8 = 1;
const WRONG: u8 = 2;
