//! Decoding alone: bytes of the mixed workload to events, on one thread.
//!
//! What it is relative to is measured beside it: `serde_json` into a struct that borrows, which checks
//! nothing and keeps nothing. Scoring a text is apart, since most senders score their own.

use std::hint::black_box;

use divan::counter::{BytesCount, ItemsCount};
use serde::Deserialize;
use vipstream::codec::{RawRecord, decode};
use vipstream::model::event::Kind;

#[path = "support/stamp.rs"]
mod stamp;

fn main() {
    println!("{}", stamp::stamp());
    println!("load: {RECORDS} records, 60 % purchase, 15 % presence, 10 % csat, 10 % mention, 5 % referral");
    divan::main();
}

/// Records of the load, decoded one after the other in each iteration.
const RECORDS: usize = 10_000;

/// Each record decoded into its event.
#[divan::bench]
fn mixed(bencher: divan::Bencher<'_, '_>) {
    decode_all(bencher, &load());
}

/// Purchases alone.
#[divan::bench]
fn purchases(bencher: divan::Bencher<'_, '_>) {
    let records: Vec<_> = load().into_iter().filter(|(kind, _)| *kind == Kind::Purchase).collect();
    decode_all(bencher, &records);
}

/// Mentions whose sentiment is scored from their text.
#[divan::bench]
fn mentions_scored_from_text(bencher: divan::Bencher<'_, '_>) {
    let records: Vec<_> = (0..RECORDS / 10).map(|n| (Kind::Mention, mention(n, false))).collect();
    decode_all(bencher, &records);
}

/// The reference: the same purchases by `serde_json` into a struct that borrows.
#[divan::bench]
fn purchases_by_serde_json_alone(bencher: divan::Bencher<'_, '_>) {
    let records: Vec<_> = load().into_iter().filter(|(kind, _)| *kind == Kind::Purchase).collect();
    counted(bencher, &records).bench_local(|| {
        for (_, value) in &records {
            let purchase: PlainPurchase<'_> = serde_json::from_slice(value.as_bytes()).expect("the load is good JSON");
            black_box(purchase);
        }
    });
}

/// What a purchase is to `serde_json` alone.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only filled, to be compared with")]
struct PlainPurchase<'a> {
    event_id: &'a str,
    customer_id: &'a str,
    occurred_at: &'a str,
    order_id: &'a str,
    amount: &'a str,
    currency: &'a str,
    status: &'a str,
    category: Option<&'a str>,
    channel: Option<&'a str>,
    items: Option<i64>,
}

fn decode_all(bencher: divan::Bencher<'_, '_>, records: &[(Kind, String)]) {
    counted(bencher, records).bench_local(|| {
        for (kind, value) in records {
            let record = RawRecord { value: Some(value.as_bytes()), ..RawRecord::default() };
            black_box(decode(*kind, &record).expect("the load is good"));
        }
    });
}

fn counted<'a, 'b>(bencher: divan::Bencher<'a, 'b>, records: &[(Kind, String)]) -> divan::Bencher<'a, 'b> {
    let bytes: usize = records.iter().map(|(_, value)| value.len()).sum();
    bencher.counter(ItemsCount::new(records.len())).counter(BytesCount::new(bytes))
}

fn load() -> Vec<(Kind, String)> {
    (0..RECORDS)
        .map(|n| match n % 20 {
            0..12 => (Kind::Purchase, purchase(n)),
            12..15 => (Kind::Presence, presence(n)),
            15..17 => (Kind::Csat, csat(n)),
            17..19 => (Kind::Mention, mention(n, true)),
            _ => (Kind::Referral, referral(n)),
        })
        .collect()
}

/// The common fields of the n-th record; a customer returns now and then.
fn common(n: usize) -> String {
    let customer = n * 7_919 % 100_003;
    let (day, hour, minute) = (n % 28 + 1, n % 24, n % 60);
    format!(
        r#""event_id":"e-{n:09}","customer_id":"c-{customer:08}","occurred_at":"2026-11-{day:02}T{hour:02}:{minute:02}:07.123Z""#
    )
}

fn purchase(n: usize) -> String {
    let (amount, items) = (n * 31 % 40_000, n % 5 + 1);
    format!(
        r#"{{{},"order_id":"o-{n:09}","amount":"{}.{:02}","currency":"EUR","status":"completed","category":"music","channel":"web","items":{items}}}"#,
        common(n),
        amount / 100,
        amount % 100
    )
}

fn presence(n: usize) -> String {
    let state = ["online", "heartbeat", "offline"][n % 3];
    format!(
        r#"{{{},"session_id":"s-{n:09}","state":"{state}","channel":"app","page":"/orders","device":"phone"}}"#,
        common(n)
    )
}

fn csat(n: usize) -> String {
    format!(
        r#"{{{},"interaction_id":"i-{n:09}","score":{},"scale_max":5,"instrument":"csat","channel":"mail","agent_id":"agent-{}"}}"#,
        common(n),
        n % 5 + 1,
        n % 50
    )
}

fn mention(n: usize, scored: bool) -> String {
    let text = [
        "Yay. Another good phone interview with your team, thank you!",
        "Still waiting for my refund after three weeks, this is the worst service I have ever had :(",
        "The new menu is okay, I guess, but the delivery was late again and the food was cold.",
    ][n % 3];
    let sentiment = if scored { format!(r#","sentiment":-0.{}"#, n % 9 + 1) } else { String::new() };
    format!(
        r#"{{{},"platform":"x","handle":"@c-{n}","post_id":"p-{n:09}","activity":"create","public":true,"followers":{},"text":"{text}"{sentiment}}}"#,
        common(n),
        n % 5_000
    )
}

fn referral(n: usize) -> String {
    let status = ["signed_up", "converted"][n % 2];
    format!(
        r#"{{{},"referred_customer_id":"c-{n:08}","status":"{status}","referral_id":"r-{n:09}","value":"20.00","currency":"EUR"}}"#,
        common(n)
    )
}
