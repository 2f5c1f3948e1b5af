//! How each client of the Kafka library is set up, and what it has to say.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::BrokerError;
use crate::config::Properties;

/// How long one answer of the broker is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// Receives a client's log and its errors.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// The last error the client reported beside its calls: it says more than a call's time-out.
    last: Mutex<Option<(RDKafkaErrorCode, String)>>,
    /// How many it has reported.
    errors: AtomicU64,
    /// The first record of a transaction that did not arrive, and why.
    undelivered: Mutex<Option<String>>,
}

impl Context {
    /// Why the first record of the transaction that did not arrive did not, which is forgotten.
    pub(super) fn take_undelivered(&self) -> Option<String> {
        self.undelivered.lock().ok()?.take()
    }

    /// The last error reported.
    pub(super) fn last_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.last.lock().ok()?.clone()
    }

    /// How many errors were reported: more than before means that contact may have been lost.
    pub(super) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // What matters comes again as an error of a call; the rest is for those who look for it.
        tracing::debug!(target: "vipstream::kafka", ?level, facility, "{text}");
        // An error of a partition that no fetch belongs to, as when its topic is gone: the log alone has it.
        if facility == "ERROR" {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        if code == RDKafkaErrorCode::PartitionEOF {
            return;
        }
        tracing::debug!(target: "vipstream::kafka", ?code, "{reason}");
        self.errors.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut last) = self.last.lock() {
            // "All brokers are down" follows the error that says why.
            if code != RDKafkaErrorCode::AllBrokersDown || last.is_none() {
                *last = Some((code, reason.to_owned()));
            }
        }
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((error, record)) = result else { return };
        // What an abort throws away failed for another reason.
        let thrown = [RDKafkaErrorCode::PurgeQueue, RDKafkaErrorCode::PurgeInflight];
        if !error.rdkafka_error_code().is_some_and(|code| thrown.contains(&code))
            && let Ok(mut first) = self.undelivered.lock()
        {
            first.get_or_insert_with(|| format!("a record for {} did not arrive: {error}", record.topic()));
        }
    }
}

/// The user's properties, with `defaults` where they are silent and `ours` where they have no say.
pub(super) fn client(properties: &Properties, defaults: &[(&str, &str)], ours: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in defaults {
        config.set(*name, *value);
    }
    for (name, value) in properties.common() {
        config.set(name, value);
    }
    for (name, value) in ours {
        config.set(*name, *value);
    }
    config
}

/// Properties of the one client that is a member of the group: it reads nothing.
pub(super) fn group_member(properties: &Properties, group: &str) -> ClientConfig {
    let mut config = reader(properties);
    config.set("group.id", group);
    config.set("enable.partition.eof", "false").set("queued.max.messages.kbytes", "64");
    // A journal just made may be unknown to the broker first asked.
    config.set("topic.metadata.refresh.interval.ms", "10000");
    for (name, value) in properties.membership() {
        config.set(name, value);
    }
    config
}

/// Properties of every reader: committed records only, positions that only the journal decides.
pub(super) fn reader(properties: &Properties) -> ClientConfig {
    // What a partition that is not drained may hold, and how soon it is fetched again once drained. A fetch waits at the
    // broker for all partitions at once: so long does one that has room again wait for those that are at their end.
    let defaults = [
        ("queued.max.messages.kbytes", "4096"),
        ("queued.min.messages", "20000"),
        ("fetch.queue.backoff.ms", "10"),
        ("fetch.wait.max.ms", "20"),
    ];
    let ours = [
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
    ];
    client(properties, &defaults, &ours)
}

/// Whether the broker said no, so that asking again does not help.
pub(super) fn is_denial(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SSL
    )
}

/// Sorts a failed call.
pub(super) fn failed(what: &str, error: &KafkaError) -> BrokerError {
    let (what, reason) = (what.to_owned(), error.to_string());
    match error.rdkafka_error_code() {
        Some(code) if is_denial(code) => BrokerError::Denied { what, reason },
        _ => BrokerError::Failed { what, reason },
    }
}
