//! `vipstream calibrate`: priors and constants of the detectors from history.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::Usage;
use super::past::{Past, bar};
use super::values::instant;
use crate::calibrate::constants::{Bound, Fit};
use crate::calibrate::timelines::{Timeline, page};
use crate::calibrate::{Findings, History};
use crate::engine::{Engine, Home, TimeMode};
use crate::model::time::EventTime;
use crate::pivot::settings::Settings;
use crate::pivot::{Channel, Kind};
use crate::replay::{EPOCH_RECORDS, Plan};

/// Fit the priors of pivots to history.
///
/// Says what would have been found in it.
///
/// The ruleset says how many false alarms there may be (`pivots`), and which priors are in use. Written is a file that it may
/// name as `priors`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    past: Past,
    /// Leave out what customers did before this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<EventTime>,
    /// What the priors are to be called: every pivot names it
    #[arg(long, value_name = "NAME")]
    version: String,
    /// The file of priors to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Draw customers in whom something is found into this folder: one SVG file each, and index.html
    #[arg(long, value_name = "DIR")]
    timelines: Option<PathBuf>,
    /// How many customers to draw
    #[arg(long, value_name = "N", default_value_t = 10, requires = "timelines")]
    timeline_count: usize,
    /// Print the findings as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let rules = Arc::new(args.past.rules()?);
    let Some(before) = rules.pivot_settings() else {
        let help = "add `pivots: { alert: 1 per 100 customer-years }`";
        return Err(Usage(format!("{}: the ruleset asks for no pivots; {help}", args.past.file.display())).into());
    };
    let (inputs, bytes) = args.past.open()?;
    let until = args.past.until;
    let plan = Plan { rules: Arc::clone(&rules), until, names: Vec::new(), epoch_records: EPOCH_RECORDS };
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
    history.end(until.map_or(i64::MIN, |until| until.0));
    if history.customers() == 0 {
        return Err(Usage(
            "nobody bought, answered, wrote or engaged in this history: look at --input, and at --since and --until"
                .to_owned(),
        )
        .into());
    }
    let shuffled = history.shuffled();
    let fit = history.calibrate(&shuffled, &args.version, before);
    let text = serde_json::to_string_pretty(fit.settings.priors()).context("cannot write the priors")?;
    std::fs::write(&args.output, text + "\n").with_context(|| format!("cannot write {}", args.output.display()))?;
    if let Some(folder) = &args.timelines {
        draw(folder, &history.timelines(&fit.settings, args.timeline_count), &rules.currency)
            .with_context(|| format!("cannot write timelines into {}", folder.display()))?;
    }
    let (found, mut shuffled) = (history.find(&fit.settings), shuffled.find(&fit.settings));
    // Whoever left is as silent in any order.
    shuffled.kinds.retain(|kind, _| !kind.starts_with(Kind::Silence.name()));
    let out = std::io::stdout().lock();
    if args.json {
        json(out, &found, &shuffled, &fit)
    } else {
        let mut out = out;
        print_findings(&mut out, &fit.settings, &found, &shuffled)?;
        print_fit(&mut out, before, &fit)?;
        print_files(&mut out, args)
    }
}

/// Numbered files: an id may hold what a file's name may not.
fn draw(folder: &Path, timelines: &[Timeline<'_>], currency: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut pictures = Vec::new();
    for (at, timeline) in timelines.iter().enumerate() {
        let file = format!("{:02}.svg", at + 1);
        std::fs::write(folder.join(&file), timeline.svg(currency))?;
        pictures.push((file, timeline.title()));
    }
    std::fs::write(folder.join("index.html"), page("Customers whose behaviour changed", &pictures))
}

fn json(mut out: impl Write, found: &Findings, shuffled: &Findings, fit: &Fit) -> anyhow::Result<()> {
    let Fit { kept, constants, .. } = fit;
    let said =
        serde_json::json!({ "history": found, "shuffled": shuffled, "priors_kept": kept, "constants": constants });
    writeln!(out, "{said}")?;
    Ok(())
}

fn print_findings(out: &mut impl Write, after: &Settings, found: &Findings, shuffled: &Findings) -> anyhow::Result<()> {
    writeln!(out, "{} customers, watched for {:.0} years together", found.customers, found.customer_years)?;
    let has_watches = after.budget().announces().is_some();
    let watches = |of: String| if has_watches { format!("{of:>9}") } else { String::new() };
    writeln!(
        out,
        "\n{:<24}{}{:>9}{:>16}{:>9}{:>26}",
        "kind",
        watches("watches".to_owned()),
        "alarms",
        "per 100 years",
        "ended",
        "false, per 100 years"
    )?;
    let kinds = found.kinds.keys().chain(shuffled.kinds.keys().filter(|kind| !found.kinds.contains_key(*kind)));
    for kind in kinds {
        let real = found.kinds.get(kind).copied().unwrap_or_default();
        let chance = shuffled.kinds.get(kind).map(|chance| shuffled.rate(chance.alarms));
        let chance = chance.map_or_else(|| String::from("-"), |chance| format!("{chance:.2}"));
        writeln!(
            out,
            "{kind:<24}{}{:>9}{:>16.2}{:>9}{chance:>26}",
            watches(real.watches.to_string()),
            real.alarms,
            found.rate(real.alarms),
            real.ended
        )?;
    }
    let budget = after.budget().decides();
    writeln!(
        out,
        "\nFalse: found in the same history with each customer's own gaps and values in random order. Asked for: {:.2} of {}.",
        budget.rate * 100.0,
        budget.grade.name()
    )?;
    if has_watches {
        writeln!(
            out,
            "Alarms are those of {}; watches are told before them, or come to nothing.",
            budget.grade.name()
        )?;
    }
    writeln!(out, "Ended: as before again; of silences, customers who came back.")?;
    Ok(())
}

/// Says what the history could not tell.
fn print_fit(out: &mut impl Write, before: &Settings, fit: &Fit) -> anyhow::Result<()> {
    let names = |channels: &[Channel]| channels.iter().map(|channel| channel.name()).collect::<Vec<_>>().join(", ");
    let version = &before.priors().version;
    if !fit.kept.is_empty() {
        writeln!(out, "\nToo little history of {}: their priors stay those of {version}.", names(&fit.kept))?;
    }
    let is_fitted = |channel: &Channel| fit.constants.iter().any(|constant| constant.channel == *channel);
    let other: Vec<Channel> =
        Channel::ALL.into_iter().filter(|channel| !is_fitted(channel) && !fit.kept.contains(channel)).collect();
    if !other.is_empty() {
        writeln!(out, "Too few false alarms to count for {}: `c` stays that of {version}.", names(&other))?;
    }
    for constant in &fit.constants {
        let (channel, c) = (constant.channel, constant.c);
        match constant.bound {
            Some(Bound::Least) => {
                writeln!(out, "{channel}: more false alarms come than are allowed, even with the least `c` ({c:.2}).")?;
            }
            Some(Bound::Most) => {
                writeln!(
                    out,
                    "{channel}: fewer false alarms come than are allowed; a `c` above {c:.2} would ask for next to no evidence."
                )?;
            }
            None => {}
        }
    }
    Ok(())
}

fn print_files(out: &mut impl Write, args: &Args) -> anyhow::Result<()> {
    writeln!(
        out,
        "\n{} written. Name it in the ruleset: `pivots: {{ priors: {} }}`, beside the ruleset's file.",
        args.output.display(),
        args.output.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    )?;
    if let Some(folder) = &args.timelines {
        writeln!(out, "{} shows customers.", folder.join("index.html").display())?;
    }
    Ok(())
}
