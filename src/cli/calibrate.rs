//! `vipstream calibrate`: priors and constants of the detectors from history.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use super::Usage;
use super::replay::{bar, open, rules};
use super::values::{Input, input, instant};
use crate::calibrate::{Findings, History};
use crate::engine::{Engine, Home, TimeMode};
use crate::model::time::EventTime;
use crate::pivot::Kind;
use crate::pivot::settings::Settings;
use crate::replay::{EPOCH_RECORDS, Plan};

/// Fit the priors of pivots to history.
///
/// Says what would have been found in it.
///
/// The ruleset says how many false alarms there may be (`pivots`), and which priors are in use. Written is a file that it may
/// name as `priors`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The ruleset
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Read events of a kind from this file, one JSON value a line; `-` reads standard input; may be repeated
    #[arg(long = "input", value_name = "KIND=FILE", required = true, value_parser = input)]
    inputs: Vec<Input>,
    /// Leave out what customers did before this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<EventTime>,
    /// End the history at this time; without it, with the last event
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<EventTime>,
    /// What the priors are to be called: every pivot names it
    #[arg(long, value_name = "NAME")]
    version: String,
    /// The file of priors to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Print the findings as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let rules = Arc::new(rules(&args.rules)?);
    let Some(before) = rules.pivot_settings() else {
        let help = "add `pivots: { alert: 1 per 100 customer-years }`";
        return Err(Usage(format!("{}: the ruleset asks for no pivots; {help}", args.rules.display())).into());
    };
    let (inputs, bytes) = open(&args.inputs)?;
    let plan = Plan { rules: Arc::clone(&rules), until: args.until, names: Vec::new(), epoch_records: EPOCH_RECORDS };
    let mut engine = Engine::new(Arc::clone(&rules), rules.name(), TimeMode::Event, Home::ALONE);
    engine.record_observations();
    let (bar, mut history) = (bar(bytes, "reading"), History::default());
    plan.drive(&mut engine, inputs, |engine, _, read| {
        for (customer, at, observation) in engine.take_observations() {
            if args.since.is_none_or(|since| at >= since) {
                history.note(&customer, at.0, observation);
            }
        }
        bar.set_position(read);
    })
    .context("cannot read the input")?;
    bar.finish_and_clear();
    history.end(args.until.map_or(i64::MIN, |until| until.0));
    if history.customers() == 0 {
        return Err(Usage("nobody bought, answered or wrote anything in this history".to_owned()).into());
    }
    let shuffled = history.shuffled();
    let after = history.calibrate(&shuffled, &args.version, before);
    let text = serde_json::to_string_pretty(after.priors()).context("cannot write the priors")?;
    std::fs::write(&args.output, text + "\n").with_context(|| format!("cannot write {}", args.output.display()))?;
    let (found, mut shuffled) = (history.find(&after), shuffled.find(&after));
    // Whoever left is as silent in any order.
    shuffled.kinds.retain(|kind, _| !kind.starts_with(Kind::Silence.name()));
    let out = std::io::stdout().lock();
    if args.json { json(out, &found, &shuffled) } else { print(out, args, &after, &found, &shuffled) }
}

fn json(mut out: impl Write, found: &Findings, shuffled: &Findings) -> anyhow::Result<()> {
    writeln!(out, "{}", serde_json::json!({ "history": found, "shuffled": shuffled }))?;
    Ok(())
}

fn print(
    mut out: impl Write,
    args: &Args,
    after: &Settings,
    found: &Findings,
    shuffled: &Findings,
) -> anyhow::Result<()> {
    writeln!(out, "{} customers, watched for {:.0} years together", found.customers, found.customer_years)?;
    writeln!(
        out,
        "\n{:<24}{:>9}{:>16}{:>9}{:>26}",
        "kind", "alarms", "per 100 years", "ended", "false, per 100 years"
    )?;
    let kinds = found.kinds.keys().chain(shuffled.kinds.keys().filter(|kind| !found.kinds.contains_key(*kind)));
    for kind in kinds {
        let real = found.kinds.get(kind).copied().unwrap_or_default();
        let chance = shuffled.kinds.get(kind).map(|chance| shuffled.rate(chance.alarms));
        let chance = chance.map_or_else(|| String::from("-"), |chance| format!("{chance:.2}"));
        writeln!(out, "{kind:<24}{:>9}{:>16.2}{:>9}{chance:>26}", real.alarms, found.rate(real.alarms), real.ended)?;
    }
    let budget = after.budget().decides();
    writeln!(
        out,
        "\nFalse: found in the same history with each customer's own gaps and values in random order. Asked for: {:.2} of {}.",
        budget.rate * 100.0,
        budget.grade.name()
    )?;
    writeln!(out, "Ended: as before again; of silences, customers who came back.")?;
    writeln!(
        out,
        "\n{} written. Name it in the ruleset: `pivots: {{ priors: {} }}`, beside the ruleset's file.",
        args.output.display(),
        args.output.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    )?;
    Ok(())
}
