//! `vipstream customer`: what is known of one customer, and how far each detector is from saying something. Asks no Kafka.

mod table;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Write;
use std::path::PathBuf;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::Usage;
use super::snapshot::{Archive, export};
use crate::engine::export::{Known, Portrait, Waits};
use crate::engine::{Engine, Home};
use crate::model::id::CustomerId;
use crate::model::output::pivot::decimal;
use crate::model::time::EventTime;
use crate::pivot::budget::Grade;
use crate::pivot::view::{End, Open, Score, View};
use crate::pivot::{Direction, Pivot};
use crate::snapshot::manifest::Manifest;

/// Show what is known of one customer, as of the newest snapshot
///
/// What they hold and what they have done; what the detectors of pivots take for usual, how near they are to saying that
/// it has changed, and what stands. Works beside the running service and on a copy of its store.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The customer
    #[arg(value_name = "ID")]
    id: String,
    /// The configuration of `run`; variables VIPSTREAM_... win over it
    #[arg(long, value_name = "FILE", default_value = "vipstream.yaml")]
    config: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Wrong configuration ([`Usage`]), a store that does not answer, no snapshot, or nobody of the id.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let archive = Archive::open(&args.config)?;
    let mut restored: BTreeMap<u32, (Manifest, Engine)> = BTreeMap::new();
    let mut ids = vec![args.id.clone()];
    loop {
        let id = &ids[ids.len() - 1];
        let task = Home { task: 0, tasks: archive.tasks }.of(&CustomerId::from(id.as_str()));
        let (manifest, engine) = match restored.entry(task) {
            Entry::Occupied(restored) => restored.into_mut(),
            Entry::Vacant(missing) => missing.insert(newest(&archive, task)?),
        };
        match engine.portrait(id) {
            Known::Here(portrait) => return show(args.json, &ids, manifest, &portrait),
            Known::MergedInto(survivor) if ids.len() < MOST_IDS => ids.push(survivor.to_owned()),
            Known::MergedInto(_) => {
                return Err(anyhow!(
                    "{} are merged in a circle, or too often: send a profile of one of them that says `merged_into` is null",
                    ids.join(", ")
                ));
            }
            Known::Erased => return Err(anyhow!("{id} was erased: nothing is remembered{}", since(&ids))),
            Known::Nobody => {
                let clock = time(manifest.clock_ms);
                let of = format!("the snapshot of epoch {} of task {task}, whose clock shows {clock}", manifest.epoch);
                return Err(anyhow!("nobody of the id {id} is in {of}{}", since(&ids)));
            }
        }
    }
}

/// The state in which whoever is at home with a task is.
fn newest(archive: &Archive, task: u32) -> anyhow::Result<(Manifest, Engine)> {
    let mut shelves = archive.shelves(Some(task))?;
    let (_, shelf) = shelves.first_mut().ok_or_else(|| anyhow!("no snapshot of task {task}"))?;
    let (manifest, engine) = export::find(task, shelf, None)?;
    if manifest.tasks != archive.tasks {
        let (found, tasks) = (manifest.tasks, archive.tasks);
        return Err(Usage(format!("the snapshots were taken with {found} tasks, `tasks` says {tasks}")).into());
    }
    Ok((manifest, engine))
}

/// Of whom else was asked before.
fn since(ids: &[String]) -> String {
    if ids.len() == 1 { String::new() } else { format!(" (merged: {})", ids.join(" into ")) }
}

fn show(as_json: bool, ids: &[String], manifest: &Manifest, portrait: &Portrait<'_>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", object(ids, manifest, portrait))?;
    } else {
        write!(out, "{}", table::of(ids, manifest, portrait))?;
    }
    Ok(out.flush()?)
}

/// As one JSON object: what `snapshot export` has, and the detectors.
fn object(ids: &[String], manifest: &Manifest, portrait: &Portrait<'_>) -> Value {
    let mut object = export::line("customer_id", &portrait.view);
    object["account_id"] = json!(portrait.account_id);
    object["merged"] = json!(ids[..ids.len() - 1]);
    object["snapshot"] = json!({
        "task": manifest.task,
        "epoch": manifest.epoch,
        "taken": time(manifest.created_ms),
        "clock": time(manifest.clock_ms),
    });
    object["pivots"] = portrait.detectors.as_ref().map_or(Value::Null, |detectors| {
        json!({
            "priors": portrait.rules.pivots.as_ref().map(|rule| &rule.settings.priors().version),
            "detectors": detectors.iter().map(|view| detector(view, portrait)).collect::<Vec<_>>(),
            "waiting_without_end": portrait.waits.iter().filter(|waits| waits.is_over).map(waiting).collect::<Vec<_>>(),
        })
    });
    object
}

fn detector(view: &View, portrait: &Portrait<'_>) -> Value {
    let scores = scores(view).map(|(direction, score)| {
        let (watch, alert) = thresholds(&score, portrait);
        json!({
            "kind": view.channel.kind(direction),
            "evidence": number(score.evidence.max(0.0)),
            "watch": watch.map(number),
            "alert": alert.map(number),
            "since": score.since_ms.map(time),
        })
    });
    json!({
        "channel": view.channel,
        "observations": number(view.observations),
        "usual": number(view.usual),
        "shop": view.shop,
        "spread": view.spread.map(|(low, high)| [number(low), number(high)]),
        "scores": scores.collect::<Vec<_>>(),
        "next": view.timer.map(|(at, kind)| json!({ "at": time(at), "kind": kind })),
        "open": view.open.iter().map(|open| opened(open, portrait)).collect::<Vec<_>>(),
    })
}

fn waiting(waits: &Waits<'_>) -> Value {
    let Pivot { kind, level, since_ms, .. } = *waits.pivot;
    json!({ "kind": kind, "level": level, "since": time(since_ms), "waits_until": waits.until })
}

fn opened(open: &Open, portrait: &Portrait<'_>) -> Value {
    let mut said = json!({
        "kind": open.kind,
        "level": open.level,
        "since": time(open.since_ms),
        "told": portrait.told.contains(open),
    });
    if let Some(waits) = portrait.waits(open) {
        // Null while the population has not calmed down.
        said["waits_until"] = json!(waits.until);
    }
    if let End::Time { to, back, recovers_at, seen, settles_at } = open.end {
        said["to"] = json!(number(to));
        said["back"] = json!(number(back));
        said["recovers_at"] = json!(number(recovers_at));
        said["seen"] = json!(seen);
        said["settles_at"] = json!(settles_at);
    }
    said
}

/// Each direction that is judged now.
fn scores(view: &View) -> impl Iterator<Item = (Direction, Score)> {
    let scores = [(Direction::Up, view.up), (Direction::Down, view.down)];
    scores.into_iter().filter_map(|(direction, score)| Some((direction, score?)))
}

/// What a score has to reach for `watch` and for `alert`.
fn thresholds(score: &Score, portrait: &Portrait<'_>) -> (Option<f64>, Option<f64>) {
    let decides = portrait.rules.pivots.as_ref().map(|rule| rule.settings.budget().decides().grade);
    match decides {
        Some(Grade::Watch) => (Some(score.threshold), None),
        _ => (score.announces, Some(score.threshold)),
    }
}

/// To four places, as `vip.pivots` has it.
fn number(value: f64) -> Option<String> {
    decimal(value, 4).map(|number| number.normalize().to_string())
}

fn time(milliseconds: i64) -> EventTime {
    EventTime(milliseconds.clamp(EventTime::MIN.0, EventTime::MAX.0))
}

/// Effects go no further.
const MOST_IDS: usize = 9;
