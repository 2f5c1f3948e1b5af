//! Watching beside the tasks: how far the inputs are ahead.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use super::lag::LagWatch;
use crate::broker::cluster::Cluster;
use crate::task::Setup;

/// The thread that watches. Dropping this tells it to end; nobody waits for it, since a question that the broker does
/// not answer takes long.
pub(super) struct Watch {
    _wake: Sender<()>,
}

impl Watch {
    /// Starts to watch; `None` where the system has no room for a thread.
    pub(super) fn start(setup: Arc<Setup>, cluster: Cluster) -> Option<Self> {
        let (wake, woken) = mpsc::channel();
        let watching = Watching { setup, cluster, woken };
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || watching.run());
        thread.ok().map(|_| Self { _wake: wake })
    }
}

struct Watching {
    setup: Arc<Setup>,
    cluster: Cluster,
    woken: Receiver<()>,
}

impl Watching {
    fn run(self) {
        let progress = &self.setup.progress;
        let mut lag = LagWatch::default();
        loop {
            if let Some(total) = lag.ask(&self.setup, &self.cluster, || self.is_over())
                && progress.all_restored()
            {
                progress.set_lag(total);
            }
            let pause = if progress.lag().is_some() { EVERY } else { FIRST };
            if self.woken.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// Whether the app has ended meanwhile: each question may take its whole time-out.
    fn is_over(&self) -> bool {
        self.woken.try_recv() != Err(TryRecvError::Empty)
    }
}

const EVERY: Duration = Duration::from_secs(5);
const FIRST: Duration = Duration::from_millis(250);
