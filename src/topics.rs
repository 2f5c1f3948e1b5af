//! Which topics an app needs and how they must be: one table, for the start, for `topics` and for `check`.

mod findings;

use std::fmt;

pub use findings::{Fault, Finding, Grade, list};

use crate::broker::cluster::{Cluster, ClusterError, Layout, Settings, Wanted};
use crate::config::Config;
use crate::model::event::Kind;

/// What a topic is to the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Input(Kind),
    Journal,
    Relay,
    Events,
    Alerts,
    Status,
    Audit,
    Insights,
    Pivots,
    DeadLetters,
}

impl Role {
    /// Whether the app makes the topic where it is missing.
    pub const fn is_ours(self) -> bool {
        !matches!(self, Self::Input(_))
    }

    /// Whether the topic's partitions are the app's tasks.
    pub const fn is_of_tasks(self) -> bool {
        matches!(self, Self::Journal | Self::Relay)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Input(kind) => kind.name(),
            Self::Journal => "journal",
            Self::Relay => "relay",
            Self::Events => "events",
            Self::Alerts => "alerts",
            Self::Status => "status",
            Self::Audit => "audit",
            Self::Insights => "insights",
            Self::Pivots => "pivots",
            Self::DeadLetters => "dlq",
        })
    }
}

/// A topic that the app needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    pub role: Role,
    pub topic: String,
    /// As many as it is made with; those of tasks must stay so.
    pub partitions: u32,
    pub settings: &'static [Setting],
}

/// A setting that a topic of ours must have.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    /// What it is made with; more will do where `or_more`.
    pub value: &'static str,
    pub or_more: bool,
    pub grade: Grade,
    pub why: &'static str,
}

impl Setting {
    /// Whether what was found will do.
    pub fn is_met(&self, found: &str) -> bool {
        // -1 stands for no bound.
        let number = |text: &str| text.parse::<i64>().ok().map(|number| if number < 0 { i64::MAX } else { number });
        found == self.value || (self.or_more && number(found) >= number(self.value))
    }
}

/// What there is of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub layout: Layout,
    /// The broker's own name for it, which another topic of the same name does not have.
    pub id: Option<String>,
    /// Unknown where this user may not see them or the broker cannot tell.
    pub settings: Option<Settings>,
}

/// A topic as needed, as found, and what is to be said about the difference.
#[derive(Clone, Debug)]
pub struct Status {
    pub needed: Needed,
    pub found: Option<Found>,
    pub findings: Vec<Finding>,
}

impl Status {
    /// Whether it is not there.
    pub fn is_missing(&self) -> bool {
        self.findings.iter().any(|finding| finding.fault == Fault::Missing)
    }

    /// Whether anything is wrong with it, beyond what is only worth knowing.
    pub fn is_wrong(&self) -> bool {
        self.findings.iter().any(|finding| finding.grade > Grade::Note)
    }
}

/// Every topic that the app needs; inputs would be made with so many partitions.
pub fn needed(config: &Config, input_partitions: u32) -> Vec<Needed> {
    let inputs = config.inputs.iter().map(|(kind, topic)| (Role::Input(*kind), topic.clone(), &[][..]));
    let kept = if config.snapshots.is_some() { &KEPT_A_WEEK[..] } else { &KEPT[..] };
    let ours = [
        (Role::Journal, config.journal(), kept),
        (Role::Relay, config.relay(), kept),
        (Role::Events, config.outputs.events.clone(), &[]),
        (Role::Alerts, config.outputs.alerts.clone(), &[]),
        (Role::Status, config.outputs.status.clone(), &COMPACTED[..]),
        (Role::Audit, config.outputs.audit.clone(), &KEPT_APART[..]),
        (Role::Insights, config.outputs.insights.clone(), &KEPT_APART[..]),
        (Role::Pivots, config.outputs.pivots.clone(), &KEPT_APART[..]),
        (Role::DeadLetters, config.outputs.dlq.clone(), &LETTERS[..]),
    ];
    let all = inputs.chain(ours);
    all.map(|(role, topic, settings)| {
        let partitions = if role.is_ours() { config.tasks } else { input_partitions };
        Needed { role, topic, partitions, settings }
    })
    .collect()
}

