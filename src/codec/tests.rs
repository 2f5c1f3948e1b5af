//! What is read, what is refused, and that nothing else can happen.

mod envelopes;
mod kinds;
mod properties;
mod refused;

use super::*;

/// Decodes a value without key and headers.
fn decoded(kind: Kind, value: &str) -> Result<Event, Box<DeadLetter>> {
    decode(kind, &RawRecord { value: Some(value.as_bytes()), ..RawRecord::default() })
}

/// `{common fields, fields}`: what every kind needs besides its own fields.
fn record(fields: &str) -> String {
    format!(r#"{{"event_id":"e1","customer_id":"ann","occurred_at":"1997-01-01T12:00:00Z",{fields}}}"#)
}

/// The time of [`record`].
const NOON: EventTime = EventTime(852_120_000_000);

/// The fields that each kind cannot do without.
const REQUIRED: [(Kind, &str); 14] = [
    (Kind::FxRate, r#""base":"USD","quote":"EUR","rate":"0.92","valid_on":"1997-01-01""#),
    (Kind::Account, r#""account_id":"k1","version":3"#),
    (Kind::Agent, r#""agent_id":"a1","version":3,"state":"online""#),
    (Kind::Customer, r#""version":3"#),
    (Kind::Erasure, r#""request_id":"q1""#),
    (Kind::Purchase, r#""order_id":"o1","amount":"12.50","currency":"EUR","status":"completed""#),
    (Kind::Csat, r#""interaction_id":"i1","score":4,"scale_max":5"#),
    (Kind::Mention, r#""platform":"x","handle":"@ann","public":true"#),
    (Kind::Referral, r#""referred_customer_id":"bob","status":"signed_up""#),
    (Kind::Presence, r#""session_id":"s1","state":"online""#),
    (Kind::Case, r#""case_id":"c1","version":1,"state":"opened""#),
    (Kind::Engagement, r#""engagement_id":"g1","action":"open""#),
    (
        Kind::Override,
        r#""override_id":"v1","action":"grant","programme":"big","by":"mia","reason":"goodwill","expires_at":"1997-02-01T12:00:00Z""#,
    ),
    (Kind::Acknowledgement, r#""alert_id":"00ff","action":"resolved","by":"mia""#),
];

/// A good record of the kind with as little as possible.
fn minimal(kind: Kind) -> String {
    let (_, fields) = REQUIRED.into_iter().find(|(other, _)| *other == kind).unwrap();
    record(fields)
}
