//! The real stores: a local folder, or a bucket of S3, Google Cloud Storage or Azure.
//!
//! Sealing and writing happen on threads of their own, so that a task hands a block over and goes on. One depot serves
//! all tasks of a process; each has a handle, with a bounded number of writes under way.

mod staged;

use std::collections::VecDeque;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, RetryConfig};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::format;
use super::store::{Finished, Object, Store, StoreError, Write};
use crate::clock;
use crate::config::Place;

/// Why a store cannot be used. Each message says what can be done.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "snapshots.store: {path} cannot be written: {reason}; give this user the right to, name another folder, or write `snapshots: off`"
    )]
    Unwritable { path: PathBuf, reason: String },
    #[error(
        "snapshots.store: {path} is not there: no snapshot was taken yet, or the configuration names another folder"
    )]
    Absent { path: PathBuf },
    #[error("snapshots.store: {url} is not set up: {reason}; credentials and region are read from the environment")]
    Unconfigured { url: String, reason: String },
    #[error(
        "snapshots.store: {url} cannot be listed: {reason}; check the bucket's name, the credentials in the environment and the network"
    )]
    Unreachable { url: String, reason: String },
}

/// An opened store. Clones are the same one.
#[derive(Clone)]
pub struct Depot(Arc<Inner>);

struct Inner {
    store: Box<dyn ObjectStore>,
    /// Where it is one.
    folder: Option<PathBuf>,
    /// Before each path.
    prefix: String,
    runtime: Handle,
    /// The runtime ends with it.
    _runs: oneshot::Sender<()>,
}

impl Depot {
    /// Opens a store to write in: makes the folder, and tries whether it can be used.
    ///
    /// # Errors
    /// What must be put right first.
    pub fn open(place: &Place) -> Result<Self, OpenError> {
        Self::open_with(place, &[])
    }

    /// The same, with settings of S3 on top of the environment.
    pub(super) fn open_with(place: &Place, settings: &[(AmazonS3ConfigKey, String)]) -> Result<Self, OpenError> {
        if let Place::Folder(path) = place {
            std::fs::create_dir_all(path).and_then(|()| try_writing(path)).map_err(|error| unwritable(path, &error))?;
        }
        let depot = Self::at_with(place, settings)?;
        let first = depot.0.runtime.block_on(async {
            use futures_util::StreamExt;
            let found = async { depot.0.store.list(Some(&depot.0.path(""))).next().await };
            tokio::time::timeout(PATIENCE, found).await
        });
        match first {
            Ok(None | Some(Ok(_))) => Ok(depot),
            Ok(Some(Err(error))) => Err(OpenError::Unreachable { url: place.to_string(), reason: in_full(&error) }),
            Err(_) => {
                let reason = format!("no answer within {} s", PATIENCE.as_secs());
                Err(OpenError::Unreachable { url: place.to_string(), reason })
            }
        }
    }

    /// Whether a store could be opened, as far as that shows without touching it.
    ///
    /// # Errors
    /// What must be put right first.
    pub fn check(place: &Place) -> Result<(), OpenError> {
        let Place::Folder(path) = place else { return Self::at(place).map(drop) };
        let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(FilePath::new("."));
        try_writing(there).map_err(|error| unwritable(path, &error))
    }

    /// A store as it is, without touching it.
    ///
    /// # Errors
    /// There is no such folder, or what is needed to reach a bucket is not set.
    pub fn at(place: &Place) -> Result<Self, OpenError> {
        Self::at_with(place, &[])
    }

