//! Sends the shop's traffic: its history at once, then day by day.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::DAY_MS;
use crate::cli::load::default_topic;
use crate::clock;
use crate::load::{Generated, Load, Shape};
use crate::model::time::EventTime;

/// The thread that sends.
pub(super) struct Feeder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

#[derive(Default)]
struct Shared {
    sent: AtomicU64,
    stop: AtomicBool,
}

impl Feeder {
    /// Sends everything before `live_from` and returns once it is there; goes on in a thread, a day of
    /// event time every `day`.
    pub(super) fn start(bootstrap: &str, shape: Shape, live_from: EventTime, day: Duration) -> anyhow::Result<Self> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "10")
            // The broker keeps 5 MB of a partition: plain, a sixth of the orders would be gone before they are read.
            .set("compression.type", "lz4")
            .create()
            .context("cannot write to the demo's topics")?;
        let shared = Arc::new(Shared::default());
        let mut feed = Feed { producer, load: Load::new(shape), record: Generated::default(), shared: shared.clone() };
        let mut more = feed.load.next_into(&mut feed.record);
        while more && feed.record.at < live_from {
            feed.send()?;
            more = feed.load.next_into(&mut feed.record);
        }
        feed.flush()?;
        let thread = std::thread::Builder::new()
            .name("traffic".to_owned())
            .spawn(move || feed.go_on(live_from, day).and_then(|()| feed.flush()))
            .context("cannot start the traffic")?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Events sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Says why the traffic ended, if it failed.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.thread.take_if(|thread| thread.is_finished()) {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(anyhow!("the traffic's thread panicked"))),
            None => Ok(()),
        }
    }

    /// Ends the traffic. What was sent is there then.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(anyhow!("the traffic's thread panicked"))),
            None => Ok(()),
        }
    }
}

struct Feed {
    producer: BaseProducer,
    load: Load,
    /// The next record to send.
    record: Generated,
    shared: Arc<Shared>,
}

impl Feed {
    fn go_on(&mut self, live_from: EventTime, day: Duration) -> anyhow::Result<()> {
        let begun = clock::now();
        loop {
            let into = u128::try_from(self.record.at.0 - live_from.0).unwrap_or(0);
            let nanos = day.as_nanos() * into / u128::from(DAY_MS.unsigned_abs());
            let due = begun + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            while let Some(wait) = due.checked_duration_since(clock::now()).filter(|wait| !wait.is_zero()) {
                if self.shared.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.producer.poll(wait.min(Duration::from_millis(20)));
            }
            self.send()?;
            if self.shared.stop.load(Ordering::Relaxed) || !self.load.next_into(&mut self.record) {
                return Ok(());
            }
        }
    }

    fn send(&mut self) -> anyhow::Result<()> {
        let topic = default_topic(self.record.kind);
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).payload(&self.record.json);
        record.key = self.record.key.as_ref().map(|key| key.as_str().as_bytes());
        while let Err((error, back)) = self.producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(anyhow!("cannot write to {topic}: {error}"));
            }
            record = back;
            self.producer.poll(Duration::from_millis(10));
        }
        self.producer.poll(Duration::ZERO);
        self.shared.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn flush(&self) -> anyhow::Result<()> {
        self.producer.flush(PATIENCE).context("cannot write to the demo's topics")
    }
}

const PATIENCE: Duration = Duration::from_mins(2);
