//! The detectors of pivots by themselves: vectors, labelled customers, and what must hold whatever comes.

mod support {
    pub mod labelled;
    pub mod score;
    pub mod vectors;
}

mod detectors {
    mod behaviour;
    mod golden;
    mod reference;
}
