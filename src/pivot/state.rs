//! What is remembered of one customer, and how it changes.

use libm::log;
use serde::{Deserialize, Serialize};

use super::level::{Count, Level};
use super::priors::MAX_SHOPS;
use super::report::Report;
use super::rhythm::{Rhythm, seconds};
use super::settings::Settings;
use super::share::{CAP, Share};
use super::{Channel, DAY_MS, Observation, Pivot, Taken, YEAR_DAYS};

/// The detectors of one customer.
///
/// Size: 120 bytes for a customer who only buys, 300 with every detector on, whatever happens to them: [`State::size`]. Detectors
/// other than cadence and spend come with their first value. Owner: whoever owns the customer. Values go in by
/// [`State::observe`] in the order of their time; before each, and whenever [`State::due`] has passed, [`State::fire`].
///
/// Times are from 1970 to 2106; what is outside counts as the nearest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The first event of any kind, in seconds; 0 before it.
    first_s: u32,
    pub(super) cadence: Rhythm,
    pub(super) spend: Level,
    pub(super) opinions: Option<Box<Opinions>>,
    pub(super) engagement: Option<Box<Rhythm>>,
    pub(super) shares: Option<Box<Shares>>,
}

/// What the customer says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Opinions {
    pub(super) csat: Level,
    pub(super) sentiment: Level,
}

/// What becomes of the orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Shares {
    pub(super) refund: Share<[Count; 2]>,
    pub(super) channel: Share<[Count; MAX_SHOPS]>,
}

impl State {
    /// Takes in one observation; what it shows is appended to `pivots`, in the order of the channels.
    ///
    /// A timer that was due before is fired first, if it waited for this: so the order of a channel's own events and timers alone
    /// matters. In
    /// time order a late observation counts for no gap, and else as if it came when it should.
    pub fn observe(
        &mut self,
        observation: Observation,
        at_ms: i64,
        settings: &Settings,
        pivots: &mut Vec<Pivot>,
    ) -> Taken {
        if !observation.is_number() {
            return Taken::Refused;
        }
        if let Some(channel) = observation.rhythm() {
            self.fire_until(channel, at_ms, settings, pivots);
        }
        if self.first_s == 0 {
            self.first_s = seconds(at_ms).max(1);
        }
        let mut is_late = false;
        match observation {
            Observation::Purchase { amount, shop } => {
                is_late = !self.visit(Channel::Cadence, at_ms, settings, pivots);
                if let Some(amount) = amount {
                    self.value(Channel::Spend, log(amount.max(LEAST_AMOUNT)), at_ms, settings, pivots);
                }
                self.order(shop, at_ms, settings, pivots);
            }
            Observation::Csat(score) => self.value(Channel::Csat, score.clamp(1.0, 5.0), at_ms, settings, pivots),
            Observation::Sentiment(score) => {
                self.value(Channel::Sentiment, score.clamp(-1.0, 1.0), at_ms, settings, pivots);
            }
            Observation::Engagement => is_late = !self.visit(Channel::Engagement, at_ms, settings, pivots),
            Observation::Refund => self.refund(at_ms, settings, pivots),
        }
        if is_late { Taken::Late } else { Taken::Whole }
    }

    /// Returns the next timer, on a whole second; none while nothing is waited for.
    pub fn due(&self) -> Option<i64> {
        let engagement = self.engagement.as_deref().and_then(Rhythm::due_ms);
        self.cadence.due_ms().into_iter().chain(engagement).min()
    }

    /// Fires the timers of an instant. One that is not due at exactly `at_ms` is ignored: it was set before a visit.
    pub fn fire(&mut self, at_ms: i64, settings: &Settings, pivots: &mut Vec<Pivot>) {
        for channel in [Channel::Cadence, Channel::Engagement] {
            if self.rhythm(channel).is_some_and(|rhythm| rhythm.due_ms() == Some(at_ms)) {
                self.fire_until(channel, at_ms, settings, pivots);
            }
        }
    }

    /// Fires the timers of one rhythm up to an instant.
    fn fire_until(&mut self, channel: Channel, until_ms: i64, settings: &Settings, pivots: &mut Vec<Pivot>) {
        while let Some(rhythm) = self.rhythm(channel)
            && let Some(at_ms) = rhythm.due_ms().filter(|due_ms| *due_ms <= until_ms)
        {
            let mut heard = Vec::new();
            rhythm.fire(at_ms, channel, settings, &mut heard);
            Report { channel, at_ms, settings }.hear(heard, pivots);
        }
    }

    /// Takes in what is known of another customer who turned out to be the same person.
    ///
    /// Each detector stays as it is with whoever has more values in it: two histories of one person cannot be put in order
    /// afterwards, and a baseline of both would mix what each saw. Visits are counted together, from the newest of both. What was
    /// open with the other and is not here any more ends without a word; [`State::open`](Self::open) says what is. Whose turn it
    /// is makes no difference, nor in which order several are taken in. Timers are set anew, not before `now_ms`.
    pub fn absorb(&mut self, other: Self, now_ms: i64, settings: &Settings) {
        self.first_s = match (self.first_s, other.first_s) {
            (0, first) | (first, 0) => first,
            (one, another) => one.min(another),
        };
        self.cadence.absorb(other.cadence);
        if other.spend.outweighs(&self.spend) {
            self.spend = other.spend;
        }
        let opinions = |mut one: Box<Opinions>, other: Box<Opinions>| {
            for (level, other) in [(&mut one.csat, other.csat), (&mut one.sentiment, other.sentiment)] {
                if other.outweighs(level) {
                    *level = other;
                }
            }
            one
        };
        self.opinions = join(self.opinions.take(), other.opinions, opinions);
        self.engagement = join(self.engagement.take(), other.engagement, |mut one, other| {
            one.absorb(*other);
            one
        });
        self.shares = join(self.shares.take(), other.shares, |mut one, other| {
            if other.refund.outweighs(&one.refund) {
                one.refund = other.refund;
            }
            if other.channel.outweighs(&one.channel) {
                one.channel = other.channel;
            }
            one
        });
        for channel in [Channel::Cadence, Channel::Engagement] {
            if let Some(rhythm) = self.rhythm(channel) {
                rhythm.arm(now_ms, channel, settings);
            }
        }
    }

