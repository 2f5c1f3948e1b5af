//! Safeguards that a test takes away, to see that the simulation notices. Outside tests none ever is.

/// A safeguard that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Each producer has a transactional id of its own.
    #[cfg(test)]
    OwnId,
    /// The journal is read before the producer has ended what others had open, and what is open is not waited for.
    UnstableJournal,
    /// What was restored is not compared with the digests of what was there.
    DigestsIgnored,
    /// Who was given up by the group goes on.
    GenerationIgnored,
    /// What is sent again is not what was sent.
    ChangedEpoch,
    /// Records are taken as they come.
    ArrivalOrder,
    /// A snapshot is published before its epoch is committed.
    #[cfg(test)]
    ManifestFirst,
    /// A restore judges by the clock of its own time.
    ClockTwice,
    /// Records are handed on for ever.
    NoHops,
    /// Effects leave before the transaction of the epoch that caused them.
    #[cfg(test)]
    EffectsApart,
    /// Effects that lie before the place from which a restart goes on are taken once more.
    EffectsTwice,
    /// Time passes before what others may yet do.
    NoHorizon,
}

/// Whether this safeguard is missing.
#[cfg(not(test))]
pub(crate) const fn is(_: Mutant) -> bool {
    false
}

/// Whether this safeguard is missing.
#[cfg(test)]
pub(crate) fn is(mutant: Mutant) -> bool {
    of_this_thread() == Some(mutant)
}

#[cfg(test)]
thread_local! {
    static MUTANT: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Lets this thread, and those that it starts in virtual time, do without a safeguard.
#[cfg(test)]
pub(crate) fn enter(mutant: Option<Mutant>) {
    MUTANT.set(mutant);
}

#[cfg(test)]
pub(crate) fn of_this_thread() -> Option<Mutant> {
    MUTANT.get()
}
