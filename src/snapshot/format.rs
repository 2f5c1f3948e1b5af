//! How an object is sealed: compressed, and such that whatever happened to its bytes is noticed.
//!
//! ```text
//! magic (8)  version (4)  content's length (8)  frame's length (8)  checksum (16)  frame (zstd)
//! ```
//!
//! Numbers are little endian. The checksum (XXH3, 128 bits) covers everything but itself, so it tells damage before
//! anything is believed. Up to the frame the layout is that of every version, so a newer one is told from damage.

use xxhash_rust::xxh3::Xxh3;

use super::SnapshotError;

/// The version that this build writes, and the newest that it reads.
pub(crate) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"vipstate";
const HEADER: usize = 44;
const CHECKSUM: std::ops::Range<usize> = 28..HEADER;

/// Fast, and close to the smallest: what is written is mostly numbers.
const LEVEL: i32 = 1;

/// No content is longer: what claims to be is not unpacked.
pub(crate) const MAX_CONTENT: u64 = 512 * 1024 * 1024;

/// Seals a content. `None` if it is too long, or there is no memory.
pub(crate) fn seal(content: &[u8]) -> Option<Vec<u8>> {
    let length = content.len() as u64;
    if length > MAX_CONTENT {
        return None;
    }
    let frame = zstd::bulk::compress(content, LEVEL).ok()?;
    let mut sealed = Vec::with_capacity(HEADER + frame.len());
    sealed.extend_from_slice(&MAGIC);
    sealed.extend_from_slice(&VERSION.to_le_bytes());
    sealed.extend_from_slice(&length.to_le_bytes());
    sealed.extend_from_slice(&(frame.len() as u64).to_le_bytes());
    sealed.extend_from_slice(&[0; CHECKSUM.end - CHECKSUM.start]);
    sealed.extend_from_slice(&frame);
    let checksum = checksum(&sealed);
    sealed[CHECKSUM].copy_from_slice(&checksum);
    Some(sealed)
}

/// Gives back what was sealed. `path` only names the object in errors.
///
/// # Errors
/// It is damaged, incomplete, or of a newer version.
pub(crate) fn open(path: &str, sealed: &[u8]) -> Result<Vec<u8>, SnapshotError> {
    let corrupt = |reason: String| SnapshotError::Corrupt { path: path.to_owned(), reason };
    if sealed.len() < HEADER {
        return Err(corrupt(format!("{} bytes, and {HEADER} at least belong there", sealed.len())));
    }
    if sealed[..MAGIC.len()] != MAGIC {
        return Err(corrupt("is no part of a snapshot, or its beginning is damaged".to_owned()));
    }
    let number = |at: usize| u64::from_le_bytes(sealed[at..at + 8].try_into().expect("8 bytes"));
    let (length, stored) = (number(12), number(20));
    let found = (sealed.len() - HEADER) as u64;
    if found != stored {
        return Err(corrupt(format!("{found} bytes of {stored} are there")));
    }
    if sealed[CHECKSUM] != checksum(sealed) {
        return Err(corrupt("checksum does not fit: damaged after it was written".to_owned()));
    }
    let version = u32::from_le_bytes(sealed[8..12].try_into().expect("4 bytes"));
    if version > VERSION {
        return Err(SnapshotError::TooNew { path: path.to_owned(), found: version, known: VERSION });
    }
    if length > MAX_CONTENT {
        return Err(corrupt(format!("claims to hold {length} bytes, at most {MAX_CONTENT} are allowed")));
    }
    let capacity = usize::try_from(length).map_err(|_| corrupt(format!("claims to hold {length} bytes")))?;
    let content = zstd::bulk::decompress(&sealed[HEADER..], capacity);
    let content = content.map_err(|error| corrupt(format!("cannot be unpacked: {error}")))?;
    if content.len() != capacity {
        return Err(corrupt(format!("holds {} bytes, and says {length}", content.len())));
    }
    Ok(content)
}

/// Digest of a content, as manifests hold it.
pub(crate) fn digest(content: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(content)
}

fn checksum(sealed: &[u8]) -> [u8; 16] {
    let mut hash = Xxh3::new();
    hash.update(&sealed[..CHECKSUM.start]);
    hash.update(&sealed[CHECKSUM.end..]);
    hash.digest128().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Vec<u8> {
        (0..2_000u32).flat_map(|number| (number * number % 251).to_le_bytes()).collect()
    }

    #[test]
    fn what_is_sealed_opens_again() {
        for content in [content(), Vec::new(), vec![7; 1 << 20]] {
            assert_eq!(open("x", &seal(&content).unwrap()).unwrap(), content);
        }
    }

    #[test]
    fn every_flipped_bit_is_an_error_that_names_the_object() {
        let sealed = seal(&content()).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            match open("shop/0/block", &damaged) {
                Err(error @ SnapshotError::Corrupt { .. }) => {
                    assert!(error.to_string().starts_with("shop/0/block: "), "{error}");
                }
                other => panic!("bit {bit}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_truncation_is_an_error_and_so_is_what_follows() {
        let sealed = seal(&content()).unwrap();
        for length in 0..sealed.len() {
            assert!(matches!(open("x", &sealed[..length]), Err(SnapshotError::Corrupt { .. })), "{length}");
        }
        let longer = [&sealed[..], &[0]].concat();
        assert!(matches!(open("x", &longer), Err(SnapshotError::Corrupt { .. })));
    }

    /// Writes a number into the header, with a checksum that fits.
    fn forge(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut sealed = seal(&content()).unwrap();
        sealed[at..at + bytes.len()].copy_from_slice(bytes);
        let checksum = checksum(&sealed);
        sealed[CHECKSUM].copy_from_slice(&checksum);
        sealed
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let newer = forge(8, &(VERSION + 1).to_le_bytes());
        let error = open("x", &newer).unwrap_err();
        assert_eq!(error.to_string(), format!("x: format version {}, this build reads up to {VERSION}", VERSION + 1));
    }

    #[test]
    fn a_forged_length_takes_no_memory() {
        for length in [u64::MAX, MAX_CONTENT + 1, MAX_CONTENT, 8_001, 7_999, 0] {
            let forged = forge(12, &length.to_le_bytes());
            assert!(matches!(open("x", &forged), Err(SnapshotError::Corrupt { .. })), "{length}");
        }
    }
}
