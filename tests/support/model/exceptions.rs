//! Cases treated off the written process: told to their kind, counted there, and proposed as the norm where they are many.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;
use serde_json::{Map, Value as Yaml, json};

use vipstream::model::event::{Body, Event, Kind};
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;

use super::calendar::Window;
use super::customer::{Customer, Entity, Sight};
use super::effects::{Does, Sending};
use super::evidence::Row;
use super::expr::Node;
use super::keys;
use super::lines::{Line, Object, Order};
use super::look::{self, Cause, Run};
use super::memory::Outcome;
use super::rules::Ruleset;
use super::value::{Value, evaluate};

/// What the rules say of exceptions.
pub(super) struct Rule {
    pub(super) cohort: Option<Node>,
    cases: usize,
    customers: usize,
    pub(super) window: Window,
    over: String,
}

impl Rule {
    pub(super) fn read(
        body: &Map<String, Yaml>,
        parse: &dyn Fn(&str) -> Node,
        window: impl Fn(&str) -> Window,
    ) -> Self {
        let candidate = body["candidate"].as_object().expect("a map");
        let count = |key: &str| usize::try_from(candidate[key].as_u64().expect("a number")).expect("a small one");
        let over = candidate["over"].as_str().expect("a window").to_owned();
        Self {
            cohort: body.get("cohort").map(|text| parse(text.as_str().expect("an expression"))),
            cases: count("cases"),
            customers: count("customers"),
            window: window(&over),
            over,
        }
    }
}

/// How a case is treated.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exceptional {
    kind: String,
    version: i64,
    place: EventTime,
    cohort: String,
    approved_by: Option<CompactString>,
    position: Position,
}

/// Of a kind of exception.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    /// By case: whose, and how it is treated.
    cases: BTreeMap<String, (Entity, Exceptional)>,
    is_proposed: bool,
}

impl Ruleset {
    fn still_counts(&self, it: &Exceptional, as_of: EventTime) -> bool {
        self.leaves(it.place).is_none_or(|exit| as_of < exit)
    }

    fn leaves(&self, place: EventTime) -> Option<EventTime> {
        self.calendar.exit(self.exceptions.as_ref().expect("asked only of such rules").window, place)
    }
}

impl Customer {
    /// After a case was taken in and looked at: what its kind of exception is told.
    pub(super) fn tell_exception(
        &mut self,
        rules: &Ruleset,
        (event, position): (&Event, Position),
        outcome: Outcome,
    ) -> Vec<Sending> {
        let (Some(rule), Body::Case(case)) = (&rules.exceptions, &event.body) else { return Vec::new() };
        if !outcome.look || !matches!(self.entity, Entity::Customer(_)) {
            return Vec::new();
        }
        let key = keys::object_key(event);
        let place = self.case(rules, &key).expect("taken in just now").0;
        let told = self.ties.exceptions.get(&key).filter(|it| rules.still_counts(it, self.as_of)).cloned();
        let now = if outcome.alerts {
            let cohort = rule.cohort.as_ref().map(|cohort| {
                let sight = Sight { rules, customer: self, event: None };
                match evaluate(cohort, &sight) {
                    Ok(Value::Text(text)) => text[..text.floor_char_boundary(64)].to_owned(),
                    _ => "unknown".to_owned(),
                }
            });
            case.exception.as_ref().map(|exception| Exceptional {
                kind: exception.kind.to_string(),
                version: case.version,
                place,
                cohort: cohort.unwrap_or_else(|| "all".to_owned()),
                approved_by: exception.approved_by.clone(),
                position,
            })
        } else {
            told.clone().map(|told| Exceptional { place, ..told })
        };
        if told == now { Vec::new() } else { self.retell(rules, key, &Vec::from_iter(told), now) }
    }

    /// Place and version of a case that is remembered.
    fn case(&self, rules: &Ruleset, key: &str) -> Option<(EventTime, i64)> {
        let mut cases = self.memory.objects.iter().rev().filter(|it| it.kind == Kind::Case && it.key == key);
        let case = cases.find(|case| rules.remembers(Kind::Case, case.place, self.as_of))?;
        Some((case.place, case.version.0))
    }

    fn retell(
        &mut self,
        rules: &Ruleset,
        case: String,
        told: &[Exceptional],
        now: Option<Exceptional>,
    ) -> Vec<Sending> {
        let now = now.filter(|it| rules.still_counts(it, self.as_of));
        let kinds: BTreeSet<&String> = told.iter().map(|told| &told.kind).collect();
        let lost = kinds.into_iter().filter(|kind| now.as_ref().is_none_or(|now| now.kind != **kind));
        let mut sendings: Vec<Sending> =
            lost.map(|kind| (Entity::Exception(kind.clone()), Does::Except(case.clone(), None))).collect();
        self.ties.exceptions.remove(&case);
        if let Some(now) = now {
            let does = Does::Except(case.clone(), Some(now.clone()));
            sendings.push((Entity::Exception(now.kind.clone()), does));
            self.ties.exceptions.insert(case, now);
        }
        sendings
    }

