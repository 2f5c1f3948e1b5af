//! Parts of the state that are written whole, in the form of `postcard`, which this build alone reads.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wire::Flaw;

/// For a snapshot.
pub(in crate::engine) fn encode<T: Serialize>(part: &T) -> Vec<u8> {
    postcard::to_stdvec(part).expect("memory can be written")
}

/// From a snapshot.
pub(in crate::engine) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Flaw> {
    postcard::from_bytes(bytes).map_err(|_| Flaw("a part that cannot be read"))
}

/// For a snapshot, with its share of the state's digest: 0 of a part of which nothing was ever heard.
pub(in crate::engine) fn digested<T: Serialize + Default + PartialEq>(part: &T) -> (Vec<u8>, u128) {
    let bytes = encode(part);
    let digest = if *part == T::default() { 0 } else { xxhash_rust::xxh3::xxh3_128(&bytes) };
    (bytes, digest)
}
