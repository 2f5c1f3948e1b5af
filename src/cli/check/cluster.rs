//! The configuration held against the cluster: topics, their settings, the group, and what will be handed over.

use serde_json::{Value, json};

use super::share::{self, Input, Sample};
use crate::broker::cluster::{Cluster, ClusterError};
use crate::cli::topics::{PATIENCE, finding};
use crate::config::Config;
use crate::topics::{self, Fault, Finding, Grade, Role, Status};

/// What there is to say about the cluster.
pub(super) struct Report {
    tasks: u32,
    topics: Vec<Status>,
    /// Beyond what is said of each topic.
    others: Vec<Finding>,
    inputs: Vec<Input>,
    /// Fewer records would be handed over with so many tasks.
    better: Option<(u32, f64)>,
}

/// Looks at the cluster.
pub(super) fn look(config: &Config) -> Result<Report, ClusterError> {
    let cluster = Cluster::connect(&config.kafka, &config.app, PATIENCE)?;
    let topics = topics::survey(config, &cluster, topics::needed(config, config.tasks))?;
    let mut others = Vec::new();
    let inputs = inputs(config, &cluster, &topics, &mut others);
    others.extend(group(config, &cluster, &topics));
    let is_new = topics.iter().any(|status| status.needed.role == Role::Journal && status.is_missing());
    // The number of tasks cannot change once the app has started.
    let better = share::better(&inputs, config.tasks).filter(|_| is_new);
    Ok(Report { tasks: config.tasks, topics, others, inputs, better })
}

/// Each input that is there, with a sample of its newest records.
fn inputs(config: &Config, cluster: &Cluster, topics: &[Status], findings: &mut Vec<Finding>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for status in topics {
        let (Role::Input(kind), Some(found)) = (status.needed.role, &status.found) else { continue };
        let (topic, partitions) = (status.needed.topic.clone(), found.layout.partitions);
        let mut sample = Sample::default();
        let read = cluster.newest(&topic, partitions, NEWEST, &mut |partition, raw| {
            sample.add(kind, (partition, partitions), config.tasks, raw);
        });
        match read {
            Ok(records) => inputs.push(Input { kind, topic, partitions, records, sample }),
            Err(error) => findings.push(unanswered(&topic, &error)),
        }
    }
    inputs
}

/// Whether the group has been somewhere of which the journal knows nothing.
fn group(config: &Config, cluster: &Cluster, topics: &[Status]) -> Option<Finding> {
    let places = topics.iter().filter(|status| matches!(status.needed.role, Role::Input(_))).flat_map(|status| {
        let partitions = status.found.as_ref().map_or(0, |found| found.layout.partitions);
        (0..partitions).map(|partition| (status.needed.topic.as_str(), partition))
    });
    let places: Vec<(&str, u32)> = places.collect();
    let (group, journal) = (&config.app, config.journal());
    let committed = match cluster.committed(&places) {
        Ok(committed) => committed,
        Err(error) => return Some(unanswered(&format!("group {group}"), &error)),
    };
    let partitions = topics.iter().find(|status| status.needed.role == Role::Journal)?.found.as_ref();
    let partitions = 0..partitions.map_or(0, |found| found.layout.partitions);
    let is_empty = |partition| cluster.offsets(&journal, partition).is_ok_and(|kept| kept.end == 0);
    let ((topic, partition), offset) =
        places.iter().zip(committed).find_map(|(place, committed)| Some((*place, committed?.offset)))?;
    if !partitions.into_iter().all(is_empty) {
        return None;
    }
    let what = format!(
        "{journal} is missing or empty, but group {group} has offset {offset} for {topic} partition {partition}"
    );
    let help = format!(
        "choose another `app`, or delete the group's offsets (kafka-consumer-groups --bootstrap-server {} --delete --group {group})",
        config.kafka.bootstrap()
    );
    Some(Finding { topic: journal, grade: Grade::Refuse, fault: Fault::Setting, what, help })
}

