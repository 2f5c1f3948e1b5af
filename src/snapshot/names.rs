//! Where a task's snapshots lie in a store.
//!
//! ```text
//! APP/TASK/EPOCH.manifest
//! APP/TASK/EPOCH/BLOCK
//! ```
//!
//! Epochs have 20 digits, so that the order of the names is theirs. A block's name holds its place and the digest of
//! its content: two writers of one epoch overwrite each other's blocks with the same content only.

use std::collections::BTreeMap;

use super::store::Object;

/// The folder of one task.
#[derive(Clone, Debug)]
pub(crate) struct Folder(String);

/// What lies in a task's folder. What it cannot have written itself is left out.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// By epoch: the manifest's size.
    pub(crate) manifests: BTreeMap<u64, u64>,
    /// By epoch: names and sizes of the blocks.
    pub(crate) blocks: BTreeMap<u64, BTreeMap<String, u64>>,
}

impl Folder {
    pub(crate) fn new(app: &str, task: u32) -> Self {
        Self(format!("{app}/{task}"))
    }

    pub(crate) fn path(&self) -> &str {
        &self.0
    }

    pub(crate) fn manifest(&self, epoch: u64) -> String {
        format!("{}/{epoch:020}{MANIFEST}", self.0)
    }

    pub(crate) fn block(&self, epoch: u64, name: &str) -> String {
        format!("{}/{epoch:020}/{name}", self.0)
    }

    /// Sorts what a store lists.
    pub(crate) fn sort(&self, objects: Vec<Object>) -> Contents {
        let mut contents = Contents::default();
        for Object { path, bytes } in objects {
            let Some(name) = path.strip_prefix(&self.0).and_then(|rest| rest.strip_prefix('/')) else { continue };
            if let Some(epoch) = name.strip_suffix(MANIFEST).and_then(epoch) {
                contents.manifests.insert(epoch, bytes);
            } else if let Some((folder, block)) = name.split_once('/')
                && let Some(epoch) = epoch(folder)
                && !block.contains('/')
            {
                contents.blocks.entry(epoch).or_default().insert(block.to_owned(), bytes);
            }
        }
        contents
    }
}

/// The name of a block.
pub(crate) fn block_name(index: usize, digest: u128) -> String {
    format!("{index:06}-{digest:032x}")
}

fn epoch(digits: &str) -> Option<u64> {
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

const MANIFEST: &str = ".manifest";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_found_and_what_is_strange_is_left_alone() {
        let folder = Folder::new("shop", 3);
        let paths = [
            folder.manifest(7),
            folder.block(7, &block_name(0, 5)),
            folder.manifest(u64::MAX),
            "shop/3/notes.txt".to_owned(),
            "shop/3/7.manifest".to_owned(),
            "shop/33/00000000000000000009.manifest".to_owned(),
            "shop/3/00000000000000000007/deeper/block".to_owned(),
            "shop/3/99999999999999999999.manifest".to_owned(),
        ];
        let contents = folder.sort(paths.into_iter().map(|path| Object { path, bytes: 1 }).collect());
        assert_eq!(contents.manifests.keys().copied().collect::<Vec<_>>(), [7, u64::MAX]);
        assert_eq!(contents.blocks[&7].keys().collect::<Vec<_>>(), ["000000-00000000000000000000000000000005"]);
        assert_eq!(contents.blocks.len(), 1);
    }
}
