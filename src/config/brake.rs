//! `dead_letter: { brake: 50% of 1000 }`: stop rather than drain a topic into the dead letters.

use crate::yaml::{Problems, Section};

/// How large a share of the newest records may be dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// Of 100; beyond it, the task stops.
    pub percent: u32,
    /// The newest records looked at.
    pub of: u32,
}

impl Default for Brake {
    fn default() -> Self {
        Self { percent: 50, of: 1_000 }
    }
}

pub(super) fn read(top: &mut Section<'_>, problems: &mut Problems) -> Brake {
    let Some(node) = top.take("dead_letter") else { return Brake::default() };
    let Some(mut section) = Section::open(node, "dead_letter", problems) else { return Brake::default() };
    let mut brake = Brake::default();
    if let Some(text) = section.text("brake", problems) {
        if let Some(parsed) = parse(text) {
            brake = parsed;
        } else {
            let what = format!("\"{text}\" is no brake");
            let help = "write a share and a number of records: \"50% of 1000\"; 100% never stops";
            problems.add_with_help(section.line, "dead_letter.brake", what, help);
        }
    }
    section.close(problems);
    brake
}

fn parse(text: &str) -> Option<Brake> {
    let (percent, of) = text.split_once("% of ")?;
    let brake = Brake { percent: percent.trim().parse().ok()?, of: of.trim().parse().ok()? };
    (brake.percent <= 100 && (1..=MAX_RECORDS).contains(&brake.of)).then_some(brake)
}

const MAX_RECORDS: u32 = 1_000_000;
