//! The `nnc` command: arguments in, exit code out.

mod command;

use clap::Parser;
use command::arguments::Arguments;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
        let what = panic.payload_as_str().unwrap_or("no message");
        let _ = writeln!(io::stderr(), "nnc: a bug in the compiler, please report it{place}:\n{what}");
    }));
    let arguments = Arguments::parse();
    // The stages recurse over the program; a stack of a known size makes their depth limits hold on every machine.
    let worker = std::thread::Builder::new().name("nnc".into()).stack_size(256 << 20);
    let status = match worker.spawn(move || command::execute(arguments.command)) {
        Ok(thread) => thread.join().unwrap_or(101),
        Err(error) => {
            let _ = writeln!(io::stderr(), "nnc: cannot start a thread: {error}");
            command::FAILURE
        }
    };
    ExitCode::from(status)
}
