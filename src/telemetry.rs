//! Installs the log and the metrics exporter, once a process.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::metrics;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogForm {
    Text,
    Json,
}

impl LogForm {
    /// Text for people on a terminal, JSON for machines.
    pub(crate) fn of_stderr(json: bool) -> Self {
        if json || !std::io::stderr().is_terminal() { Self::Json } else { Self::Text }
    }
}

/// Sends the log to standard error: `info` and above, or what `VIPSTREAM_LOG` says (`debug`,
/// `vipstream::kafka=debug`, ...).
pub(crate) fn log(form: LogForm) {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .with_env_var("VIPSTREAM_LOG")
        .from_env_lossy();
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A log that is there already stays: several commands may run in one process of the tests.
    let _ = match form {
        LogForm::Text => registry.with(layer.with_target(false)).try_init(),
        LogForm::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
}

/// Installs the exporter and declares every metric.
///
/// # Errors
/// Another exporter is installed already.
pub(crate) fn exporter() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &metrics::SECONDS_BUCKETS)?
        .install_recorder()?;
    metrics::describe();
    Ok(handle)
}
