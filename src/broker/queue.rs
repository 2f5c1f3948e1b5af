//! One partition, read in batches from the queue that the client library keeps for it.
//!
//! The crate hands over one record a call, as an event of its own: that costs about twice as much. Here is what it
//! lacks, and no more: starting, draining and stopping a partition by the library's simple consumer, which joins no
//! group. Each partition has its own queue. One whose records are not wanted yet is not drained: the library stops
//! fetching at its bound, and nothing is thrown away and fetched again, as it is with its `pause`.
//!
//! Everything raw stays in this file: a [`Stream`] keeps its client alive, and a [`Batch`] its stream.

#![expect(unsafe_code, reason = "the crate does not offer the library's batch calls")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::connection::Context;
use super::consumer::{signed, unsigned};
use crate::codec::RawRecord;
use crate::model::time::EventTime;

/// A client that reads. It belongs to no group.
pub(super) type Client = BaseConsumer<Context>;

/// Rung by the library when a queue is no longer empty.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Waits until rung, at most so long.
    pub(super) fn wait(&self, at_most: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) =
            self.changed.wait_timeout_while(rung, at_most, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }

    /// Called on the library's threads, which hold the queue's lock: it must neither wait nor call the library.
    extern "C" fn ring(_: *mut sys::rd_kafka_t, bell: *mut c_void) {
        // SAFETY: the pointer is of a bell that its stream keeps until the callback is taken away.
        let bell = unsafe { &*bell.cast_const().cast::<Self>() };
        *bell.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        bell.changed.notify_one();
    }
}

/// A partition that is being read.
pub(super) struct Stream {
    topic: NonNull<sys::rd_kafka_topic_t>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    partition: i32,
    /// What the batch at hand holds; empty without one.
    messages: Vec<*mut sys::rd_kafka_message_t>,
    /// What the handles and the callback need: dropped only after `Stream::drop` has run.
    client: Arc<Client>,
    _bell: Arc<Bell>,
}

// SAFETY: the library's handles are bound to no thread and guarded by its own locks; `messages` is empty whenever no
// batch borrows the stream.
unsafe impl Send for Stream {}

impl Stream {
    /// Starts reading a partition; the bell rings when something has arrived. At most one stream of a client may read
    /// a partition.
    pub(super) fn start(
        client: &Arc<Client>,
        topic: &str,
        partition: u32,
        offset: u64,
        bell: &Arc<Bell>,
    ) -> Result<Self, KafkaError> {
        let (client, bell, messages) = (Arc::clone(client), Arc::clone(bell), Vec::new());
        let (name, partition) = (CString::new(topic)?, signed(partition));
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let native = client.client().native_ptr();
        // SAFETY: the client is alive, and the name ends in a null byte; the library copies it.
        let topic = unsafe { sys::rd_kafka_topic_new(native, name.as_ptr(), ptr::null_mut()) };
        let topic = NonNull::new(topic).ok_or_else(last_error)?;
        // SAFETY: the topic was just made.
        if unsafe { sys::rd_kafka_consume_start(topic.as_ptr(), partition, offset) } != 0 {
            let error = last_error();
            // SAFETY: as above; nobody else has it.
            unsafe { sys::rd_kafka_topic_destroy(topic.as_ptr()) };
            return Err(error);
        }
        // After the start: a partition that nobody wants yet may be made anew by it, with another queue.
        // SAFETY: as for the topic.
        let queue = unsafe { sys::rd_kafka_queue_get_partition(native, name.as_ptr(), partition) };
        let queue = NonNull::new(queue).expect("a partition that was started has a queue");
        let opaque = Arc::as_ptr(&bell).cast_mut().cast::<c_void>();
        // SAFETY: the queue is ours until destroyed, and the bell lives until the callback is taken away.
        unsafe { sys::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(Bell::ring), opaque) };
        Ok(Self { topic, queue, partition, messages, client, _bell: bell })
    }

    /// Takes what has arrived, at most so many records. Never waits.
    pub(super) fn take(&mut self, most: usize) -> Batch<'_> {
        self.messages.clear();
        self.messages.reserve(most);
        // SAFETY: the queue is ours, and the buffer has room for `most` pointers.
        let count =
            unsafe { sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, self.messages.as_mut_ptr(), most) };
        let count = usize::try_from(count).unwrap_or_default();
        // SAFETY: the call has set the first `count` of at most `most`.
        unsafe { self.messages.set_len(count) };
        Batch { messages: &mut self.messages }
    }

    /// Where the partition ended when the library last fetched of it: known with the records, long before the next fetch
    /// tells the end.
    pub(super) fn known_end(&self) -> Option<u64> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the handles are ours and the client is alive; the call writes two numbers and keeps nothing.
        let code = unsafe {
            let name = sys::rd_kafka_topic_name(self.topic.as_ptr());
            let native = self.client.client().native_ptr();
            sys::rd_kafka_get_watermark_offsets(native, name, self.partition, &raw mut low, &raw mut high)
        };
        let is_known = code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        u64::try_from(high).ok().filter(|_| is_known)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the handles are ours, and the client is alive. Once the callback is taken away, which waits for one
        // under way, the library no longer has the bell. Stopping waits for the library's main thread alone, never for
        // the broker.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_consume_stop(self.topic.as_ptr(), self.partition);
        }
        // What was fetched and not taken would stay until the client goes: taking throws it away.
        while self.take(1).len() > 0 {}
        // SAFETY: as above, and nothing uses the handles after this.
        unsafe {
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
            sys::rd_kafka_topic_destroy(self.topic.as_ptr());
        }
    }
}

