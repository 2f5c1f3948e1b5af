//! What it costs that entities do things to each other: the same events, once with one in five relayed to another task,
//! once with none.

use std::fmt::Write;

use vipstream::model::event::Kind;

use crate::shop::{Shop, TASKS};
use crate::throughput::{run_service, timed};
use crate::topics;

const KINDS: [Kind; 3] = [Kind::Purchase, Kind::Mention, Kind::Customer];

/// Measures both, in each time mode.
pub fn measure(bootstrap: &str, shrink: u32) {
    let events = 2_000_000 / u64::from(shrink);
    println!("\n{events} events of {} customers, {TASKS} tasks in one process", events / EVENTS_EACH);
    println!("{:<48}{:>12}{:>16}{:>10}", "", "events/s", "CPU s per M", "outputs");
    let posts = [("posts by customers", false), ("the same by handle: one event in five relayed", true)];
    for (name, by_handle) in posts {
        let shop = Shop::open(bootstrap, "relayed", &KINDS);
        let sent = fill(&shop, events, by_handle);
        for mode in ["live", "event"] {
            timed(&format!("{mode}: {name}"), events, || {
                run_service(&shop, &format!("{}-{mode}", shop.app), sent, &format!("time: {mode}\n"));
                0
            });
        }
    }
}

/// Profiles first, then purchases and posts; says how many records there are.
fn fill(shop: &Shop, events: u64, by_handle: bool) -> u64 {
    let producer = topics::producer(&shop.bootstrap);
    let customers = events / EVENTS_EACH;
    let mut json = String::new();
    for number in 0..customers + events {
        let at = START_MS + i64::try_from(number).expect("few millions");
        // Spread over all customers, whatever the order.
        let customer = number * 7_919 % customers;
        let (kind, own) = match number.checked_sub(customers) {
            None => (Kind::Customer, format!(r#""version":1,"handles":[{{"platform":"x","handle":"h{customer}"}}]"#)),
            // A handle is at home with another task than its customer three times in four.
            Some(event) if event % 15 < 4 => {
                let said = format!(r#""platform":"x","handle":"h{customer}","public":true,"text":"post {number}""#);
                (Kind::Mention, format!("{said},\"sentiment\":0.5"))
            }
            Some(_) => {
                let order = format!(r#""order_id":"o{number}","amount":"1.50","currency":"EUR""#);
                (Kind::Purchase, format!("{order},\"status\":\"completed\""))
            }
        };
        let is_by_handle = by_handle && kind == Kind::Mention;
        let key = if is_by_handle { format!("x:h{customer}") } else { format!("c{customer}") };
        json.clear();
        let _ = write!(json, r#"{{"event_id":"e{number}","occurred_at":{at},"#);
        if !is_by_handle {
            let _ = write!(json, r#""customer_id":"c{customer}","#);
        }
        let _ = write!(json, "{own}}}");
        let topic = shop.topic(kind.name());
        topics::send(&producer, &topic, None, Some(key.as_bytes()), Some(json.as_bytes()));
    }
    topics::flush(&producer);
    customers + events
}

/// Of one customer, their profile not counted.
const EVENTS_EACH: u64 = 20;

/// An event a millisecond from here on.
const START_MS: i64 = 1_750_000_000_000;
