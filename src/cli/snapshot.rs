//! `vipstream snapshot`: what lies in the store, whether it is whole, what is in it, and what can go. Asks no Kafka.

pub(super) mod export;
mod list;
mod prune;
mod verify;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};

use super::Usage;
use crate::config::{Config, Snapshots};
use crate::engine::TimeMode;
use crate::rules::ruleset::Ruleset;
use crate::snapshot::depot::Depot;
use crate::snapshot::manifest::Manifest;
use crate::snapshot::restore::Terms;
use crate::snapshot::shelf::Shelf;
use crate::yaml;

/// List, verify, export or prune the snapshots that the configuration's store holds
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration of `run`; variables VIPSTREAM_... win over it
    #[arg(long, value_name = "FILE", default_value = "vipstream.yaml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    List(list::Args),
    Verify(verify::Args),
    Export(export::Args),
    Prune(prune::Args),
}

/// Which snapshots.
#[derive(Debug, clap::Args)]
struct Choice {
    /// Of this task only
    #[arg(long, value_name = "N")]
    task: Option<u32>,
    /// Of this epoch only
    #[arg(long, value_name = "E")]
    epoch: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// Wrong configuration ([`Usage`]), a store that does not answer, or a snapshot that is not whole.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let archive = Archive::open(&args.config)?;
    match &args.what {
        What::List(args) => list::run(args, &archive),
        What::Verify(args) => verify::run(args, &archive),
        What::Export(args) => export::run(args, &archive),
        What::Prune(args) => prune::run(args, &archive),
    }
}

/// The snapshots of an app.
pub(super) struct Archive {
    app: String,
    pub(super) tasks: u32,
    snapshots: Snapshots,
    depot: Depot,
}

impl Archive {
    /// Those of a configuration's app.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let config = Config::load(path, std::env::vars()).map_err(|error| Usage(error.to_string()))?;
        let Some(snapshots) = config.snapshots else {
            return Err(Usage(format!("{}: `snapshots: off`, so there are none", path.display())).into());
        };
        let depot = Depot::at(&snapshots.store)?;
        Ok(Self { app: config.app, tasks: config.tasks, snapshots, depot })
    }

    /// Those of each task of which there is anything, or of the one asked for.
    pub(super) fn shelves(&self, task: Option<u32>) -> anyhow::Result<Vec<(u32, Shelf)>> {
        let prefix = format!("{}/", self.app);
        let found = self.depot.handle().list(&self.app)?;
        let tasks: BTreeSet<u32> = found
            .iter()
            .filter_map(|object| object.path.strip_prefix(&prefix)?.split('/').next()?.parse().ok())
            .filter(|found| task.is_none_or(|task| task == *found))
            .collect();
        if tasks.is_empty() {
            let whose = task.map_or(self.app.clone(), |task| format!("task {task} of {}", self.app));
            return Err(anyhow!("{} holds no snapshot of {whose}", self.snapshots.store));
        }
        Ok(tasks.into_iter().map(|task| (task, Shelf::new(self.depot.handle(), &self.app, task))).collect())
    }
}

/// The rules and the time that a snapshot was taken under.
fn under(manifest: &Manifest) -> Result<Terms, String> {
    let rules = Ruleset::parse("the snapshot's rules", &manifest.ruleset_text)
        .map_err(|problems| format!("this build does not read its rules: {}", yaml::list(&problems)))?;
    if rules.hash() != manifest.ruleset {
        return Err(format!("its rules have the hash {}, and it says {}", rules.hash(), manifest.ruleset));
    }
    let mode = if manifest.time == "event" { TimeMode::Event } else { TimeMode::Live };
    Ok((Arc::new(rules), mode))
}

/// How many customers have been read.
fn bar(task: u32) -> ProgressBar {
    let template = "{msg} [{bar:40}] {human_pos}/{human_len} customers, {eta} left";
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template(template).expect("the template is right").progress_chars("=> "));
    bar.with_message(format!("task {task}"))
}

/// Moves it.
fn moves(bar: &ProgressBar) -> impl FnMut(u64, u64) {
    |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    }
}
