use super::*;
use crate::pivot::{Direction, Shops};

fn pivot(kind: Kind, channel: Channel, from: f64, to: f64) -> Pivot {
    Pivot {
        kind,
        of: None,
        channel,
        level: Grade::Alert,
        direction: Direction::Up,
        from,
        to,
        ratio: Some(to / from),
        shops: None,
        since_ms: 0,
        decided_at_ms: 0,
        n_before: 20.0,
        n_after: 4.0,
        evidence: Some(7.0),
        threshold: Some(6.5),
        p: None,
        days_silent: None,
        confidence: Some(0.8),
        budget: 0.005,
        was_announced: false,
    }
}

const CHANCE: &str = " By chance this would happen to a customer like this less than once in 200 years of watching.";

#[test]
fn each_kind_has_its_sentence() {
    let shops = Shops { before: "app".to_owned(), since: "store".to_owned() };
    let rows = [
        (
            pivot(Kind::CadenceSlowed, Channel::Cadence, 14.2, 44.0),
            "Usually buys every 14 days; of late every 44 days (the last 4 gaps).",
        ),
        (
            pivot(Kind::CadenceQuickened, Channel::Cadence, 14.2, 5.0),
            "Usually buys every 14 days; of late every 5 days (the last 4 gaps).",
        ),
        (pivot(Kind::Silence, Channel::Cadence, 14.2, 62.0), "Usually buys every 14 days; now silent for 62 days."),
        (pivot(Kind::Silence, Channel::Engagement, 1.04, 9.0), "Usually engages every day; now silent for 9 days."),
        (
            pivot(Kind::SpendDropped, Channel::Spend, 72.2, 32.73),
            "Usually spends 72.20 EUR an order; of late 32.73, 45 % of that (the last 4 orders).",
        ),
        (
            pivot(Kind::SpendRose, Channel::Spend, 720.0, 1440.0),
            "Usually spends 720.00 EUR an order; of late 1440, 200 % of that (the last 4 orders).",
        ),
        (
            pivot(Kind::SatisfactionDropped, Channel::Csat, 4.61, 2.33),
            "Usually answers 4.6 of 5; of late 2.3 (the last 4 answers).",
        ),
        (
            pivot(Kind::SatisfactionRose, Channel::Csat, 2.33, 4.0),
            "Usually answers 2.3 of 5; of late 4.0 (the last 4 answers).",
        ),
        (
            pivot(Kind::SentimentTurned, Channel::Sentiment, 0.44, -0.5),
            "Usually writes with a sentiment of +0.44 (-1 to +1); of late -0.50 (the last 4 mentions).",
        ),
        (
            pivot(Kind::SentimentRose, Channel::Sentiment, -0.5, 0.44),
            "Usually writes with a sentiment of -0.50 (-1 to +1); of late +0.44 (the last 4 mentions).",
        ),
        (
            pivot(Kind::EngagementDropped, Channel::Engagement, 2.5, 9.94),
            "Usually engages every 2.5 days; of late every 9.9 days (the last 4 gaps).",
        ),
        (
            pivot(Kind::EngagementRose, Channel::Engagement, 9.0, 3.0),
            "Usually engages every 9 days; of late every 3 days (the last 4 gaps).",
        ),
        (
            pivot(Kind::RefundsRose, Channel::Refund, 0.05, 0.29),
            "Usually 5 refunds per 100 orders; of late 41 refunds (the last 4 orders and refunds).",
        ),
        (
            Pivot { shops: Some(shops), ..pivot(Kind::ChannelShifted, Channel::Channel, 0.12, 0.63) },
            "Used to order mostly by app; now 63 % of orders come by store, before 12 % (the last 4 orders).",
        ),
    ];
    for (pivot, wanted) in rows {
        assert_eq!(sentence(&pivot, "EUR"), format!("{wanted}{CHANCE}"));
    }
}

#[test]
fn numbers_are_said_as_people_say_them() {
    let pivot = pivot(Kind::SpendDropped, Channel::Spend, 72.2, 32.73);
    let of = |budget, n_after| sentence(&Pivot { n_after, budget, ..pivot.clone() }, "EUR");
    assert!(of(1.0, 3.8).ends_with(
        "(the last 4 orders). By chance this would happen to a customer like this less than once in 1 year of watching."
    ));
    assert!(of(52.0, 3.0).ends_with("less than 52 times a year."));
    assert!(of(0.4, 3.0).ends_with("less than once in 2.5 years of watching."));
}

#[test]
fn ends_say_what_has_ended() {
    let end = |kind, of, channel, from, to| Pivot { of: Some(of), ..pivot(kind, channel, from, to) };
    let silence = end(Kind::Recovered, Kind::Silence, Channel::Cadence, 209.0, 16.0);
    let silence = Pivot { days_silent: Some(209.0), ..silence };
    assert_eq!(sentence(&silence, "EUR"), "Buys again after 209 days of silence; usual is every 16 days.");
    let recovered = end(Kind::Recovered, Kind::SpendDropped, Channel::Spend, 33.0, 72.0);
    assert_eq!(
        sentence(&recovered, "EUR"),
        "It is over that orders became smaller: back to the usual 72.00 EUR an order, after 33.00 EUR an order."
    );
    let watched = Pivot { level: Grade::Watch, ..recovered };
    assert_eq!(
        sentence(&watched, "EUR"),
        "It may be over that orders became smaller: back near the usual 72.00 EUR an order."
    );
    let settled = end(Kind::Settled, Kind::CadenceSlowed, Channel::Cadence, 14.0, 30.0);
    assert_eq!(
        sentence(&settled, "EUR"),
        "It has lasted that purchases came further apart: every 30 days is the usual from now on, before every 14 days."
    );
}
