//! A pivot in one sentence, for people who look after customers.

use super::budget::Grade;
use super::{Channel, Kind, Pivot};

/// Says in plain English what was found, against what, and how sure that is. Amounts are in `unit`, such as `EUR`.
pub fn sentence(pivot: &Pivot, unit: &str) -> String {
    match (pivot.kind, pivot.of) {
        (Kind::Recovered, Some(Kind::Silence)) => back(pivot),
        (Kind::Recovered, Some(of)) => recovered(pivot, of, unit),
        (Kind::Settled, Some(of)) => settled(pivot, of, unit),
        (Kind::Silence, _) => silence(pivot),
        _ => turned(pivot, unit),
    }
}

fn silence(pivot: &Pivot) -> String {
    format!(
        "Usually {} every {}; now silent for {}. {}",
        does(pivot.channel),
        days(pivot.from),
        counted(pivot.to, "day"),
        chance(pivot)
    )
}

fn back(pivot: &Pivot) -> String {
    let silent = days(pivot.days_silent.unwrap_or(pivot.from));
    let what = if pivot.channel == Channel::Engagement { "Engages again" } else { "Buys again" };
    format!("{what} after {silent} of silence; usual is every {}.", days(pivot.to))
}

fn turned(pivot: &Pivot, unit: &str) -> String {
    let (from, to) = (&pivot.from, &pivot.to);
    let change = match pivot.channel {
        Channel::Cadence | Channel::Engagement => {
            format!("Usually {} every {}; of late every {}", does(pivot.channel), days(*from), days(*to))
        }
        Channel::Spend => {
            format!("Usually spends {} {unit} an order; of late {}{}", money(*from), money(*to), times(pivot))
        }
        Channel::Csat => format!("Usually answers {from:.1} of 5; of late {to:.1}"),
        Channel::Sentiment => format!("Usually writes with a sentiment of {from:+.2} (-1 to +1); of late {to:+.2}"),
        Channel::Refund => format!("Usually {} per 100 orders; of late {}", refunds(*from), refunds(*to)),
        Channel::Channel => shift(pivot),
    };
    format!("{change}{}. {}", after(pivot), chance(pivot))
}

fn shift(pivot: &Pivot) -> String {
    let Some(shops) = &pivot.shops else { return "Orders come from elsewhere".to_owned() };
    let (from, to) = (percent(pivot.from), percent(pivot.to));
    format!("Used to order mostly by {}; now {to} of orders come by {}, before {from}", shops.before, shops.since)
}

fn recovered(pivot: &Pivot, of: Kind, unit: &str) -> String {
    let (was, usual) = (level(pivot.channel, pivot.from, unit), level(pivot.channel, pivot.to, unit));
    match pivot.level {
        Grade::Watch => format!("It may be over that {}: back near the usual {usual}.", name(of)),
        Grade::Alert => format!("It is over that {}: back to the usual {usual}, after {was}.", name(of)),
    }
}

fn settled(pivot: &Pivot, of: Kind, unit: &str) -> String {
    let (was, usual) = (level(pivot.channel, pivot.from, unit), level(pivot.channel, pivot.to, unit));
    format!("It has lasted that {}: {usual} is the usual from now on, before {was}.", name(of))
}

/// What a kind is called in a sentence.
const fn name(of: Kind) -> &'static str {
    match of {
        Kind::CadenceSlowed => "purchases came further apart",
        Kind::CadenceQuickened => "purchases came closer together",
        Kind::Silence => "nothing was heard",
        Kind::SpendDropped => "orders became smaller",
        Kind::SpendRose => "orders became larger",
        Kind::SatisfactionDropped => "satisfaction fell",
        Kind::SatisfactionRose => "satisfaction rose",
        Kind::SentimentTurned => "the tone became worse",
        Kind::SentimentRose => "the tone became better",
        Kind::EngagementDropped => "engagement became rarer",
        Kind::EngagementRose => "engagement became more frequent",
        Kind::RefundsRose => "more was given back",
        Kind::ChannelShifted => "orders came from elsewhere",
        Kind::Recovered | Kind::Settled => "something had changed",
    }
}

fn level(channel: Channel, level: f64, unit: &str) -> String {
    match channel {
        Channel::Cadence | Channel::Engagement => format!("every {}", days(level)),
        Channel::Spend => format!("{} {unit} an order", money(level)),
        Channel::Csat => format!("{level:.1} of 5"),
        Channel::Sentiment => format!("sentiment of {level:+.2}"),
        Channel::Refund => format!("{} per 100 orders", refunds(level)),
        Channel::Channel => format!("share of {}", percent(level)),
    }
}

const fn does(channel: Channel) -> &'static str {
    match channel {
        Channel::Engagement => "engages",
        _ => "buys",
    }
}

/// How often chance alone would do this.
fn chance(pivot: &Pivot) -> String {
    let often = if pivot.budget > 1.0 {
        format!("{} times a year", number(pivot.budget))
    } else {
        format!("once in {} of watching", counted(1.0 / pivot.budget, "year"))
    };
    format!("By chance this would happen to a customer like this less than {often}.")
}

/// How many values speak for it; a gap that is still going on is none.
fn after(pivot: &Pivot) -> String {
    if pivot.n_after < 1.5 {
        return String::new();
    }
    let what = match pivot.channel {
        Channel::Cadence | Channel::Engagement => "gaps",
        Channel::Csat => "answers",
        Channel::Sentiment => "mentions",
        Channel::Refund => "orders and refunds",
        Channel::Spend | Channel::Channel => "orders",
    };
    format!(" (the last {:.0} {what})", pivot.n_after)
}

fn times(pivot: &Pivot) -> String {
    pivot.ratio.map(|ratio| format!(", {} of that", percent(ratio))).unwrap_or_default()
}

pub(crate) fn days(days: f64) -> String {
    if days < 9.95 {
        let days = format!("{days:.1}");
        let short = days.strip_suffix(".0").unwrap_or(&days);
        return if short == "1" { "day".to_owned() } else { format!("{short} days") };
    }
    format!("{days:.0} days")
}

fn counted(count: f64, what: &str) -> String {
    let count = number(count);
    if count == "1" { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Of a share of refunds among orders and refunds: how many there are for so many orders.
pub(crate) fn refunds(share: f64) -> String {
    let refunds = format!("{:.0}", 100.0 * share / (1.0 - share).max(0.001));
    if refunds == "1" { "1 refund".to_owned() } else { format!("{refunds} refunds") }
}

fn number(value: f64) -> String {
    if (value - value.round()).abs() < 0.05 || value >= 10.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

pub(crate) fn money(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests;
