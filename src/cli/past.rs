//! History in files, and the rules that it goes through: what `replay` and `calibrate` read.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::values::{Input, input, instant};
use super::{Usage, source};
use crate::model::event::Kind;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::yaml;

/// What both commands ask for.
#[derive(Debug, clap::Args)]
pub(super) struct Past {
    /// The ruleset
    #[arg(long = "rules", value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Read events of a kind from this file, one JSON value a line; `-` reads standard input; may be repeated
    #[arg(long = "input", value_name = "KIND=FILE", required = true, value_parser = input)]
    pub(super) inputs: Vec<Input>,
    /// Fire deadlines up to this time, and read nothing after it; without it time ends at the last event
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(super) until: Option<EventTime>,
}

pub(super) type Opened = Vec<(Kind, Box<dyn BufRead>)>;

impl Past {
    /// Reads the ruleset; its problems are wrong configuration.
    pub(super) fn rules(&self) -> anyhow::Result<Ruleset> {
        let text = source::read(&self.file).map_err(|error| Usage(error.to_string()))?;
        Ruleset::parse(&self.file.display().to_string(), &text).map_err(|problems| Usage(yaml::list(&problems)).into())
    }

    /// Opens the inputs; their size together where it is known.
    pub(super) fn open(&self) -> anyhow::Result<(Opened, Option<u64>)> {
        if self.inputs.iter().filter(|(_, path)| is_stdin(path)).count() > 1 {
            return Err(Usage("standard input (`-`) can be read once only".to_owned()).into());
        }
        let mut bytes = Some(0);
        let mut opened: Opened = Vec::new();
        for (kind, path) in &self.inputs {
            if is_stdin(path) {
                bytes = None;
                opened.push((*kind, Box::new(BufReader::new(std::io::stdin()))));
                continue;
            }
            let file = File::open(path).map_err(|error| Usage(format!("cannot read {}: {error}", path.display())))?;
            bytes = bytes.zip(file.metadata().ok()).map(|(bytes, metadata)| bytes + metadata.len());
            opened.push((*kind, Box::new(BufReader::with_capacity(1 << 16, file))));
        }
        Ok((opened, bytes))
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Shows how far reading is.
pub(super) fn bar(bytes: Option<u64>, doing: &'static str) -> ProgressBar {
    let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = "{msg} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
    if bytes.is_some() {
        bar.set_style(ProgressStyle::with_template(template).expect("the template is right").progress_chars("=> "));
    }
    bar.with_message(doing)
}
