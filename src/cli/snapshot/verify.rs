//! `vipstream snapshot verify`: what `list` only looks at is read whole, as a restart would.

use std::io::Write;

use anyhow::anyhow;
use indicatif::HumanCount;

use super::{Archive, Choice, bar, moves, under};
use crate::snapshot::SnapshotError;
use crate::snapshot::shelf::Shelf;

/// Read every object and compare all digests, as a restart would
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
}

pub(super) fn run(args: &Args, archive: &Archive) -> anyhow::Result<()> {
    let Choice { task, epoch } = args.choice;
    let (mut read, mut bad) = (0, 0);
    for (task, mut shelf) in archive.shelves(task)? {
        let epochs = shelf.contents()?.manifests.into_keys().rev();
        for epoch in epochs.filter(|found| epoch.is_none_or(|epoch| epoch == *found)).collect::<Vec<_>>() {
            read += 1;
            let said = match whole(task, &mut shelf, epoch)? {
                Ok(customers) => format!("ok   task {task} epoch {epoch}: {} customers", HumanCount(customers)),
                Err(reason) => {
                    bad += 1;
                    format!("bad  task {task} epoch {epoch}: {reason}")
                }
            };
            writeln!(std::io::stdout(), "{said}")?;
        }
    }
    match (read, bad) {
        (0, _) => Err(anyhow!("{} holds no such snapshot", archive.snapshots.store)),
        (_, 0) => Ok(()),
        (read, bad) => Err(anyhow!("{bad} of {read} snapshots cannot be restored")),
    }
}

/// Restores a snapshot; the inner error says why it cannot be.
fn whole(task: u32, shelf: &mut Shelf, epoch: u64) -> anyhow::Result<Result<u64, String>> {
    let bar = bar(task);
    let found = shelf.manifest(epoch).and_then(|manifest| {
        let (rules, mode) = under(&manifest).map_err(|reason| {
            let path = shelf.folder.manifest(epoch);
            SnapshotError::Corrupt { path, reason }
        })?;
        shelf.load(&manifest, rules, mode, &mut moves(&bar)).map(|_| manifest.customers)
    });
    bar.finish_and_clear();
    match found {
        Ok(customers) => Ok(Ok(customers)),
        Err(SnapshotError::Store(error)) => Err(error.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}
