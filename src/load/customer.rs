//! Who a made-up customer is: all of it follows from the seed and the customer's number, so that
//! ten million of them cost no memory.

use super::random::{Random, whole};
use super::texts::{CATEGORIES, FIRST, PLATFORMS, REGIONS, SECOND};

/// One customer's ways.
#[derive(Clone, Debug)]
pub(crate) struct Persona {
    /// What an order typically costs, in cents.
    level_cents: f64,
    pub(crate) favourite: &'static str,
    pub(crate) platform: &'static str,
    /// When the customer is around, in days of the cycle: from coming to going silent.
    around: (f64, f64),
    /// When the customer is unhappy: surveys turn bad and posts turn into complaints.
    unhappy: Option<(f64, f64)>,
    pub(crate) subscriber: Option<Plan>,
    pub(crate) followers: u32,
}

/// How a subscriber pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Monthly,
    Yearly,
}

impl Persona {
    /// Customer number `index` under `seed`, as they are `days` after the start.
    ///
    /// Tastes last; coming, going and bad times are drawn anew every [`CYCLE_DAYS`], so that a shop of any
    /// age has newcomers, regulars and people who went silent.
    pub(crate) fn of(seed: u64, index: u32, days: f64) -> Self {
        let mut random = Random::of(seed, u64::from(index));
        let level_cents = MEDIAN_CENTS * (0.6 * random.normal()).exp();
        let favourite = random.pick(&CATEGORIES);
        let platform = random.pick(&PLATFORMS);
        let subscriber = random.chance(0.06).then(|| if random.chance(0.6) { Plan::Monthly } else { Plan::Yearly });
        let followers = whole((4.0 + 1.5 * random.normal()).exp());

        let cycle = whole(days / CYCLE_DAYS);
        let mut random = Random::of(random.bits(), u64::from(cycle));
        let begin = f64::from(cycle) * CYCLE_DAYS;
        let from = if random.chance(0.35) { random.unit() * 320.0 } else { 0.0 };
        let until = if random.chance(0.4) { from + 30.0 + random.unit() * (CYCLE_DAYS - from) } else { f64::INFINITY };
        let unhappy = random.chance(0.07).then(|| {
            let since = from + random.unit() * 0.7 * (CYCLE_DAYS - from);
            (begin + since, begin + since + 20.0 + 60.0 * random.unit())
        });
        let around = (begin + from, begin + until);
        Self { level_cents, favourite, platform, around, unhappy, subscriber, followers }
    }

    /// Whether the customer does anything at that time.
    pub(crate) fn is_around(&self, days: f64) -> bool {
        days >= self.around.0 && days < self.around.1
    }

    /// Whether this is the customer's bad time.
    pub(crate) fn is_unhappy(&self, days: f64) -> bool {
        self.unhappy.is_some_and(|(from, until)| days >= from && days < until)
    }

    /// What one order comes to, in cents: log-normal about the customer's own level.
    pub(crate) fn order_cents(&self, random: &mut Random) -> u32 {
        whole(self.level_cents * (0.5 * random.normal()).exp())
    }
}

/// The id of customer number `index`.
pub(crate) fn id(index: u32) -> compact_str::CompactString {
    compact_str::format_compact!("c-{index:06}")
}

/// The name of customer number `index`: two words, and the number where two share them.
pub(crate) fn name(index: u32) -> String {
    let (first, second) = (index as usize % FIRST.len(), index as usize / FIRST.len());
    let round = second / SECOND.len();
    // A shift by the first word's place, so that neighbours share neither word.
    let second = (second + first) % SECOND.len();
    match round {
        0 => format!("{} {}", FIRST[first], SECOND[second]),
        _ => format!("{} {} {}", FIRST[first], SECOND[second], round + 1),
    }
}

/// Where customer number `index` lives.
pub(crate) fn region(index: u32) -> &'static str {
    REGIONS[index as usize % REGIONS.len()]
}

/// After so many days people's comings and goings are drawn anew.
const CYCLE_DAYS: f64 = 400.0;
/// The middle of what orders cost.
const MEDIAN_CENTS: f64 = 3_600.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_the_same_whenever_asked_and_another_under_another_seed() {
        let print = |seed, index| format!("{:?}", Persona::of(seed, index, 10.0));
        assert_eq!(print(1, 5), print(1, 5));
        assert_ne!(print(1, 5), print(2, 5));
        assert_ne!(print(1, 5), print(1, 6));
    }

    #[test]
    fn tastes_last_while_comings_and_goings_change() {
        let at = |days| Persona::of(1, 5, days);
        assert_eq!((at(0.0).favourite, at(0.0).subscriber), (at(1_000.0).favourite, at(1_000.0).subscriber));
        assert_eq!(format!("{:?}", at(0.0)), format!("{:?}", at(399.9)));
        assert_ne!(at(0.0).around, at(400.0).around);
    }

    #[test]
    fn no_two_customers_share_a_name() {
        let names: std::collections::BTreeSet<String> = (0..5_000).map(name).collect();
        assert_eq!(names.len(), 5_000);
    }

    #[test]
    fn some_go_silent_and_some_have_a_bad_time() {
        let all: Vec<Persona> = (0..10_000).map(|index| Persona::of(9, index, 399.0)).collect();
        let gone = all.iter().filter(|persona| !persona.is_around(399.0)).count();
        let unhappy = all.iter().filter(|persona| persona.unhappy.is_some()).count();
        assert!((1_500..4_500).contains(&gone), "{gone}");
        assert!((500..900).contains(&unhappy), "{unhappy}");
    }
}
