//! The detectors as somebody who asks sees them.

use libm::log;
use serde::Serialize;

use super::budget::Grade;
use super::level::{Level, Suspicion};
use super::open::{ODDS, PATIENCE};
use super::report::natural;
use super::rhythm::Rhythm;
use super::settings::{Settings, Thresholds};
use super::share::Share;
use super::state::State;
use super::timers::{Alarm, next};
use super::{Channel, Direction, Kind};

/// One detector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// What it reads.
    pub channel: Channel,
    /// Values that count; the oldest fade beyond 60.
    pub observations: f64,
    /// The usual level: days, money, points of 1..=5, sentiment, or the share of orders given back or most often placed in one
    /// shopping channel.
    pub usual: f64,
    /// Which shopping channel that is.
    pub shop: Option<String>,
    /// Where two in three of the next values are expected, in the same unit; none for shares.
    pub spread: Option<(f64, f64)>,
    /// Score for greater values and what it has to reach; none while a pivot is open.
    pub up: Option<Score>,
    /// The same for smaller values; none for shares.
    pub down: Option<Score>,
    /// When the next timer fires if nobody comes, and what for.
    pub timer: Option<(i64, Kind)>,
    /// What stands.
    pub open: Vec<Open>,
}

/// A score: evidence of a change in nats.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Zero or less: nothing is suspected.
    pub evidence: f64,
    /// What it has to reach for the level that decides.
    pub threshold: f64,
    /// What it has to reach for the level `watch`, where that only announces.
    pub announces: Option<f64>,
    /// Start of the suspected change, if one is.
    pub since_ms: Option<i64>,
}

/// A pivot that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Open {
    /// What has turned.
    pub kind: Kind,
    /// In what.
    pub channel: Channel,
    /// How sure one was.
    pub level: Grade,
    /// Start of the change.
    pub since_ms: i64,
    /// What is waited for.
    pub end: End,
}

/// What would end a pivot, and how near that is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum End {
    /// Of a silence: the next visit.
    Visit,
    /// Of what was only announced: a score that is back at zero.
    Calm,
    /// Of an alarm: the usual level back, or the new one lasting.
    Time {
        /// The new level, in the channel's unit.
        to: f64,
        /// Evidence that the usual level is back, in nats.
        back: f64,
        /// At which it has recovered.
        recovers_at: f64,
        /// Values since the alarm.
        seen: u8,
        /// At which it has settled.
        settles_at: u8,
    },
}

impl State {
    /// Describes each detector that has read anything, in the order of the channels, as of `now_ms`.
    pub fn describe(&self, now_ms: i64, settings: &Settings) -> Vec<View> {
        let at = |channel| At { state: self, channel, now_ms, settings };
        let mut views = Vec::new();
        for channel in Channel::ALL {
            views.extend(match channel {
                Channel::Cadence => at(channel).rhythm(&self.cadence),
                Channel::Spend => at(channel).level(&self.spend),
                Channel::Csat => self.opinions.as_deref().and_then(|of| at(channel).level(&of.csat)),
                Channel::Sentiment => self.opinions.as_deref().and_then(|of| at(channel).level(&of.sentiment)),
                Channel::Engagement => self.engagement.as_deref().and_then(|rhythm| at(channel).rhythm(rhythm)),
                Channel::Refund => self.shares.as_deref().and_then(|of| at(channel).share(&of.refund)),
                Channel::Channel => self.shares.as_deref().and_then(|of| at(channel).share(&of.channel)),
            });
        }
        views
    }

    /// Lists what stands: raised, and neither recovered nor settled.
    pub fn open(&self, settings: &Settings) -> Vec<Open> {
        let mut open = Vec::new();
        for (channel, rhythm) in
            [(Channel::Cadence, Some(&self.cadence)), (Channel::Engagement, self.engagement.as_deref())]
        {
            let Some(rhythm) = rhythm else { continue };
            open.extend(rhythm.silent().map(|level| silence(channel, level, rhythm)));
            open.extend(turned(channel, &rhythm.level, settings));
        }
        open.extend(turned(Channel::Spend, &self.spend, settings));
        if let Some(opinions) = &self.opinions {
            open.extend(turned(Channel::Csat, &opinions.csat, settings));
            open.extend(turned(Channel::Sentiment, &opinions.sentiment, settings));
        }
        if let Some(shares) = &self.shares {
            open.extend(shares.refund.watched().map(|since_ms| share(Channel::Refund, since_ms)));
            open.extend(shares.channel.watched().map(|since_ms| share(Channel::Channel, since_ms)));
        }
        open.sort_by_key(|open| open.channel);
        open
    }
}

