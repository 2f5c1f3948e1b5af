//! As much of S3's protocol as snapshots use, over HTTP on this machine: PUT with `If-None-Match`, GET, LIST in pages,
//! DELETE.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use object_store::aws::AmazonS3ConfigKey;
use object_store::client::ClientConfigKey;

use crate::config::Place;
use crate::snapshot::depot::{Depot, OpenError};

/// A server with buckets in memory.
pub(super) struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// By bucket and key.
    objects: Mutex<BTreeMap<(String, String), Vec<u8>>>,
    refuses: AtomicBool,
}

impl StandIn {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&served);
                std::thread::spawn(move || while serve(stream.as_ref().unwrap(), &shared).is_some() {});
            }
        });
        Self { address, shared }
    }

    /// From now on answers that access is denied.
    pub(super) fn refuse(&self) {
        self.shared.refuses.store(true, Ordering::Relaxed);
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.shared.objects.lock().unwrap().keys().map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn depot(&self, url: &str) -> Depot {
        self.try_depot(url).unwrap()
    }

    pub(super) fn try_depot(&self, url: &str) -> Result<Depot, OpenError> {
        let settings = [
            (AmazonS3ConfigKey::Endpoint, format!("http://{}", self.address)),
            (AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp), "true".to_owned()),
            (AmazonS3ConfigKey::Region, "eu-central-1".to_owned()),
            (AmazonS3ConfigKey::AccessKeyId, "somebody".to_owned()),
            (AmazonS3ConfigKey::SecretAccessKey, "secret".to_owned()),
        ];
        Depot::open_with(&Place::Bucket(url.to_owned()), &settings)
    }
}

/// Answers one request; `None` where there are no more.
fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut next = || {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line.trim_end().to_owned())
    };
    let request = next()?;
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = next()?.split_once(": ") {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = request.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let place = (bucket.to_owned(), key.to_owned());
    let is_signed = headers.get("authorization").is_some_and(|it| it.starts_with("AWS4-HMAC-SHA256 "));
    let (status, content) = if shared.refuses.load(Ordering::Relaxed) || !is_signed {
        (403, b"<Error><Code>AccessDenied</Code></Error>".to_vec())
    } else {
        answer(method, place, query, headers.contains_key("if-none-match"), body, shared)
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nETag: \"1\"\r\nLast-Modified: Sat, 01 Mar 2025 00:00:00 GMT\r\n\r\n",
        content.len()
    );
    let mut stream = stream;
    stream.write_all(&[head.as_bytes(), &content].concat()).ok()
}

fn answer(
    method: &str,
    place: (String, String),
    query: &str,
    if_none: bool,
    body: Vec<u8>,
    shared: &Shared,
) -> (u16, Vec<u8>) {
    let mut objects = shared.objects.lock().unwrap();
    match method {
        "PUT" if if_none && objects.contains_key(&place) => (412, Vec::new()),
        "PUT" => {
            objects.insert(place, body);
            (200, Vec::new())
        }
        "GET" if place.1.is_empty() => (200, list(&objects, &place.0, query).into_bytes()),
        "GET" => objects.get(&place).map_or((404, Vec::new()), |object| (200, object.clone())),
        "DELETE" => {
            objects.remove(&place);
            (204, Vec::new())
        }
        _ => (405, Vec::new()),
    }
}

/// A page of at most three.
fn list(objects: &BTreeMap<(String, String), Vec<u8>>, bucket: &str, query: &str) -> String {
    let parameter = |name: &str| {
        let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        value.unwrap_or_default().replace("%2F", "/")
    };
    let (prefix, after) = (parameter("prefix"), parameter("continuation-token"));
    let found: Vec<_> = objects
        .iter()
        .filter(|((of, key), _)| of == bucket && key.starts_with(&prefix) && *key > after)
        .map(|((_, key), bytes)| (key, bytes.len()))
        .collect();
    let page = found.iter().take(3).map(|(key, size)| {
        format!("<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>2025-03-01T00:00:00.000Z</LastModified></Contents>")
    });
    let more = found.get(3).map(|_| format!("<NextContinuationToken>{}</NextContinuationToken>", found[2].0));
    format!("<ListBucketResult>{}{}</ListBucketResult>", page.collect::<String>(), more.unwrap_or_default())
}
