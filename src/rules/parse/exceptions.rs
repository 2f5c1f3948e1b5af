//! `exceptions:` when a kind of off-process treatment is so frequent that it is proposed as the norm.

use super::features::window;
use super::{Known, expression};
use crate::rules::ruleset::{ExceptionRule, Label, MAX_EXCEPTIONS, Programme};
use crate::rules::value::Type;
use crate::yaml::{self, Problems, Section};

/// Reads `exceptions:`, where it stands.
pub(super) fn read(
    top: &mut Section<'_>,
    known: Known<'_>,
    labels: &[Label],
    programmes: &[Programme],
    problems: &mut Problems,
) -> Option<ExceptionRule> {
    let mut section = Section::open(top.take("exceptions")?, "exceptions", problems)?;
    let mut scope = known.scope();
    scope.percentiles = None;
    scope.labels = labels.iter().map(|label| label.name.as_str()).collect();
    scope.programmes = programmes.iter().map(|programme| programme.name.as_str()).collect();
    scope.vip = true;
    let cohort = section
        .take("cohort")
        .and_then(|node| expression(node, &section.at("cohort"), &scope, &[Type::Text], problems));
    let candidate = section.take("candidate");
    if candidate.is_none() {
        let help = "write how many cases and customers: `candidate: { cases: 30, customers: 20, over: 30d }`";
        problems.add_with_help(section.line, &section.path, "`candidate` is missing", help);
    }
    let candidate = candidate.and_then(|node| Section::open(node, &section.at("candidate"), problems));
    section.close(problems);
    let mut candidate = candidate?;
    let line = candidate.line_of("customers");
    let cases = count("cases", &mut candidate, problems);
    let customers = count("customers", &mut candidate, problems);
    let (window, window_text) = window(&mut candidate, problems);
    if window_text.is_none() {
        let help = "such as 30d: cases count for so long from their first event";
        problems.add_with_help(candidate.line, &candidate.path, "`over` is missing", help);
    }
    if let (Some(cases), Some(customers)) = (cases, customers)
        && customers > cases
    {
        let what = format!("{cases} cases cannot be of {customers} customers");
        problems.add_with_help(line, &candidate.at("customers"), what, "at most as many as `cases`");
    }
    candidate.close(problems);
    Some(ExceptionRule { cohort, cases: cases?, customers: customers?, window, window_text: window_text? })
}

/// A number of 1 and more, at most as many as are remembered.
fn count(key: &'static str, section: &mut Section<'_>, problems: &mut Problems) -> Option<u32> {
    let Some(node) = section.take(key) else {
        problems.add(section.line, &section.path, format!("`{key}` is missing"));
        return None;
    };
    let path = section.at(key);
    let text = yaml::text(node, &path, problems)?;
    let number = text.parse().ok().filter(|number| (1..=MAX_EXCEPTIONS).contains(number));
    if number.is_none() {
        problems.add(node.line, &path, format!("\"{text}\" is no number from 1 to {MAX_EXCEPTIONS}"));
    }
    number.and_then(|number| u32::try_from(number).ok())
}
