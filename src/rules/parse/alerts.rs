//! `alerts:` what an agent should act on at once.

use super::programmes::{greeting, routing};
use super::{Known, expression, named, never, pivots};
use crate::model::event::Kind;
use crate::pivot::{self, budget::Grade};
use crate::rules::pivots::{PivotRule, bit};
use crate::rules::ruleset::{AlertRule, Label, MAX_ALERTS, On, Programme};
use crate::rules::value::Type;
use crate::yaml::{self, Node, Problems, Section, suggest};

/// Reads `alerts:` in file order.
pub(super) fn read(
    top: &mut Section<'_>,
    known: Known<'_>,
    pivots: Option<&PivotRule>,
    labels: &[Label],
    programmes: &[Programme],
    problems: &mut Problems,
) -> Vec<AlertRule> {
    let mut scope = known.scope();
    scope.labels = labels.iter().map(|label| label.name.as_str()).collect();
    scope.programmes = programmes.iter().map(|programme| programme.name.as_str()).collect();
    scope.vip = true;
    let mut alerts = Vec::new();
    for (name, node) in named(top, "alerts", MAX_ALERTS, problems) {
        let path = format!("alerts.{name}");
        let Some(mut section) = Section::open(node, &path, problems) else { continue };
        let on = on(&mut section, (known.pivots, pivots), problems);
        scope.event = match on {
            Some(On::Event(kind)) => Some(kind),
            _ => None,
        };
        let kind = kind(name, node, on, &mut section, problems);
        let when =
            section.take("when").map(|node| expression(node, &section.at("when"), &scope, &[Type::Bool], problems));
        if when.is_none() {
            problems.add_with_help(
                section.line,
                &path,
                "`when` is missing",
                "write `when: \"true\"` to alert on every event",
            );
        }
        let severity = section
            .take("severity")
            .and_then(|node| expression(node, &section.at("severity"), &scope, &[Type::Text], problems));
        let due = section.span("due", problems);
        let once_per_visit = once_per(&mut section, on, problems);
        let routing = section.take("routing").and_then(|node| routing(node, &section.at("routing"), problems));
        let greeting = greeting(&mut section, problems);
        section.close(problems);
        alerts.push(AlertRule {
            name: name.into(),
            kind,
            on: on.unwrap_or(On::Event(Kind::Mention)),
            when: when.flatten().unwrap_or_else(never),
            severity,
            due,
            once_per_visit,
            routing,
            greeting,
        });
    }
    alerts
}

fn on(
    section: &mut Section<'_>,
    (told, rule): (Option<u16>, Option<&PivotRule>),
    problems: &mut Problems,
) -> Option<On> {
    let Some(node) = section.take("on") else {
        let help = "name the kind of event, `on: mention`, or `on: pivot`";
        problems.add_with_help(section.line, &section.path, "`on` is missing", help);
        return None;
    };
    let path = section.at("on");
    let text = yaml::text(node, &path, problems)?;
    if text == PIVOT {
        if told.is_none() {
            let help = "add `pivots: { alert: 0.5 per 100 customer-years }`";
            problems.add_with_help(node.line, &path, "nobody looks for pivots", help);
        }
        return Some(on_pivot(section, (told.unwrap_or(pivots::EVERY), rule), problems));
    }
    let kinds = || Kind::ALL.into_iter().filter(|kind| kind.is_activity()).map(Kind::name).chain([PIVOT]);
    let kind = Kind::from_name(text).filter(|kind| kind.is_activity());
    if kind.is_none() {
        let near = suggest(text, kinds()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = format!("{near}known: {}", kinds().collect::<Vec<_>>().join(", "));
        problems.add_with_help(node.line, &path, format!("`{text}` is no kind of event"), help);
    }
    kind.map(On::Event)
}

/// Which pivots it is raised on: all that are told, where nothing else is said.
fn on_pivot(section: &mut Section<'_>, (told, rule): (u16, Option<&PivotRule>), problems: &mut Problems) -> On {
    let (line_of_kinds, path) = (section.line_of("kinds"), section.at("kinds"));
    let kinds = section.take("kinds").map_or(told, |node| pivots::kinds(node, &path, problems));
    for kind in pivot::Kind::ALL.into_iter().filter(|kind| kinds & !told & bit(*kind) != 0) {
        let help = format!("add `{kind}` to `pivots.kinds`");
        problems.add_with_help(line_of_kinds, &path, format!("`{kind}` is never told"), help);
    }
    let (line, path) = (section.line_of("level"), section.at("level"));
    let least = match section.text("level", problems) {
        None | Some("watch") => Grade::Watch,
        Some("alert") => Grade::Alert,
        Some(other) => {
            problems.add_with_help(line, &path, format!("`{other}` is no level"), "write `level: alert`");
            Grade::Alert
        }
    };
    if rule.is_some_and(|rule| least > rule.settings.budget().decides().grade) {
        let help = "give `pivots` an `alert`, or leave `level` out";
        problems.add_with_help(line, &path, "nothing is told at this level", help);
    }
    On::Pivot { kinds, least }
}

fn kind(name: &str, node: &Node, on: Option<On>, section: &mut Section<'_>, problems: &mut Problems) -> &'static str {
    let given = section.take("kind");
    if matches!(on, Some(On::Pivot { .. })) {
        // What is raised on one is of no other kind.
        if let Some(node) = given.filter(|node| yaml::text(node, &section.at("kind"), problems) != Some(PIVOT)) {
            problems.add_with_help(node.line, &section.at("kind"), "is no kind of alert on a pivot", "leave it out");
        }
        return PIVOT;
    }
    let (line, path, text) = match given {
        Some(node) => {
            (node.line, section.at("kind"), yaml::text(node, &section.at("kind"), problems).unwrap_or_default())
        }
        None => (node.line, section.path.clone(), name),
    };
    if let Some(known) = KINDS.iter().find(|known| **known == text) {
        return known;
    }
    let what = if given.is_some() {
        format!("`{text}` is no kind of alert")
    } else {
        format!("`{text}` is no kind of alert; say which with `kind:`")
    };
    problems.add_with_help(line, &path, what, format!("known: {}", KINDS.join(", ")));
    KINDS[0]
}

const PIVOT: &str = "pivot";

/// The closed list of the contract, but for [`PIVOT`], which follows from what an alert is raised on.
const KINDS: [&str; 7] = [
    "vip_online",
    "unhappy_customer_online",
    "target_account_online",
    "partner_online",
    "public_complaint",
    "sla_breach",
    "escalation",
];

fn once_per(section: &mut Section<'_>, on: Option<On>, problems: &mut Problems) -> bool {
    let Some(node) = section.take("once_per") else { return false };
    let path = section.at("once_per");
    match yaml::text(node, &path, problems) {
        Some("visit") if on == Some(On::Event(Kind::Presence)) => return true,
        Some("visit") => problems.add(node.line, &path, "only alerts on presence know visits"),
        Some(other) => {
            problems.add_with_help(node.line, &path, format!("`{other}` is not known"), "write `once_per: visit`");
        }
        None => {}
    }
    false
}
