//! What a customer did, kept whole: nothing is ever thrown away, and what is no longer remembered is
//! merely no longer found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rust_decimal::Decimal;

use vipstream::model::event::{Activity, Body, Event, Kind, Mention, PeriodEnd, Purchase, PurchaseStatus};
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;

use super::keys;
use super::rules::Ruleset;
use super::shares::signed;

const DAY: Duration = Duration::from_hours(24);

/// An order, survey, post, referral, case, presence or engagement event: what features count.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) key: String,
    pub(super) place: EventTime,
    /// The newest version's event; `None` where nothing (any longer) counts, as of a deleted post.
    pub(super) content: Option<Event>,
    pub(super) position: Position,
    pub(super) version: (i64, i64),
    pub(super) seen: BTreeSet<String>,
    /// Of an order: refunds (amount and currency) by business key, and whether it was cancelled.
    pub(super) refunds: BTreeMap<String, (Decimal, String)>,
    pub(super) cancelled: bool,
    /// Of an order that is remembered no longer: whether it was wholly taken back then. No later rate changes that.
    pub(super) forgotten: Option<bool>,
    /// Of a post: the alerts that it caused, and the time of its newest deletion.
    pub(super) alerted: BTreeSet<String>,
    pub(super) deleted: Option<EventTime>,
}

impl Object {
    fn new(event: &Event, position: Position) -> Self {
        Self {
            kind: event.kind(),
            key: keys::object_key(event),
            place: event.at,
            content: Some(event.clone()),
            position,
            version: keys::version(event),
            seen: BTreeSet::from([keys::business_key(event)]),
            refunds: BTreeMap::new(),
            cancelled: false,
            forgotten: None,
            alerted: BTreeSet::new(),
            deleted: None,
        }
    }
}

/// Refunds and a cancellation that came before their order. They wait together, as long as the newest of them is
/// remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pending {
    pub(super) refunds: BTreeMap<String, (Decimal, String)>,
    pub(super) cancelled: bool,
    pub(super) newest: EventTime,
}

/// What follows from an event.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each question has its own answer")]
pub(super) struct Outcome {
    /// Labels and programmes are looked at.
    pub(super) look: bool,
    /// Alerts on the event's kind are judged.
    pub(super) alerts: bool,
    /// Another profile than before.
    pub(super) described: bool,
    /// Money went back: what `skip_grace: [refund]` is about.
    pub(super) refund: bool,
    /// It was expired; facts such as `first_purchase` have taken it in all the same, so the next event brings a look.
    pub(super) expired: bool,
    /// Why what somebody decided is not taken.
    pub(super) refused: Option<&'static str>,
}

const NOTHING: Outcome =
    Outcome { look: false, alerts: false, refund: false, described: false, expired: false, refused: None };
const APPLIED: Outcome = Outcome { look: true, alerts: true, ..NOTHING };
const EXPIRED: Outcome = Outcome { expired: true, ..NOTHING };

/// Everything known of one customer, or of an author known by handle only.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Memory {
    pub(super) objects: Vec<Object>,
    pub(super) first_purchase: Option<EventTime>,
    pub(super) last_purchase: Option<EventTime>,
    pub(super) last_seen: Option<EventTime>,
    /// Refunds, cancellations and disputes seen, each with its time.
    pub(super) requests: BTreeMap<String, EventTime>,
    pub(super) pending: BTreeMap<String, Pending>,
    /// What the author wrote, and when first.
    pub(super) texts: Vec<(String, EventTime)>,
}

/// Applies one event.
pub(super) struct Taking<'a> {
    pub(super) rules: &'a Ruleset,
    pub(super) event: &'a Event,
    pub(super) position: Position,
    /// The entity's as-of, the event's own time included.
    pub(super) as_of: EventTime,
    /// At an account, the contact who did it.
    pub(super) contact: Option<&'a str>,
}

impl Taking<'_> {
    /// Whether something at `place` is still remembered.
    pub(super) fn remembers(&self, place: EventTime) -> bool {
        if self.event.customer.is_none() {
            return self.as_of < place.plus(DAY);
        }
        self.rules.remembers(self.event.kind(), place, self.as_of)
    }

    fn is_expired(&self) -> bool {
        !self.remembers(self.event.at)
    }
}

