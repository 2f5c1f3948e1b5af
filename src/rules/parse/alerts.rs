//! `alerts:` what an agent should act on at once.

use super::programmes::{greeting, routing};
use super::{Known, expression, named, never};
use crate::model::event::Kind;
use crate::rules::ruleset::{AlertRule, Label, MAX_ALERTS, Programme};
use crate::rules::value::Type;
use crate::yaml::{self, Node, Problems, Section, suggest};

/// Reads `alerts:` in file order.
pub(super) fn read(
    top: &mut Section<'_>,
    known: Known<'_>,
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
        let on = on(&mut section, problems);
        scope.event = on;
        let kind = kind(name, node, &mut section, problems);
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
            on: on.unwrap_or(Kind::Mention),
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

fn on(section: &mut Section<'_>, problems: &mut Problems) -> Option<Kind> {
    let Some(node) = section.take("on") else {
        problems.add_with_help(section.line, &section.path, "`on` is missing", "name the kind of event: `on: mention`");
        return None;
    };
    let path = section.at("on");
    let text = yaml::text(node, &path, problems)?;
    let kinds = || Kind::ALL.into_iter().filter(|kind| kind.is_activity()).map(Kind::name);
    let kind = Kind::from_name(text).filter(|kind| kind.is_activity());
    if kind.is_none() {
        let near = suggest(text, kinds()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = format!("{near}known: {}", kinds().collect::<Vec<_>>().join(", "));
        problems.add_with_help(node.line, &path, format!("`{text}` is no kind of event"), help);
    }
    kind
}

fn kind(name: &str, node: &Node, section: &mut Section<'_>, problems: &mut Problems) -> &'static str {
    let given = section.take("kind");
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

/// The closed list of the contract, but for those whose cause this version does not read.
const KINDS: [&str; 7] = [
    "vip_online",
    "unhappy_customer_online",
    "target_account_online",
    "partner_online",
    "public_complaint",
    "sla_breach",
    "escalation",
];

fn once_per(section: &mut Section<'_>, on: Option<Kind>, problems: &mut Problems) -> bool {
    let Some(node) = section.take("once_per") else { return false };
    let path = section.at("once_per");
    match yaml::text(node, &path, problems) {
        Some("visit") if on == Some(Kind::Presence) => return true,
        Some("visit") => problems.add(node.line, &path, "only alerts on presence know visits"),
        Some(other) => {
            problems.add_with_help(node.line, &path, format!("`{other}` is not known"), "write `once_per: visit`");
        }
        None => {}
    }
    false
}
