//! What the client library can ask a broker and the crate cannot: the ids of topics, by which one that was deleted
//! and made anew is told from what it was.

#![expect(unsafe_code, reason = "the crate has no call for this, so the library is called as it is")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::time::Duration;

use rdkafka::bindings as library;
use rdkafka::client::{Client, ClientContext};

/// A value of the library's, given back to it when dropped.
struct Owned<T> {
    pointer: *mut T,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes over what the library made; `None` where it made nothing.
    fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        (!pointer.is_null()).then_some(Self { pointer, destroy })
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library together with the function that takes it back, and nobody else
        // has it.
        unsafe { (self.destroy)(self.pointer) }
    }
}

/// The id of each of these topics, as Kafka's own tools write it. Topics that are not there are left out, and so are
/// all where the broker is too old to have ids. `broker` is the number of the one that is asked.
///
/// # Errors
/// The broker did not say within `wait`, with the reason.
pub(super) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    topics: &[&str],
    wait: Duration,
) -> Result<BTreeMap<String, String>, String> {
    let names = topics.iter().map(|topic| CString::new(*topic)).collect::<Result<Vec<_>, _>>();
    let names = names.map_err(|error| error.to_string())?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let wait_ms = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
    let nothing = || "the client library is out of memory".to_owned();
    // SAFETY: the client outlives the queue, options and collection, which this function drops; the names live until
    // it returns, and the library copies them.
    unsafe {
        let handle = client.native_ptr();
        let operation = library::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let collection = library::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let collection = Owned::new(collection, library::rd_kafka_TopicCollection_destroy).ok_or_else(nothing)?;
        let options = library::rd_kafka_AdminOptions_new(handle, operation);
        let options = Owned::new(options, library::rd_kafka_AdminOptions_destroy).ok_or_else(nothing)?;
        library::rd_kafka_AdminOptions_set_request_timeout(options.pointer, wait_ms, std::ptr::null_mut(), 0);
        library::rd_kafka_AdminOptions_set_broker(options.pointer, broker, std::ptr::null_mut(), 0);
        let queue = Owned::new(library::rd_kafka_queue_new(handle), library::rd_kafka_queue_destroy);
        let queue = queue.ok_or_else(nothing)?;
        library::rd_kafka_DescribeTopics(handle, collection.pointer, options.pointer, queue.pointer);
        let event = library::rd_kafka_queue_poll(queue.pointer, wait_ms.saturating_mul(2));
        let event = Owned::new(event, library::rd_kafka_event_destroy).ok_or("no answer came")?;
        answer(&event)
    }
}

/// Reads the answer.
///
/// # Safety
/// The event is one that the library handed out.
unsafe fn answer(event: &Owned<library::rd_kafka_event_t>) -> Result<BTreeMap<String, String>, String> {
    // SAFETY: everything read here belongs to the event, which outlives it; texts are copied.
    unsafe {
        match library::rd_kafka_event_error(event.pointer) {
            library::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {}
            library::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE => return Ok(BTreeMap::new()),
            _ => return Err(text(library::rd_kafka_event_error_string(event.pointer))),
        }
        let result = library::rd_kafka_event_DescribeTopics_result(event.pointer);
        if result.is_null() {
            return Err("the answer was another".to_owned());
        }
        let mut count = 0;
        let described = library::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let mut ids = BTreeMap::new();
        for at in 0..count {
            let topic = *described.add(at);
            // A topic that the answer left out has an empty place.
            if topic.is_null() || !library::rd_kafka_TopicDescription_error(topic).is_null() {
                continue;
            }
            let id = library::rd_kafka_TopicDescription_topic_id(topic);
            let parts =
                (library::rd_kafka_Uuid_most_significant_bits(id), library::rd_kafka_Uuid_least_significant_bits(id));
            if parts != (0, 0) {
                // Kafka's tools write it so that it can stand in an address.
                let written = text(library::rd_kafka_Uuid_base64str(id)).replace('+', "-").replace('/', "_");
                ids.insert(text(library::rd_kafka_TopicDescription_name(topic)), written);
            }
        }
        Ok(ids)
    }
}

/// Copies a text of the library's.
///
/// # Safety
/// It is null, or ends with a zero.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