impl Ruleset {
    /// Whether a customer still remembers something at `place`: for a day, and as long as a feature reads it.
    pub(super) fn remembers(&self, kind: Kind, place: EventTime, as_of: EventTime) -> bool {
        let counts_there = matches!(kind, Kind::Purchase | Kind::Referral);
        let reads = |of: Kind| of == kind || counts_there && of == Kind::ReferredPurchase;
        let mut features = self.features.iter().filter(|feature| reads(feature.kind));
        let mut is_read =
            || features.any(|feature| self.calendar.exit(feature.window, place).is_none_or(|exit| as_of < exit));
        let exceptions = self.exceptions.as_ref().filter(|_| kind == Kind::Case);
        let may_be_exceptional =
            exceptions.is_some_and(|it| self.calendar.exit(it.window, place).is_none_or(|exit| as_of < exit));
        may_be_exceptional || as_of < place.plus(DAY) || !matches!(kind, Kind::Presence | Kind::Engagement) && is_read()
    }
}

impl Memory {
    /// Takes an event in. (Customer records are not for the memory.)
    pub(super) fn take(&mut self, taking: &Taking<'_>) -> Outcome {
        match &taking.event.body {
            Body::Purchase(purchase) if purchase.test => NOTHING,
            Body::Referral(referral)
                if taking.event.customer.as_ref().is_some_and(|id| id.0 == referral.referred_customer_id) =>
            {
                NOTHING
            }
            Body::Purchase(purchase) if purchase.status == PurchaseStatus::Completed => self.order(taking, purchase),
            Body::Purchase(purchase) => self.request(taking, purchase),
            Body::Mention(mention) => self.mention(taking, mention),
            _ => self.version(taking),
        }
    }

    /// The remembered object of that key.
    pub(super) fn find(&mut self, taking: &Taking<'_>, key: &str) -> Option<&mut Object> {
        let kind = taking.event.kind();
        let mut objects = self.objects.iter_mut().rev();
        objects.find(|object| object.kind == kind && object.key == key && taking.remembers(object.place))
    }

    /// Greatest end of a paid period.
    pub(super) fn period_end(&self, rules: &Ruleset) -> Option<EventTime> {
        let orders = self.objects.iter().filter(|object| object.kind == Kind::Purchase);
        let ends = orders.filter(|object| !object.is_wholly_taken_back(rules)).filter_map(|object| {
            let Some(Body::Purchase(purchase)) = object.content.as_ref().map(|event| &event.body) else { return None };
            Some(match purchase.subscription.as_ref()?.period_end? {
                PeriodEnd::Instant(end) => end,
                PeriodEnd::Date(date) => rules.calendar.first_instant(date),
            })
        });
        ends.max()
    }

    /// Notes the customer's presence and purchases: greatest and least times, whatever the order of arrival.
    fn sight(&mut self, event: &Event) {
        if !keys::is_sight(event) {
            return;
        }
        self.last_seen = self.last_seen.max(Some(event.at));
        if event.kind() == Kind::Purchase {
            self.last_purchase = self.last_purchase.max(Some(event.at));
            self.first_purchase = Some(self.first_purchase.map_or(event.at, |first| first.min(event.at)));
        }
    }

    fn order(&mut self, taking: &Taking<'_>, purchase: &Purchase) -> Outcome {
        if self.find(taking, &purchase.order_id).is_some() {
            return NOTHING;
        }
        self.sight(taking.event);
        if taking.is_expired() {
            return EXPIRED;
        }
        let mut order = Object::new(taking.event, taking.position);
        if let Some(pending) = self.pending.remove(purchase.order_id.as_str())
            && taking.remembers(pending.newest)
        {
            order.refunds = pending.refunds;
            order.cancelled = pending.cancelled;
        }
        self.objects.push(order);
        APPLIED
    }

    /// A refund, a cancellation or a dispute.
    fn request(&mut self, taking: &Taking<'_>, purchase: &Purchase) -> Outcome {
        let key = keys::business_key(taking.event);
        if self.requests.get(&key).is_some_and(|at| taking.remembers(*at)) {
            return NOTHING;
        }
        if taking.is_expired() {
            return EXPIRED;
        }
        self.requests.insert(key.clone(), taking.event.at);
        match purchase.status {
            PurchaseStatus::Disputed => return Outcome { look: false, ..APPLIED },
            PurchaseStatus::Refunded if !self.refund(taking, purchase, key) => return NOTHING,
            PurchaseStatus::Refunded => {}
            _ => self.cancel(taking, purchase),
        }
        Outcome { refund: true, ..APPLIED }
    }

    /// Notes a refund; says whether it was news.
    fn refund(&mut self, taking: &Taking<'_>, purchase: &Purchase, key: String) -> bool {
        let refund = (purchase.amount, purchase.currency.0.to_string());
        if let Some(order) = self.find(taking, &purchase.order_id) {
            let is_news = !order.refunds.contains_key(&key);
            order.refunds.entry(key).or_insert(refund);
            return is_news;
        }
        self.wait_for_order(taking, purchase).refunds.entry(key).or_insert(refund);
        true
    }

