//! One full and one minimal record of each kind, field by field, and its keys.

use jiff::civil::date;
use rust_decimal::Decimal;

use super::*;
use crate::model::event::{
    Account, Acknowledged, Acknowledgement, Action, Activity, Agent, AgentState, Attribute, Case, CaseState, Csat,
    Engagement, Erasure, Exception, FxRate, MakeVip, Mention, Override, OverrideAction, PeriodEnd, Presence,
    PresenceState, Profile, Purchase, PurchaseStatus, Referral, ReferralStatus, Subscription,
};
use crate::model::money::Currency;
use crate::model::names::Named;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn at(text: &str) -> EventTime {
    super::super::time::parse(text).unwrap()
}

fn body(kind: Kind, fields: &str) -> Body {
    let event = decoded(kind, &record(fields)).unwrap();
    assert_eq!((event.event_id.as_str(), event.at), ("e1", NOON));
    assert_eq!(event.customer, kind.has_customer().then(|| CustomerId::from("ann")));
    assert_eq!((event.kind(), event.unknown_values), (kind, 0));
    event.body
}

fn minimal_body(kind: Kind) -> Body {
    decoded(kind, &minimal(kind)).unwrap().body
}

#[test]
fn a_purchase() {
    let minimal = Purchase {
        order_id: "o1".into(),
        amount: decimal("12.5"),
        currency: Currency("EUR".into()),
        status: PurchaseStatus::Completed,
        refund_id: "".into(),
        refunds_order_at: None,
        category: None,
        channel: None,
        items: None,
        account_id: None,
        subscription: None,
        test: false,
    };
    let full = r#""order_id":"o2","amount":0.1,"currency":"JPY","status":"refunded","refund_id":"r1",
        "refunds_order_at":852120000001,"category":"tr\u00eflip","channel":"web","items":2.0,"account_id":"a1",
        "subscription":{"plan":"pro","period_end":"1998-01-01","seats":[1,{"x":null}]},"test":true,"unknown":{"a":[]}"#;
    let expected = Purchase {
        order_id: "o2".into(),
        amount: decimal("0.1"),
        currency: Currency("JPY".into()),
        status: PurchaseStatus::Refunded,
        refund_id: "r1".into(),
        refunds_order_at: Some(EventTime(NOON.0 + 1)),
        category: Some("trïlip".into()),
        channel: Some("web".into()),
        items: Some(2),
        account_id: Some("a1".into()),
        subscription: Some(Box::new(Subscription {
            plan: Some("pro".into()),
            period_end: Some(PeriodEnd::Date(date(1998, 1, 1))),
        })),
        test: true,
    };
    assert_eq!(minimal_body(Kind::Purchase), Body::Purchase(minimal));
    assert_eq!(body(Kind::Purchase, full), Body::Purchase(expected));
}

#[test]
fn a_subscription_may_end_at_an_instant() {
    let fields = r#""order_id":"o2","amount":1,"currency":"JPY","status":"completed",
        "subscription":{"period_end":"1998-01-01T00:00:00+01:00"}"#;
    let Body::Purchase(purchase) = body(Kind::Purchase, fields) else { panic!("not a purchase") };
    let expected = Subscription { plan: None, period_end: Some(PeriodEnd::Instant(at("1997-12-31T23:00:00Z"))) };
    assert_eq!(purchase.subscription.as_deref(), Some(&expected));
}

#[test]
fn a_survey() {
    let minimal = Csat {
        interaction_id: "i1".into(),
        satisfaction: decimal("0.75"),
        score: decimal("4"),
        scale_min: decimal("1"),
        scale_max: decimal("5"),
        instrument: None,
        revision: 0,
        case_id: None,
        agent_id: None,
        channel: None,
        comment: None,
    };
    let full = r#""interaction_id":"i2","score":"2.5","scale_min":0,"scale_max":10,"instrument":"ces",
        "higher_is_better":false,"revision":2,"case_id":"c1","agent_id":"g1","channel":"mail","comment":"so \"so\"""#;
    let expected = Csat {
        interaction_id: "i2".into(),
        satisfaction: decimal("0.75"),
        score: decimal("2.5"),
        scale_min: decimal("0"),
        scale_max: decimal("10"),
        instrument: Some("ces".into()),
        revision: 2,
        case_id: Some("c1".into()),
        agent_id: Some("g1".into()),
        channel: Some("mail".into()),
        comment: Some("so \"so\"".into()),
    };
    assert_eq!(minimal_body(Kind::Csat), Body::Csat(minimal));
    assert_eq!(body(Kind::Csat, full), Body::Csat(expected));
}

