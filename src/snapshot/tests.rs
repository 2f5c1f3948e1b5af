mod depot;
mod memory;
mod restoring;
mod retention;
mod s3;
mod shop;
mod writing;
