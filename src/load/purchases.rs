//! Orders, subscriptions, and what is taken back.

use crate::model::event::Kind;
use crate::model::time::EventTime;

use super::customer::{Persona, Plan};
use super::later::What;
use super::story::after;
use super::texts::{CATEGORIES, CHANNELS};
use super::{DAY_MS, Generated, HOUR_MS, Load};

impl Load {
    /// Buys something; some orders come back later.
    pub(super) fn buy(&mut self, index: u32, who: &Persona, at: EventTime, out: &mut Generated) {
        if who.subscriber.is_some() && self.random.chance(0.15) {
            return self.subscribe(index, who, at, out);
        }
        let cents = who.order_cents(&mut self.random);
        let favourite = self.random.chance(0.6);
        let category = if favourite { who.favourite } else { self.random.pick(&CATEGORIES) };
        let cents = if category == "trip" { cents.saturating_mul(6) } else { cents };
        let (channel, items) = (self.random.pick(&CHANNELS), 1 + self.random.below(4));
        let test = self.random.chance(0.001);
        let order = self.number();
        let mut line = self.line(index, at, out, Kind::Purchase);
        line.id("order_id", "o-", order);
        line.cents("amount", cents);
        line.text("currency", CURRENCY);
        line.text("status", "completed");
        line.text("category", category);
        line.text("channel", channel);
        line.number("items", items);
        if test {
            line.flag("test", true);
        }
        line.close();
        let fate = self.random.unit();
        if fate < REFUNDED {
            let back = if self.random.chance(0.7) { cents } else { cents / 2 };
            let wait = self.random.within(DAY_MS, 20 * DAY_MS);
            self.plan(after(at, wait), index, What::Refund { order, cents: back, ordered: at });
        } else if fate < REFUNDED + CANCELLED {
            let wait = self.random.within(60_000, HOUR_MS);
            self.plan(after(at, wait), index, What::Cancel { order, cents });
        } else if fate < REFUNDED + CANCELLED + DISPUTED {
            let wait = self.random.within(5 * DAY_MS, 40 * DAY_MS);
            self.plan(after(at, wait), index, What::Dispute { order, cents });
        }
    }

    /// Pays for a month or a year, and mostly renews when it ends.
    pub(super) fn subscribe(&mut self, index: u32, who: &Persona, at: EventTime, out: &mut Generated) {
        let yearly = who.subscriber == Some(Plan::Yearly);
        let days = if yearly { 365 } else { 30 };
        let end = after(at, days * DAY_MS);
        let mut date = end.to_string();
        date.truncate("2025-01-01".len());
        let plan = if yearly { "yearly" } else { "monthly" };
        let order = self.number();
        let mut line = self.line(index, at, out, Kind::Purchase);
        line.id("order_id", "o-", order);
        line.cents("amount", if yearly { 9_900 } else { 999 });
        line.text("currency", CURRENCY);
        line.text("status", "completed");
        line.text("category", "subscription");
        line.text("channel", "web");
        line.raw("subscription", &format!("{{\"plan\":\"{plan}\",\"period_end\":\"{date}\"}}"));
        line.close();
        if who.is_around(self.days(end)) && self.random.chance(0.8) {
            let early = self.random.within(HOUR_MS, 2 * DAY_MS);
            // Before the date begins with which the paid time ends.
            let last = end.0.rem_euclid(DAY_MS);
            self.plan(after(end, -last - early), index, What::Renew);
        }
    }

    pub(super) fn refund(&mut self, index: u32, order: u64, cents: u32, ordered: EventTime, out: &mut Generated) {
        let refund = self.number();
        let mut line = self.line(index, out.at, out, Kind::Purchase);
        line.id("order_id", "o-", order);
        line.cents("amount", cents);
        line.text("currency", CURRENCY);
        line.text("status", "refunded");
        line.id("refund_id", "r-", refund);
        line.time("refunds_order_at", ordered);
        line.close();
    }

    pub(super) fn take_back(&mut self, index: u32, order: u64, cents: u32, status: &str, out: &mut Generated) {
        let mut line = self.line(index, out.at, out, Kind::Purchase);
        line.id("order_id", "o-", order);
        line.cents("amount", cents);
        line.text("currency", CURRENCY);
        line.text("status", status);
        line.close();
    }
}

/// Records of one order on average.
pub(super) const RECORDS: f64 = 1.0 + REFUNDED + CANCELLED + DISPUTED;
/// Shares of orders with each fate.
const REFUNDED: f64 = 0.03;
const CANCELLED: f64 = 0.006;
const DISPUTED: f64 = 0.002;
const CURRENCY: &str = "EUR";