    fn at_with(place: &Place, settings: &[(AmazonS3ConfigKey, String)]) -> Result<Self, OpenError> {
        let unconfigured =
            |error: &dyn std::error::Error| OpenError::Unconfigured { url: place.to_string(), reason: in_full(error) };
        let (store, prefix): (Box<dyn ObjectStore>, String) = match place {
            Place::Folder(path) => {
                let files =
                    LocalFileSystem::new_with_prefix(path).map_err(|_| OpenError::Absent { path: path.clone() })?;
                (Box::new(files.with_fsync(true).with_automatic_cleanup(true)), String::new())
            }
            Place::Bucket(url) => (bucket(url, settings).map_err(|error| unconfigured(&error))?, prefix(url)),
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(THREADS)
            .thread_name("snapshots")
            .build()
            .map_err(|error| unconfigured(&error))?;
        let handle = runtime.handle().clone();
        let (runs, ends) = oneshot::channel();
        let thread = std::thread::Builder::new().name("snapshots".to_owned());
        thread.spawn(move || drive(&runtime, ends)).map_err(|error| unconfigured(&error))?;
        let folder = match place {
            Place::Folder(path) => Some(path.clone()),
            Place::Bucket(_) => None,
        };
        Ok(Self(Arc::new(Inner { store, folder, prefix, runtime: handle, _runs: runs })))
    }

    /// For one task.
    pub(crate) fn handle(&self) -> Box<dyn Store> {
        let (sender, receiver) = sync_channel(MOST_UNDER_WAY);
        let depot = self.clone();
        Box::new(Counter { depot, sender, receiver, under_way: 0, expected: VecDeque::new(), ahead: VecDeque::new() })
    }
}

/// Runs what handles spawn, until the last of them is gone.
fn drive(runtime: &Runtime, ends: oneshot::Receiver<()>) {
    let _ = runtime.block_on(ends);
}

fn bucket(url: &str, settings: &[(AmazonS3ConfigKey, String)]) -> object_store::Result<Box<dyn ObjectStore>> {
    let retry = RetryConfig { max_retries: 3, retry_timeout: Duration::from_mins(1), ..RetryConfig::default() };
    Ok(match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        "gs" => Box::new(GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retry).build()?),
        "az" => Box::new(MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retry).build()?),
        _ => {
            let builder = AmazonS3Builder::from_env().with_url(url).with_retry(retry).with_disable_bulk_delete(true);
            let set = |builder: AmazonS3Builder, (key, value): &(AmazonS3ConfigKey, String)| {
                builder.with_config(*key, value.clone())
            };
            Box::new(settings.iter().fold(builder, set).build()?)
        }
    })
}

/// What follows the bucket in its URL.
fn prefix(url: &str) -> String {
    url.splitn(4, '/').nth(3).unwrap_or_default().to_owned()
}

fn try_writing(folder: &FilePath) -> std::io::Result<()> {
    let probe = folder.join(format!(".vipstream-{}", std::process::id()));
    std::fs::write(&probe, b"")?;
    std::fs::remove_file(&probe)
}

fn unwritable(path: &FilePath, error: &dyn std::error::Error) -> OpenError {
    OpenError::Unwritable { path: path.to_owned(), reason: in_full(error) }
}

/// An error with what caused it, on one line.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Inner {
    fn path(&self, path: &str) -> Path {
        Path::from(format!("{}/{path}", self.prefix))
    }

    /// Runs a request from a task's thread.
    fn wait<T>(&self, path: &str, request: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let limited = async { tokio::time::timeout(PATIENCE, request).await };
        self.runtime.block_on(limited).unwrap_or_else(|_| Err(too_slow(path, PATIENCE)))
    }

    async fn list(&self, folder: &str) -> Result<Vec<Object>, StoreError> {
        use futures_util::TryStreamExt;
        let below = self.path(folder);
        let start = below.as_ref().len() - folder.len();
        let found: Vec<_> =
            self.store.list(Some(&below)).try_collect().await.map_err(|error| failure(folder, &error))?;
        let mut objects: Vec<Object> = found
            .into_iter()
            .filter_map(|meta| Some(Object { path: meta.location.as_ref().get(start..)?.to_owned(), bytes: meta.size }))
            .collect();
        objects.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(objects)
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, StoreError> {
        let answer = self.store.get(&self.path(path)).await.map_err(|error| failure(path, &error))?;
        let bytes = answer.bytes().await.map_err(|error| failure(path, &error))?;
        Ok(bytes.into())
    }

    async fn write(&self, write: Write) -> Finished {
        let (path, content, mode) = match write {
            Write::Put { path, content } => (path, content, PutMode::Overwrite),
            Write::Create { path, content } => (path, content, PutMode::Create),
            Write::Delete { path } => {
                let outcome = self.store.delete(&self.path(&path)).await.map_err(|error| failure(&path, &error));
                return Finished { path, outcome, bytes: 0, cpu: Duration::ZERO };
            }
        };
        let is_manifest = mode == PutMode::Create;
        let failed = |reason: &str| StoreError::Failed { path: path.clone(), reason: reason.to_owned() };
        let sealed = self.runtime.spawn_blocking(move || {
            let begin = clock::now();
            (format::seal(&content), clock::since(begin))
        });
        let (outcome, bytes, cpu) = match sealed.await {
            Ok((Some(sealed), cpu)) => {
                let bytes = sealed.len() as u64;
                let put = self.store.put_opts(&self.path(&path), sealed.into(), mode.into()).await;
                if is_manifest {
                    self.clear_staged(&path).await;
                }
                (put.map(drop).map_err(|error| failure(&path, &error)), bytes, cpu)
            }
            Ok((None, cpu)) => (Err(failed("is too large to be sealed")), 0, cpu),
            Err(_) => (Err(failed("sealing it panicked")), 0, Duration::ZERO),
        };
        Finished { path, bytes: if outcome.is_ok() { bytes } else { 0 }, outcome, cpu }
    }
}

