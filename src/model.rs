//! The nouns: ids, times, money, input events and outputs. Plain values without behaviour of their own.

pub mod effect;
pub mod event;
pub mod id;
pub mod keys;
pub mod money;
pub mod murmur2;
pub mod names;
pub mod output;
pub mod record;
pub mod settle;
pub mod time;
