//! Of which pivots there are far more than usual, as a task has heard it: by time, like everything that is in force.

use serde::{Deserialize, Serialize};

use crate::engine::customer::NEVER;
use crate::model::settle::{Becomes, Turn};
use crate::model::time::EventTime;

/// The newest spells of all marks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::engine) struct Shifts(Vec<Spell>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Spell {
    /// Place of the mark's bit.
    mark: u8,
    from: EventTime,
    /// Since when it is known for a shift, and as of when that was decided.
    shift: Option<(EventTime, EventTime)>,
    until: Option<EventTime>,
}

/// Those beyond that are over are forgotten: for whoever's time is further behind there was none.
const MOST_SPELLS: usize = 400;

impl Shifts {
    /// Takes in what is in force since an instant.
    pub(in crate::engine) fn take(&mut self, in_force: EventTime, settled_at: EventTime, turns: &[Turn]) {
        for Turn { mark, becomes } in turns {
            if *becomes == Becomes::Suspected {
                self.0.push(Spell { mark: *mark, from: in_force, shift: None, until: None });
                let mut beyond = self.0.len().saturating_sub(MOST_SPELLS);
                self.0.retain(|spell| {
                    let goes = beyond > 0 && spell.until.is_some_and(|until| until <= settled_at);
                    beyond -= usize::from(goes);
                    !goes
                });
            }
            let Some(spell) = self.0.iter_mut().rfind(|spell| spell.mark == *mark) else { continue };
            match becomes {
                Becomes::Suspected => {}
                Becomes::Shift => spell.shift = Some((in_force, settled_at)),
                Becomes::Over { until } => spell.until = Some(*until),
            }
        }
    }

    /// Until when pivots of a mark that were found at an instant wait, where they do: [`NEVER`] where that is not known yet.
    pub(in crate::engine) fn until(&self, mark: u8, found_at: EventTime) -> Option<EventTime> {
        self.spells(mark, found_at).map(|spell| spell.until.unwrap_or(NEVER)).max()
    }

    /// As of when the shift began of which a pivot that was found at an instant is a part, as is known at another.
    pub(in crate::engine) fn began(&self, mark: u8, found_at: EventTime, known: EventTime) -> Option<EventTime> {
        let shifts = self.spells(mark, found_at).filter_map(|spell| spell.shift);
        shifts.filter(|(in_force, _)| *in_force <= known).map(|(_, settled_at)| settled_at).max()
    }

    fn spells(&self, mark: u8, at: EventTime) -> impl Iterator<Item = &Spell> {
        let is_in = move |spell: &&Spell| spell.from <= at && spell.until.is_none_or(|until| at < until);
        self.0.iter().filter(move |spell| spell.mark == mark).filter(is_in)
    }
}