impl Inner {
    /// With each new manifest, what died writers left beside it goes.
    async fn clear_staged(&self, manifest: &str) {
        let Some(folder) = self.folder.as_ref().and_then(|root| root.join(manifest).parent().map(FilePath::to_owned))
        else {
            return;
        };
        let _ = self.runtime.spawn_blocking(move || staged::clear(&folder)).await;
    }
}

fn failure(path: &str, error: &object_store::Error) -> StoreError {
    let path = path.to_owned();
    match error {
        object_store::Error::NotFound { .. } => StoreError::Missing { path },
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } => {
            StoreError::Exists { path }
        }
        other => StoreError::Failed { path, reason: in_full(other) },
    }
}

fn too_slow(path: &str, patience: Duration) -> StoreError {
    StoreError::Failed { path: path.to_owned(), reason: format!("no answer within {} s", patience.as_secs()) }
}

/// A task's handle.
struct Counter {
    depot: Depot,
    sender: SyncSender<Finished>,
    receiver: Receiver<Finished>,
    under_way: usize,
    /// What will be read, and what is fetched already.
    expected: VecDeque<String>,
    ahead: VecDeque<(String, Fetched)>,
}

/// An object on its way.
type Fetched = JoinHandle<Result<Vec<u8>, StoreError>>;

impl Counter {
    fn fetch_ahead(&mut self) {
        while self.ahead.len() < AHEAD
            && let Some(path) = self.expected.pop_front()
        {
            let (depot, wanted) = (self.depot.clone(), path.clone());
            let fetched = self.depot.0.runtime.spawn(async move { depot.0.get(&wanted).await });
            self.ahead.push_back((path, fetched));
        }
    }
}

impl Store for Counter {
    fn list(&mut self, folder: &str) -> Result<Vec<Object>, StoreError> {
        self.depot.0.wait(folder, self.depot.0.list(folder))
    }

    fn expect(&mut self, paths: &[String]) {
        self.ahead.clear();
        self.expected = paths.iter().cloned().collect();
        self.fetch_ahead();
    }

    fn get(&mut self, path: &str) -> Result<Vec<u8>, StoreError> {
        if self.ahead.front().is_none_or(|(other, _)| other != path) {
            return self.depot.0.wait(path, self.depot.0.get(path));
        }
        let (_, fetched) = self.ahead.pop_front().expect("it was just seen");
        self.fetch_ahead();
        let ended = async { fetched.await.unwrap_or_else(|_| Err(too_slow(path, PATIENCE))) };
        self.depot.0.wait(path, ended)
    }

    fn start(&mut self, write: Write) {
        assert!(self.under_way < MOST_UNDER_WAY, "whoever writes bounds what is under way");
        self.under_way += 1;
        let (depot, sender) = (self.depot.clone(), self.sender.clone());
        let path = match &write {
            Write::Put { path, .. } | Write::Create { path, .. } | Write::Delete { path } => path.clone(),
        };
        self.depot.0.runtime.spawn(async move {
            let ended = tokio::time::timeout(WRITE_PATIENCE, depot.0.write(write)).await.unwrap_or_else(|_| {
                let outcome = Err(too_slow(&path, WRITE_PATIENCE));
                Finished { path, outcome, bytes: 0, cpu: Duration::ZERO }
            });
            // There is room for every write under way. Nobody listens any more where the task has ended.
            let _ = sender.send(ended);
        });
    }

    fn finished(&mut self) -> Option<Finished> {
        let finished = self.receiver.try_recv().ok()?;
        self.under_way -= 1;
        Some(finished)
    }
}

/// Writes of one handle that have not ended: what a snapshot, its predecessor and deletions may have under way.
const MOST_UNDER_WAY: usize = 32;
/// Objects fetched before they are asked for.
const AHEAD: usize = 4;
/// Threads that seal and touch files.
const THREADS: usize = 4;
/// How long an answer is waited for, tries included.
const PATIENCE: Duration = Duration::from_secs(20);
const WRITE_PATIENCE: Duration = Duration::from_mins(2);
