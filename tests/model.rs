//! What the rules mean, case by case: each script is played by the reference model and by the engine.

mod support {
    pub mod judge;
    pub mod model;
    pub mod script;
}

mod scripts {
    mod evidence;
    mod objects;
    mod presence;
    mod programmes;
    mod purchases;
    mod windows;
}
