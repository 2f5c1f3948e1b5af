//! When staying away becomes telling: timers of gap channels.
//!
//! A chart of gaps learns of a gap only when it ends. Here two moments are known in advance: when the silence itself would be too
//! improbable, and when a visit made then would complete the evidence that visits come less often. Whichever is first is waited
//! for.

use libm::{exp, log};

use super::budget::Grade;
use super::level::{Before, LEAST_VALUES, Level, Shape, Suspicion};
use super::quantile::student_upper;
use super::settings::{Settings, Thresholds, mean_days};
use super::student::Student;
use super::{Channel, Direction, YEAR_DAYS};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Alarm {
    /// Nobody stays away for so long by chance.
    Silence {
        grade: Grade,
        /// Probability that a gap is longer.
        p: f64,
        /// Mean gap that was expected.
        mean_days: f64,
    },
    /// A visit now would complete the evidence.
    Slowed {
        grade: Grade,
        threshold: f64,
        /// Fourth root of the gap, less the population's mean.
        x: f64,
    },
}

/// Finds what is next, and after how many days without a visit.
///
/// `silent` is the level at which the present silence was raised.
pub(super) fn next(
    level: &Level,
    silent: Option<Grade>,
    channel: Channel,
    settings: &Settings,
) -> Option<(f64, Alarm)> {
    let budget = settings.budget();
    let all = level.baseline();
    if all.n < LEAST_VALUES || silent == Some(budget.decides().grade) {
        return None;
    }
    let shape = settings.shape(channel);
    let usual = shape.usual(&all);
    let is_watched = silent.is_some();
    let mut found: Option<(f64, Alarm)> = None;
    // Of two at one instant the first named stays: the silence, and of its levels the stricter.
    let mut offer = |days: f64, alarm| {
        if days.is_finite() && found.is_none_or(|(least, _)| days < least) {
            found = Some((days, alarm));
        }
    };
    for limit in std::iter::once(budget.decides()).chain(budget.announces().filter(|_| !is_watched)) {
        let (days, p, mean_days) = silence(level, shape, &usual, limit.rate);
        offer(days, Alarm::Silence { grade: limit.grade, p, mean_days });
    }
    if let Some(was) = level.suspicion(Direction::Up) {
        let past = settings.past_gaps(channel, shape.usual_days(&all));
        for (grade, threshold) in thresholds(&past, level.announced()) {
            if let Some(x) = completing(level, shape, &usual, was, threshold) {
                offer(days(shape.mu0 + x), Alarm::Slowed { grade, threshold, x });
            }
        }
    }
    found
}

/// Those that a slowing can still pass.
fn thresholds(past: &Thresholds, announced: Option<Direction>) -> impl Iterator<Item = (Grade, f64)> {
    let watch = past.announces.filter(|_| announced.is_none()).map(|threshold| (Grade::Watch, threshold));
    std::iter::once((past.deciding, past.decides)).chain(watch)
}

/// After how many days a silence is less probable than the budget allows, that probability, and the mean gap.
///
/// # Source
/// PIVOT.md 3.5. That the mean gap follows an open slowing too is from the reference events.
fn silence(level: &Level, shape: &Shape, usual: &Student, rate: f64) -> (f64, f64, f64) {
    let mut location = shape.mu0 + usual.location;
    if let Some(open) = level.open()
        && open.direction == Direction::Up
    {
        location = location.max(shape.mu0 + open.level());
    }
    let mean_days = mean_days(location, usual);
    let p = (rate * mean_days / YEAR_DAYS).min(MOST_PROBABLE);
    (days(location + usual.scale2.sqrt() * student_upper(usual.nu, p)), p, mean_days)
}

/// Finds the value that would complete the evidence for a slowing: the smallest above the usual one.
///
/// # Source
/// PIVOT.md 3.5: the difference of two log densities of Student's t is quadratic in the value.
fn completing(level: &Level, shape: &Shape, usual: &Student, was: Suspicion, threshold: f64) -> Option<f64> {
    let all = level.baseline();
    let before = if was.e > 0.0 { was.before } else { Before { n: all.n, s1: all.s1 } };
    let moved = shape.moved(&all, before, Direction::Up);
    let (m0, v0, m1, v1, nu) = (usual.location, usual.scale2, moved.location, moved.scale2, usual.nu);
    let k = exp(2.0 * (threshold - was.e.max(0.0) - log(v0 / v1) / 2.0) / (nu + 1.0));
    let a = 1.0 / v0 - k / v1;
    let b = 2.0 * (k * m1 / v1 - m0 / v0);
    let c = nu * (1.0 - k) + m0 * m0 / v0 - k * m1 * m1 / v1;
    if a.abs() < FLAT {
        return Some(-c / b).filter(|x| *x > m0);
    }
    let root = (b * b - 4.0 * a * c).sqrt();
    let roots = [(-b - root) / (2.0 * a), (-b + root) / (2.0 * a)];
    // Without a root they are no numbers, and above nothing.
    roots.into_iter().filter(|x| *x > m0).min_by(f64::total_cmp)
}

/// Turns a fourth root back into days.
pub(super) fn days(root: f64) -> f64 {
    root * root * root * root
}

/// No silence is raised that more than one in twenty gaps exceed.
const MOST_PROBABLE: f64 = 0.05;

/// Below it the parabola is a line.
const FLAT: f64 = 1e-12;