#[test]
fn a_mention() {
    let minimal = Mention {
        platform: "x".into(),
        handle: "@ann".into(),
        public: true,
        post_id: "e1".into(),
        activity: Activity::Create,
        text: None,
        lang: None,
        sentiment: None,
        followers: None,
        reach: None,
        bot_score: None,
        url: None,
        in_reply_to: None,
    };
    let full = r#""platform":"y","handle":"bob","public":false,"post_id":"p1","activity":"update","text":"Today SUX!",
        "lang":"en","sentiment":-0.12345,"followers":7,"reach":9,"bot_score":"0.3","url":"u","in_reply_to":"p0""#;
    let expected = Mention {
        platform: "y".into(),
        handle: "bob".into(),
        public: false,
        post_id: "p1".into(),
        activity: Activity::Update,
        text: Some("Today SUX!".into()),
        lang: Some("en".into()),
        sentiment: Some(decimal("-0.12345")),
        followers: Some(7),
        reach: Some(9),
        bot_score: Some(decimal("0.3")),
        url: Some("u".into()),
        in_reply_to: Some("p0".into()),
    };
    assert_eq!(minimal_body(Kind::Mention), Body::Mention(Box::new(minimal)));
    assert_eq!(body(Kind::Mention, full), Body::Mention(Box::new(expected)));
}