fn unanswered(topic: &str, error: &ClusterError) -> Finding {
    let (grade, help) = match error {
        ClusterError::Denied { .. } => (Grade::Refuse, error.to_string()),
        _ => (Grade::Note, format!("{error}: try again")),
    };
    let what = format!("{topic} could not be looked into");
    Finding { topic: topic.to_owned(), grade, fault: Fault::Denied, what, help }
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.topics.iter().flat_map(|status| &status.findings).chain(&self.others)
    }

    /// What keeps the app from running, or may one day.
    pub(super) fn problems(&self) -> Vec<Finding> {
        self.findings().filter(|finding| finding.grade > Grade::Note).cloned().collect()
    }

    /// What is worth knowing.
    fn notes(&self) -> Vec<Finding> {
        let mut notes: Vec<Finding> = self.findings().filter(|it| it.grade == Grade::Note).cloned().collect();
        for input in &self.inputs {
            let Input { kind, topic, sample, .. } = input;
            let (reckoned, whose) = (input.reckoned(self.tasks), share::whose(*kind));
            if let (Some(away), Some(help)) = (sample.away(), sample.fault(reckoned, whose)) {
                let what = format!(
                    "{} of the newest {} records of {topic} lie with another task than their {whose}'s; {} would, were they keyed by {whose} id",
                    percent(away),
                    sample.records,
                    percent(reckoned)
                );
                notes.push(Finding { topic: topic.clone(), grade: Grade::Note, fault: Fault::Setting, what, help });
            }
            if sample.refused > 0 {
                let of = sample.records + sample.refused;
                let what = format!("{} of the newest {of} records of {topic} would be dead letters", sample.refused);
                let help = "`vipstream run` writes each to the dead letters, with the reason".to_owned();
                notes.push(Finding { topic: topic.clone(), grade: Grade::Note, fault: Fault::Setting, what, help });
            }
        }
        if let Some((tasks, share)) = self.better {
            let now = percent(share::overall(&self.inputs, self.tasks));
            let what = format!("with `tasks: {}`, {now} of all records are handed over", self.tasks);
            let help = format!("with `tasks: {tasks}`, {} would be; it cannot change later", percent(share));
            notes.push(Finding { topic: String::new(), grade: Grade::Note, fault: Fault::Partitions, what, help });
        }
        notes
    }

    /// As a person reads it.
    pub(super) fn text(&self) -> String {
        let there = self.topics.iter().filter(|status| status.found.is_some()).count();
        let mut text = format!("ok  cluster: {there} of {} topics are there\n", self.topics.len());
        if !self.inputs.is_empty() {
            text += "\nhanded over to the task of their customer, where keys are customer ids:\n";
        }
        let widest = self.inputs.iter().map(|input| input.topic.len()).max().unwrap_or_default();
        for input in &self.inputs {
            let Input { kind, topic, partitions, sample, .. } = input;
            if kind.is_broadcast() {
                text += &format!("    {topic:widest$}  none: every task reads all of it\n");
                continue;
            }
            let measured = sample.away().map_or_else(
                || "no records yet".to_owned(),
                |away| format!("measured {} of the newest {}", percent(away), sample.records),
            );
            let reckoned = percent(input.reckoned(self.tasks));
            text += &format!("    {topic:widest$}  {reckoned:>5} of {partitions} partitions' records; {measured}\n");
        }
        text + &alike(&self.notes())
    }

    /// As a program reads it.
    pub(super) fn json(&self) -> Value {
        let inputs = self.inputs.iter().map(|input| {
            let Input { kind, topic, partitions, records, sample } = input;
            json!({
                "input": kind.name(),
                "topic": topic,
                "partitions": partitions,
                "records": records,
                "handed_over": input.reckoned(self.tasks),
                "sample": {
                    "records": sample.records,
                    "handed_over": sample.away(),
                    "other_key": sample.other_key,
                    "spread_otherwise": sample.spread_otherwise,
                    "refused": sample.refused,
                },
            })
        });
        json!({
            "handed_over": share::overall(&self.inputs, self.tasks),
            "better": self.better.map(|(tasks, share)| json!({ "tasks": tasks, "handed_over": share })),
            "inputs": inputs.collect::<Vec<_>>(),
            "notes": self.notes().iter().map(finding).collect::<Vec<_>>(),
        })
    }
}

/// The notes one below the other; what differs by the topic alone is said once.
fn alike(notes: &[Finding]) -> String {
    let pattern = |it: &Finding| (it.what.replace(&it.topic, "TOPIC"), it.help.replace(&it.topic, "TOPIC"));
    let mut said: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for note in notes {
        match said.iter_mut().find(|(first, _)| !note.topic.is_empty() && pattern(first) == pattern(note)) {
            Some((_, others)) => others.push(&note.topic),
            None => said.push((note, Vec::new())),
        }
    }
    let lines = said.iter().map(|(Finding { what, help, .. }, others)| {
        let also = if others.is_empty() { String::new() } else { format!("\n      the same: {}", others.join(", ")) };
        format!("\nnote: {what}\n      {help}{also}\n")
    });
    lines.collect()
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Records of each input that are looked at.
const NEWEST: u32 = 1_000;