/// One detector of one customer at one time.
struct At<'a> {
    state: &'a State,
    channel: Channel,
    now_ms: i64,
    settings: &'a Settings,
}

impl At<'_> {
    fn rhythm(&self, rhythm: &Rhythm) -> Option<View> {
        if rhythm.events() == 0 {
            return None;
        }
        let alarm = next(&rhythm.level, rhythm.silent(), self.channel, self.settings);
        let timer = rhythm.due_ms().zip(alarm).map(|(due_ms, (_, alarm))| match alarm {
            Alarm::Silence { .. } => (due_ms, Kind::Silence),
            Alarm::Slowed { .. } => (due_ms, self.channel.kind(Direction::Up)),
        });
        Some(View { timer, ..self.of_level(&rhythm.level, &rhythm.past(self.channel, self.settings)) })
    }

    fn level(&self, level: &Level) -> Option<View> {
        let n = level.baseline().n;
        if n <= 0.0 && level.open().is_none() {
            return None;
        }
        Some(self.of_level(level, &self.settings.past(self.channel, n, self.state.years(self.now_ms))))
    }

    fn of_level(&self, level: &Level, past: &Thresholds) -> View {
        let (shape, all) = (self.settings.shape(self.channel), level.baseline());
        let usual = shape.usual(&all);
        let middle = shape.mu0 + usual.location;
        let scale = usual.scale2.sqrt();
        let in_unit = |level: f64| natural(self.channel, level);
        // A fourth root is not below zero.
        let low = if shape.is_relative { (middle - scale).max(0.0) } else { middle - scale };
        let score = |of: Option<Suspicion>| {
            of.map(|of| Score {
                evidence: of.e,
                threshold: past.decides,
                announces: past.announces,
                since_ms: (of.e > 0.0).then(|| i64::from(of.since_s) * 1000),
            })
        };
        View {
            channel: self.channel,
            observations: all.n,
            usual: in_unit(middle),
            shop: None,
            spread: Some((in_unit(low), in_unit(middle + scale))),
            up: score(level.suspicion(Direction::Up)),
            down: score(level.suspicion(Direction::Down)),
            timer: None,
            open: self.stands(),
        }
    }

    fn share<A>(&self, share: &Share<A>) -> Option<View>
    where
        A: AsRef<[super::level::Count]> + AsMut<[super::level::Count]> + Copy + Default,
    {
        let (mix, n) = (self.settings.mix(self.channel), share.n());
        if n <= 0.0 {
            return None;
        }
        let of = |category: usize| share.share(category, mix);
        let most =
            (1..mix.before.len()).fold(0, |most, category| if of(category) > of(most) { category } else { most });
        let past = self.settings.past(self.channel, n, self.state.years(self.now_ms));
        let since_ms = (share.score() > 0.0).then(|| share.since_ms());
        Some(View {
            channel: self.channel,
            observations: n,
            usual: of(mix.focus.unwrap_or(most)),
            shop: mix.focus.is_none().then(|| self.settings.priors().shops.get(most).cloned()).flatten(),
            spread: None,
            up: Some(Score { evidence: share.score(), threshold: past.decides, announces: past.announces, since_ms }),
            down: None,
            timer: None,
            open: self.stands(),
        })
    }

    fn stands(&self) -> Vec<Open> {
        self.state.open(self.settings).into_iter().filter(|open| open.channel == self.channel).collect()
    }
}

fn silence(channel: Channel, level: Grade, rhythm: &Rhythm) -> Open {
    Open { kind: Kind::Silence, channel, level, since_ms: rhythm.last(), end: End::Visit }
}

fn turned(channel: Channel, level: &Level, settings: &Settings) -> Option<Open> {
    if let Some(open) = level.open() {
        let (kind, since_ms) = (channel.kind(open.direction), i64::from(open.since_s) * 1000);
        let end = End::Time {
            to: natural(channel, settings.shape(channel).mu0 + open.level()),
            back: open.back(),
            recovers_at: log(ODDS),
            seen: open.seen(),
            settles_at: PATIENCE,
        };
        return Some(Open { kind, channel, level: settings.budget().decides().grade, since_ms, end });
    }
    let direction = level.announced()?;
    let since_ms = i64::from(level.suspicion(direction)?.since_s) * 1000;
    Some(Open { kind: channel.kind(direction), channel, level: Grade::Watch, since_ms, end: End::Calm })
}

fn share(channel: Channel, since_ms: i64) -> Open {
    Open { kind: channel.kind(Direction::Up), channel, level: Grade::Watch, since_ms, end: End::Calm }
}
