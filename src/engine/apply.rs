//! One event into a customer's state, by kind. What is a duplicate, expired, or an older version is told here.

mod purchase;

use super::Stats;
use super::customer::{Customer, MAX_SEEN, NEVER};
use super::entry::{Flag, Object};
use super::features::{self, Contribution, EventFacts};
use super::forgotten::Forgotten;
use super::money::{Money, Refunds, Settled};
use super::overrides::Refusal;
use super::rates::Prices;
use super::reprice::Amounts;
use super::shares::signed;
use super::ties::{Sending, Ties};
use crate::model::event::{Account, Action, Activity, Body, Event, Kind, Mention, Profile, Referral};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::rules::ruleset::{DEDUP, Ruleset};

/// What an event did, and what follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each follows from the event by itself")]
pub(super) struct Outcome {
    /// Labels and programmes are to be looked at.
    pub(super) look: bool,
    /// Alerts on this kind are to be judged.
    pub(super) alert: bool,
    /// A refund or cancellation took something back.
    pub(super) refund: bool,
    /// The customer's profile is another.
    pub(super) described: bool,
    /// What somebody decided by hand that is not taken.
    pub(super) refused: Option<Refusal>,
}

pub(super) const CHANGED: Outcome = Outcome { look: true, alert: true, refund: false, described: false, refused: None };
pub(super) const NOTHING: Outcome = Outcome { look: false, alert: false, ..CHANGED };

/// An event on its way into a customer's state.
pub(super) struct Arrival<'a> {
    pub(super) event: &'a Event,
    pub(super) position: Position,
    /// Who brought it, where another did.
    pub(super) from: Option<&'a CustomerId>,
    pub(super) rules: &'a Ruleset,
    pub(super) prices: Prices<'a>,
    pub(super) stats: &'a mut Stats,
    /// What the event does to others.
    pub(super) sendings: &'a mut Vec<Sending>,
    /// Amounts that it leaves in other currencies.
    pub(super) foreign: &'a mut Amounts,
}

