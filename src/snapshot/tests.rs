mod memory;
mod shop;
