//! The wire contract as Protobuf: types generated from `proto/vipstream/v1/`.
//!
//! Only the definitions: topics are read and written as JSON so far. The generated file is committed, so
//! that building needs neither `protoc` nor a build script; `tests/proto.rs` generates it anew and compares.

#[rustfmt::skip]
#[expect(clippy::doc_markdown, reason = "the generator's own comments")]
pub mod v1;
