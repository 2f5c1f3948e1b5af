//! Where a customer is at home: the hash by which Kafka's Java client spreads keys over partitions.
//!
//! # Source
//! `MurmurHash2`, 32 bits, by Austin Appleby; with the seed of `org.apache.kafka.common.utils.Utils.murmur2`.

/// Hashes a key as the Java client does.
pub fn murmur2(key: &[u8]) -> u32 {
    // As in Java, where a length has 31 bits.
    let mut hash = SEED ^ u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition, of so many, that a key belongs to.
pub fn home(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;
const R: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that Kafka's own tests (`UtilsTest.testMurmur2`) expect.
    #[test]
    fn hashes_as_the_java_client_does() {
        let cases: [(&str, i32); 7] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
            ("", 275_646_681),
        ];
        for (key, expected) in cases {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }

    #[test]
    fn a_divisor_of_the_partition_count_keeps_the_home() {
        for key in ["c1", "c2", "9", "a-little-bit-long-string"] {
            assert_eq!(home(key.as_bytes(), 12) % 4, home(key.as_bytes(), 4));
        }
    }
}
