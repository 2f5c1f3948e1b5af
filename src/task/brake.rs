//! The dead-letter brake: a share of refused records so high that something is wrong with the topic or its
//! configuration, and going on would only move it into the dead letters.

use crate::config::Brake;
use crate::model::record::Code;

/// The verdicts on the newest records.
#[derive(Clone, Debug)]
pub(super) struct BrakeWindow {
    brake: Brake,
    /// A ring of the newest verdicts, `brake.of` long once filled.
    refused: Vec<bool>,
    next: usize,
    count: u32,
    last: Option<Code>,
}

impl BrakeWindow {
    pub(super) fn new(brake: Brake) -> Self {
        Self { brake, refused: Vec::new(), next: 0, count: 0, last: None }
    }

    /// Notes the verdict on a record: why it was refused, if it was.
    pub(super) fn note(&mut self, code: Option<Code>) {
        let refused = code.is_some();
        self.last = code.or(self.last);
        self.count += u32::from(refused);
        if self.refused.len() < usize::try_from(self.brake.of).unwrap_or(usize::MAX) {
            self.refused.push(refused);
            return;
        }
        let oldest = std::mem::replace(&mut self.refused[self.next], refused);
        self.count -= u32::from(oldest);
        self.next = (self.next + 1) % self.refused.len();
    }

    /// How many of the newest records were refused, and why the last was, where that is beyond the bound.
    pub(super) fn beyond(&self) -> Option<(u32, Code)> {
        let is_full = u64::try_from(self.refused.len()).is_ok_and(|seen| seen >= u64::from(self.brake.of));
        let beyond = u64::from(self.count) * 100 > u64::from(self.brake.percent) * u64::from(self.brake.of);
        self.last.filter(|_| is_full && beyond).map(|last| (self.count, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(verdicts: impl IntoIterator<Item = bool>) -> Option<u32> {
        let mut window = BrakeWindow::new(Brake { percent: 50, of: 4 });
        verdicts.into_iter().for_each(|refused| window.note(refused.then_some(Code::InvalidJson)));
        window.beyond().map(|(count, _)| count)
    }

    #[test]
    fn the_bound_itself_is_allowed() {
        assert_eq!(after([true, true, false, false]), None);
        assert_eq!(after([true, true, true, false]), Some(3));
    }

    #[test]
    fn only_the_newest_records_count() {
        assert_eq!(after([true, true, false, false, false]), None);
        assert_eq!(after([false, false, false, true, true, true]), Some(3));
    }

    #[test]
    fn too_few_records_say_nothing() {
        assert_eq!(after([true, true, true]), None);
    }
}
