//! What is to be said about a topic that is not as it is needed, each with its remedy.

use std::fmt;
use std::time::Duration;

use super::{Found, Needed, Role, Setting};
use crate::broker::cluster::{ClusterError, Settings};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Worth knowing.
    Note,
    /// The app runs, but something may go wrong one day.
    Warn,
    /// A promise could not be kept: the app does not start.
    Refuse,
}

impl Grade {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warn => "warning",
            Self::Refuse => "refused",
        }
    }
}

/// What kind of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Missing,
    /// The partition count is not that of the tasks.
    Partitions,
    Setting,
    /// This user may not look.
    Denied,
}

/// One thing about a topic, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub topic: String,
    pub grade: Grade,
    pub fault: Fault,
    /// Begins with the topic and holds both values.
    pub what: String,
    pub help: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.help)
    }
}

impl Finding {
    /// The broker refuses to show the topic.
    pub(super) fn denied(topic: &str, error: &ClusterError) -> Self {
        let what = format!("{topic} is hidden from this user");
        Self { topic: topic.to_owned(), grade: Grade::Refuse, fault: Fault::Denied, what, help: error.to_string() }
    }
}

/// One finding as a sentence, several under a line that counts them.
pub fn list(findings: &[Finding]) -> String {
    if let [finding] = findings {
        return finding.to_string();
    }
    let lines = findings.iter().map(|Finding { what, help, .. }| format!("\n  {what}\n      {help}"));
    format!("{} problems{}", findings.len(), lines.collect::<String>())
}

/// What is to be said about a topic.
pub(super) fn compare(needed: &Needed, found: Option<&Found>, bootstrap: &str) -> Vec<Finding> {
    let about = About { needed, bootstrap };
    let Some(found) = found else { return vec![about.missing()] };
    let mut findings = Vec::new();
    findings.extend(about.partitions(found.layout.partitions));
    match (&found.settings, needed.role) {
        (Some(settings), Role::Input(_)) => findings.extend(about.input(settings)),
        (Some(settings), _) => findings.extend(needed.settings.iter().filter_map(|it| about.setting(it, settings))),
        (None, Role::Input(_)) => findings.push(about.unseen()),
        (None, _) if needed.settings.is_empty() => {}
        (None, _) => findings.push(about.unseen()),
    }
    findings
}

struct About<'a> {
    needed: &'a Needed,
    bootstrap: &'a str,
}

impl About<'_> {
    fn finding(&self, grade: Grade, fault: Fault, what: String, help: String) -> Finding {
        Finding { topic: self.needed.topic.clone(), grade, fault, what, help }
    }

    fn missing(&self) -> Finding {
        let Needed { role, topic, .. } = self.needed;
        let (grade, which, help) = match role {
            Role::Input(kind) => {
                (Grade::Refuse, format!(" (inputs.{})", kind.name()), "create it, or correct its name")
            }
            _ => (Grade::Note, String::new(), "the app makes it when it starts, `vipstream topics --create` at once"),
        };
        self.finding(grade, Fault::Missing, format!("topic {topic}{which} does not exist"), help.to_owned())
    }

    fn partitions(&self, found: u32) -> Option<Finding> {
        let Needed { role, topic, partitions: tasks, .. } = self.needed;
        if !role.is_of_tasks() || found == *tasks {
            return None;
        }
        let what = format!("{topic} has {found} partitions, `tasks` says {tasks}");
        let help = match role {
            Role::Journal => format!(
                "the count is fixed when an app starts; say `tasks: {found}`, or start anew under another `app`"
            ),
            _ => "delete it if the app has never run, so that it is made anew; else start anew under another `app`"
                .to_owned(),
        };
        Some(self.finding(Grade::Refuse, Fault::Partitions, what, help))
    }

    fn setting(&self, setting: &Setting, settings: &Settings) -> Option<Finding> {
        let found = settings.get(setting.name).filter(|found| !setting.is_met(found))?;
        let Setting { name, value, or_more, grade, why } = setting;
        let more = if *or_more { " or more" } else { "" };
        let what = format!("{} has {name}={found} and needs {value}{more} ({why})", self.needed.topic);
        Some(self.finding(*grade, Fault::Setting, what, self.set(name, value)))
    }

    /// The command that changes a setting.
    fn set(&self, name: &str, value: &str) -> String {
        format!(
            "kafka-configs --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config {name}={value}",
            self.bootstrap, self.needed.topic
        )
    }

    /// An input is somebody else's: what it keeps decides how long a restart is possible.
    fn input(&self, settings: &Settings) -> Vec<Finding> {
        let topic = &self.needed.topic;
        let number = |name: &str| settings.get(name).and_then(|value| value.parse::<i64>().ok());
        let policy = settings.get("cleanup.policy").map_or("delete", String::as_str);
        let mut findings = Vec::new();
        if policy.contains("compact") {
            let lag = number("min.compaction.lag.ms").unwrap_or_default();
            findings.push(if lag < COMPACTION_LAG_MS {
                let what = format!(
                    "{topic} is compacted (cleanup.policy={policy}) and has min.compaction.lag.ms={lag}, but needs \
                     {COMPACTION_LAG_MS} or more (a restart reads its records again)"
                );
                let help = self.set("min.compaction.lag.ms", &COMPACTION_LAG_MS.to_string());
                self.finding(Grade::Refuse, Fault::Setting, what, help)
            } else {
                let what = format!(
                    "{topic} is compacted (cleanup.policy={policy}) where records are older than {}, and a restart \
                     reads them all since the app began",
                    span(lag)
                );
                self.finding(Grade::Note, Fault::Setting, what, self.set("cleanup.policy", "delete"))
            });
        }
        let limits = [("retention.ms", "-1"), ("retention.bytes", "-1")];
        let deletes = policy.contains("delete");
        for (name, value) in limits.into_iter().filter(|_| deletes) {
            if let Some(limit) = number(name).filter(|limit| *limit >= 0) {
                let limit = if name == "retention.ms" { span(limit) } else { format!("{limit} bytes a partition") };
                let what =
                    format!("{topic} keeps records for {limit}, and a restart reads them all since the app began");
                let help = format!("mind vipstream_input_replay_headroom_seconds, or: {}", self.set(name, value));
                findings.push(self.finding(Grade::Note, Fault::Setting, what, help));
            }
        }
        findings
    }

    fn unseen(&self) -> Finding {
        let topic = &self.needed.topic;
        let what = format!("the broker does not say what settings {topic} has");
        let help = format!("allow DescribeConfigs on topic {topic}, so that they can be compared");
        self.finding(Grade::Note, Fault::Denied, what, help)
    }
}

/// A span of time as people say it.
fn span(ms: i64) -> String {
    let ms = Duration::from_millis(ms.unsigned_abs());
    match ms.as_secs() {
        seconds if seconds >= 172_800 => format!("{} days", seconds / 86_400),
        seconds if seconds >= 7_200 => format!("{} hours", seconds / 3_600),
        seconds if seconds >= 120 => format!("{} minutes", seconds / 60),
        _ => format!("{} ms", ms.as_millis()),
    }
}

/// How long compaction must leave a record alone, since a restart reads it again.
const COMPACTION_LAG_MS: i64 = 7 * 86_400_000;
