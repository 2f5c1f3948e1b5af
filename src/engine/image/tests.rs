//! Every field survives; bytes that are no state are refused and never taken for one; what the digests leave out.

use std::sync::{Arc, LazyLock};

use rust_decimal::Decimal;

use super::super::advocates::Referred;
use super::super::bucket::Bucket;
use super::super::customer::{BUSY, Customer, NEVER, Pending, Rare, Waiting};
use super::super::entry::{Extra, Flag, Object, rank_of};
use super::super::held_back::HeldBack;
use super::super::money::{Money, Refund, Refunds};
use super::super::overrides::Counted;
use super::super::overrides::tests::by_hand;
use super::super::presence::Visit;
use super::super::programme::{By, Held};
use super::super::seat::Seat;
use super::super::tally::Tally;
use super::super::ties::Ties;
use super::super::{Engine, Home, TimeMode};
use super::wire::Writer;
use super::{Encoded, ImageError};
use crate::codec::{RawRecord, decode};
use crate::model::effect::Origin;
use crate::model::event::{Attribute, Kind, Profile};
use crate::model::id::CustomerId;
use crate::model::money::Currency;
use crate::model::output::{OutputId, Scalar};
use crate::model::record::{Epoch, Position, Record};
use crate::model::time::{EventTime, MaybeTime};
use crate::pivot::budget::{Budget, Grade};
use crate::pivot::priors::Priors;
use crate::pivot::settings::Settings;
use crate::pivot::state::State;
use crate::pivot::{self, Channel, Direction, Observation, Pivot};
use crate::rules::ruleset::Ruleset;

const RULES: &str = "
ruleset: shop
currency: EUR
features:
  spend: { sum: purchase.amount, over: 30d }
  orders: { count: purchase, over: 30d }
  kinds: { distinct: purchase.category, over: 30d }
  last_page: { last: presence.page, over: 1d }
  visits: { count: presence, over: 1d }
labels:
  loyal: orders >= 2
  silent: days_since(last_seen) > 2
programmes:
  plain: { grant: orders >= 3, grace: 3d }
  big: { grant: spend >= 100, grace: 1d, tiers: { gold: spend >= 150, silver: 'true' } }
alerts:
  vip_online: { on: presence, when: vip, once_per: visit }
";

fn rules() -> Arc<Ruleset> {
    static ONCE: LazyLock<Arc<Ruleset>> =
        LazyLock::new(|| Arc::new(Ruleset::parse("rules", RULES).expect("the rules are in order")));
    Arc::clone(&ONCE)
}

