//! A person's word as it comes, and why it may not be taken.

use std::borrow::Cow;

use super::super::apply::{Arrival, CHANGED, NOTHING, Outcome, seen};
use super::super::customer::Customer;
use super::super::customers::Slot;
use super::super::look::Brought;
use super::super::{Engine, audit};
use super::Word;
use crate::model::event::{Acknowledged, Acknowledgement, Body, Event, Override, OverrideAction};
use crate::model::id::EntityKind;
use crate::model::output::overridden::Overridden;
use crate::model::output::{Audit, Output};
use crate::model::record::Position;
use crate::rules::ruleset::DEDUP;

/// Why something that a person decided is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The rules have no such programme.
    UnknownProgramme,
    /// The programme is held by accounts, and the override is about a customer.
    OfAccounts,
    /// The programme is held by customers, and the override is about an account.
    OfCustomers,
    /// The programme has no such tier. The rest is taken.
    UnknownTier,
    /// To make a VIP of somebody, the complaint must be resolved.
    NotResolved,
    /// The alert is about no public complaint of this customer in the last 90 days.
    NoComplaint,
}

impl Refusal {
    /// Each, in the order of [`Refused::of`].
    pub const ALL: [Self; 6] = [
        Self::UnknownProgramme,
        Self::OfAccounts,
        Self::OfCustomers,
        Self::UnknownTier,
        Self::NotResolved,
        Self::NoComplaint,
    ];

    /// On the wire, and the value of the metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownProgramme => "unknown_programme",
            Self::OfAccounts => "programme_of_accounts",
            Self::OfCustomers => "programme_of_customers",
            Self::UnknownTier => "unknown_tier",
            Self::NotResolved => "not_resolved",
            Self::NoComplaint => "no_public_complaint",
        }
    }
}

/// How often each was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused([u64; Refusal::ALL.len()]);

impl Refused {
    /// How often for that reason.
    pub const fn of(&self, why: Refusal) -> u64 {
        self.0[why as usize]
    }
}

impl Arrival<'_> {
    /// A person's decision about a programme.
    pub(in crate::engine) fn override_(&mut self, customer: &mut Customer, it: &Override) -> Outcome {
        if self.was_heard(customer) { self.duplicate() } else { self.decide(customer, it) }
    }

    /// What somebody did about an alert; where it was a public complaint, they may make a VIP.
    pub(in crate::engine) fn acknowledgement(&mut self, customer: &mut Customer, it: &Acknowledgement) -> Outcome {
        if self.was_heard(customer) {
            return self.duplicate();
        }
        self.stats.acknowledged[it.action as usize] += 1;
        let Some(said) = said(&self.event.body) else { return NOTHING };
        if it.action != Acknowledged::Resolved {
            return refused(Refusal::NotResolved);
        }
        if !customer.has_complained(&it.alert_id) {
            return refused(Refusal::NoComplaint);
        }
        self.decide(customer, &said)
    }

    /// Whether it has come before, as far as that is remembered. Later nothing newer comes of it.
    fn was_heard(&self, customer: &mut Customer) -> bool {
        let key = seen(self.event.kind(), &self.event.business_key());
        if customer.has_seen(key) {
            return true;
        }
        let until = self.event.at.plus(DEDUP);
        if customer.as_of < until {
            customer.see(key, until);
        }
        false
    }

    fn decide(&self, customer: &mut Customer, said: &Override) -> Outcome {
        let programmes = &self.rules.programmes;
        let Some((programme, rule)) = (0..).zip(programmes).find(|(_, rule)| rule.name == said.programme) else {
            return refused(Refusal::UnknownProgramme);
        };
        match (rule.of_account, customer.id.kind() == EntityKind::Account) {
            (true, false) => return refused(Refusal::OfAccounts),
            (false, true) => return refused(Refusal::OfCustomers),
            _ => {}
        }
        let named = said.tier.as_ref().filter(|_| said.action == OverrideAction::Grant);
        let tier = named.and_then(|named| (0..).zip(&rule.tiers).find(|(_, (tier, _))| tier == named));
        let word = Word {
            at: self.event.at,
            action: said.action,
            ends: said.expires_at.unwrap_or(self.event.at),
            id: said.override_id.clone(),
            programme,
            tier: tier.map(|(tier, _)| tier),
            by: said.by.clone(),
            reason: said.reason.clone(),
            approved_by: said.approved_by.clone(),
            case_id: said.case_id.clone(),
            in_force: false,
            disagrees: false,
        };
        let look = customer.rare().by_hand.get_or_insert_default().hear(word);
        if look {
            customer.news = u16::MAX;
        }
        let refused = (named.is_some() && tier.is_none()).then_some(Refusal::UnknownTier);
        Outcome { look, alert: false, refused, ..CHANGED }
    }
}

fn refused(why: Refusal) -> Outcome {
    Outcome { refused: Some(why), ..NOTHING }
}

/// What a person decided, in so many words or by acknowledging an alert.
fn said(body: &Body) -> Option<Cow<'_, Override>> {
    match body {
        Body::Override(it) => Some(Cow::Borrowed(it)),
        Body::Acknowledgement(it) => it.make_vip.as_ref().map(|make_vip| {
            Cow::Owned(Override {
                override_id: it.alert_id.clone(),
                action: OverrideAction::Grant,
                programme: make_vip.programme.clone(),
                by: it.by.clone(),
                reason: it.note.clone().unwrap_or_else(|| "public complaint resolved".into()),
                expires_at: Some(make_vip.expires_at),
                tier: None,
                approved_by: None,
                case_id: None,
                account_id: None,
            })
        }),
        _ => None,
    }
}

impl Engine {
    /// Counts and says that something is not taken. Like an alert, that waits for no clock.
    pub(in crate::engine) fn refuse(
        &mut self,
        slot: Slot,
        (event, position): (&Event, Position),
        why: Refusal,
        outputs: &mut Vec<Output>,
    ) {
        let Some(said) = said(&event.body) else { return };
        self.stats.refused.0[why as usize] += 1;
        let (customers, occasion) = self.customers_and_occasion(Brought::Event(event, position));
        let customer = &customers[slot];
        let decision = if why == Refusal::UnknownTier { "tier_refused" } else { "override_refused" };
        let Override { override_id, action, programme, by, reason, expires_at, tier, approved_by, case_id, .. } =
            said.into_owned();
        outputs.push(Output::Audit(Box::new(Audit {
            event_id: occasion.id(audit::TYPE, customer.id.as_str(), &programme, decision, customer.as_of),
            customer_id: customer.id.clone(),
            account_id: customer.account_id().map(Into::into),
            status_seq: u64::from(customer.seq),
            occurred_at: customer.as_of,
            cause: occasion.cause(),
            trigger: occasion.trigger(),
            evidence: Vec::new(),
            programme,
            decision,
            reason: Some(why.name()),
            until: None,
            tiers: None,
            standing: customer.standing_names(occasion.rules),
            overridden: Some(Box::new(Overridden {
                override_id,
                action,
                tier,
                by,
                reason,
                expires_at,
                approved_by,
                case_id,
                rule: None,
            })),
        })));
    }
}
