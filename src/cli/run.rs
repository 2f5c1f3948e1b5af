//! `vipstream run`: the service.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use super::Usage;
use super::source;
use super::values::instant;
use crate::app;
use crate::config::{Config, ConfigError};
use crate::http;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::task::TaskError;
use crate::telemetry::{self, LogForm};

/// Decide from Kafka topics, until stopped
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
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

/// Runs the app until it is asked to end or reaches its end.
///
/// # Errors
/// Wrong configuration ([`Usage`]), or why it failed.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    telemetry::log(LogForm::of_stderr(args.json));
    let config = Config::load(&args.config, std::env::vars()).map_err(|error| Usage(error.to_string()))?;
    let rules = Arc::new(load_rules(&config).map_err(|error| Usage(error.to_string()))?);
    if let Some(note) = config.unread(&rules) {
        tracing::warn!("{note}");
    }
    let metrics = telemetry::exporter().context("the metrics exporter cannot be installed")?;
    let running = app::start_until(&config, rules, args.until).map_err(|error| {
        if error.is_configuration() { Usage(error.to_string()).into() } else { anyhow::Error::from(error) }
    })?;
    // Before anything says that it has started, so that whoever waits for that may end it.
    stop_on_signal(running.switch()).context("signals cannot be received")?;
    let server = match config.http {
        Some(address) => {
            let served = http::serve(address, metrics, running.health());
            Some(served.with_context(|| format!("http: cannot listen on {address}"))?)
        }
        None => None,
    };
    let http = server.as_ref().map(|server| server.address.to_string());
    tracing::info!(app = config.app, tasks = config.tasks, http, "started");
    running.join().map_err(|error| match error {
        TaskError::Changed(what) => Usage(what).into(),
        other => other.into(),
    })
}

fn load_rules(config: &Config) -> Result<Ruleset, ConfigError> {
    let path = &config.rules;
    let text = source::read(path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
    Ruleset::parse(&path.display().to_string(), &text).map_err(ConfigError::Invalid)
}

/// Asks the app to end on SIGTERM or an interrupt from the terminal.
pub(super) fn stop_on_signal(switch: Arc<AtomicBool>) -> std::io::Result<()> {
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
