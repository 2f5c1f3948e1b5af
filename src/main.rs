//! `vipstream`: decides from Kafka topics who is a VIP now, and why, by written rules.

use std::process::ExitCode;

/// Customers are many small blocks that come and go: this one packs them closer and finds them sooner than the
/// system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    vipstream::cli::run()
}
