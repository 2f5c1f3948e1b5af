//! Watching beside the tasks: how far the inputs are ahead, what retention leaves, and whether the topics are still
//! those the app started with.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::guards::Guards;
use super::headroom::Headroom;
use super::lag::LagWatch;
use crate::broker::Partition;
use crate::broker::cluster::Cluster;
use crate::clock;
use crate::config::Config;
use crate::task::progress::Standing;
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
            guards: Guards::new(config, topics),
            headroom: Headroom::default(),
            lag: LagWatch::default(),
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
    guards: Guards,
    headroom: Headroom,
    lag: LagWatch,
    /// The app has ended: each question may take its whole time-out, so no other is begun.
    over: Arc<AtomicBool>,
}

/// Where a partition stands; the journal's is none.
pub(super) struct Seen {
    pub(super) task: u32,
    pub(super) partition: Option<Partition>,
    /// A restart reads from here on.
    pub(super) needed: u64,
    /// The next offset to be taken.
    pub(super) position: u64,
    pub(super) kept: Range<u64>,
}

impl Watching {
    /// Looks again and again, until woken.
    fn run(&mut self, woken: &Receiver<()>) -> Result<(), TaskError> {
        let mut looked: Option<Instant> = None;
        loop {
            let seen = self.look_at_offsets();
            if let Some(seen) = &seen {
                self.lag.publish(&self.setup, seen);
            }
            if !self.is_over() && looked.is_none_or(|at| at.elapsed() >= EVERY) {
                looked = Some(clock::now());
                self.guards.look(&self.cluster)?;
                if let Some(seen) = seen {
                    self.headroom.warn(&self.setup, &seen);
                    self.headroom.publish(&self.setup, &self.cluster, &seen, self.guards.kept_for());
                }
            }
            let pause = if self.setup.progress.lag().is_some() { EVERY } else { FIRST };
            match woken.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(()) => return self.guards.look(&self.cluster),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Every partition of this process's tasks; `None` where the broker does not say.
    fn look_at_offsets(&self) -> Option<Vec<Seen>> {
        let mut seen = Vec::new();
        for (task, Standing { positions, needed, .. }) in self.setup.progress.standings() {
            let partitions = positions.into_iter().map(|(partition, position)| {
                let needed = needed.get(&partition).copied().unwrap_or(position);
                (Some(partition), needed, position)
            });
            // All of the journal is needed.
            for (partition, needed, position) in partitions.chain([(None, 0, 0)]) {
                if self.is_over() {
                    return None;
                }
                let (topic, number) = self.setup.place(task, partition);
                let kept = self.cluster.offsets(topic, number).ok()?;
                seen.push(Seen { task, partition, needed, position, kept });
            }
        }
        Some(seen)
    }
}

const EVERY: Duration = Duration::from_secs(5);
const FIRST: Duration = Duration::from_millis(250);

/// How long the end waits for the watch: a question that hangs is left to itself.
const FAREWELL: Duration = Duration::from_millis(500);
const LAST_LOOK: Duration = Duration::from_secs(5);
