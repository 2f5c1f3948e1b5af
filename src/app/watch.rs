//! Watching beside the tasks: how far the inputs are ahead, whether the topics are still those the app started with,
//! and what retention leaves of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::guards::Guards;
use super::headroom::Headroom;
use super::lag::LagWatch;
use crate::broker::cluster::Cluster;
use crate::clock;
use crate::config::Config;
use crate::task::{Setup, TaskError};
use crate::topics::Status;

/// The thread that watches.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    /// Wakes it for a last look; dropped, for its end.
    wake: Sender<()>,
    verdict: Receiver<Result<(), TaskError>>,
}

impl Watch {
    /// Starts to watch; `None` where the system has no room for a thread.
    pub(super) fn start(setup: Arc<Setup>, cluster: Cluster, config: Config, topics: Vec<Status>) -> Option<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let ((wake, woken), (report, verdict)) = (mpsc::channel(), mpsc::channel());
        let mut watching = Watching {
            setup,
            cluster,
            lag: LagWatch::default(),
            guards: Guards::new(config, topics),
            headroom: Headroom::default(),
            over: Arc::clone(&over),
        };
        let body = move || {
            let found = watching.run(&woken);
            if found.is_err() {
                watching.setup.stop.store(true, Ordering::Relaxed);
            }
            // Nobody listens once the app was dropped.
            let _ = report.send(found);
        };
        std::thread::Builder::new().name("watch".to_owned()).spawn(body).ok()?;
        Some(Self { over, wake, verdict })
    }

    /// Ends it, with a last look at the topics where a task has failed: they may be why. A broker that does not
    /// answer is not waited for.
    ///
    /// # Errors
    /// What it has found, if it was that which stopped the app.
    pub(super) fn end(self, failed: bool) -> Result<(), TaskError> {
        self.over.store(true, Ordering::Relaxed);
        if failed {
            let _ = self.wake.send(());
        }
        drop(self.wake);
        self.verdict.recv_timeout(if failed { LAST_LOOK } else { FAREWELL }).unwrap_or(Ok(()))
    }
}

struct Watching {
    setup: Arc<Setup>,
    cluster: Cluster,
    lag: LagWatch,
    guards: Guards,
    headroom: Headroom,
    /// The app has ended: each question may take its whole time-out, so no other is begun.
    over: Arc<AtomicBool>,
}

impl Watching {
    /// Looks again and again, until woken.
    fn run(&mut self, woken: &Receiver<()>) -> Result<(), TaskError> {
        let mut looked: Option<Instant> = None;
        loop {
            self.look_at_lag();
            if looked.is_none_or(|at| at.elapsed() >= EVERY) {
                looked = Some(clock::now());
                self.look_at_topics()?;
            }
            let pause = if self.setup.progress.lag().is_some() { EVERY } else { FIRST };
            match woken.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(()) => return self.guards.look(&self.cluster),
            }
        }
    }

    fn look_at_lag(&mut self) {
        let progress = &self.setup.progress;
        let over = &self.over;
        if let Some(total) = self.lag.ask(&self.setup, &self.cluster, || over.load(Ordering::Relaxed))
            && progress.all_restored()
        {
            progress.set_lag(total);
        }
    }

    fn look_at_topics(&mut self) -> Result<(), TaskError> {
        let over = &self.over;
        if !over.load(Ordering::Relaxed) {
            self.guards.look(&self.cluster)?;
            self.headroom.look(&self.setup, &self.cluster, self.guards.kept_for(), || over.load(Ordering::Relaxed));
        }
        Ok(())
    }
}

const EVERY: Duration = Duration::from_secs(5);
const FIRST: Duration = Duration::from_millis(250);

/// How long the end waits for the watch: a question that hangs is left to itself.
const FAREWELL: Duration = Duration::from_millis(500);
const LAST_LOOK: Duration = Duration::from_secs(20);
