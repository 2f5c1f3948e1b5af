//! `vipstream snapshot list`.

use std::io::Write;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, HumanDuration};
use serde_json::{Value, json};

use super::Archive;
use crate::clock;
use crate::model::time::EventTime;
use crate::snapshot::manifest::Manifest;
use crate::snapshot::names::Contents;
use crate::snapshot::{SnapshotError, shelf::Shelf};

/// Show each task's snapshots: when, how large, and whether every object is there
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of this task only
    #[arg(long, value_name = "N")]
    task: Option<u32>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// A line of the table.
struct Row {
    task: u32,
    epoch: u64,
    manifest: Option<Manifest>,
    /// As stored, manifest included.
    stored: u64,
    /// What is wrong.
    wrong: Option<String>,
}

pub(super) fn run(args: &Args, archive: &Archive) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (task, mut shelf) in archive.shelves(args.task)? {
        let contents = shelf.contents()?;
        for epoch in contents.manifests.keys().rev() {
            rows.push(row(task, *epoch, &mut shelf, &contents)?);
        }
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let snapshots: Vec<Value> = rows.iter().map(object).collect();
        writeln!(out, "{}", json!({ "store": archive.snapshots.store.to_string(), "snapshots": snapshots }))?;
    } else {
        write!(out, "{}", table(&rows))?;
    }
    Ok(out.flush()?)
}

fn row(task: u32, epoch: u64, shelf: &mut Shelf, contents: &Contents) -> anyhow::Result<Row> {
    let blocks: u64 = contents.blocks.get(&epoch).into_iter().flat_map(|blocks| blocks.values()).sum();
    let stored = contents.manifests[&epoch] + blocks;
    Ok(match shelf.manifest(epoch) {
        Ok(manifest) => {
            let wrong = contents.missing(&manifest);
            Row { task, epoch, manifest: Some(manifest), stored, wrong }
        }
        Err(SnapshotError::Store(error)) => return Err(error.into()),
        Err(error) => Row { task, epoch, manifest: None, stored, wrong: Some(error.to_string()) },
    })
}

fn raw(manifest: &Manifest) -> u64 {
    manifest.blocks.iter().map(|block| block.bytes).sum()
}

fn time(milliseconds: i64) -> EventTime {
    EventTime(milliseconds.clamp(EventTime::MIN.0, EventTime::MAX.0))
}

fn table(rows: &[Row]) -> String {
    let head = ["TASK", "EPOCH", "TAKEN", "AGE", "CUSTOMERS", "STORED", "RAW", "CLOCK", "STATE"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let state = row.wrong.clone().unwrap_or_else(|| "restorable".to_owned());
        let [taken, age, customers, raw, clock] = row.manifest.as_ref().map_or_else(
            || ["?"; 5].map(str::to_owned),
            |manifest| {
                let age = Duration::from_millis(age(manifest) / 1_000 * 1_000);
                [
                    time(manifest.created_ms).to_string(),
                    format!("{:#}", HumanDuration(age)),
                    HumanCount(manifest.customers).to_string(),
                    HumanBytes(raw(manifest)).to_string(),
                    time(manifest.clock_ms).to_string(),
                ]
            },
        );
        let stored = HumanBytes(row.stored).to_string();
        [row.task.to_string(), row.epoch.to_string(), taken, age, customers, stored, raw, clock, state]
    });
    let lines: Vec<[String; 9]> = std::iter::once(head).chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..8).map(width).collect();
    let text = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        format!("{}{}\n", cells.collect::<String>(), line[8])
    });
    text.collect()
}

fn age(manifest: &Manifest) -> u64 {
    u64::try_from(clock::wall().0.saturating_sub(manifest.created_ms)).unwrap_or_default()
}

fn object(row: &Row) -> Value {
    let manifest = row.manifest.as_ref();
    json!({
        "task": row.task,
        "epoch": row.epoch,
        "taken": manifest.map(|manifest| time(manifest.created_ms).to_string()),
        "age_s": manifest.map(|manifest| age(manifest) / 1_000),
        "customers": manifest.map(|manifest| manifest.customers),
        "blocks": manifest.map(|manifest| manifest.blocks.len()),
        "stored_bytes": row.stored,
        "raw_bytes": manifest.map(raw),
        "clock": manifest.map(|manifest| time(manifest.clock_ms).to_string()),
        "ruleset": manifest.map(|manifest| manifest.ruleset.as_str()),
        "restorable": row.wrong.is_none(),
        "problem": row.wrong,
    })
}
