//! The only reader of clocks, the only sleeper, and the starter of threads that live by the same clock.
//!
//! In tests a thread may live in virtual time: then nothing here waits for real.

#![expect(clippy::disallowed_methods, reason = "this is the file that may read clocks")]

use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::time::EventTime;

/// Wall time.
pub(crate) fn wall() -> EventTime {
    #[cfg(test)]
    if let Some(time) = virtual_time::of_this_thread() {
        return time.wall();
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).min(EventTime::MAX)
}

/// A point to measure spans from; it never moves back.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(time) = virtual_time::of_this_thread() {
        return time.now();
    }
    Instant::now()
}

/// How long ago a point was.
pub(crate) fn since(point: Instant) -> Duration {
    now().saturating_duration_since(point)
}

/// Waits.
pub(crate) fn sleep(span: Duration) {
    #[cfg(test)]
    if let Some(time) = virtual_time::of_this_thread() {
        return time.sleep(span);
    }
    std::thread::sleep(span);
}

/// Starts a thread that lives in its starter's time.
///
/// # Panics
/// Where the system has no room for one.
pub(crate) fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    #[cfg(test)]
    if let Some(time) = virtual_time::of_this_thread() {
        return time.spawn(name, Box::new(body));
    }
    std::thread::Builder::new().name(name).spawn(body).expect("the system has room for a thread")
}

/// Threads that do not live in real time.
#[cfg(test)]
pub(crate) mod virtual_time {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::thread::JoinHandle;
    use std::time::{Duration, Instant};

    use crate::model::time::EventTime;

    /// What stands in for the clocks of a thread.
    pub(crate) trait Time: Send + Sync {
        fn wall(&self) -> EventTime;
        fn now(&self) -> Instant;
        fn sleep(&self, span: Duration);
        fn spawn(&self, name: String, body: Box<dyn FnOnce() + Send>) -> JoinHandle<()>;
    }

    thread_local! {
        static TIME: RefCell<Option<Arc<dyn Time>>> = const { RefCell::new(None) };
    }

    /// Gives this thread another time, or with `None` the real one again.
    pub(crate) fn enter(time: Option<Arc<dyn Time>>) {
        TIME.with_borrow_mut(|own| *own = time);
    }

    pub(super) fn of_this_thread() -> Option<Arc<dyn Time>> {
        TIME.with_borrow(Clone::clone)
    }
}
