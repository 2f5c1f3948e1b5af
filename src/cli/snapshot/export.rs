//! `vipstream snapshot export`: customers, accounts, agents, rates or kinds of exceptions as JSON lines. Every line of a kind has the same
//! keys, in the same order.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use indicatif::HumanCount;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Archive, Choice, bar, moves, under};
use crate::cli::Usage;
use crate::engine::Engine;
use crate::engine::export::{AgentView, ExceptionView, View};
use crate::model::event::Agent;
use crate::model::id::EntityKind;
use crate::model::names::Named;
use crate::model::output::Scalar;
use crate::snapshot::manifest::Manifest;
use crate::snapshot::restore::Search;
use crate::snapshot::shelf::Shelf;

/// Write the customers of the newest snapshots as JSON lines, or the accounts, agents, rates or exceptions
///
/// Of each task the newest that can be restored; `--task` and `--epoch` choose another. Facts are as of `as_of`, the
/// customer's newest event or deadline. Agents and rates are known alike to every task: they are the first task's.
/// Decimals are strings, so that no reader rounds them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// What to write
    #[arg(long, value_enum, default_value_t = What::Customers)]
    what: What,
    /// Write into this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Customers,
    Accounts,
    Agents,
    Rates,
    Exceptions,
}

pub(super) fn run(args: &Args, archive: &Archive) -> anyhow::Result<()> {
    if args.choice.epoch.is_some() && args.choice.task.is_none() {
        return Err(Usage("each task counts epochs of its own: give --task with --epoch".to_owned()).into());
    }
    let shelves = archive.shelves(args.choice.task)?;
    let mut out: BufWriter<Box<dyn Write>> = BufWriter::new(match &args.output {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(std::io::stdout().lock()),
    });
    for (task, mut shelf) in shelves {
        let (Manifest { epoch, .. }, engine) = find(task, &mut shelf, args.choice.epoch)?;
        let lines: Box<dyn Iterator<Item = Value>> = match args.what {
            What::Customers => Box::new(engine.views(EntityKind::Customer).map(|view| line("customer_id", &view))),
            What::Accounts => Box::new(engine.views(EntityKind::Account).map(|view| line("account_id", &view))),
            What::Agents => Box::new(engine.agents().map(|view| agent(&view))),
            What::Rates => Box::new(engine.rates().map(rate)),
            What::Exceptions => Box::new(engine.exceptions().map(|view| exception(&view))),
        };
        let mut written = 0;
        for line in lines {
            writeln!(out, "{line}")?;
            written += 1;
        }
        let what = args.what.to_possible_value().expect("none is skipped");
        eprintln!("task {task}: {} {} as of epoch {epoch}", HumanCount(written), what.get_name());
        if matches!(args.what, What::Agents | What::Rates) {
            break;
        }
    }
    Ok(out.flush()?)
}

/// Restores a snapshot of a task: the one of an epoch, or the newest that can be.
pub(in crate::cli) fn find(task: u32, shelf: &mut Shelf, epoch: Option<u64>) -> anyhow::Result<(Manifest, Engine)> {
    let bar = bar(task);
    if let Some(epoch) = epoch {
        let manifest = shelf.manifest(epoch)?;
        let (rules, mode) = under(&manifest).map_err(|reason| anyhow!(reason))?;
        let engine = shelf.load(&manifest, rules, mode, &mut moves(&bar))?;
        return Ok((manifest, engine));
    }
    let Search { found, passed_over } = shelf.newest_restorable(&mut |manifest| under(manifest), &mut moves(&bar))?;
    bar.finish_and_clear();
    for (epoch, reason) in passed_over {
        eprintln!("task {task}: epoch {epoch} is passed over: {reason}");
    }
    found.ok_or_else(|| anyhow!("no snapshot of task {task} can be restored"))
}

fn agent(view: &AgentView<'_>) -> Value {
    let record = |read: fn(&Agent) -> Value| view.record.map_or(Value::Null, read);
    json!({
        "agent_id": view.agent_id,
        "capacity": record(|agent| json!(agent.capacity)),
        "name": record(|agent| json!(agent.name)),
        "open_cases": record(|agent| json!(agent.open_cases)),
        "resolved_90d": view.resolved,
        "resolved_well_90d": view.well,
        "share": view.share.to_string(),
        "skills": record(|agent| json!(agent.skills)),
        "state": record(|agent| json!(agent.state.name())),
        "team": record(|agent| json!(agent.team)),
    })
}

fn exception(view: &ExceptionView<'_>) -> Value {
    let cohorts = view.cohorts.iter();
    let cohorts = cohorts.map(|it| json!({ "cases": it.cases, "cohort": it.cohort, "customers": it.customers }));
    json!({
        "as_of": view.as_of.to_string(),
        "cohorts": cohorts.collect::<Vec<_>>(),
        "kind": view.kind,
        "proposed": view.is_proposed,
    })
}

fn rate((base, quote, valid_on, rate): (&str, &str, Date, Decimal)) -> Value {
    json!({ "base": base, "quote": quote, "rate": rate.normalize().to_string(), "valid_on": valid_on.to_string() })
}

/// What is known of an entity, under these keys; `id` is that of its id.
pub(in crate::cli) fn line(id: &str, view: &View<'_>) -> Value {
    let facts: Map<String, Value> = view
        .facts
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_ref().map_or(Value::Null, scalar)))
        .collect();
    let programmes = view.programmes.iter().map(|held| {
        json!({ "name": held.name, "profile": held.profile, "since": held.since.to_string(), "tier": held.tier })
    });
    json!({
        "as_of": view.as_of.to_string(),
        id: view.id,
        "facts": facts,
        "first_purchase": view.first_purchase.map(|time| time.to_string()),
        "labels": view.labels,
        "last_purchase": view.last_purchase.map(|time| time.to_string()),
        "last_seen": view.last_seen.map(|time| time.to_string()),
        "name": view.name,
        "programmes": programmes.collect::<Vec<_>>(),
        "status_seq": view.status_seq,
    })
}

fn scalar(value: &Scalar) -> Value {
    match value {
        Scalar::Bool(flag) => json!(flag),
        Scalar::Int(number) => json!(number),
        Scalar::Decimal(number) => json!(number.normalize().to_string()),
        Scalar::Text(text) => json!(text.as_str()),
        Scalar::Time(time) => json!(time.to_string()),
    }
}
