//! Safeguards that a test takes away, to see that the simulation notices. In a build that is no test's, none ever is.

/// A safeguard that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(test)]
pub(crate) enum Mutant {
    /// Each producer has a transactional id of its own.
    OwnId,
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
