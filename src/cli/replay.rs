//! `vipstream replay`: history from files through the rules, to files.

mod explain;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::Usage;
use super::source;
use super::values::{Input, input, instant};
use crate::engine::Stats;
use crate::model::event::Kind;
use crate::model::output::{Change, Output, pivot};
use crate::model::time::EventTime;
use crate::replay::{EPOCH_RECORDS, Plan, Replayed};
use crate::rules::ruleset::Ruleset;
use crate::yaml;

/// Replay files through a ruleset: one file of JSON lines for each output topic.
///
/// Records are merged in time order, so the same input gives the same bytes every time. No Kafka is needed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The ruleset
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Read events of a kind from this file, one JSON value a line; `-` reads standard input; may be repeated
    #[arg(long = "input", value_name = "KIND=FILE", required = true, value_parser = input)]
    inputs: Vec<Input>,
    /// Fire deadlines up to this time, and read nothing after it; without it time ends at the last event
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<EventTime>,
    /// Print each decision about this customer with its evidence
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
    /// The folder for a file of each output topic: vip.events.jsonl, vip.alerts.jsonl, ...
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// The output topics, each a file.
const TOPICS: [&str; 7] =
    ["vip.events", "vip.alerts", "vip.status", "vip.audit", "vip.insights", "vip.pivots", "vip.dlq"];

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let rules = Arc::new(rules(&args.rules)?);
    if args.inputs.iter().filter(|(_, path)| is_stdin(path)).count() > 1 {
        return Err(Usage("standard input (`-`) can be read once only".to_owned()).into());
    }
    let (inputs, bytes) = open(&args.inputs)?;
    let plan = Plan {
        rules,
        until: args.until,
        names: args.inputs.iter().map(|(kind, path)| format!("{}={}", kind.name(), path.display())).collect(),
        epoch_records: EPOCH_RECORDS,
    };
    let bar = bar(bytes, "replaying");
    let replayed = plan.run(inputs, |read| bar.set_position(read)).context("cannot read the input")?;
    bar.finish_and_clear();
    std::fs::create_dir_all(&args.output)
        .with_context(|| format!("cannot make the folder {}", args.output.display()))?;
    for topic in TOPICS {
        write(&args.output, topic, &replayed)?;
    }
    let out = std::io::stdout().lock();
    if let Some(id) = &args.explain {
        explain::print(out, id, &replayed)?;
    } else if args.json {
        summary_json(out, args, &replayed)?;
    } else {
        summary(out, args, &replayed)?;
    }
    Ok(())
}

/// Reads a ruleset; its problems are wrong configuration.
pub(crate) fn rules(path: &Path) -> anyhow::Result<Ruleset> {
    let text = source::read(path).map_err(|error| Usage(error.to_string()))?;
    Ruleset::parse(&path.display().to_string(), &text).map_err(|problems| Usage(yaml::list(&problems)).into())
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(super) type Opened = Vec<(Kind, Box<dyn BufRead>)>;

/// Opens the inputs; their size together where it is known.
pub(super) fn open(inputs: &[Input]) -> anyhow::Result<(Opened, Option<u64>)> {
    let mut bytes = Some(0);
    let mut opened: Opened = Vec::new();
    for (kind, path) in inputs {
        if is_stdin(path) {
            bytes = None;
            opened.push((*kind, Box::new(BufReader::new(std::io::stdin()))));
            continue;
        }
        let file = File::open(path).map_err(|error| Usage(format!("cannot read {}: {error}", path.display())))?;
        bytes = bytes.zip(file.metadata().ok()).map(|(bytes, metadata)| bytes + metadata.len());
        opened.push((*kind, Box::new(BufReader::with_capacity(1 << 16, file))));
    }
    Ok((opened, bytes))
}

pub(super) fn bar(bytes: Option<u64>, doing: &'static str) -> ProgressBar {
    let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = "{msg} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
    if bytes.is_some() {
        bar.set_style(ProgressStyle::with_template(template).expect("the template is right").progress_chars("=> "));
    }
    bar.with_message(doing)
}

fn write(folder: &Path, topic: &str, replayed: &Replayed) -> anyhow::Result<()> {
    let path = folder.join(format!("{topic}.jsonl"));
    let lines = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(&path)?);
        for output in replayed.outputs.iter().filter(|output| output.topic() == topic) {
            file.write_all(&replayed.wire.json(output, None))?;
            file.write_all(b"\n")?;
        }
        file.flush()
    };
    lines().with_context(|| format!("cannot write {}", path.display()))
}