impl Arrival<'_> {
    /// Applies the event; the customer's time has been moved to it already.
    pub(super) fn apply(mut self, customer: &mut Customer) -> Outcome {
        let event = self.event;
        if (event.kind().is_activity() || event.kind().is_by_hand()) && customer.merged_into().is_some() {
            return self.follow(customer);
        }
        if self.rules.plan.resolvers && customer.id.kind() == EntityKind::Customer {
            customer.learn_resolved(event, &self.rules.calendar, self.sendings);
        }
        match &event.body {
            Body::Purchase(purchase) => self.purchase(customer, purchase),
            Body::Csat(survey) => self.object(customer, survey.revision, Place::Earliest),
            Body::Case(case) => self.object(customer, case.version, Place::Earliest),
            Body::Referral(referral) if customer.is_known_as(&referral.referred_customer_id) => {
                self.stats.self_referrals += 1;
                NOTHING
            }
            Body::Referral(referral) => self.referral(customer, referral),
            Body::Mention(mention) => self.written(customer, mention),
            Body::Presence(presence) => {
                let outcome = self.passing(customer);
                if outcome == NOTHING {
                    return NOTHING;
                }
                let alert = customer.attend(presence, event.at, self.rules.visit_gap);
                Outcome { alert, ..outcome }
            }
            Body::Engagement(_) => self.passing(customer),
            Body::Override(it) => self.override_(customer, it),
            Body::Acknowledgement(it) => self.acknowledgement(customer, it),
            Body::Customer(profile) => self.profile(customer, profile),
            // The one takes more than the customer (see `erased.rs`), the others are about none and never here.
            Body::Erasure(_) | Body::FxRate(_) | Body::Agent(_) | Body::ForgetAgent(_) => NOTHING,
            Body::Account(account) => self.account(customer, Some(account)),
            Body::ForgetAccount(_) => self.account(customer, None),
            Body::Forget => {
                customer.name_handles(None, self.sendings);
                customer.merge_into(None, self.rules, self.sendings);
                let before = customer.belongs_to();
                let profile = customer.rare.as_mut().and_then(|rare| rare.profile.take());
                customer.change_account(before, self.rules, self.sendings);
                Outcome { described: profile.is_some(), ..CHANGED }
            }
        }
    }

    /// A referral: whoever was referred is told.
    fn referral(&mut self, customer: &mut Customer, referral: &Referral) -> Outcome {
        let outcome = self.object(customer, referral.status as i64, Place::Present);
        if outcome.look && self.rules.follows_referrals() && customer.id.kind() == EntityKind::Customer {
            let forgotten = customer.refer(referral, self.event, outcome.alert, self.sendings);
            self.stats.forgotten.add(Forgotten::Referred, forgotten);
        }
        outcome
    }

    /// Gives an object its money.
    fn worth(&mut self, object: &mut Object, money: Money) {
        let Settled { clamped } = object.set_money(money, self.prices);
        self.stats.clamped += u64::from(clamped);
        self.stats.unpriced += u64::from(object.entry.has(Flag::Unpriced));
        if let Some(money) = object.extra.money.as_deref() {
            self.foreign.extend(money.foreign(object.entry.place(), self.rules));
        }
    }

    fn forgotten_at(&self, customer: &Customer, place: EventTime) -> EventTime {
        customer.forgotten_at(self.event.kind(), place, self.rules).unwrap_or(NEVER)
    }

    /// Counts an event that is older than everything that could hold it. Facts such as `first_purchase` have taken
    /// it in all the same: the next look must not be passed over.
    fn is_expired(&mut self, customer: &mut Customer) -> bool {
        let expired = self.forgotten_at(customer, self.event.at) <= customer.as_of;
        customer.look_again |= expired;
        self.stats.expired += u64::from(expired);
        expired
    }

    pub(super) fn duplicate(&mut self) -> Outcome {
        self.stats.duplicates += 1;
        NOTHING
    }

    /// An object with versions: counts once, with the content of its newest.
    fn object(&mut self, customer: &mut Customer, version: i64, place: Place) -> Outcome {
        let key = hash(&self.event.object_key());
        let found = customer.find(self.event.kind(), key, self.rules);
        self.version(customer, (key, found), version, place)
    }

    /// A version of an object: the hash of its key, and where it stands in the log if it is remembered.
    fn version(
        &mut self,
        customer: &mut Customer,
        (key, found): (u64, Option<usize>),
        version: i64,
        place: Place,
    ) -> Outcome {
        let (kind, at) = (self.event.kind(), self.event.at);
        let key_of = |version| seen_version(kind, key, version);
        let seen = key_of(version);
        if found.is_some_and(|found| key_of(customer.log[found].version()) == seen || customer.has_seen(seen)) {
            return self.duplicate();
        }
        if kind != Kind::Case {
            customer.last_seen.raise(at);
        }
        if self.is_expired(customer) {
            return NOTHING;
        }
        let Some(found) = found else {
            let mut object = Object::new(key, at, self.position);
            object.entry.set_version(version);
            return self.write(customer, object);
        };
        let current = customer.log[found].version();
        if version < current {
            let until = self.forgotten_at(customer, at);
            customer.see(seen, until);
            if place == Place::Earliest && at < customer.log[found].place() {
                let mut object = customer.remove(found, self.rules);
                object.entry.set_place(at);
                customer.insert(object, self.rules);
            }
            return Outcome { look: true, ..NOTHING };
        }
        let mut object = customer.remove(found, self.rules);
        let entry = &mut object.entry;
        customer.see(key_of(current), self.forgotten_at(customer, at.max(entry.place())));
        entry.set_version(version);
        entry.set_position(self.position);
        if place == Place::Present || at < entry.place() {
            entry.set_place(at);
        }
        self.write(customer, object)
    }

    /// Puts the event's content into an object and the object into the log.
    fn write(&mut self, customer: &mut Customer, mut object: Object) -> Outcome {
        if let Body::Referral(referral) = &self.event.body {
            self.value(&mut object, referral);
            object.entry.set_referred(hash(&referral.referred_customer_id));
        }
        features::keep(&mut object, self.event, self.prices);
        let deleted = match &self.event.body {
            Body::Mention(mention) if mention.activity == Activity::Repost => self.is_retracted(customer, mention),
            Body::Mention(mention) => mention.activity == Activity::Delete,
            _ => false,
        };
        object.entry.set(Flag::Gone, deleted);
        customer.insert(object, self.rules);
        CHANGED
    }

    /// Gives a referral its value where that is in another currency.
    fn value(&mut self, object: &mut Object, referral: &Referral) {
        (object.extra.money, object.extra.amount) = (None, None);
        object.entry.set(Flag::Unpriced, false);
        let (Some(value), Some(currency)) = (referral.value, &referral.currency) else { return };
        if self.prices.is_foreign(&currency.0) {
            self.worth(object, Money { amount: value, currency: currency.clone(), refunds: Refunds::default() });
        }
    }

    /// A mention: under a handle that a customer's profile names, it is that customer's.
    fn written(&mut self, customer: &mut Customer, mention: &Mention) -> Outcome {
        if self.event.customer.is_some() {
            return self.mention(customer, mention);
        }
        if let Some(owner) = customer.ties().and_then(Ties::owner) {
            self.sendings.push(Sending::bring(self.event, self.position, owner.clone()));
            return NOTHING;
        }
        let outcome = self.mention(customer, mention);
        if outcome.look {
            let forgotten = customer.keep_unclaimed(self.event, self.position);
            self.stats.forgotten.add(Forgotten::Post, forgotten);
        }
        outcome
    }

    fn mention(&mut self, customer: &mut Customer, mention: &Mention) -> Outcome {
        let at = self.event.at;
        let version = mention.version(at);
        let text =
            mention.text.as_deref().filter(|text| !text.is_empty() && mention.activity != Activity::Delete).map(hash);
        let author = self.from.filter(|_| customer.id.kind() == EntityKind::Account);
        let text = text.map(|text| author.map_or(text, |author| signed(text, author)));
        let key = hash(&self.event.object_key());
        let known = customer.find(Kind::Mention, key, self.rules);
        let is_expired = self.forgotten_at(customer, at) <= customer.as_of;
        if let (None, Some(text), false) = (known, text, is_expired)
            && customer.has_posted(text, at)
        {
            return self.duplicate();
        }
        let outcome = self.version(customer, (key, known), version, Place::Earliest);
        if outcome.alert
            && let Some(text) = text
        {
            customer.post(text, at);
        }
        if mention.activity == Activity::Delete && outcome.alert {
            self.retract_repost(customer, mention, version);
            return Outcome { alert: false, ..outcome };
        }
        Outcome { alert: outcome.alert && mention.activity != Activity::Repost, ..outcome }
    }

    /// Whether the post was deleted at or after the repost's time.
    fn is_retracted(&self, customer: &Customer, repost: &Mention) -> bool {
        let post = hash(&repost.post_key());
        customer.find(Kind::Mention, post, self.rules).is_some_and(|found| {
            let post = &customer.log[found];
            post.has(Flag::Gone) && post.version() >> 2 >= self.event.at.0
        })
    }

    fn retract_repost(&self, customer: &mut Customer, deletion: &Mention, version: i64) {
        let key = hash(&deletion.repost_key());
        if let Some(found) = customer.find(Kind::Mention, key, self.rules)
            && customer.log[found].version() >> 2 <= version >> 2
        {
            let mut repost = customer.remove(found, self.rules);
            repost.entry.set(Flag::Gone, true);
            customer.insert(repost, self.rules);
        }
    }

    /// An event without identity: its key is remembered for a day, its contributions by unit.
    fn passing(&mut self, customer: &mut Customer) -> Outcome {
        let at = self.event.at;
        let key = self.event.business_key();
        let seen = seen(self.event.kind(), &key);
        if customer.has_seen(seen) {
            return self.duplicate();
        }
        let is_sign_of_life = match &self.event.body {
            Body::Engagement(engagement) => {
                !engagement.machine && !matches!(engagement.action, Action::Sent | Action::Unsubscribe)
            }
            _ => true,
        };
        if is_sign_of_life {
            customer.last_seen.raise(at);
        }
        if self.is_expired(customer) {
            return NOTHING;
        }
        let until = self.forgotten_at(customer, at);
        customer.see(seen, until);
        self.pour(customer, &key);
        CHANGED
    }

    fn pour(&self, customer: &mut Customer, key: &str) {
        let kind = self.event.kind();
        let plan = self.rules.plan.of(kind);
        if plan.features.is_empty() {
            return;
        }
        let (filters, key) = (features::filters(self.event, self.prices), hash(key));
        for index in &plan.features {
            let feature = &self.rules.features[usize::from(*index)];
            if feature.filter.as_ref().is_some_and(|filter| filters >> filter.bit & 1 == 0) {
                continue;
            }
            let contribution = match &feature.value {
                None => Some(Contribution::One),
                Some(program) => Contribution::of(feature, program.eval(&EventFacts::new(self.event, self.prices))),
            };
            if let Some(contribution) = contribution {
                customer.pour(*index, contribution, (self.event.at, key), Some(self.position), self.rules);
            }
        }
    }

    /// An event of somebody who is merged into another: it is the other's.
    fn follow(&mut self, customer: &Customer) -> Outcome {
        let to = customer.merged_into().map(|to| CustomerId(to.clone()));
        self.sendings.extend(to.map(|to| Sending::bring(self.event, self.position, to)));
        NOTHING
    }

    fn profile(&mut self, customer: &mut Customer, profile: &Profile) -> Outcome {
        let held = customer.profile().map(|held| held.version);
        match held {
            Some(held) if profile.version == held => self.duplicate(),
            Some(held) if profile.version < held => NOTHING,
            _ => {
                let mut profile = profile.clone();
                profile.merged_into.take_if(|into| **into == *customer.id.as_str());
                customer.name_handles(Some(&profile), self.sendings);
                let before = customer.belongs_to();
                customer.merge_into(profile.merged_into.as_ref(), self.rules, self.sendings);
                customer.rare().profile = Some(Box::new(profile));
                customer.change_account(before, self.rules, self.sendings);
                Outcome { described: true, ..CHANGED }
            }
        }
    }

    fn account(&mut self, customer: &mut Customer, record: Option<&Account>) -> Outcome {
        match customer.set_record(record) {
            Some(true) => Outcome { described: true, ..CHANGED },
            Some(false) => NOTHING,
            None => self.duplicate(),
        }
    }
}

