//! `pivots.population:` what becomes of pivots while far more customers turn at once than usual.

use std::time::Duration;

use crate::pivot::population::Population;
use crate::yaml::{self, Node, Problems, Section};

/// Reads it; what is not said is as [`OVER`], [`TIMES`] and [`LEAST`] have it.
pub(super) fn read(node: &Node, path: &str, problems: &mut Problems) -> Option<Population> {
    let mut section = Section::open(node, path, problems)?;
    let pivots = section.text("pivots", problems);
    let holds = match pivots {
        Some("hold") => Some(true),
        Some("mark") => Some(false),
        _ => {
            let what = pivots.map_or_else(|| "is missing".to_owned(), |word| format!("`{word}` is neither"));
            let help =
                "`hold` tells of each customer once it is over, if it still holds then; `mark` at once, with its id";
            problems.add_with_help(section.line, &section.at("pivots"), what, help);
            None
        }
    };
    let (line, at) = (section.line_of("over"), section.at("over"));
    let over = section.span("over", problems).unwrap_or(OVER);
    if !(Duration::from_hours(1)..=MOST_OVER).contains(&over) {
        problems.add_with_help(line, &at, format!("{over:?} is not from `1h` to `30d`"), "`1d` suits most");
    }
    let at = section.at("times");
    let times = section.take("times").map_or(Some(TIMES), |node| {
        let text = yaml::text(node, &at, problems)?;
        let times = text.parse().ok().filter(|times| (0.0..=MOST_TIMES).contains(times));
        if times.is_none() {
            let help = "so many times the budget's false alarms are nothing special: true ones come on top";
            problems.add_with_help(node.line, &at, format!("`{text}` is no number from 0 to {MOST_TIMES}"), help);
        }
        times
    });
    let at = section.at("least");
    let least = section.take("least").map_or(Some(LEAST), |node| {
        let text = yaml::text(node, &at, problems)?;
        let least = text.parse().ok().filter(|least| *least > 0);
        if least.is_none() {
            problems.add_with_help(
                node.line,
                &at,
                format!("`{text}` is no whole number above 0"),
                "such as `least: 10`",
            );
        }
        least
    });
    section.close(problems);
    Some(Population { holds: holds?, over, times: times?, least: least? })
}

const OVER: Duration = Duration::from_hours(24);
const MOST_OVER: Duration = Duration::from_hours(24 * 30);
const TIMES: f64 = 5.0;
const MOST_TIMES: f64 = 1_000.0;
const LEAST: u32 = 10;