    /// What somebody who is this one has told is told again, by this one: in the order of the records.
    pub(super) fn unite_exceptions(&mut self, rules: &Ruleset, theirs: &BTreeMap<String, Exceptional>) -> Vec<Sending> {
        let as_of = self.as_of;
        let ours = self.ties.exceptions.clone();
        let counts = |told: &BTreeMap<String, Exceptional>, case: &String| {
            told.get(case).filter(|it| rules.still_counts(it, as_of)).cloned()
        };
        let mut cases: Vec<(Position, &String)> = Vec::new();
        for case in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            let both = counts(&ours, case).into_iter().chain(counts(theirs, case));
            cases.extend(both.map(|it| it.position).min().map(|first| (first, case)));
        }
        cases.sort();
        let mut sendings = Vec::new();
        for (_, case) in cases {
            let (our, their) = (counts(&ours, case), counts(theirs, case));
            let told: Vec<Exceptional> = our.clone().into_iter().chain(their.clone()).collect();
            let known = self.case(rules, case);
            let standing = told.iter().filter(|it| known.is_none_or(|(_, version)| version == it.version));
            let newest = standing.max_by_key(|it| (it.version, std::cmp::Reverse(it.position))).cloned();
            let now = newest.map(|it| Exceptional { place: known.map_or(it.place, |(place, _)| place), ..it });
            if their.is_some() || now != our {
                sendings.extend(self.retell(rules, case.clone(), &told, now));
            }
        }
        sendings
    }
}

impl Customer {
    /// Somebody says how a case of theirs is treated: a line where this kind is to be proposed now.
    pub(super) fn count_exception(
        &mut self,
        run: &Run,
        from: Entity,
        (case, told): (String, Option<Exceptional>),
        cause: Cause<'_>,
    ) -> Option<Line> {
        let rules = &run.rules;
        self.ties.counted.cases.remove(&case);
        if let Some(told) = told.filter(|it| rules.still_counts(it, self.as_of)) {
            self.ties.counted.cases.insert(case, (from, told));
        }
        self.weigh(rules).then(|| self.candidate(run, cause))
    }

    /// Time has passed for this kind.
    pub(super) fn drop_exceptions(&mut self, rules: &Ruleset) {
        let as_of = self.as_of;
        self.ties.counted.cases.retain(|_, (_, it)| rules.still_counts(it, as_of));
        assert!(!self.weigh(rules), "time makes nothing more frequent");
    }

    pub(super) fn has_exceptions(&self) -> bool {
        !self.ties.counted.cases.is_empty()
    }

    /// When the next case leaves the window.
    pub(super) fn next_exception_leaves(&self, rules: &Ruleset) -> Option<EventTime> {
        self.ties.counted.cases.values().filter_map(|(_, it)| rules.leaves(it.place)).min()
    }

    /// Whether it has just become frequent.
    fn weigh(&mut self, rules: &Ruleset) -> bool {
        let rule = rules.exceptions.as_ref().expect("asked only of such rules");
        let counted = &mut self.ties.counted;
        let customers: BTreeSet<&Entity> = counted.cases.values().map(|(customer, _)| customer).collect();
        let is_frequent = counted.cases.len() >= rule.cases && customers.len() >= rule.customers;
        let was = std::mem::replace(&mut counted.is_proposed, is_frequent);
        is_frequent && !was
    }

    fn candidate(&self, run: &Run, cause: Cause<'_>) -> Line {
        let rule = run.rules.exceptions.as_ref().expect("asked only of such rules");
        let (name, all) = (self.entity.key(), || self.ties.counted.cases.values());
        let customers = |all: &[&(Entity, Exceptional)]| all.iter().map(|it| &it.0).collect::<BTreeSet<_>>().len();
        let everything: Vec<_> = all().collect();
        let cohorts: BTreeSet<&String> = all().map(|(_, it)| &it.cohort).collect();
        let cohorts = cohorts.into_iter().map(|cohort| {
            let of: Vec<_> = all().filter(|(_, it)| it.cohort == *cohort).collect();
            json!({ "cohort": cohort, "cases": of.len(), "customers": customers(&of) })
        });
        let approvers: BTreeSet<&CompactString> = all().filter_map(|(_, it)| it.approved_by.as_ref()).collect();
        let (cases, people, over) = (everything.len(), customers(&everything), &rule.over);
        let mut newest: Vec<(EventTime, Position)> = all().map(|(_, it)| (it.place, it.position)).collect();
        newest.sort();
        let sample = newest.iter().rev().take(3).map(|(_, position)| *position).collect();
        let rows = [
            Row::counted("cases", over, cases, rule.cases, sample),
            Row::counted("customers", over, people, rule.customers, Vec::new()),
        ];
        let kind = "exception.candidate";
        let id = look::output_id(run, self, cause, kind, "", "");
        let mut body = Object::default();
        body.put("event_id", id.to_string());
        body.put("type", kind);
        body.put("customer_id", Yaml::Null);
        look::put_common(run, self, self.as_of, cause, Some(&rows), &mut body);
        // It is about no customer.
        body.0.shift_remove("status_seq");
        body.put("kind", name);
        body.put("cases", cases);
        body.put("customers", people);
        body.put("cohorts", cohorts.collect::<Vec<_>>());
        body.put("approvers", approvers.len());
        body.put("unapproved", all().filter(|(_, it)| it.approved_by.is_none()).count());
        body.put("window", over.clone());
        body.put("since", newest.first().expect("there are some").0.to_string());
        body.put(
            "proposal",
            format!(
                "over {over} {cases} cases of {people} customers were treated as `{name}`, off the written process: \
                 make it the norm by a rule, or end it"
            ),
        );
        let (entity, status_seq) = (&self.entity, 0);
        let order = Order { occurred_at: self.as_of, entity, status_seq, kind, name, id: Some(id) };
        Line::new(&order, body.0)
    }
}
