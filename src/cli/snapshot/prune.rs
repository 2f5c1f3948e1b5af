//! `vipstream snapshot prune`: what the service would delete after its next snapshot, now or only shown.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use indicatif::HumanBytes;

use super::Archive;
use crate::clock;
use crate::snapshot::names::Contents;
use crate::snapshot::retention::Plan;
use crate::snapshot::shelf::Shelf;
use crate::snapshot::sweep::Sweep;

/// Show what nothing needs any more; delete it with --execute
///
/// The newest restorable snapshots of each task stay, and never fewer than two of them; older and damaged ones go, and
/// what belongs to none. While a task has fewer than two that are restorable, nothing of it goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many restorable ones stay; the configuration says if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100))]
    keep: Option<u32>,
    /// Delete, instead of only showing
    #[arg(long)]
    execute: bool,
}

pub(super) fn run(args: &Args, archive: &Archive) -> anyhow::Result<()> {
    let keep = args.keep.unwrap_or(archive.snapshots.pace.keep);
    let mut out = std::io::stdout().lock();
    let (mut objects, mut bytes) = (0, 0);
    for (task, mut shelf) in archive.shelves(None)? {
        let contents = shelf.contents()?;
        let plan = Plan::of(&mut shelf, &contents, keep)?;
        let stay: Vec<String> = plan.stay.iter().map(|manifest| manifest.epoch.to_string()).collect();
        writeln!(out, "task {task}: {} restorable stay: epochs {}", stay.len(), stay.join(", "))?;
        for (epoch, reason) in &plan.damaged {
            writeln!(out, "task {task}: epoch {epoch} is damaged: {reason}")?;
        }
        let sizes = sizes(&shelf, &contents);
        let verb = if args.execute { "goes" } else { "would go" };
        for path in plan.manifests.iter().chain(&plan.blocks) {
            let size = sizes.get(path).copied().unwrap_or_default();
            writeln!(out, "    {verb}  {path}  {}", HumanBytes(size))?;
            objects += 1;
            bytes += size;
        }
        if args.execute {
            delete(&mut shelf, plan)?;
        }
    }
    let what = if args.execute { "deleted" } else { "would go; --execute deletes them" };
    writeln!(out, "{objects} objects, {}: {what}", HumanBytes(bytes))?;
    Ok(out.flush()?)
}

/// Sizes by path.
fn sizes(shelf: &Shelf, contents: &Contents) -> BTreeMap<String, u64> {
    let manifests = contents.manifests.iter().map(|(epoch, bytes)| (shelf.folder.manifest(*epoch), *bytes));
    let blocks = contents
        .blocks
        .iter()
        .flat_map(|(epoch, blocks)| blocks.iter().map(move |(name, bytes)| (shelf.folder.block(*epoch, name), *bytes)));
    manifests.chain(blocks).collect()
}

/// Manifests first, and waits for the end.
fn delete(shelf: &mut Shelf, plan: Plan) -> anyhow::Result<()> {
    let planned = plan.manifests.len() + plan.blocks.len();
    let mut sweep = Sweep::default();
    sweep.plan(plan.manifests, plan.blocks);
    loop {
        sweep.go_on(&mut *shelf.store);
        while let Some(finished) = shelf.store.finished() {
            sweep.hear(&finished);
        }
        if sweep.is_idle() {
            break;
        }
        clock::sleep(POLL);
    }
    let missed = planned as u64 - sweep.deleted;
    anyhow::ensure!(missed == 0, "{missed} of {planned} objects could not be deleted");
    Ok(())
}

const POLL: Duration = Duration::from_millis(2);
