//! What a look makes of a programme with a budget: who would hold it waits for what is decided about everybody.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use vipstream::model::time::EventTime;

use super::budget::{Ruling, Stand, What};
use super::customer::{Customer, Sight};
use super::evidence::{Row, evidence};
use super::lines::Object;
use super::look::{self, Draft, Looking, Run};
use super::programme::{By, Step};
use super::rules::{Budget, Programme, Ruleset};
use super::status::Unseen;
use super::value::{Value, evaluate};

/// What was decided about one customer, by programme.
pub(super) type Rulings = BTreeMap<String, Ruling>;

/// Would hold a programme, were there a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidacy {
    since: EventTime,
    group: Option<String>,
    /// Of whoever is on the list: what was told of its place there.
    told: Option<Ruling>,
}

/// What a budget ranks by, and the group that one belongs to: what of it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Weighed {
    rank: Option<Value>,
    group: Option<String>,
}

impl Candidacy {
    /// As `vip.status` tells it.
    pub(super) fn json(&self) -> Option<Json> {
        let told = self.told.as_ref()?;
        let [value, cut] = [told.value.as_ref(), told.cut.as_ref()].map(or_null);
        Some(json!({ "rank": told.rank, "value": value, "cut": cut, "since": self.since.to_string() }))
    }
}

fn or_null(value: Option<&Value>) -> Json {
    value.map_or(Json::Null, Value::json)
}

impl Weighed {
    fn of(budget: &Budget, sight: &Sight<'_>) -> Self {
        let rank = match evaluate(&budget.rank, sight).ok() {
            Some(Value::Time(time)) => Some(Value::Time(time)),
            Some(number) => number.number().map(Value::Decimal),
            None => None,
        };
        let group = match &budget.per {
            None => Some(String::new()),
            Some(per) => match evaluate(per, sight) {
                Ok(Value::Text(text)) => Some(text),
                _ => None,
            },
        };
        Self { rank, group }
    }
}

impl Customer {
    /// Whether it holds the programme because the rules say so, and so has a place of the budget.
    pub(super) fn holds_by_rule(&self, programme: &Programme) -> bool {
        self.held.get(&programme.name).is_some_and(|held| held.by == By::Rule)
    }

    /// What it says of itself and each programme of which all have to be known.
    pub(super) fn stands(&self, rules: &Ruleset) -> Vec<(usize, Stand)> {
        let of_account = self.entity.is_account();
        let own = rules.programmes.iter().enumerate().filter(|(_, it)| it.of_account == of_account);
        own.filter_map(|(at, programme)| Some((at, self.stand(rules, programme)?))).collect()
    }

    fn stand(&self, rules: &Ruleset, programme: &Programme) -> Option<Stand> {
        let Weighed { rank, group } = self.weighed.get(&programme.name).cloned().unwrap_or_default();
        let group = group.unwrap_or_default();
        if self.holds_by_rule(programme) {
            let counts = programme.budget.is_some() || (rules.budget.is_some() && !programme.of_account);
            let since = self.held[&programme.name].granted_at;
            return counts.then_some(Stand { is_member: true, since, rank, group });
        }
        let Candidacy { since, .. } = *self.candidacies.get(&programme.name)?;
        Some(Stand { is_member: false, since, rank, group })
    }

    /// Whether it still stands as when something was decided about it.
    pub(super) fn stands_as(&self, rules: &Ruleset, ruling: &Ruling) -> bool {
        let stand = self.stand(rules, &rules.programmes[ruling.programme]);
        let is_about_members = ruling.what == What::Displace;
        stand.is_some_and(|stand| stand.since == ruling.since && stand.is_member == is_about_members)
    }
}

/// Works out anew what a budget ranks by.
pub(super) fn weigh(run: &Run, customer: &mut Customer, programme: &Programme) {
    if let Some(budget) = &programme.budget {
        let weighed = Weighed::of(budget, &Sight { rules: &run.rules, customer, event: None });
        customer.weighed.insert(programme.name.clone(), weighed);
    }
}

