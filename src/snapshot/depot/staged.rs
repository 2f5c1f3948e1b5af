//! What a process leaves in a folder that dies while it writes: files are written under a name of their own (`NAME#1`)
//! and then renamed. Nobody lists them, so nobody would delete them, and they hold customers.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::clock;

/// Deletes those below a folder that nobody can be writing any more. What cannot be deleted now is left for the next
/// time.
pub(super) fn clear(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else { continue };
        let written =
            metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let now = Duration::from_millis(u64::try_from(clock::wall().0).unwrap_or_default());
        if metadata.is_dir() {
            clear(&path);
        } else if is_staged(&path) && now.saturating_sub(written) > OLD {
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn is_staged(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.rsplit_once('#').is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

/// A write ends within two minutes.
const OLD: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_and_unfinished_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("below")).unwrap();
        for name in ["block", "block#1", "below/block#22", "below/new#1", "odd#name"] {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            if !name.contains("new") {
                file.set_modified(UNIX_EPOCH + Duration::from_hours(1)).unwrap();
            }
        }
        clear(folder.path());
        let is_there = |name: &&str| folder.path().join(name).exists();
        let left: Vec<&str> =
            ["block", "block#1", "below/block#22", "below/new#1", "odd#name"].into_iter().filter(is_there).collect();
        assert_eq!(left, ["block", "below/new#1", "odd#name"]);
    }
}