/// At which of its events' times an object counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Earliest,
    /// That of the present version.
    Present,
}

impl Customer {
    /// Whether the text was posted within a day of `at`.
    pub(super) fn has_posted(&self, text: u64, at: EventTime) -> bool {
        let texts = self.rare.iter().flat_map(|rare| &rare.texts).filter(|(other, _)| *other == text);
        texts
            .map(|(_, first)| *first)
            .any(|first| at < first.plus(DEDUP) && first < at.plus(DEDUP) && self.as_of < first.plus(DEDUP))
    }

    /// Remembers a text, unless it is within a day of its first.
    pub(super) fn post(&mut self, text: u64, at: EventTime) {
        if self.has_posted(text, at) {
            return;
        }
        let as_of = self.as_of;
        self.lapses = self.lapses.min(at.plus(DEDUP));
        let texts = &mut self.rare().texts;
        texts.retain(|(_, first)| as_of < first.plus(DEDUP));
        if texts.len() >= MAX_SEEN {
            texts.remove(0);
        }
        texts.push((text, at));
    }
}

/// The hash under which an object, a text or a session is remembered.
pub(super) fn hash(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// The hash under which a version of an object is remembered, by the hash of the object's key. Of a post only updates are
/// told apart by their time.
pub(super) fn seen_version(kind: Kind, key: u64, version: i64) -> u64 {
    let activity = version & 3;
    let version = if kind == Kind::Mention && activity != Activity::Update as i64 { activity } else { version };
    let bytes = (u128::from(key) << 64 | u128::from(version.cast_unsigned())).to_le_bytes();
    xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, kind as u64 + 1)
}

/// The hash under which a business key is remembered: kinds may share ids.
pub(super) fn seen(kind: Kind, key: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(key.as_bytes(), kind as u64 + 1)
}