#[test]
fn a_mention_without_sentiment_is_scored_from_its_text() {
    for (text, expected) in
        [(r#""Today SUX!""#, Some("-0.5461")), (r#""Today \u0053UX!""#, Some("-0.5461")), (r#""""#, None)]
    {
        let fields = format!(r#""platform":"x","handle":"@ann","public":true,"sentiment":null,"text":{text}"#);
        let Body::Mention(mention) = body(Kind::Mention, &fields) else { panic!("not a mention") };
        assert_eq!(mention.sentiment, expected.map(decimal), "{text}");
    }
}

#[test]
fn a_mention_may_lack_its_customer() {
    let event = decoded(
        Kind::Mention,
        r#"{"event_id":"e1","occurred_at":1,"platform":"x","handle":"@ann","public":true,"customer_id":""}"#,
    );
    assert_eq!(event.unwrap().customer, None);
}

#[test]
fn a_referral() {
    let minimal = Referral {
        referred_customer_id: "bob".into(),
        status: ReferralStatus::SignedUp,
        referral_id: None,
        value: None,
        currency: None,
        order_id: None,
        program: None,
    };
    let full = r#""referred_customer_id":"cy","status":"reversed","referral_id":"f1","value":"20","currency":"EUR",
        "order_id":"o1","program":"p""#;
    let expected = Referral {
        referred_customer_id: "cy".into(),
        status: ReferralStatus::Reversed,
        referral_id: Some("f1".into()),
        value: Some(decimal("20")),
        currency: Some(Currency("EUR".into())),
        order_id: Some("o1".into()),
        program: Some("p".into()),
    };
    assert_eq!(minimal_body(Kind::Referral), Body::Referral(minimal));
    assert_eq!(body(Kind::Referral, full), Body::Referral(expected));
}

#[test]
fn a_presence() {
    let minimal = Presence {
        session_id: "s1".into(),
        state: PresenceState::Online,
        channel: None,
        page: None,
        device: None,
        ttl_s: 90,
    };
    let full = r#""session_id":"s2","state":"offline","channel":"app","page":"/a\/b","device":"phone","ttl_s":86400"#;
    let expected = Presence {
        session_id: "s2".into(),
        state: PresenceState::Offline,
        channel: Some("app".into()),
        page: Some("/a/b".into()),
        device: Some("phone".into()),
        ttl_s: 86_400,
    };
    assert_eq!(minimal_body(Kind::Presence), Body::Presence(minimal));
    assert_eq!(body(Kind::Presence, full), Body::Presence(expected));
}

#[test]
fn a_case() {
    let minimal = Case {
        case_id: "c1".into(),
        version: 1,
        state: CaseState::Opened,
        agent_id: None,
        team: None,
        priority: None,
        channel: None,
        opened_at: None,
        first_response_at: None,
        solved_at: None,
        reopens: None,
        transfers: None,
        sla_breached: None,
        exception: None,
    };
    let full = r#""case_id":"c2","version":4,"state":"solved","agent_id":"g1","team":"t","priority":"p1","channel":"mail",
        "opened_at":1,"first_response_at":2,"solved_at":"1970-01-01T00:00:00.003Z","reopens":1,"transfers":2,
        "sla_breached":true,"exception":{"kind":"refund","approved_by":"g2"}"#;
    let expected = Case {
        case_id: "c2".into(),
        version: 4,
        state: CaseState::Solved,
        agent_id: Some("g1".into()),
        team: Some("t".into()),
        priority: Some("p1".into()),
        channel: Some("mail".into()),
        opened_at: Some(EventTime(1)),
        first_response_at: Some(EventTime(2)),
        solved_at: Some(EventTime(3)),
        reopens: Some(1),
        transfers: Some(2),
        sla_breached: Some(true),
        exception: Some(Exception { kind: "refund".into(), approved_by: Some("g2".into()) }),
    };
    assert_eq!(minimal_body(Kind::Case), Body::Case(Box::new(minimal)));
    assert_eq!(body(Kind::Case, full), Body::Case(Box::new(expected)));
}

#[test]
fn an_engagement() {
    let minimal = Engagement {
        engagement_id: "g1".into(),
        action: Action::Open,
        campaign_id: None,
        channel: None,
        machine: false,
    };
    let full = r#""engagement_id":"g2","action":"unsubscribe","campaign_id":"k1","channel":"mail","machine":true"#;
    let expected = Engagement {
        engagement_id: "g2".into(),
        action: Action::Unsubscribe,
        campaign_id: Some("k1".into()),
        channel: Some("mail".into()),
        machine: true,
    };
    assert_eq!(minimal_body(Kind::Engagement), Body::Engagement(minimal));
    assert_eq!(body(Kind::Engagement, full), Body::Engagement(expected));
}

#[test]
fn an_erasure() {
    let minimal = Erasure { request_id: "q1".into(), deadline: None };
    let full = r#""request_id":"q2","deadline":"1997-01-01T13:00:00+01:00""#;
    let expected = Erasure { request_id: "q2".into(), deadline: Some(NOON) };
    assert_eq!(minimal_body(Kind::Erasure), Body::Erasure(minimal));
    assert_eq!(body(Kind::Erasure, full), Body::Erasure(expected));
}

#[test]
fn a_rate_of_exchange() {
    let expected = |rate: &str| FxRate {
        base: Currency("USD".into()),
        quote: Currency("EUR".into()),
        rate: decimal(rate),
        valid_on: date(1997, 1, 1),
    };
    assert_eq!(minimal_body(Kind::FxRate), Body::FxRate(expected("0.92")));
    for (rate, exact) in [("1e12", "1000000000000"), ("\"0.10\"", "0.1"), ("1e-28", "0.0000000000000000000000000001")] {
        let fields = format!(r#""base":"USD","quote":"EUR","rate":{rate},"valid_on":"1997-01-01","source":"bank""#);
        assert_eq!(body(Kind::FxRate, &fields), Body::FxRate(expected(exact)), "{rate}");
    }
}

#[test]
fn an_account() {
    let minimal = Account { account_id: "k1".into(), version: 3, ..Account::default() };
    let full = r#""account_id":"k2","version":4,"name":"Acme","parent_account_id":"k1","tier":"A","icp_fit":-0.5,
        "account_manager":"a1","renewal_on":"2026-12-31","contract_value":"120000.00","attributes":{"seats":40,"x":"y"}"#;
    let expected = Account {
        account_id: "k2".into(),
        version: 4,
        name: Some("Acme".into()),
        parent_account_id: Some("k1".into()),
        tier: Some("A".into()),
        icp_fit: Some(decimal("-0.5")),
        account_manager: Some("a1".into()),
        renewal_on: Some(date(2026, 12, 31)),
        contract_value: Some(decimal("120000")),
        attributes: vec![("seats".into(), Attribute::Number(decimal("40"))), ("x".into(), Attribute::Text("y".into()))],
    };
    assert_eq!(minimal_body(Kind::Account), Body::Account(Box::new(minimal)));
    assert_eq!(body(Kind::Account, full), Body::Account(Box::new(expected)));
}

#[test]
fn an_agent() {
    let minimal = Agent {
        agent_id: "a1".into(),
        version: 3,
        name: None,
        team: None,
        skills: vec![],
        state: AgentState::Online,
        capacity: None,
        open_cases: None,
    };
    let full = r#""agent_id":"a2","version":4,"name":"Mia","team":"care","skills":["billing","sl"],"state":"away",
        "capacity":5,"open_cases":0"#;
    let expected = Agent {
        agent_id: "a2".into(),
        version: 4,
        name: Some("Mia".into()),
        team: Some("care".into()),
        skills: vec!["billing".into(), "sl".into()],
        state: AgentState::Away,
        capacity: Some(5),
        open_cases: Some(0),
    };
    assert_eq!(minimal_body(Kind::Agent), Body::Agent(Box::new(minimal)));
    assert_eq!(body(Kind::Agent, full), Body::Agent(Box::new(expected)));
}

#[test]
fn an_override() {
    let minimal = Override {
        override_id: "v1".into(),
        action: OverrideAction::Grant,
        programme: "big".into(),
        by: "mia".into(),
        reason: "goodwill".into(),
        expires_at: Some(EventTime(NOON.0 + 31 * 86_400_000)),
        tier: None,
        approved_by: None,
        case_id: None,
        account_id: None,
    };
    let full = r#""override_id":"v2","action":"lift","programme":"big","by":"mia","reason":"settled","tier":"gold",
        "approved_by":"lead","case_id":"c1","account_id":"k1","expires_at":1"#;
    let expected = Override {
        override_id: "v2".into(),
        action: OverrideAction::Lift,
        reason: "settled".into(),
        expires_at: None,
        tier: Some("gold".into()),
        approved_by: Some("lead".into()),
        case_id: Some("c1".into()),
        ..minimal.clone()
    };
    assert_eq!(minimal_body(Kind::Override), Body::Override(Box::new(minimal)));
    assert_eq!(body(Kind::Override, full), Body::Override(Box::new(expected)), "the customer's account is not meant");
}

#[test]
fn an_override_may_be_about_an_account() {
    let of_account = minimal(Kind::Override).replace(r#""customer_id":"ann""#, r#""account_id":"k1""#);
    let event = decoded(Kind::Override, &of_account).unwrap();
    assert_eq!((event.customer.clone(), event.entity_id()), (None, CustomerId::account("k1")));
    let of_nobody = minimal(Kind::Override).replace(r#""customer_id":"ann","#, "");
    let letter = decoded(Kind::Override, &of_nobody).unwrap_err();
    let message = "field `customer_id` is missing, and so is `account_id`, which may stand in its place";
    assert_eq!((letter.code, letter.message.as_str()), (Code::MissingField, message));
}

#[test]
fn an_acknowledgement() {
    let minimal = Acknowledgement {
        alert_id: "00ff".into(),
        action: Acknowledged::Resolved,
        by: "mia".into(),
        note: None,
        make_vip: None,
    };
    let full = r#""alert_id":"00ff","action":"resolved","by":"mia","note":"called",
        "make_vip":{"programme":"big","expires_at":"1997-02-01T12:00:00Z"}"#;
    let expires_at = EventTime(NOON.0 + 31 * 86_400_000);
    let make_vip = Some(MakeVip { programme: "big".into(), expires_at });
    let expected = Acknowledgement { note: Some("called".into()), make_vip, ..minimal.clone() };
    assert_eq!(minimal_body(Kind::Acknowledgement), Body::Acknowledgement(Box::new(minimal.clone())));
    assert_eq!(body(Kind::Acknowledgement, full), Body::Acknowledgement(Box::new(expected)));
}

#[test]
fn what_is_about_no_customer_needs_none_and_ignores_one() {
    for (kind, entity) in [(Kind::FxRate, "USD/EUR"), (Kind::Account, "k1"), (Kind::Agent, "a1")] {
        let with = minimal(kind);
        for value in [with.replace(r#""customer_id":"ann","#, ""), with.replace(r#""ann""#, "17"), with] {
            let event = decoded(kind, &value).unwrap();
            assert_eq!((event.entity().as_str(), event.customer), (entity, None), "{value}");
        }
    }
}

#[test]
fn a_customer() {
    let minimal = Profile { version: 3, ..Profile::default() };
    let full = r#""version":9,"name":"Ann","account_id":"a1","handles":[{"platform":"x","handle":"@ann"},
        {"platform":"y","handle":"ann","since":1}],"role":"partner","support_level":"gold","region":"si","vertical":"v",
        "segment":"s","account_manager":"g1","preferred_channel":"phone","timezone":"Europe/Ljubljana",
        "merged_into":"ann2","attributes":{"shoe":42.50,"co\u006cour":"r\u00e9d","none":null}"#;
    let expected = Profile {
        version: 9,
        name: Some("Ann".into()),
        account_id: Some("a1".into()),
        handles: vec![("x".into(), "@ann".into()), ("y".into(), "ann".into())],
        role: Some("partner".into()),
        support_level: Some("gold".into()),
        region: Some("si".into()),
        vertical: Some("v".into()),
        segment: Some("s".into()),
        account_manager: Some("g1".into()),
        preferred_channel: Some("phone".into()),
        timezone: Some("Europe/Ljubljana".into()),
        merged_into: Some("ann2".into()),
        attributes: vec![
            ("shoe".into(), Attribute::Number(decimal("42.5"))),
            ("colour".into(), Attribute::Text("réd".into())),
        ],
    };
    assert_eq!(minimal_body(Kind::Customer), Body::Customer(Box::new(minimal)));
    assert_eq!(body(Kind::Customer, full), Body::Customer(Box::new(expected)));
}

#[test]
fn a_customer_without_value_is_forgotten_at_the_record_s_time() {
    let raw = RawRecord { key: Some(b"ann"), timestamp: Some(NOON), ..RawRecord::default() };
    let event = decode(Kind::Customer, &raw).unwrap();
    assert_eq!((event.body, event.at, event.event_id.as_str()), (Body::Forget, NOON, "ann"));
    assert_eq!(event.customer, Some(CustomerId::from("ann")));
    let timeless = decode(Kind::Customer, &RawRecord { timestamp: None, ..raw }).unwrap();
    assert_eq!(timeless.at, EventTime::MIN);
}

#[test]
fn an_account_or_agent_without_value_is_forgotten_at_the_record_s_time() {
    for (kind, body) in
        [(Kind::Account, Body::ForgetAccount("k1".into())), (Kind::Agent, Body::ForgetAgent("k1".into()))]
    {
        let raw = RawRecord { key: Some(b"k1"), timestamp: Some(NOON), ..RawRecord::default() };
        let event = decode(kind, &raw).unwrap();
        assert_eq!((event.kind(), event.at, event.event_id.as_str()), (kind, NOON, "k1"));
        assert_eq!((event.entity().as_str(), event.business_key().as_str()), ("k1", "k1|forget|852120000000"));
        assert_eq!((event.body, event.customer), (body, None));
    }
}

#[test]
fn null_is_absent_in_every_optional_field() {
    let optional = "refund_id refunds_order_at category channel items account_id subscription test";
    let nulls: Vec<String> = optional.split(' ').map(|name| format!(r#""{name}":null"#)).collect();
    let fields =
        format!(r#""order_id":"o1","amount":"12.5","currency":"EUR","status":"completed",{}"#, nulls.join(","));
    assert_eq!(body(Kind::Purchase, &fields), minimal_body(Kind::Purchase));
}

#[test]
fn an_unknown_value_of_an_optional_enum_is_absent_and_counted() {
    for (kind, field) in [
        (Kind::Csat, r#""instrument":"emoji""#),
        (Kind::Mention, r#""activity":"boost""#),
        (Kind::Customer, r#""role":"king""#),
    ] {
        let value = minimal(kind).replace('}', &format!(",{field}}}"));
        let event = decoded(kind, &value).unwrap();
        assert_eq!((event.unknown_values, event.body), (1, minimal_body(kind)), "{field}");
    }
}

#[test]
fn decimals_are_exact_whether_number_or_string() {
    for (amount, expected) in [
        ("0.1", "0.1"),
        ("\"0.1\"", "0.1"),
        ("1e2", "100"),
        ("19.990", "19.99"),
        ("999999999999.9999999999999999", "999999999999.9999999999999999"),
        ("0.1234567890123456789012345678", "0.1234567890123456789012345678"),
        ("-0", "0"),
    ] {
        let fields = format!(r#""order_id":"o1","amount":{amount},"currency":"EUR","status":"completed""#);
        let Body::Purchase(purchase) = body(Kind::Purchase, &fields) else { panic!("not a purchase") };
        assert_eq!(purchase.amount.to_string(), expected, "{amount}");
    }
}

#[test]
fn keys_are_made_of_what_the_contract_says() {
    let purchase = r#""order_id":"o1","amount":1,"currency":"EUR","status":"refunded","refund_id":"r1""#;
    let post = r#""platform":"x","handle":"@ann","public":true,"post_id":"p1","activity""#;
    for (kind, fields, business, object) in [
        (Kind::FxRate, REQUIRED[0].1, "USD|EUR|1997-01-01", "USD|EUR|1997-01-01"),
        (Kind::Account, REQUIRED[1].1, "k1|3", "k1|3"),
        (Kind::Agent, REQUIRED[2].1, "a1|3", "a1|3"),
        (Kind::Customer, r#""version":3"#, "ann|3", "ann|3"),
        (Kind::Purchase, purchase, "o1|refunded|r1", "o1"),
        (Kind::Csat, r#""interaction_id":"i1","score":4,"scale_max":5,"revision":2"#, "i1|2", "i1"),
        (Kind::Mention, &format!(r#"{post}:"create""#), "x|p1|create", "x|p1"),
        (Kind::Mention, &format!(r#"{post}:"update""#), "x|p1|update|852120000000", "x|p1"),
        (Kind::Mention, &format!(r#"{post}:"repost""#), "x|p1|repost", "x|p1|repost"),
        (Kind::Referral, r#""referred_customer_id":"bob","status":"converted""#, ">bob|converted", ">bob"),
        (Kind::Referral, r#""referred_customer_id":"bob","status":"reversed","referral_id":"f1""#, "f1|reversed", "f1"),
        (Kind::Presence, r#""session_id":"s1","state":"online""#, "s1|online|852120000000", "s1|online|852120000000"),
        (Kind::Case, r#""case_id":"c1","version":2,"state":"closed""#, "c1|2", "c1"),
        (Kind::Engagement, r#""engagement_id":"g1","action":"open""#, "g1", "g1"),
        (Kind::Erasure, r#""request_id":"q1""#, "q1", "q1"),
        (Kind::Override, REQUIRED[12].1, "v1", "v1"),
        (Kind::Acknowledgement, REQUIRED[13].1, "00ff|resolved", "00ff|resolved"),
    ] {
        let event = decoded(kind, &record(fields)).unwrap();
        assert_eq!((event.business_key().as_str(), event.object_key().as_str()), (business, object), "{fields}");
    }
}

#[test]
fn each_name_of_a_closed_enum_is_read_back() {
    fn all<E: Named + PartialEq + std::fmt::Debug>() {
        for value in E::ALL {
            assert_eq!(E::from_name(value.name()).as_ref(), Some(value));
        }
    }
    all::<PurchaseStatus>();
    all::<Activity>();
    all::<ReferralStatus>();
    all::<PresenceState>();
    all::<CaseState>();
    all::<OverrideAction>();
    all::<Acknowledged>();
    all::<Action>();
    all::<AgentState>();
}
