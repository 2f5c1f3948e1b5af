//! Customers to look at: what the detectors find in their history, some of each kind, the surest first.

use std::collections::{BTreeMap, BTreeSet};

use super::History;
use super::drawing::escape;
use crate::model::id::CustomerId;
use crate::pivot::budget::Budget;
use crate::pivot::settings::Settings;
use crate::pivot::{Kind, Observation, Pivot};

/// What one customer did, and what is found in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline<'a> {
    pub customer: &'a CustomerId,
    /// When, and for how much where that is known; in the order of time.
    pub orders: Vec<(i64, Option<f64>)>,
    /// Changes and their ends, in the order in which they were decided.
    pub pivots: Vec<Pivot>,
    /// Start and end of the time watched.
    pub watched_ms: (i64, i64),
    /// By which the pivots were found.
    pub budget: Budget,
}

impl History {
    /// Chooses at most `most` customers in whom something is found: of each kind in turn the one of whom it is surest, at the level
    /// that decides.
    pub fn timelines(&self, settings: &Settings, most: usize) -> Vec<Timeline<'_>> {
        let decides = settings.budget().decides().grade;
        let mut found = BTreeMap::new();
        let mut by_kind: BTreeMap<Kind, Vec<(f64, &CustomerId)>> = BTreeMap::new();
        for (id, seen) in &self.customers {
            let pivots = self.pivots_of(seen, settings);
            for pivot in pivots.iter().filter(|pivot| pivot.of.is_none() && pivot.level == decides) {
                by_kind.entry(pivot.kind).or_default().push((pivot.confidence.unwrap_or_default(), id));
            }
            if !pivots.is_empty() {
                found.insert(id, (seen.as_slice(), pivots));
            }
        }
        for surest in by_kind.values_mut() {
            // Popped from the end; of equals the first by id.
            surest.sort_by(|(one, id), (other, another)| one.total_cmp(other).then_with(|| another.cmp(id)));
        }
        let mut chosen = BTreeSet::new();
        let mut timelines = Vec::new();
        while by_kind.values().any(|surest| !surest.is_empty()) {
            for surest in by_kind.values_mut() {
                while let Some((_, id)) = surest.pop() {
                    if timelines.len() < most && chosen.insert(id) {
                        timelines.extend(found.remove(id).map(|found| self.timeline(id, found, settings)));
                        break;
                    }
                }
            }
        }
        timelines
    }

    fn timeline<'a>(
        &self,
        customer: &'a CustomerId,
        (seen, mut pivots): (&[(i64, Observation)], Vec<Pivot>),
        settings: &Settings,
    ) -> Timeline<'a> {
        let order = |(at_ms, observation): &(i64, Observation)| match observation {
            Observation::Purchase { amount, .. } => Some((*at_ms, *amount)),
            _ => None,
        };
        pivots.sort_by_key(|pivot| pivot.decided_at_ms);
        let start_ms = seen.first().map_or(self.until_ms, |(first, _)| *first);
        let orders = seen.iter().filter_map(order).collect();
        Timeline { customer, orders, pivots, watched_ms: (start_ms, self.until_ms), budget: *settings.budget() }
    }
}

/// A page that shows pictures, each in a file of its own.
pub fn page(title: &str, pictures: &[(String, String)]) -> String {
    let figure = |(file, title): &(String, String)| {
        let title = escape(title);
        format!(
            "<figure><a href=\"{file}\"><img src=\"{file}\" alt=\"{title}\"></a><figcaption>{title}</figcaption></figure>\n"
        )
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>\n\
         body {{ font-family: sans-serif; max-width: 60rem; margin: 1rem auto; padding: 0 1rem; color: #333; background: #fff }}\n\
         figure {{ margin: 0 0 2rem; border: 1px solid #ddd }}\nimg {{ width: 100%; height: auto; display: block }}\n\
         figcaption {{ padding: .5rem 1rem; background: #f5f5f5 }}\n</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p>Each line is an order, as high as its amount. A bar above the orders is a change, from when it is thought to have \
         begun to its end; a full mark says when it was told, as a watch if its edge is jagged, and a hollow one when it ended.</p>\n{}</body>\n</html>\n",
        pictures.iter().map(figure).collect::<String>(),
        title = escape(title),
    )
}
