//! What currencies are worth in the ruleset's, by local date.
//!
//! Every task reads all rates, so each prices its customers' amounts by itself. A rate holds on its date and on the six
//! after it, unless one of these has its own. The direct one is taken, else the reverse of that from the ruleset's currency.

use std::collections::BTreeMap;

use compact_str::CompactString;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::model::event::FxRate;
use crate::model::time::EventTime;
use crate::rules::calendar::{Day, date_of, day_of};
use crate::rules::ruleset::Ruleset;

/// The rates between the ruleset's currency and others.
///
/// Size: at most [`MAX_DAYS`] dates of each pair; beyond, the oldest is dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Rates {
    pairs: BTreeMap<Pair, BTreeMap<Day, Decimal>>,
}

/// How much of the second one of the first is.
type Pair = (CompactString, CompactString);

/// Most dates of a pair: eleven years.
const MAX_DAYS: usize = 4_000;
/// Dates on which a rate may be in use.
const HOLDS: Day = 7;

/// What a new rate changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Repriced {
    pub(super) currency: CompactString,
    /// The dates whose rate in use is another one now.
    pub(super) days: Vec<Day>,
}

impl Rates {
    /// Takes in a rate, which replaces that of the same date; `None` where it changes nothing.
    pub(super) fn take(&mut self, rate: &FxRate, own: &str) -> Option<Repriced> {
        let (base, quote) = (&rate.base.0, &rate.quote.0);
        let currency = match (base == own, quote == own) {
            (false, true) => base,
            (true, false) => quote,
            _ => return None,
        };
        let first = day_of(rate.valid_on);
        let in_use = |rates: &Self, day| rates.rate(currency, own, day);
        let before: Vec<_> = (first..first + HOLDS).map(|day| in_use(self, day)).collect();
        let days = self.pairs.entry((base.clone(), quote.clone())).or_default();
        days.insert(first, rate.rate);
        if days.len() > MAX_DAYS {
            days.pop_first();
        }
        let changed = (first..).zip(before).filter(|(day, before)| in_use(self, *day) != *before);
        let days: Vec<Day> = changed.map(|(day, _)| day).collect();
        (!days.is_empty()).then(|| Repriced { currency: currency.clone(), days })
    }

    /// Base, quote, date and rate of each.
    pub(super) fn listed(&self) -> impl Iterator<Item = (&str, &str, Date, Decimal)> {
        let rates = self.pairs.iter().flat_map(|(pair, days)| days.iter().map(move |(day, rate)| (pair, day, rate)));
        rates.map(|((base, quote), day, rate)| (base.as_str(), quote.as_str(), date_of(*day), *rate))
    }

    /// How much of the ruleset's currency one of another is on a date.
    pub(super) fn rate(&self, currency: &str, own: &str, day: Day) -> Option<Decimal> {
        let latest = |base: &str, quote: &str| {
            let days = self.pairs.get(&(base.into(), quote.into()))?;
            days.range(day - HOLDS + 1..=day).next_back().map(|(_, rate)| *rate)
        };
        latest(currency, own).or_else(|| Decimal::ONE.checked_div(latest(own, currency)?))
    }
}

/// What amounts are worth by the rates known now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prices<'a> {
    pub(super) rules: &'a Ruleset,
    pub(super) rates: &'a Rates,
}

impl Prices<'_> {
    /// Whether a currency is another than the ruleset's.
    pub(super) fn is_foreign(self, currency: &str) -> bool {
        currency != self.rules.currency
    }

    /// An amount in the ruleset's currency, at the rate of an instant's local date; `None` where there is no rate.
    pub(super) fn price(self, amount: Decimal, currency: &str, at: EventTime) -> Option<Decimal> {
        if !self.is_foreign(currency) {
            return Some(amount);
        }
        let rate = self.rates.rate(currency, &self.rules.currency, self.rules.calendar.day(at))?;
        amount.checked_mul(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::super::image::blob;
    use super::*;
    use crate::model::money::Currency;

    fn rate(base: &str, quote: &str, day: i8, rate: &str) -> FxRate {
        let currency = |code: &str| Currency(code.into());
        let valid_on = jiff::civil::date(2025, 3, day);
        FxRate { base: currency(base), quote: currency(quote), rate: rate.parse().expect("a decimal"), valid_on }
    }

    fn days(repriced: Option<Repriced>) -> Vec<Day> {
        let first = day_of(jiff::civil::date(2025, 3, 1));
        repriced.map_or_else(Vec::new, |repriced| repriced.days.iter().map(|day| day - first + 1).collect())
    }

    #[test]
    fn a_rate_holds_for_a_week_or_until_the_next() {
        let mut rates = Rates::default();
        assert_eq!(days(rates.take(&rate("USD", "EUR", 10, "0.9"), "EUR")), [10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(days(rates.take(&rate("USD", "EUR", 7, "0.8"), "EUR")), [7, 8, 9]);
        assert_eq!(days(rates.take(&rate("USD", "EUR", 12, "0.9"), "EUR")), [17, 18]);
        assert_eq!(days(rates.take(&rate("USD", "EUR", 12, "0.95"), "EUR")), [12, 13, 14, 15, 16, 17, 18]);
    }

    #[test]
    fn the_reverse_of_a_rate_stands_in_for_the_direct_one() {
        let mut rates = Rates::default();
        let day = day_of(jiff::civil::date(2025, 3, 12));
        rates.take(&rate("EUR", "USD", 12, "1.25"), "EUR");
        assert_eq!(rates.rate("USD", "EUR", day), Some("0.8".parse().expect("a decimal")));
        assert_eq!(days(rates.take(&rate("USD", "EUR", 10, "0.9"), "EUR")), [10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(days(rates.take(&rate("EUR", "USD", 12, "1.3"), "EUR")), [17, 18], "only where no direct one is");
        assert_eq!(rates.take(&rate("USD", "GBP", 12, "0.7"), "EUR"), None);
    }

    #[test]
    fn the_oldest_rates_are_dropped() {
        let mut rates = Rates::default();
        let first = jiff::civil::date(2000, 1, 1);
        for day in 0..i64::try_from(MAX_DAYS).expect("few") + 10 {
            let valid_on = first.checked_add(jiff::ToSpan::days(day)).expect("a date");
            rates.take(&FxRate { valid_on, ..rate("USD", "EUR", 1, "2") }, "EUR");
        }
        let (oldest, _) = rates.pairs.values().next().and_then(BTreeMap::first_key_value).expect("rates");
        assert_eq!(*oldest, day_of(first) + 10);
        assert_eq!(blob::decode::<Rates>(&blob::encode(&rates)), Ok(rates));
    }
}
