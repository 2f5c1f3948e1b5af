//! Turns what detectors find into pivots: in units that people use, with confidence and budget.

use libm::exp;

use super::budget::Grade;
use super::level::{Finding, Step};
use super::rhythm::Heard;
use super::settings::Settings;
use super::share::Moved;
use super::timers::days;
use super::{Channel, Direction, Kind, Pivot, Shops};

/// Where and when something was found.
pub(super) struct Report<'a> {
    pub(super) channel: Channel,
    pub(super) at_ms: i64,
    pub(super) settings: &'a Settings,
}

impl Report<'_> {
    pub(super) fn hear(&self, heard: Vec<Heard>, pivots: &mut Vec<Pivot>) {
        pivots.extend(heard.into_iter().map(|heard| match heard {
            Heard::Level(finding) => self.pivot(finding),
            Heard::Silence { grade, p, mean_days, days, since_ms, n, was_announced } => Pivot {
                p: Some(p),
                was_announced,
                days_silent: Some(days),
                confidence: Some(self.settings.confidence(self.channel, grade, 0.0)),
                ..self.silence(Kind::Silence, grade, (mean_days, days), since_ms, n)
            },
            Heard::Back { grade, mean_days, days, since_ms, n } => Pivot {
                of: Some(Kind::Silence),
                days_silent: Some(days),
                ..self.silence(Kind::Recovered, grade, (days, mean_days), since_ms, n)
            },
        }));
    }

    pub(super) fn find(&self, found: Vec<Finding>, pivots: &mut Vec<Pivot>) {
        pivots.extend(found.into_iter().map(|finding| self.pivot(finding)));
    }

    pub(super) fn share(&self, found: Vec<(Finding, Moved)>, pivots: &mut Vec<Pivot>) {
        let name = |place: usize| self.settings.priors().shops.get(place).cloned().unwrap_or_default();
        pivots.extend(found.into_iter().map(|(finding, moved)| {
            let shops = (self.channel == Channel::Channel)
                .then(|| Shops { before: name(moved.was_most), since: name(moved.rose_most) });
            Pivot { shops, ..self.pivot(finding) }
        }));
    }

    fn pivot(&self, finding: Finding) -> Pivot {
        let Finding { step, direction, grade, n_before, n_after, evidence, was_announced, .. } = finding;
        let turned = self.channel.kind(direction);
        let (kind, of) = match step {
            Step::Raised => (turned, None),
            Step::Recovered => (Kind::Recovered, Some(turned)),
            Step::Settled => (Kind::Settled, Some(turned)),
        };
        let (from, to) = (natural(self.channel, finding.from), natural(self.channel, finding.to));
        Pivot {
            kind,
            of,
            channel: self.channel,
            level: grade,
            direction,
            from,
            to,
            ratio: ratio(self.channel, from, to),
            shops: None,
            since_ms: i64::from(finding.since_s) * 1000,
            decided_at_ms: self.at_ms,
            n_before,
            n_after,
            evidence: evidence.map(|(evidence, _)| evidence),
            threshold: evidence.map(|(_, threshold)| threshold),
            p: None,
            days_silent: None,
            confidence: evidence.map(|(e, h)| self.settings.confidence(self.channel, grade, e - h)),
            budget: self.settings.budget().rate(grade),
            was_announced,
        }
    }

    fn silence(&self, kind: Kind, grade: Grade, (from, to): (f64, f64), since_ms: i64, n_before: f64) -> Pivot {
        Pivot {
            kind,
            of: None,
            channel: self.channel,
            level: grade,
            direction: Direction::Up,
            from,
            to,
            ratio: ratio(self.channel, from, to),
            shops: None,
            since_ms,
            decided_at_ms: self.at_ms,
            n_before,
            n_after: 0.0,
            evidence: None,
            threshold: None,
            p: None,
            days_silent: None,
            confidence: None,
            budget: self.settings.budget().rate(grade),
            was_announced: false,
        }
    }
}

/// Turns a level into what people count in.
pub(super) fn natural(channel: Channel, level: f64) -> f64 {
    match channel {
        Channel::Cadence | Channel::Engagement => days(level),
        Channel::Spend => exp(level),
        Channel::Csat | Channel::Sentiment | Channel::Refund | Channel::Channel => level,
    }
}

fn ratio(channel: Channel, from: f64, to: f64) -> Option<f64> {
    (channel != Channel::Sentiment && from != 0.0).then(|| to / from)
}
