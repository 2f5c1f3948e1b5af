//! `programmes:` reasons to be a VIP.

use compact_str::CompactString;

use super::{Known, budgets, expression, named, never, words};
use crate::rules::fact::Scope;
use crate::rules::program::Program;
use crate::rules::ruleset::{Choice, Label, MAX_PROGRAMMES, MAX_TIERS, Programme, RoutingRule};
use crate::rules::value::Type;
use crate::yaml::{self, Node, Problems, Section, suggest};

/// Reads `programmes:` in file order, which is their precedence.
pub(super) fn read(
    top: &mut Section<'_>,
    known: Known<'_>,
    labels: &[Label],
    problems: &mut Problems,
) -> Vec<Programme> {
    let entries = named(top, "programmes", MAX_PROGRAMMES, problems);
    let names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
    let mut programmes: Vec<Programme> = Vec::new();
    for (index, (name, node)) in entries.iter().enumerate() {
        let mut scope = known.scope();
        scope.labels = labels.iter().map(|label| label.name.as_str()).collect();
        scope.programmes = names[..index].to_vec();
        scope.later = names[index..].to_vec();
        let above = names.iter().zip(&programmes);
        scope.of_customers = above.filter(|(_, above)| !above.of_account).map(|(name, _)| *name).collect();
        programmes.push(programme(name, node, scope, problems));
    }
    programmes
}

fn programme(name: &str, node: &Node, mut scope: Scope<'_>, problems: &mut Problems) -> Programme {
    let path = format!("programmes.{name}");
    let empty = Node { line: node.line, value: yaml::Value::Null };
    let mut section = Section::open(node, &path, problems)
        .or_else(|| Section::open(&empty, &path, problems))
        .expect("an empty section opens");
    scope.of_account = applies_to_account(&mut section, problems);
    if !scope.of_account {
        scope.of_customers.clear();
    }
    let scope = &scope;
    let profile = section.text("profile", problems).unwrap_or("value").into();
    let grant = if let Some(node) = section.take("grant") {
        predicate(node, &section.at("grant"), scope, problems)
    } else {
        problems.add(section.line, &path, "`grant` is missing");
        never()
    };
    let keep = section.take("keep").map(|node| predicate(node, &section.at("keep"), scope, problems));
    let tiers = tiers(&mut section, scope, problems);
    let tenure = section.span("tenure", problems).unwrap_or_default();
    let grace = section.span("grace", problems).unwrap_or_default();
    let routing = section.take("routing").and_then(|node| routing(node, &section.at("routing"), problems));
    let greeting = greeting(&mut section, problems);
    let entitlements = section.take("entitlements").map(|node| words(node, &section.at("entitlements"), problems));
    let budget = section.take("budget").and_then(|node| budgets::read(node, &section.at("budget"), scope, problems));
    section.close(problems);
    Programme {
        name: name.into(),
        of_account: scope.of_account,
        profile,
        keep: keep.unwrap_or_else(|| grant.clone()),
        grant,
        tiers,
        tenure,
        grace,
        routing,
        greeting,
        entitlements: entitlements.unwrap_or_default().into_iter().map(|(_, word)| word.into()).collect(),
        budget,
    }
}

/// Who may hold it.
fn applies_to_account(section: &mut Section<'_>, problems: &mut Problems) -> bool {
    let Some(node) = section.take("applies_to") else { return false };
    let path = section.at("applies_to");
    match yaml::text(node, &path, problems) {
        Some("account") => return true,
        Some("customer") | None => {}
        Some(other) => {
            problems.add_with_help(
                node.line,
                &path,
                format!("`{other}` holds no programmes"),
                "known: customer, account",
            );
        }
    }
    false
}

fn predicate(node: &Node, path: &str, scope: &Scope<'_>, problems: &mut Problems) -> Program {
    expression(node, path, scope, &[Type::Bool], problems).unwrap_or_else(never)
}

fn tiers(section: &mut Section<'_>, scope: &Scope<'_>, problems: &mut Problems) -> Vec<(CompactString, Program)> {
    let Some(node) = section.take("tiers") else { return Vec::new() };
    let path = section.at("tiers");
    let Some(mut tiers) = Section::open(node, &path, problems) else { return Vec::new() };
    let entries = tiers.take_rest();
    if entries.len() > MAX_TIERS {
        problems.add(node.line, &path, format!("{} tiers, at most {MAX_TIERS} are allowed", entries.len()));
    }
    entries
        .into_iter()
        .map(|(name, node)| {
            if name.name == "none" {
                problems.add(name.line, &path, "`none` means no tier; choose another name");
            }
            (name.name.as_str().into(), predicate(node, &yaml::join(&path, &name.name), scope, problems))
        })
        .collect()
}

pub(super) fn routing(node: &Node, path: &str, problems: &mut Problems) -> Option<RoutingRule> {
    let mut section = Section::open(node, path, problems)?;
    let team = section.text("team", problems).map(CompactString::from);
    let says_how = section.take("agent");
    let agent = says_how.and_then(|node| choice(node, &yaml::join(path, "agent"), problems));
    let skill = section.text("skill", problems).map(CompactString::from);
    section.close(problems);
    match (&team, says_how, &skill) {
        (_, None, Some(_)) => {
            let what = "names a `skill`, but not how an agent is chosen";
            problems.add_with_help(node.line, path, what, "add `agent: best`");
        }
        (None, None, None) => problems.add(node.line, path, "names neither `team` nor `agent`"),
        _ => {}
    }
    Some(RoutingRule { team, agent, skill })
}

/// How an agent is chosen.
fn choice(node: &Node, path: &str, problems: &mut Problems) -> Option<Choice> {
    let word = yaml::text(node, path, problems)?;
    let found = Choice::ALL.into_iter().find(|choice| choice.name() == word);
    if found.is_none() {
        let known = Choice::ALL.map(Choice::name);
        let near = suggest(word, known.into_iter()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = format!("{near}known: {}", known.join(", "));
        problems.add_with_help(node.line, path, format!("`{word}` is no way to choose an agent"), help);
    }
    found
}

pub(super) fn greeting(section: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let node = section.take("greeting")?;
    let path = section.at("greeting");
    let text = yaml::text(node, &path, problems)?;
    if text.replace("{name}", "").contains(['{', '}']) {
        problems.add_with_help(node.line, &path, "holds a placeholder that is not known", "known: {name}");
    }
    Some(text.to_owned())
}
