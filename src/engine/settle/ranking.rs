//! Who comes before whom, with everybody's place.
//!
//! A sorted list in blocks: a place is found by adding up lengths, which a tree of the standard library cannot tell. A million
//! lie in some thousands of blocks.

use serde::{Deserialize, Serialize};

/// A set in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ranking<T> {
    /// None is empty, and each is before the next.
    blocks: Vec<Vec<T>>,
    len: usize,
}

/// A block with more is cut in two.
const MOST: usize = 512;

impl<T> Default for Ranking<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), len: 0 }
    }
}

impl<T: Ord> Ranking<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The block in which an item is, or would be.
    fn block(&self, item: &T) -> usize {
        self.blocks.partition_point(|block| block[0] <= *item).saturating_sub(1)
    }

    /// Puts one in; one that is there stays.
    pub(super) fn insert(&mut self, item: T) {
        let at = self.block(&item);
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        let block = &mut self.blocks[at];
        let Err(place) = block.binary_search(&item) else { return };
        block.insert(place, item);
        self.len += 1;
        if block.len() > MOST {
            let rest = block.split_off(MOST / 2);
            self.blocks.insert(at + 1, rest);
        }
    }

    /// Takes one out; says whether it was there.
    pub(super) fn remove(&mut self, item: &T) -> bool {
        let at = self.block(item);
        let Some(place) = self.blocks.get(at).and_then(|block| block.binary_search(item).ok()) else { return false };
        self.take(at, place);
        true
    }

    fn take(&mut self, at: usize, place: usize) -> T {
        let item = self.blocks[at].remove(place);
        self.len -= 1;
        if self.blocks[at].is_empty() {
            self.blocks.remove(at);
        }
        item
    }

    pub(super) fn last(&self) -> Option<&T> {
        self.blocks.last().and_then(|block| block.last())
    }

    pub(super) fn pop_first(&mut self) -> Option<T> {
        (!self.is_empty()).then(|| self.take(0, 0))
    }

    /// From 1: the place of an item, or the one that it would have.
    pub(super) fn place(&self, item: &T) -> usize {
        let at = self.block(item);
        let before: usize = self.blocks.iter().take(at).map(Vec::len).sum();
        let within = self.blocks.get(at).map_or(0, |block| block.partition_point(|other| other < item));
        before + within + 1
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.blocks.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_is_a_sorted_set_that_knows_places() {
        let (mut ranking, mut set) = (Ranking::default(), BTreeSet::new());
        let mut number: u64 = 1;
        for step in 0..20_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let item = number >> 33 & 0xfff;
            if step % 3 == 2 {
                assert_eq!(ranking.remove(&item), set.remove(&item));
            } else {
                ranking.insert(item);
                set.insert(item);
            }
            if step % 500 == 0 {
                assert_eq!(ranking.last(), set.last());
                assert_eq!(ranking.place(&item), set.range(..item).count() + 1);
            }
        }
        assert!(ranking.iter().eq(&set) && ranking.len() == set.len() && ranking.blocks.len() > 3);
        while let Some(first) = ranking.pop_first() {
            assert_eq!(Some(first), set.pop_first());
        }
        assert!(ranking.is_empty() && set.is_empty());
    }
}