/// Compares what is needed with what there is.
///
/// # Errors
/// The broker did not say. What it refuses to show is a finding.
pub fn survey(config: &Config, cluster: &Cluster, needed: Vec<Needed>) -> Result<Vec<Status>, ClusterError> {
    let names: Vec<&str> = needed.iter().map(|needed| needed.topic.as_str()).collect();
    let mut settings = cluster.settings(&names)?;
    let mut ids = cluster.ids(&names)?;
    let look = |needed: Needed| {
        let found = match cluster.layout(&needed.topic) {
            Ok(layout) => layout.map(|layout| Found {
                layout,
                id: ids.remove(&needed.topic),
                settings: settings.remove(&needed.topic),
            }),
            Err(error @ ClusterError::Denied { .. }) => {
                let findings = vec![Finding::denied(&needed.topic, &error)];
                return Ok(Status { needed, found: None, findings });
            }
            Err(error) => return Err(error),
        };
        let findings = findings::compare(&needed, found.as_ref(), config.kafka.bootstrap());
        Ok(Status { needed, found, findings })
    };
    needed.into_iter().map(look).collect()
}

/// Makes a topic that is missing; the broker may not know it everywhere at once.
///
/// # Errors
/// The broker does not allow it.
pub fn create(cluster: &Cluster, needed: &Needed) -> Result<(), ClusterError> {
    let settings: Vec<(&str, &str)> = needed.settings.iter().map(|setting| (setting.name, setting.value)).collect();
    cluster.create_missing(&[Wanted { topic: &needed.topic, partitions: needed.partitions, settings: &settings }])
}

const NEVER_COMPACTED: Setting = Setting {
    name: "cleanup.policy",
    value: "delete",
    or_more: false,
    grade: Grade::Refuse,
    why: "compaction would remove records that nothing replaces",
};

/// A record of up to 16 MB, a dead letter's, with its headers.
const LARGE_RECORDS: Setting = Setting {
    name: "max.message.bytes",
    value: "17825792",
    or_more: true,
    grade: Grade::Warn,
    why: "an epoch with a larger record cannot be committed",
};

const NEVER_CUT: Setting = Setting {
    name: "retention.bytes",
    value: "-1",
    or_more: false,
    grade: Grade::Refuse,
    why: "a restart reads what was written since, however much it is",
};

/// Without snapshots a restart reads journal and relay from their beginning, so nothing of them may expire.
const KEPT: [Setting; 4] = [
    NEVER_COMPACTED,
    Setting {
        name: "retention.ms",
        value: "-1",
        or_more: false,
        grade: Grade::Refuse,
        why: "a restart reads it from its beginning",
    },
    NEVER_CUT,
    LARGE_RECORDS,
];

/// With snapshots it reads them from the oldest that may be needed: of the few last hours, unless the app stood still.
const KEPT_A_WEEK: [Setting; 4] = [
    NEVER_COMPACTED,
    Setting {
        name: "retention.ms",
        value: "604800000",
        or_more: true,
        grade: Grade::Refuse,
        why: "a restart reads it from where the snapshots are, however long the app has stood still",
    },
    NEVER_CUT,
    LARGE_RECORDS,
];

const LETTERS: [Setting; 2] = [NEVER_COMPACTED, LARGE_RECORDS];

/// Every decision counts, also an older one of the same customer.
const KEPT_APART: [Setting; 1] = [NEVER_COMPACTED];

/// Whoever starts to read must find everybody, however long ago the last decision was.
const COMPACTED: [Setting; 1] = [Setting {
    name: "cleanup.policy",
    value: "compact",
    or_more: false,
    grade: Grade::Refuse,
    why: "a reader that starts empty would not find customers whose record has expired",
}];
