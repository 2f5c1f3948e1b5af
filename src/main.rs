//! `vipstream`: decides from Kafka topics who is a VIP now, and why, by written rules.

use std::process::ExitCode;

fn main() -> ExitCode {
    vipstream::cli::run()
}