    /// Returns the bytes that this takes, with what it has on the heap.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.opinions.as_deref().map_or(0, size_of_val)
            + self.engagement.as_deref().map_or(0, size_of_val)
            + self.shares.as_deref().map_or(0, size_of_val)
    }

    /// Returns how long the customer is known.
    pub(super) fn years(&self, at_ms: i64) -> f64 {
        (f64::from(seconds(at_ms)) - f64::from(self.first_s)) * 1000.0 / DAY_MS / YEAR_DAYS
    }

    fn rhythm(&mut self, channel: Channel) -> Option<&mut Rhythm> {
        match channel {
            Channel::Cadence => Some(&mut self.cadence),
            _ => self.engagement.as_deref_mut(),
        }
    }

    fn visit(&mut self, channel: Channel, at_ms: i64, settings: &Settings, pivots: &mut Vec<Pivot>) -> bool {
        let rhythm = match channel {
            Channel::Cadence => &mut self.cadence,
            _ => self.engagement.get_or_insert_default(),
        };
        let mut heard = Vec::new();
        let is_in_time = rhythm.visit(at_ms, channel, settings, &mut heard);
        Report { channel, at_ms, settings }.hear(heard, pivots);
        is_in_time
    }

    fn value(&mut self, channel: Channel, y: f64, at_ms: i64, settings: &Settings, pivots: &mut Vec<Pivot>) {
        let years = self.years(at_ms);
        let level = match channel {
            Channel::Csat => &mut self.opinions.get_or_insert_default().csat,
            Channel::Sentiment => &mut self.opinions.get_or_insert_default().sentiment,
            _ => &mut self.spend,
        };
        let shape = settings.shape(channel);
        let past = settings.past(channel, level.baseline().n, years);
        let mut found = Vec::new();
        level.take(y - shape.mu0, seconds(at_ms), shape, &past, &mut found);
        Report { channel, at_ms, settings }.find(found, pivots);
    }

    /// Counts an order as not given back, and by where it was placed.
    fn order(&mut self, shop: Option<u8>, at_ms: i64, settings: &Settings, pivots: &mut Vec<Pivot>) {
        if self.shares.is_none() && shop.is_none() {
            // Until the first refund orders need not be told apart: their number says all.
            return;
        }
        // This order is among the events already.
        let before = self.cadence.events().saturating_sub(1);
        self.share(Channel::Refund, 0, before, at_ms, settings, pivots);
        if let Some(shop) = shop {
            self.share(Channel::Channel, usize::from(shop), 0, at_ms, settings, pivots);
        }
    }

    fn refund(&mut self, at_ms: i64, settings: &Settings, pivots: &mut Vec<Pivot>) {
        self.share(Channel::Refund, 1, self.cadence.events(), at_ms, settings, pivots);
    }

    /// Counts a category; `orders` is how many there were when shares were not kept yet.
    fn share(
        &mut self,
        channel: Channel,
        category: usize,
        orders: u8,
        at_ms: i64,
        settings: &Settings,
        pivots: &mut Vec<Pivot>,
    ) {
        let years = self.years(at_ms);
        let shares = self.shares.get_or_insert_with(|| Box::new(Shares::after(orders)));
        let mix = settings.mix(channel);
        if category >= mix.before.len() {
            return;
        }
        let mut found = Vec::new();
        let past = |n| settings.past(channel, n, years);
        if channel == Channel::Refund {
            let past = past(shares.refund.n());
            shares.refund.take(category, seconds(at_ms), mix, &past, &mut found);
        } else {
            let past = past(shares.channel.n());
            shares.channel.take(category, seconds(at_ms), mix, &past, &mut found);
        }
        Report { channel, at_ms, settings }.share(found, pivots);
    }
}

impl Shares {
    fn after(orders: u8) -> Self {
        let (refund, channel) = (Share::after_plain(f64::from(orders).min(CAP)), Share::after_plain(0.0));
        Self { refund, channel }
    }
}

impl Observation {
    /// The channel whose gap it ends: timers of others do not wait for it.
    const fn rhythm(&self) -> Option<Channel> {
        match self {
            Self::Purchase { .. } => Some(Channel::Cadence),
            Self::Engagement => Some(Channel::Engagement),
            _ => None,
        }
    }

    const fn is_number(&self) -> bool {
        match self {
            Self::Purchase { amount: Some(number), .. } | Self::Csat(number) | Self::Sentiment(number) => {
                number.is_finite()
            }
            Self::Purchase { amount: None, .. } | Self::Engagement | Self::Refund => true,
        }
    }
}

fn join<T>(one: Option<T>, other: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

/// Free orders have a logarithm too.
pub(crate) const LEAST_AMOUNT: f64 = 0.01;
