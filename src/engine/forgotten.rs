//! What is dropped where there is too much of it, or where nobody wanted it in time: counted, so that nothing goes in silence.

/// Something that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// An agent's record beyond the bound on agents.
    Agent,
    /// What somebody resolved, beyond the bound on those who do.
    Resolver,
    /// A post that waited for somebody to name its handle, beyond the bound on a handle's.
    Post,
    /// A post for whose handle nobody was named within a day.
    Unclaimed,
    /// That a profile names a handle, beyond the bound on a handle's.
    Owner,
    /// Who was merged into a customer, beyond the bound on these.
    Merged,
    /// Whom a customer referred, beyond the bound on these.
    Referred,
    /// What was remembered of somebody, that another task or somebody outside sent in a form that cannot be read.
    Image,
    /// A case treated as an exception, beyond the bound on those of a kind.
    Exception,
}

impl Forgotten {
    /// Each, in the order of [`Tally::of`].
    pub const ALL: [Self; 9] = [
        Self::Agent,
        Self::Resolver,
        Self::Post,
        Self::Unclaimed,
        Self::Owner,
        Self::Merged,
        Self::Referred,
        Self::Image,
        Self::Exception,
    ];

    /// The value of the metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Resolver => "resolver",
            Self::Post => "post",
            Self::Unclaimed => "unclaimed",
            Self::Owner => "owner",
            Self::Merged => "merged",
            Self::Referred => "referred",
            Self::Image => "image",
            Self::Exception => "exception",
        }
    }
}

/// How often each was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; Forgotten::ALL.len()]);

impl Tally {
    /// Counts.
    pub(super) const fn add(&mut self, what: Forgotten, times: usize) {
        self.0[what as usize] += times as u64;
    }

    /// How often that was.
    pub const fn of(&self, what: Forgotten) -> u64 {
        self.0[what as usize]
    }
}
