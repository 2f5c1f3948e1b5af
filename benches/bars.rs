//! The bars that the detectors of pivots are held to, on the labelled customers of `tests/fixtures/pivot`, beside what a larger set
//! of the same make reached: false alarms, reach, layout, size.
//!
//! Nothing is timed; it is a program rather than a test because it tells how far off a figure is. `cargo bench --bench bars`.

#![expect(clippy::cast_precision_loss, reason = "the numbers are small")]

use vipstream::pivot::budget::Budget;
use vipstream::pivot::state::State;

use support::labelled::{Found, Line, Set, by_customer, compare, line, load, reference};
use support::score::{Alarms, Delay, alarms, delays, reach};
use support::vectors::whole_customers;

mod support {
    #[path = "../../tests/support/labelled.rs"]
    #[expect(dead_code, reason = "the tests need the rest")]
    pub mod labelled;
    #[path = "../../tests/support/score.rs"]
    pub mod score;
    #[path = "../../tests/support/vectors.rs"]
    pub mod vectors;
}

fn main() {
    let [sim, cdnow] = ["sim", "cdnow"].map(Played::of);
    print_row("", ["sim", "cdnow", "section 4", "bar", ""].map(str::to_owned));
    reference_rows(&sim, &cdnow);
    alarm_rows(&sim, &cdnow);
    layout_rows(&sim, &cdnow);
    reach_rows(&sim, &cdnow);
    for played in [&sim, &cdnow] {
        println!("{}: {}", played.name, played.size());
    }
    println!("{NOTES}");
}

/// A set, and what was found in it.
struct Played {
    name: &'static str,
    set: Set,
    found: Found,
    lines: Vec<Line>,
    states: Vec<State>,
    delays: Vec<Delay>,
}

impl Played {
    fn of(name: &'static str) -> Self {
        let set = load(name, Budget::new(None, Some(BUDGET)).expect("a rate that means something"));
        let (found, states) = set.replay();
        let lines: Vec<Line> = found.iter().map(|(at, pivot)| line(&set.labels[*at].customer, pivot)).collect();
        let delays = delays(&set, &lines);
        Self { name, set, found, lines, states, delays }
    }

    fn size(&self) -> String {
        let watched = self.set.labels.iter().map(|label| label.end_ms - label.start_ms).sum::<i64>() as f64;
        let changed = self.set.labels.iter().filter(|label| label.pivot_ms.is_some()).count();
        let (customers, events) = (self.set.labels.len(), self.set.events.len());
        let years = watched / 86_400_000.0 / 365.25;
        format!("{customers} customers, of whom {changed} change; {events} events in {years:.0} customer-years")
    }
}

fn print_row(what: &str, [sim, cdnow, section_4, bar, verdict]: [String; 5]) {
    println!("{}", format!("{what:<36}{sim:>21}{cdnow:>21}{section_4:>11}{bar:>9}  {verdict}").trim_end());
}

/// Bar 1: the events of a reference, and its vectors.
fn reference_rows(sim: &Played, cdnow: &Played) {
    println!("1  as the reference in another language");
    let compared = [sim, cdnow].map(|played| {
        let reference = reference(played.name);
        let (matched, _, extra) = compare(&reference, &played.lines);
        (matched, extra.len(), reference.len())
    });
    let cell = |count: usize, of: usize| format!("{count}/{of} {:.1} %", 100.0 * count as f64 / of as f64);
    let [matched, extra] = [
        compared.map(|(matched, _, of)| (cell(matched, of), matched * 100 >= of * 99)),
        compared.map(|(_, extra, of)| (cell(extra, of), extra * 100 <= of)),
    ];
    for (what, bar, [sim, cdnow]) in [("events matched", "99 %", matched), ("events extra", "1 %", extra)] {
        let verdict = verdict(&[sim.1, cdnow.1]);
        print_row(what, [sim.0, cdnow.0, String::new(), bar.to_owned(), verdict]);
    }
    let (of, differences) = whole_customers(&sim.set, &sim.found);
    let verdict = verdict(&[differences.is_empty()]);
    print_row("vectors of whole customers", [format!("{of} events"), "-".into(), String::new(), "all".into(), verdict]);
}

/// Bar 2: false alarms.
fn alarm_rows(sim: &Played, cdnow: &Played) {
    println!("2  false alarms per 100 customer-years (of all alarms)");
    let row = |what: &str, kinds: &[&str], section_4: &str, bar: Option<f64>| {
        let of = [sim, cdnow].map(|played| alarms(&played.set, &played.lines, kinds));
        let cell = |of: &Alarms| match of.all {
            0 => "none".to_owned(),
            all => format!("{:.2} ±{:.2} ({}/{all})", of.per_100_years(), of.error(), of.wrong),
        };
        let verdict = bar.map_or_else(String::new, |bar| verdict(&of.map(|of| of.per_100_years() <= bar)));
        let bar = bar.map_or_else(String::new, |bar| format!("{bar:.1}"));
        print_row(what, [cell(&of[0]), cell(&of[1]), section_4.to_owned(), bar, verdict]);
    };
    for kind in KINDS {
        row(kind, &[kind], "", Some(1.0));
    }
    row("silence or cadence_slow", &["silence", "cadence_slow"], ".88", None);
}

