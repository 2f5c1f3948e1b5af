//! Writes one JSONL file a kind.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Sink;
use crate::model::event::Kind;

/// A folder of `KIND.jsonl` files. A file is written anew.
pub(super) struct Folder(BTreeMap<Kind, (PathBuf, BufWriter<File>)>);

impl Folder {
    /// Makes the folder where it is missing, and an empty file for each kind.
    ///
    /// # Errors
    /// What cannot be created, and why.
    pub(super) fn create(folder: &Path, kinds: &[Kind]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot create the folder", folder.display()))?;
        let mut files = BTreeMap::new();
        for kind in kinds {
            let path = folder.join(format!("{}.jsonl", kind.name()));
            let file = File::create(&path).with_context(|| format!("{}: cannot write", path.display()))?;
            files.insert(*kind, (path, BufWriter::new(file)));
        }
        Ok(Self(files))
    }
}

impl Sink for Folder {
    fn write(&mut self, kind: Kind, _key: Option<&[u8]>, value: &[u8]) -> anyhow::Result<()> {
        let (path, file) = self.0.get_mut(&kind).expect("a file was made for each kind that comes");
        file.write_all(value)
            .and_then(|()| file.write_all(b"\n"))
            .with_context(|| format!("{}: cannot write", path.display()))
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        for (path, file) in self.0.values_mut() {
            file.flush().with_context(|| format!("{}: cannot write", path.display()))?;
        }
        Ok(())
    }
}
