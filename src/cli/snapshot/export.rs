//! `vipstream snapshot export`: customers as JSON lines. Every line has the same keys, in the same order.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use indicatif::HumanCount;
use serde_json::{Map, Value, json};

use super::{Archive, Choice, bar, moves, under};
use crate::cli::Usage;
use crate::engine::Engine;
use crate::engine::export::View;
use crate::model::output::Scalar;
use crate::snapshot::restore::Search;
use crate::snapshot::shelf::Shelf;

/// Write the customers of the newest snapshots as JSON lines
///
/// Of each task the newest that can be restored; `--task` and `--epoch` choose another. Facts are as of `as_of`, the
/// customer's newest event or deadline. Decimals are strings, so that no reader rounds them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Write into this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
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
        let (epoch, engine) = find(task, &mut shelf, args.choice.epoch)?;
        let mut customers = 0;
        for view in engine.views() {
            writeln!(out, "{}", line(&view))?;
            customers += 1;
        }
        eprintln!("task {task}: {} customers as of epoch {epoch}", HumanCount(customers));
    }
    Ok(out.flush()?)
}

fn find(task: u32, shelf: &mut Shelf, epoch: Option<u64>) -> anyhow::Result<(u64, Engine)> {
    let bar = bar(task);
    if let Some(epoch) = epoch {
        let manifest = shelf.manifest(epoch)?;
        let (rules, mode) = under(&manifest).map_err(|reason| anyhow!(reason))?;
        return Ok((epoch, shelf.load(&manifest, rules, mode, &mut moves(&bar))?));
    }
    let Search { found, passed_over } = shelf.newest_restorable(&mut |manifest| under(manifest), &mut moves(&bar))?;
    bar.finish_and_clear();
    for (epoch, reason) in passed_over {
        eprintln!("task {task}: epoch {epoch} is passed over: {reason}");
    }
    let (manifest, engine) = found.ok_or_else(|| anyhow!("no snapshot of task {task} can be restored"))?;
    Ok((manifest.epoch, engine))
}

fn line(view: &View<'_>) -> Value {
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
        "customer_id": view.customer_id,
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
