//! Damaged lines are refused, or read, alike: whatever one flipped, lost, doubled or foreign byte makes of an event.

use vipstream::replay;

use crate::support::difference::difference;
use crate::support::generate::dice::Dice;
use crate::support::generate::{self, Generated};
use crate::support::judge;

#[test]
fn a_line_with_a_damaged_byte_is_refused_or_read_alike() {
    let mut refused = 0;
    for seed in 0..300 {
        let Generated { ruleset, mut inputs, .. } = generate::stream(seed);
        let mut dice = Dice::new(seed);
        for line in inputs.iter_mut().flat_map(|(_, lines)| lines) {
            // One fault a line: which of two is named is nobody's promise.
            let is_refused = line.starts_with(b"[") || String::from_utf8_lossy(line).contains("\"bad\"");
            if !is_refused && line.len() < 2_000 && dice.chance(60) {
                damage(&mut dice, line);
            }
        }
        let seen = judge::engine(replay::replay_memory(&ruleset, &inputs, None));
        let expected = judge::model(&ruleset, &inputs, None, &seen);
        refused += seen["vip.dlq"].len();
        let difference = difference(&expected, &seen);
        assert!(difference.is_empty(), "seed {seed}, the engine (+) is not the model (-):\n{difference}");
    }
    assert!(refused > 1_000, "most damage is noticed: {refused}");
}

fn damage(dice: &mut Dice, line: &mut Vec<u8>) {
    let Some(last) = line.len().checked_sub(1) else { return };
    let at = dice.below(last + 1);
    match dice.below(6) {
        0 => {
            line.remove(at);
        }
        1 => line.insert(at, line[at]),
        2 => line[at] = *dice.pick(b"{}[]\",:\\ 0189-+.eEtfnuZT/x"),
        3 => line[at] ^= 1 << dice.below(8),
        4 => line.insert(at, *dice.pick(b"{}[]\",:\\ 0189-+.eEtfnuZT/\t")),
        _ => line.truncate(at),
    }
    line.retain(|byte| *byte != b'\n');
}
