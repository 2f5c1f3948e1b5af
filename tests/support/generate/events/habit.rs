//! Somebody with a habit, which changes: enough happens for detectors to find something.

use serde_json::{Value as Json, json};

use vipstream::model::event::Kind;

use super::{Dice, Fields, common, put};

const HOUR_MS: i64 = 3_600_000;

/// A customer's events from an instant on; `number` tells habits apart.
pub(in super::super) fn habit(dice: &mut Dice, from: i64, number: usize, customers: usize) -> Vec<(i64, Kind, String)> {
    let customer = format!("c{}", dice.below(customers));
    let step = HOUR_MS * *dice.pick(&[25, 30, 48, 72]);
    let (before, after) = (5 + dice.below(6), 2 + dice.below(10));
    let slower = *dice.pick(&[1, 1, 2, 4]);
    let pause = *dice.pick(&[0, 0, 10, 25, 60]);
    let (with_spend, with_refunds, with_shops) = (dice.chance(50), dice.chance(50), dice.chance(50));
    let (with_surveys, with_posts, with_visits) = (dice.chance(50), dice.chance(50), dice.chance(50));
    let falls = dice.chance(50);
    let (mut at, mut events) = (from, Vec::new());
    for round in 0..before + after {
        let is_later = round >= before;
        let mut say = |dice: &mut Dice, after: i64, kind: Kind, own: &[(&str, Json)]| {
            let at = at + after;
            let mut fields: Fields = common(dice, at, &customer);
            for (name, value) in own {
                put(&mut fields, name, value.clone());
            }
            events.push((at, kind, Json::Object(fields).to_string()));
        };
        let id = json!(format!("h{number}-{round}"));
        let amount = if with_spend && is_later == falls { 20 } else { 300 } + dice.number(-9, 9);
        let shop = if with_shops && is_later { "shop" } else { "web" };
        let shop = if with_shops && is_later && falls { "app" } else { shop };
        let order = |status: &str| {
            vec![
                ("order_id", id.clone()),
                ("status", json!(status)),
                ("amount", json!(amount)),
                ("currency", json!("EUR")),
                ("channel", json!(shop)),
            ]
        };
        say(dice, 0, Kind::Purchase, &order("completed"));
        if with_refunds && is_later && dice.chance(80) {
            say(dice, HOUR_MS, Kind::Purchase, &order("refunded"));
        }
        let is_well = is_later != falls;
        if with_surveys {
            let score = if is_well { 5 } else { 1 };
            say(
                dice,
                2 * HOUR_MS,
                Kind::Csat,
                &[("interaction_id", id.clone()), ("score", json!(score)), ("scale_max", json!(5))],
            );
        }
        if with_posts {
            let mood = if is_well { 0.5 } else { -0.75 } + if dice.chance(50) { 0.25 } else { 0.0 };
            let post = [
                ("platform", json!("x")),
                ("handle", json!(format!("@{customer}"))),
                ("public", json!(true)),
                ("post_id", id.clone()),
                ("sentiment", json!(mood)),
            ];
            say(dice, 3 * HOUR_MS, Kind::Mention, &post);
        }
        if with_visits && !(is_later && falls && dice.chance(80)) {
            say(dice, 4 * HOUR_MS, Kind::Engagement, &[("engagement_id", id.clone()), ("action", json!("visit"))]);
        }
        at += if is_later { step * slower } else { step } + dice.number(-HOUR_MS, HOUR_MS);
        if round + 1 == before {
            at += step * pause;
        }
    }
    events
}