/// How many outputs there are of each kind, in the order of the contract.
fn counts(replayed: &Replayed) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for output in &replayed.outputs {
        let name = match output {
            Output::Decision(decision) => match &decision.change {
                Change::Entered { .. } | Change::Left { .. } => decision.change.type_name().to_owned(),
                change => format!("{} {}", change.type_name(), change.name()),
            },
            Output::Alert(alert) => format!("alert {}", alert.name),
            Output::Status(_) => "status".to_owned(),
            Output::Audit(audit) => format!("decision {} {}", audit.decision, audit.programme),
            Output::Insight(insight) => format!("{} {}", insight.finding.type_name(), insight.finding.name()),
            Output::Pivot(found) => format!("{} {}", pivot::TYPE, found.pivot.kind),
            Output::DeadLetter(_, letter) => format!("dead letter {}", letter.code.name()),
        };
        match counts.iter_mut().find(|(other, _)| *other == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts.sort();
    counts
}

fn summary(mut out: impl Write, args: &Args, replayed: &Replayed) -> anyhow::Result<()> {
    let stats = &replayed.stats;
    writeln!(
        out,
        "{} records, {} customers",
        HumanCount(stats.events + stats.dead_letters),
        HumanCount(stats.customers)
    )?;
    for (name, count) in counts(replayed) {
        writeln!(out, "  {:>9}  {name}", HumanCount(count).to_string())?;
    }
    for (name, count) in counted(stats).into_iter().filter(|(_, count)| *count > 0) {
        writeln!(out, "  {:>9}  {name} (counted only)", HumanCount(count).to_string())?;
    }
    for (rule, count) in &replayed.rule_errors {
        writeln!(
            out,
            "  {:>9}  times {rule} was in error, such as a fact without value",
            HumanCount(*count).to_string()
        )?;
    }
    writeln!(out, "written to {}", args.output.display())?;
    Ok(())
}

/// What changed nothing, or less than it might have, and was counted instead.
const fn counted(stats: &Stats) -> [(&'static str, u64); 10] {
    [
        ("duplicates", stats.duplicates),
        ("expired", stats.expired),
        ("customers erased", stats.erasures),
        ("about customers erased before", stats.erased_events),
        ("test purchases", stats.tests),
        ("unpriced", stats.unpriced),
        ("refunds beyond their order", stats.clamped),
        ("refunds whose order never came", stats.unmatched),
        ("after a deadline they should precede", stats.reordered),
        ("unknown words in optional fields", stats.unknown_values),
    ]
}

fn summary_json(mut out: impl Write, args: &Args, replayed: &Replayed) -> anyhow::Result<()> {
    let stats = &replayed.stats;
    let outputs: serde_json::Map<_, _> =
        counts(replayed).into_iter().map(|(name, count)| (name, count.into())).collect();
    let summary = serde_json::json!({
        "records": stats.events + stats.dead_letters,
        "customers": stats.customers,
        "outputs": outputs,
        "counted": counted(stats).into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect::<serde_json::Map<_, _>>(),
        "rule_errors": replayed.rule_errors,
        "state_digest": format!("{:032x}", replayed.digest),
        "output": args.output,
    });
    writeln!(out, "{summary}")?;
    Ok(())
}