fn amount(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

const AT: EventTime = EventTime(1_740_787_200_000);
const LATER: EventTime = EventTime(AT.0 + 86_400_000);
const POSITION: Position = Position { kind: Kind::Purchase, partition: 300, offset: 1 << 40 };

/// A profile in which nothing is left out: a field that is added does not compile here before it is.
fn profile() -> Profile {
    Profile {
        version: -7,
        name: Some("Ann".into()),
        account_id: Some("a".into()),
        handles: vec![("x".into(), "@ann".into()), ("".into(), "".into())],
        role: Some("partner".into()),
        support_level: Some("".into()),
        region: Some("north".into()),
        vertical: Some("v".into()),
        segment: Some("s".into()),
        account_manager: Some("m".into()),
        preferred_channel: Some("c".into()),
        timezone: Some("z".into()),
        merged_into: Some("o".into()),
        attributes: vec![
            ("t".into(), Attribute::Text("a text of more bytes than lie inline".into())),
            ("n".into(), Attribute::Number(amount("-12.500"))),
        ],
    }
}

fn refunds() -> Refunds {
    let mut refunds = Refunds::default();
    for key in [7, 3] {
        refunds.add(Refund { key, amount: amount("3.10"), currency: Currency("GBP".into()) });
    }
    refunds
}

fn rare() -> Rare {
    let scalars = [
        Scalar::Bool(false),
        Scalar::Int(-3),
        Scalar::Decimal(amount("0.0000000000000000000000000001")),
        Scalar::Text("".into()),
        Scalar::Time(EventTime(0)),
    ];
    let extreme = |value: &Scalar| Some(((AT, u64::MAX), value.clone()));
    let buckets = (0..).zip(&scalars).map(|(feature, value)| Bucket {
        feature,
        exit: if feature == 0 { NEVER } else { LATER },
        count: 70_000,
        sum: -(1 << 100),
        values: vec![1, u64::MAX],
        extreme: extreme(value),
        newest: Some(((LATER, 3), POSITION)),
    });
    let stored = |value: Option<Scalar>| Extra {
        stored: Box::new([value]),
        period_end: LATER.into(),
        amount: Some(Box::new(amount("999999999999.999999999999999"))),
        unpaid_end: AT.into(),
        money: Some(Box::new(Money { amount: amount("1.50"), currency: Currency("USD".into()), refunds: refunds() })),
    };
    let held = |programme: u8, tier: Option<u8>| Held {
        programme,
        by: if programme == 0 { By::Both } else { By::Override },
        tier,
        tier_by_override: tier.is_some(),
        by_refund: true,
        announced: true,
        granted_at: AT,
        grant: OutputId(u128::MAX - 5),
        rise_at: LATER,
        false_since: Some(AT),
        fall_since: Some(LATER),
    };
    Rare {
        profile: Some(Box::new(profile())),
        waiting: Some(Box::new(Waiting {
            origin: Origin { event_id: "e".into(), position: POSITION, kind: Kind::Mention, key: "k|1".into() },
            refund: true,
        })),
        held: vec![held(0, None), held(1, Some(0))],
        extras: vec![
            ((rank_of(Kind::Purchase), 5), stored(Some(Scalar::Text("trip".into())))),
            ((rank_of(Kind::Purchase), 6), stored(None)),
            ((rank_of(Kind::Csat), 5), Extra::default()),
        ],
        pending: [(9, Pending { refunds: refunds(), cancelled: true, until: NEVER })].into(),
        seen: vec![(2, LATER), (1, NEVER)],
        texts: vec![(5, AT)],
        buckets: buckets.collect(),
        visit: Some(Box::new(Visit { newest: AT, sessions: vec![(1, AT, LATER), (0, AT, AT)], alerted: 1 })),
        subscribed_floor: AT.into(),
        paid_until: LATER.into(),
        keys: None,
        lost_order: AT.into(),
        ties: Some(Box::new(ties())),
        by_hand: Some(Box::new(by_hand())),
        counted: Counted::default(),
        seats: vec![Seat::new(1)],
        told: 0x8004,
        held_back: vec![HeldBack { pivot: pivot(), until: LATER }],
    }
}

fn pivot() -> Pivot {
    Pivot {
        kind: pivot::Kind::Silence,
        of: None,
        channel: Channel::Cadence,
        level: Grade::Alert,
        direction: Direction::Up,
        from: 7.0,
        to: 31.0,
        ratio: Some(4.4),
        shops: None,
        since_ms: AT.0,
        decided_at_ms: AT.0,
        n_before: 9.0,
        n_after: 0.0,
        evidence: None,
        threshold: None,
        p: Some(0.001),
        days_silent: Some(31.0),
        confidence: Some(0.9),
        budget: 0.005,
        was_announced: false,
    }
}

fn ties() -> Ties {
    let json = format!(
        r#"{{"event_id":"e","occurred_at":{},"platform":"x","handle":"h","public":true,"followers":5,"sentiment":0.25}}"#,
        AT.0
    );
    let post = decode(Kind::Mention, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
    Ties {
        sent: 3,
        claims: vec![(AT, CustomerId::from("ann"))],
        unclaimed: vec![(post.expect("a mention"), POSITION)],
        merged: vec![CustomerId::from("anna")],
        aliases: vec![7],
        holds_others: true,
        referred: vec![Referred { key: 7, to: CustomerId::from("bob"), referrer: CustomerId::from("anna") }],
        ..Ties::default()
    }
}

fn order(number: u64) -> super::super::entry::Entry {
    let mut order = Object::new(number, EventTime(AT.0 + number.cast_signed()), POSITION);
    order.set_amount(amount("12.345"));
    order.entry.set(Flag::Cancelled, true);
    order.entry.set_filters(0x8001);
    order.entry
}

fn detectors() -> State {
    let settings = Settings::new(Priors::default(), Budget::new(None, Some(0.01)).unwrap());
    let mut state = State::default();
    for day in 0..9 {
        let at_ms = AT.0 + day * 86_400_000 * 3;
        let purchase = Observation::Purchase { amount: Some(20.0), shop: Some(0) };
        for observation in [purchase, Observation::Csat(4.0), Observation::Engagement, Observation::Refund] {
            state.observe(observation, at_ms, &settings, &mut Vec::new());
        }
    }
    state
}

fn customer(rare: Option<Box<Rare>>, objects: u64) -> Customer {
    Customer {
        id: CustomerId::from("a customer whose id is longer than what lies inline"),
        as_of: AT,
        deadline: LATER,
        queued: NEVER,
        exit: EventTime(i64::MIN),
        lapses: LATER,
        fired: AT,
        first_purchase: AT.into(),
        last_purchase: LATER.into(),
        last_seen: MaybeTime::NONE,
        labels: 0b11,
        seq: 4_000_000_000,
        look_pending: true,
        look_again: true,
        news: u16::MAX,
        log: (0..objects).map(order).collect(),
        tally: Tally::of((5..9).collect()),
        pivots: rare.is_some().then(|| Box::new(detectors())),
        rare,
    }
}

fn encoded(customer: &Customer) -> Vec<u8> {
    let mut bytes = Vec::new();
    customer.encode(&mut Writer(&mut bytes));
    bytes
}

#[test]
fn every_field_of_a_customer_survives() {
    let rules = rules();
    let fresh = Customer::new(CustomerId::from("ann"), &rules);
    let keys = |objects: u64| (0..objects).map(|key| (rank_of(Kind::Purchase), key)).collect();
    let busy = BUSY as u64 + 1;
    let with_keys = Rare { keys: Some(keys(busy)), ..rare() };
    let customers = [
        fresh,
        customer(None, 0),
        customer(Some(Box::default()), 1),
        customer(Some(Box::new(rare())), 3),
        customer(Some(Box::new(with_keys)), busy),
    ];
    for customer in customers {
        let bytes = encoded(&customer);
        let restored = Customer::decode(&bytes, &rules).expect("what was encoded");
        assert_eq!(restored, customer);
        assert_eq!(encoded(&restored), bytes);
    }
}

#[test]
fn an_empty_customer_takes_few_bytes() {
    let bytes = encoded(&Customer::new(CustomerId::from("ann"), &rules()));
    let cells = 4 * 8;
    assert_eq!(bytes.len(), 5 + 2 + 4 + 3 + cells, "id, look again, news, tally");
}

/// An engine that knows some customers, of whom not all lately.
fn engine() -> Engine {
    let mut engine = Engine::new(rules(), "shop", TimeMode::Live, Home::ALONE);
    let order = |id: u64, minute: i64, amount: u32| {
        let fields = format!("\"order_id\":\"o{id}-{minute}\",\"amount\":{amount},\"currency\":\"EUR\"");
        record(Kind::Purchase, id, minute, &format!("{fields},\"status\":\"completed\",\"category\":\"c{minute}\""))
    };
    let online =
        |id, minute| record(Kind::Presence, id, minute, "\"session_id\":\"s\",\"state\":\"online\",\"page\":\"p\"");
    let named = |id, minute| record(Kind::Customer, id, minute, "\"version\":1,\"name\":\"Ann\"");
    for hour in 0..4 {
        let minute = hour * 60;
        let mut records: Vec<Record> = (0..16).map(|id| order(id, minute, 60)).collect();
        records.extend((0..8).map(|id| online(id, minute + 1)));
        records.extend((0..4).map(|id| named(id, minute + 2)));
        // The last are beyond the clock: their looks wait.
        records.push(order(3, minute + 30, 1));
        apply(&mut engine, records, minute + 5, minute + 40);
    }
    engine
}

fn record(kind: Kind, id: u64, minute: i64, fields: &str) -> Record {
    let at = EventTime(AT.0 + minute * 60_000);
    let json =
        format!("{{\"event_id\":\"e{id}-{minute}\",\"customer_id\":\"c{id}\",\"occurred_at\":{},{fields}}}", at.0);
    let body = decode(kind, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
    assert!(body.is_ok(), "{body:?}");
    Record { position: Position { kind, partition: 0, offset: id }, merge_time: at, body }
}

fn apply(engine: &mut Engine, records: Vec<Record>, clock: i64, wall: i64) {
    let at = |minute: i64| EventTime(AT.0 + minute * 60_000);
    engine.apply(Epoch { records, clock: at(clock), wall: at(wall), ..Epoch::default() }, &mut Vec::new());
}

fn image(engine: &mut Engine) -> (Vec<u8>, Vec<u8>) {
    let (head, mut block) = (engine.freeze(), Vec::new());
    while engine.encode(7, &mut block).is_some() {}
    (head, block)
}

fn restored(head: &[u8], block: &[u8]) -> Result<Engine, ImageError> {
    let mut engine = Engine::restore(rules(), "shop", TimeMode::Live, Home::ALONE, head)?;
    engine.admit(block)?;
    Ok(engine)
}

#[test]
fn a_block_cut_anywhere_is_refused_or_holds_fewer() {
    let mut engine = engine();
    let (head, block) = image(&mut engine);
    for end in 0..block.len() {
        if let Ok(cut) = restored(&head, &block[..end]) {
            assert!(cut.stats().customers < engine.stats().customers, "cut at {end}");
        }
    }
}

#[test]
fn a_flipped_bit_is_refused_or_seen_by_the_digest() {
    let mut engine = engine();
    let (head, mut block) = (engine.freeze(), Vec::new());
    let digest = engine.encode(5, &mut block).map(|encoded| encoded.digest).expect("some are there");
    let (mut refused, mut told_apart) = (0, 0);
    for at in 0..block.len() {
        for bit in 0..8 {
            let mut flipped = block.clone();
            flipped[at] ^= 1 << bit;
            match restored(&head, &flipped) {
                Err(_) => refused += 1,
                Ok(other) => {
                    assert_ne!(other.digest(), digest, "bit {bit} of byte {at}");
                    told_apart += 1;
                }
            }
        }
    }
    assert!(refused > 1_000 && told_apart > 1_000, "{refused} refused, {told_apart} told apart by the digest");
}

#[test]
fn a_head_of_other_rules_or_another_form_is_refused() {
    let mut engine = engine();
    let head = engine.freeze();
    let other = Arc::new(Ruleset::parse("rules", &RULES.replace("100", "101")).expect("rules"));
    let error = |rules, head: &[u8]| {
        Engine::restore(rules, "shop", TimeMode::Live, Home::ALONE, head).err().map(|error| error.to_string())
    };
    assert!(error(other, &head).is_some_and(|error| error.starts_with("a state of ruleset ")));
    assert!(error(rules(), &head[..head.len() - 1]).is_some_and(|error| error.contains("damaged")));
    let newer = [&[8, 4], &head[2..]].concat();
    assert_eq!(error(rules(), &newer).as_deref(), Some("a state of form 4, this build reads 3"));
    assert_eq!(error(rules(), &head), None);
}

#[test]
fn a_customer_is_admitted_once() {
    let mut engine = engine();
    let (head, block) = image(&mut engine);
    let twice = [block.as_slice(), &block].concat();
    let error = restored(&head, &twice).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("customer 16: one of that id is there already"));
}

#[test]
fn what_happens_meanwhile_is_not_in_the_image() {
    let mut engine = engine();
    let (digest, (head, at_once)) = (engine.digest(), image(&mut engine));
    assert_eq!(engine.freeze(), head);
    let (mut block, mut encoded) = (Vec::new(), Encoded::default());
    for minute in 300..340 {
        encoded = engine.encode(1, &mut block).unwrap_or(encoded);
        let online = |id| record(Kind::Presence, id, minute, "\"session_id\":\"s\",\"state\":\"heartbeat\"");
        apply(&mut engine, (0..24).rev().map(online).collect(), minute, minute);
    }
    while let Some(more) = engine.encode(1, &mut block) {
        encoded = more;
    }
    assert_eq!(block, at_once);
    assert_eq!(encoded, Encoded { customers: 16, digest });
    assert_eq!(engine.stats().customers, 24, "some were met meanwhile");
}

#[test]
fn freezing_anew_gives_up_what_was_frozen() {
    let mut engine = engine();
    engine.freeze();
    let mut block = Vec::new();
    engine.encode(3, &mut block);
    let (_, whole) = image(&mut engine);
    assert!(whole.starts_with(&block) && whole.len() > block.len());
    engine.freeze();
    engine.thaw();
    assert_eq!(engine.encode(1, &mut block), None);
}