/// Looks at a programme with a budget; `None` where that is no other than one without.
pub(super) fn look(
    run: &Run,
    customer: &mut Customer,
    index: usize,
    looking: &Looking<'_>,
    unseen: &mut Vec<Unseen>,
) -> Option<Vec<Draft>> {
    let programme = &run.rules.programmes[index];
    let budget = programme.budget.as_ref().expect("it has one");
    let weighed = customer.weighed[&programme.name].clone();
    let ruling = looking.rulings.get(&programme.name).filter(|ruling| customer.stands_as(&run.rules, ruling));
    if customer.held.contains_key(&programme.name) {
        return ruling.map(|ruling| displace(run, customer, index, looking, ruling));
    }
    let sight = Sight { rules: &run.rules, customer, event: None };
    let mut rows = evidence(&[&programme.grant], &sight);
    let is_candidate = look::qualifies(programme, &sight) && weighed.rank.is_some() && weighed.group.is_some();
    let tier = look::tier_of(programme, &sight);
    if !is_candidate {
        let former = customer.candidacies.remove(&programme.name);
        if former.is_some_and(|former| former.told.is_some()) {
            unseen.push(Unseen::new(programme, Step::OffWaitlist, None, rows));
        }
        return Some(Vec::new());
    }
    // In another group it is another candidacy.
    let group = weighed.group.clone();
    let is_same = customer.candidacies.get(&programme.name).is_none_or(|known| known.group == group);
    let ruling = ruling.filter(|_| is_same);
    let began = Candidacy { since: customer.as_of, group, told: None };
    if !is_same {
        customer.candidacies.remove(&programme.name);
    }
    let candidacy = customer.candidacies.entry(programme.name.clone()).or_insert(began);
    let drafts = match ruling {
        Some(ruling) if ruling.what == What::Grant => {
            customer.candidacies.remove(&programme.name);
            rows.push(Row::ranked(budget, ruling.value.clone(), ruling.cut.clone()));
            vec![look::grant(run, customer, index, tier, looking.cause, rows, Some(ruling.rank))]
        }
        Some(ruling) if candidacy.told.is_none() => {
            candidacy.told = Some(ruling.clone());
            vec![waitlist(run, customer, index, looking, ruling)]
        }
        _ => Vec::new(),
    };
    Some(drafts)
}

/// A stronger one has the place; whoever still qualifies waits.
fn displace(run: &Run, customer: &mut Customer, index: usize, looking: &Looking<'_>, ruling: &Ruling) -> Vec<Draft> {
    let programme = &run.rules.programmes[index];
    let budget = programme.budget.as_ref().expect("it has one");
    let held = customer.held.remove(&programme.name).expect("it is held");
    let (kind, reason) = ("vip.revoked", "displaced");
    let mut fields = Object::default();
    fields.put("programme", programme.name.clone());
    fields.put("reason", reason);
    fields.put("revokes", held.grant.to_string());
    let id = look::output_id(run, customer, looking.cause, kind, &programme.name, reason);
    let rows = vec![Row::ranked(budget, ruling.value.clone(), ruling.cut.clone())];
    let name = programme.name.clone();
    let revoked =
        Draft { kind, name, id, evidence: rows, fields, with_weight: false, with_standing: true, shown: None };
    let weighed = customer.weighed[&programme.name].clone();
    let sight = Sight { rules: &run.rules, customer, event: None };
    if !look::qualifies(programme, &sight) || weighed.rank.is_none() || weighed.group.is_none() {
        return vec![revoked];
    }
    let candidacy = Candidacy { since: customer.as_of, group: weighed.group, told: Some(ruling.clone()) };
    customer.candidacies.insert(programme.name.clone(), candidacy);
    vec![revoked, waitlist(run, customer, index, looking, ruling)]
}

fn waitlist(run: &Run, customer: &Customer, index: usize, looking: &Looking<'_>, ruling: &Ruling) -> Draft {
    let programme = &run.rules.programmes[index];
    let budget = programme.budget.as_ref().expect("it has one");
    let kind = "vip.waitlisted";
    let mut fields = Object::default();
    fields.put("programme", programme.name.clone());
    fields.put("rank", ruling.rank);
    fields.put("value", or_null(ruling.value.as_ref()));
    fields.put("cut", or_null(ruling.cut.as_ref()));
    fields.put("places", ruling.places);
    fields.put("settled_at", ruling.settled_at.to_string());
    let mut rows = evidence(&[&programme.grant], &Sight { rules: &run.rules, customer, event: None });
    rows.push(Row::ranked(budget, ruling.value.clone(), ruling.cut.clone()));
    let id = look::output_id(run, customer, looking.cause, kind, &programme.name, "");
    let name = programme.name.clone();
    Draft { kind, name, id, evidence: rows, fields, with_weight: false, with_standing: true, shown: None }
}