/// Bar 4: the same whatever holds the customers, and how much that takes.
fn layout_rows(sim: &Played, cdnow: &Played) {
    println!("4  the same events, and bytes");
    let row = |what: &str, is_same: &dyn Fn(&Played) -> bool| {
        let same = [sim, cdnow].map(is_same);
        let [one, other] = same.map(|same| if same { "same" } else { "differ" }.to_owned());
        print_row(what, [one, other, String::new(), "same".into(), verdict(&same)]);
    };
    for (k, said) in [(1, "each event"), (2, "each 2nd"), (7, "each 7th"), (50, "each 50th")] {
        row(&format!("written and read again at {said}"), &|played| played.is_same(played.restarted(k)));
    }
    row("customers one after the other", &|played| {
        played.is_same(played.set.replay_each(played.set.labels.len(), |state| state))
    });
    for partitions in [2, 3, 7] {
        row(&format!("on {partitions} partitions"), &|played| {
            let of = |partition| played.set.replay_some(|customer| spread(customer) % partitions == partition).0;
            played.is_same((0..partitions).flat_map(of).collect())
        });
    }
    let most = |played: &Played| played.states.iter().map(State::size).max().unwrap_or_default();
    let [all, bought] = [sim, cdnow].map(most);
    let row = |what: &str, [one, other]: [String; 2], section_4: &str, most: usize, is_met| {
        print_row(what, [one, other, section_4.to_owned(), most.to_string(), verdict(&[is_met])]);
    };
    row("bytes of whoever only buys, at most", ["-".into(), bought.to_string()], "120", 128, bought <= 128);
    row("bytes with every detector, at most", [all.to_string(), "-".into()], "290", 300, all <= 300);
}

impl Played {
    /// What is found with each state written and read again before every `k`-th of its events.
    fn restarted(&self, k: usize) -> Found {
        let mut seen = 0_usize;
        self.set.replay_each(self.set.labels.len(), |state| {
            seen += 1;
            if !seen.is_multiple_of(k) {
                return state;
            }
            let packed = postcard::to_stdvec(&state).expect("memory can be written");
            postcard::from_bytes(&packed).expect("what was written")
        })
    }

    fn is_same(&self, other: Found) -> bool {
        by_customer(self.found.clone()) == by_customer(other)
    }
}

/// Mixes places up, as hashes of ids do.
fn spread(customer: usize) -> usize {
    customer.wrapping_mul(0x9E37_79B9) >> 7
}

/// Bar 3, which is of a larger set, and what section 4 says.
fn reach_rows(sim: &Played, cdnow: &Played) {
    println!("3  changes found within a horizon (customers watched for so long); the bar is of a larger set");
    for (what, change, section_4, bar) in REACH {
        let of = [sim, cdnow].map(|played| reach(&played.delays, change));
        let cell = of.map(|of| match of.of {
            0 => "-".to_owned(),
            n => format!("{:.2} ±{:.2} ({n})", of.share(), of.error()),
        });
        let [one, other] = cell;
        let said = bar.map_or_else(String::new, |bar| {
            let short = bar - of[0].share();
            if short <= 0.0 { "met".to_owned() } else { format!("short by {:.1} s.e.", short / of[0].error()) }
        });
        let bar = bar.map_or_else(String::new, |bar| format!("{bar:.2}"));
        print_row(what, [one, other, section_4.to_owned(), bar, said]);
    }
}

fn verdict(met: &[bool]) -> String {
    if met.iter().all(|met| *met) { "met" } else { "not met" }.to_owned()
}

/// False alarms per customer-year and kind.
const BUDGET: f64 = 0.005;

const KINDS: [&str; 14] = [
    "silence",
    "cadence_slow",
    "cadence_fast",
    "spend_drop",
    "spend_rise",
    "csat_drop",
    "csat_rise",
    "sentiment_drop",
    "sentiment_rise",
    "engagement_drop",
    "engagement_rise",
    "engagement_silence",
    "refund_rise",
    "channel_shift",
];

/// A change by kind, magnitude and horizon; what is said of it elsewhere, and the bar.
type Wanted = (&'static str, (&'static str, f64, f64), &'static str, Option<f64>);

const REACH: [Wanted; 19] = [
    ("stop, 3 own mean gaps", ("silence", 0.0, 3.0), ".02", None),
    ("stop, 5", ("silence", 0.0, 5.0), ".33", Some(0.31)),
    ("stop, 8", ("silence", 0.0, 8.0), ".83", Some(0.84)),
    ("stop, 16", ("silence", 0.0, 16.0), "", Some(0.98)),
    ("three times slower, 8", ("cadence_slow", 3.0, 8.0), ".17", None),
    ("three times slower, 16", ("cadence_slow", 3.0, 16.0), ".50", Some(0.38)),
    ("three times slower, 24", ("cadence_slow", 3.0, 24.0), ".70", None),
    ("half the spend, 3 orders", ("spend_drop", 0.5, 3.0), ".08", None),
    ("half the spend, 5", ("spend_drop", 0.5, 5.0), ".25", None),
    ("half the spend, 10", ("spend_drop", 0.5, 10.0), ".54", Some(0.48)),
    ("half the spend, 20", ("spend_drop", 0.5, 20.0), ".75", None),
    ("satisfaction -2, 3 answers", ("csat_drop", 2.0, 3.0), ".33", None),
    ("satisfaction -2, 5", ("csat_drop", 2.0, 5.0), ".65", Some(0.72)),
    ("satisfaction -2, 10", ("csat_drop", 2.0, 10.0), ".88", None),
    ("satisfaction -2, 20", ("csat_drop", 2.0, 20.0), "1", None),
    ("home channel rarely, 3 orders", ("channel_shift", 0.15, 3.0), ".16", None),
    ("home channel rarely, 5", ("channel_shift", 0.15, 5.0), ".44", None),
    ("home channel rarely, 10", ("channel_shift", 0.15, 10.0), ".79", Some(0.75)),
    ("home channel rarely, 20", ("channel_shift", 0.15, 20.0), ".92", None),
];

const NOTES: &str = "\
±: one standard error. Section 4: 4,000 simulated customers over three years, other seeds; its own error is .02 to .04.
cdnow: cadence and spend alone; its priors are of the same customers.";
