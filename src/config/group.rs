//! The properties under `kafka` that concern the group alone: how soon a dead process is noticed, and who takes what.
//!
//! They are given to the one client that is a member of the group; the others would only be confused by them.

use std::collections::BTreeMap;

use super::kafka::Properties;
use crate::yaml::Problems;

/// The properties of membership.
const MEMBERSHIP: [&str; 7] = [INSTANCE, PROTOCOL, SESSION, HEARTBEAT, STRATEGY, MAX_POLL, REMOTE_ASSIGNOR];

const INSTANCE: &str = "group.instance.id";
const PROTOCOL: &str = "group.protocol";
const SESSION: &str = "session.timeout.ms";
const HEARTBEAT: &str = "heartbeat.interval.ms";
const STRATEGY: &str = "partition.assignment.strategy";
const MAX_POLL: &str = "max.poll.interval.ms";
const REMOTE_ASSIGNOR: &str = "group.remote.assignor";

/// With it the broker says how often it wants to hear of a member, and it assigns.
const BY_BROKER: &str = "consumer";

/// The only strategy under which a task that stays is not interrupted when another moves.
const COOPERATIVE: &str = "cooperative-sticky";

impl Properties {
    /// Those of every client.
    pub(crate) fn common(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| !MEMBERSHIP.contains(name))
    }

    /// Those of the group's member, defaults included.
    pub(crate) fn membership(&self) -> BTreeMap<&str, String> {
        let mut found = BTreeMap::new();
        if !self.is_by_broker() {
            let session = self.milliseconds(SESSION).unwrap_or(SESSION_MS);
            found.insert(SESSION, session.to_string());
            found.insert(HEARTBEAT, (session / 4).clamp(1, HEARTBEAT_MS).to_string());
            found.insert(STRATEGY, COOPERATIVE.to_owned());
        }
        for name in MEMBERSHIP {
            found.extend(self.0.get(name).map(|value| (name, value.clone())));
        }
        found
    }

    fn is_by_broker(&self) -> bool {
        self.0.get(PROTOCOL).is_some_and(|value| value == BY_BROKER)
    }

    fn milliseconds(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.parse().ok()
    }
}

/// Refuses what the library would refuse later, and what tasks cannot live with.
pub(super) fn check(properties: &Properties, line: usize, problems: &mut Problems) {
    let mut refuse = |name: &str, what: String, help: &str| {
        problems.add_with_help(line, &format!("kafka.{name}"), what, help);
    };
    if properties.is_by_broker() {
        for name in [SESSION, HEARTBEAT, STRATEGY].into_iter().filter(|name| properties.0.contains_key(*name)) {
            let help = "leave it out: with this protocol the broker says (group.consumer.* there), and assigns";
            refuse(name, format!("cannot be set with `{PROTOCOL}: {BY_BROKER}`"), help);
        }
        return;
    }
    if let Some(strategy) = properties.0.get(STRATEGY).filter(|strategy| *strategy != COOPERATIVE) {
        let help = "leave it out: any other stops every task whenever one moves";
        refuse(STRATEGY, format!("\"{strategy}\" is not supported, {COOPERATIVE} is"), help);
    }
    if properties.0.contains_key(REMOTE_ASSIGNOR) {
        let help = "leave it out, or choose that protocol";
        refuse(REMOTE_ASSIGNOR, format!("means something with `{PROTOCOL}: {BY_BROKER}` alone"), help);
    }
    let session = properties.milliseconds(SESSION).unwrap_or(SESSION_MS);
    if let Some(heartbeat) = properties.milliseconds(HEARTBEAT).filter(|heartbeat| heartbeat * 3 > session) {
        let help = "at most a third of it, so that one lost heartbeat does not cost the membership";
        refuse(HEARTBEAT, format!("{heartbeat} is too long for a session of {session} ms"), help);
    }
    if let Some(poll) = properties.milliseconds(MAX_POLL).filter(|poll| *poll < session) {
        refuse(MAX_POLL, format!("{poll} is shorter than the session of {session} ms"), "default 300000");
    }
}

/// How long a process may be silent before others take over its tasks.
const SESSION_MS: u64 = 10_000;

/// How soon a process hears that others came or went.
const HEARTBEAT_MS: u64 = 500;