    fn cancel(&mut self, taking: &Taking<'_>, purchase: &Purchase) {
        if let Some(order) = self.find(taking, &purchase.order_id) {
            order.cancelled = true;
            return;
        }
        self.wait_for_order(taking, purchase).cancelled = true;
    }

    /// What waits for an order that has not come.
    fn wait_for_order(&mut self, taking: &Taking<'_>, purchase: &Purchase) -> &mut Pending {
        let pending = self.pending.entry(purchase.order_id.to_string()).or_default();
        if !taking.remembers(pending.newest) {
            *pending = Pending::default();
        }
        pending.newest = pending.newest.max(taking.event.at);
        pending
    }

    /// A survey, referral, case, presence or engagement event: the newest version of its object holds.
    fn version(&mut self, taking: &Taking<'_>) -> Outcome {
        let event = taking.event;
        let key = keys::business_key(event);
        let known = self.find(taking, &keys::object_key(event)).is_some_and(|object| object.seen.contains(&key));
        if known {
            return NOTHING;
        }
        self.sight(event);
        if taking.is_expired() { EXPIRED } else { self.renew(taking) }
    }

    /// Takes the event into its object, or makes the object.
    fn renew(&mut self, taking: &Taking<'_>) -> Outcome {
        if let Some(object) = self.find(taking, &keys::object_key(taking.event)) {
            return object.renew(taking);
        }
        self.objects.push(Object::new(taking.event, taking.position));
        APPLIED
    }

    fn mention(&mut self, taking: &Taking<'_>, mention: &Mention) -> Outcome {
        let event = taking.event;
        let key = keys::object_key(event);
        let known = self.find(taking, &key);
        let is_known = known.is_some();
        if known.is_some_and(|object| object.seen.contains(&keys::business_key(event))) {
            return NOTHING;
        }
        if taking.is_expired() {
            self.sight(event);
            return EXPIRED;
        }
        let writes = mention.activity != Activity::Delete;
        let text = mention.text.as_deref().filter(|text| writes && !text.is_empty());
        let text = text.map(|text| taking.contact.map_or(text.to_owned(), |contact| signed(text, contact)));
        let text = text.as_deref();
        if !is_known && text.is_some_and(|text| self.wrote_before(taking, text)) {
            return NOTHING;
        }
        self.sight(event);
        let outcome = self.renew(taking);
        if outcome.alerts
            && let Some(text) = text
            && !self.wrote_before(taking, text)
        {
            self.texts.push((text.to_owned(), event.at));
        }
        if mention.activity == Activity::Delete {
            self.delete(taking, mention, &key);
        }
        if mention.activity == Activity::Repost {
            self.retract_deleted_repost(taking, mention);
        }
        let alerts = outcome.alerts && matches!(mention.activity, Activity::Create | Activity::Update);
        Outcome { alerts, ..outcome }
    }

    /// Whether the author wrote the very same within 24 hours.
    fn wrote_before(&self, taking: &Taking<'_>, text: &str) -> bool {
        let at = taking.event.at;
        self.texts.iter().any(|(known, first)| {
            known == text && taking.as_of < first.plus(DAY) && at < first.plus(DAY) && *first < at.plus(DAY)
        })
    }

    /// A deletion stands as a version without content, and takes the author's repost along.
    fn delete(&mut self, taking: &Taking<'_>, mention: &Mention, key: &str) {
        let post = self.find(taking, key).expect("the deletion itself is remembered");
        post.deleted = post.deleted.max(Some(taking.event.at));
        if post.version == keys::version(taking.event) {
            post.content = None;
        }
        self.retract_deleted_repost(taking, mention);
    }

    fn retract_deleted_repost(&mut self, taking: &Taking<'_>, mention: &Mention) {
        let post = format!("{}|{}", mention.platform, mention.post_id);
        let deleted = self.find(taking, &post).and_then(|post| post.deleted);
        if let Some(repost) = self.find(taking, &keys::repost_key(mention))
            && deleted.is_some_and(|deleted| repost.place <= deleted)
        {
            repost.content = None;
        }
    }
}

impl Object {
    /// Takes in another event about the same thing.
    fn renew(&mut self, taking: &Taking<'_>) -> Outcome {
        let event = taking.event;
        self.seen.insert(keys::business_key(event));
        if self.kind != Kind::Referral {
            self.place = self.place.min(event.at);
        }
        // An older version changes no content, but it was a sight of the customer and may move the place.
        if keys::version(event) < self.version {
            return Outcome { look: true, ..NOTHING };
        }
        if self.kind == Kind::Referral {
            self.place = event.at;
        }
        self.version = keys::version(event);
        self.content = Some(event.clone());
        self.position = taking.position;
        APPLIED
    }
}
