//! What came out so far, counted.

use std::collections::{BTreeMap, BTreeSet};

use super::news::{News, What};

/// Counts of decisions and alerts, and who holds what.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Events sent into the topics.
    pub(super) sent: u64,
    /// Not all of them were decided when patience ended.
    pub(super) is_early: bool,
    by_name: BTreeMap<(What, String), u64>,
    /// Customers' programmes, by the newest output about them.
    standing: BTreeMap<String, BTreeSet<String>>,
    members: BTreeMap<String, u64>,
    labelled: BTreeMap<String, i64>,
}

impl Tally {
    /// Counts one output.
    pub(super) fn count(&mut self, news: &News) {
        *self.by_name.entry((news.what, news.name.clone())).or_default() += 1;
        match news.what {
            What::Entered => *self.labelled.entry(news.name.clone()).or_default() += 1,
            What::Left => *self.labelled.entry(news.name.clone()).or_default() -= 1,
            // Alerts travel in a topic of their own: their standing may be older than what was seen.
            What::Alert => {}
            What::Granted | What::Revoked | What::Changed | What::Expiring | What::Waitlisted => {
                self.take_standing(news);
            }
        }
    }

    fn take_standing(&mut self, news: &News) {
        let Some(customer) = &news.customer else { return };
        let after: BTreeSet<String> = news.standing.iter().cloned().collect();
        let before = self.standing.insert(customer.clone(), after.clone()).unwrap_or_default();
        for programme in after.difference(&before) {
            *self.members.entry(programme.clone()).or_default() += 1;
        }
        for programme in before.difference(&after) {
            *self.members.entry(programme.clone()).or_default() -= 1;
        }
        if after.is_empty() {
            self.standing.remove(customer);
        }
    }

    /// Outputs of one sort.
    pub(super) fn total(&self, what: What) -> u64 {
        self.by_name.iter().filter(|((kind, _), _)| *kind == what).map(|(_, count)| count).sum()
    }

    /// Customers who hold a programme.
    pub(super) fn vips(&self) -> usize {
        self.standing.len()
    }

    /// Each programme: granted, revoked, held now.
    pub(super) fn programmes(&self) -> impl Iterator<Item = (&str, u64, u64, u64)> {
        let count = |what, name: &str| self.by_name.get(&(what, name.to_owned())).copied().unwrap_or(0);
        self.members
            .iter()
            .map(move |(name, held)| (name.as_str(), count(What::Granted, name), count(What::Revoked, name), *held))
    }

    /// How often each alert went out.
    pub(super) fn alerts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.by_name
            .iter()
            .filter(|((what, _), _)| *what == What::Alert)
            .map(|((_, name), count)| (name.as_str(), *count))
    }

    /// How many bear each label.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, i64)> {
        self.labelled.iter().map(|(name, count)| (name.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::EventTime;

    fn news(what: What, customer: &str, name: &str, standing: &[&str]) -> News {
        News {
            at: EventTime(0),
            time: String::new(),
            what,
            customer: Some(customer.to_owned()),
            who: customer.to_owned(),
            name: name.to_owned(),
            tier: None,
            why: String::new(),
            standing: standing.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn members_follow_the_newest_standing() {
        let mut tally = Tally::default();
        tally.count(&news(What::Granted, "ann", "big", &["big"]));
        tally.count(&news(What::Granted, "ann", "sub", &["big", "sub"]));
        tally.count(&news(What::Granted, "bob", "big", &["big"]));
        tally.count(&news(What::Revoked, "ann", "big", &["sub"]));
        assert_eq!(tally.vips(), 2);
        assert_eq!(tally.programmes().collect::<Vec<_>>(), [("big", 2, 1, 1), ("sub", 1, 0, 1)]);
        tally.count(&news(What::Revoked, "ann", "sub", &[]));
        assert_eq!(tally.vips(), 1);
        assert_eq!((tally.total(What::Granted), tally.total(What::Revoked)), (3, 2));
    }

    #[test]
    fn labels_count_who_bears_them_now() {
        let mut tally = Tally::default();
        tally.count(&news(What::Entered, "ann", "silent", &[]));
        tally.count(&news(What::Entered, "bob", "silent", &[]));
        tally.count(&news(What::Left, "ann", "silent", &[]));
        assert_eq!(tally.labels().collect::<Vec<_>>(), [("silent", 1)]);
    }
}