/// What was taken at once. Gives the library its memory back when dropped.
pub(super) struct Batch<'a> {
    messages: &'a mut Vec<*mut sys::rd_kafka_message_t>,
}

/// What a partition's queue holds.
pub(super) enum Taken<'a> {
    Record {
        offset: u64,
        raw: RawRecord<'a>,
    },
    /// The partition ended at this offset when it was asked.
    End(u64),
    Failed(RDKafkaErrorCode),
}

impl Batch<'_> {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Shows everything in order. Nothing is copied.
    pub(super) fn for_each(&self, mut show: impl FnMut(Taken<'_>)) {
        let mut headers = Vec::new();
        for message in self.messages.iter() {
            // SAFETY: the library's messages stay as they are until the batch is dropped. The error is read as a number:
            // a newer broker's may be one that the crate has no name for.
            let (error, offset) = unsafe { ((&raw const (**message).err).cast::<i32>().read(), (**message).offset) };
            let error = sys::rd_kafka_resp_err_t::try_from(error);
            match error {
                Ok(NO_ERROR) => {
                    // SAFETY: as above, and the error is a known one.
                    let message = unsafe { &**message };
                    read_headers(message, &mut headers);
                    let raw = RawRecord {
                        key: bytes(message, message.key.cast(), message.key_len),
                        value: bytes(message, message.payload.cast(), message.len),
                        headers: &headers,
                        timestamp: timestamp(message),
                    };
                    show(Taken::Record { offset: unsigned(offset), raw });
                }
                Ok(PARTITION_EOF) => show(Taken::End(unsigned(offset))),
                error => show(Taken::Failed(error.map_or(RDKafkaErrorCode::Unknown, Into::into))),
            }
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: it came from the library, is given back once, and what was shown of it is borrowed no more.
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
    }
}

/// Bytes of a message; `None` where it has none.
fn bytes(_owner: &sys::rd_kafka_message_t, start: *const u8, length: usize) -> Option<&[u8]> {
    // SAFETY: a message's pointers are null or lead to so many bytes that live as long as it does.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, length) })
}

fn timestamp(message: &sys::rd_kafka_message_t) -> Option<EventTime> {
    // SAFETY: the message is alive; the kind of timestamp is not asked for.
    let at = unsafe { sys::rd_kafka_message_timestamp(message, ptr::null_mut()) };
    (at != NO_TIMESTAMP).then_some(EventTime(at))
}

/// Puts a message's headers in place of those there were. One without a value, or whose name is no text, is left out.
fn read_headers<'a>(message: &'a sys::rd_kafka_message_t, headers: &mut Vec<(&'a str, &'a [u8])>) {
    headers.clear();
    let mut list = ptr::null_mut();
    // SAFETY: the message is alive; the list set belongs to it.
    if unsafe { sys::rd_kafka_message_headers(message, &raw mut list) } != NO_ERROR {
        return;
    }
    for index in 0.. {
        let mut name: *const c_char = ptr::null();
        let (mut value, mut length) = (ptr::null(), 0);
        // SAFETY: the list is the message's; an index past its end is answered with an error.
        let found =
            unsafe { sys::rd_kafka_header_get_all(list, index, &raw mut name, &raw mut value, &raw mut length) };
        if found != NO_ERROR {
            return;
        }
        // SAFETY: a header's name ends in a null byte and lives as long as the message.
        let name: &'a CStr = unsafe { CStr::from_ptr(name) };
        if let (Ok(name), Some(value)) = (name.to_str(), bytes(message, value.cast(), length)) {
            headers.push((name, value));
        }
    }
}

fn last_error() -> KafkaError {
    // SAFETY: reads a value of this thread.
    KafkaError::Global(unsafe { sys::rd_kafka_last_error() }.into())
}

const NO_ERROR: sys::rd_kafka_resp_err_t = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
const PARTITION_EOF: sys::rd_kafka_resp_err_t = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF;

/// What the library says of a record without one.
const NO_TIMESTAMP: i64 = -1;
