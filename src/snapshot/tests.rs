mod depot;
mod memory;
mod restoring;
mod retention;
mod shop;
mod writing;
