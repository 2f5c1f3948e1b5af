//! A task that takes snapshots of a small shop.

use std::sync::Arc;
use std::time::Duration;

use super::memory::{Disk, Fault};
use crate::engine::{Engine, TimeMode};
use crate::model::event::{Body, Event};
use crate::model::record::{Epoch, Position, Record};
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::snapshot::manifest::Manifest;
use crate::snapshot::restore::Search;
use crate::snapshot::{Pace, Published, Snapshots};

pub(super) const APP: &str = "shop";
pub(super) const CUSTOMERS: u64 = 40;

pub(super) fn rules() -> Arc<Ruleset> {
    let text = "
ruleset: shop
currency: EUR
features: { spend_30d: { sum: purchase.amount, over: 30d }, orders: { count: purchase } }
programmes: { big: { profile: value, grant: spend_30d >= 100 } }
labels: { known: orders >= 1 }";
    Arc::new(Ruleset::parse("rules.yaml", text).unwrap())
}
