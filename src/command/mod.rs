//! The commands: what each does with its arguments, what it writes, how it ends.
//!
//! In: [`arguments`], as clap read them. Out: text on standard output, words about mistakes on standard error, an exit status.

pub(crate) mod arguments;
mod check;
mod doc;
mod format;
mod inspect;
mod run;
mod show;
mod summary;

use arguments::Command;
use nnc::driver::Failure;
use std::io::{self, Write};

/// All went well.
const SUCCESS: u8 = 0;
/// An error in the program or the data.
pub(crate) const FAILURE: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;
/// The training diverged.
const DIVERGED: u8 = 3;
/// Ended by Ctrl-C.
const INTERRUPTED: u8 = 130;
/// The reader of the output went away: what a shell shows of a command that the signal for that ended.
const UNREAD: u8 = 141;

/// Carries out a command; gives the exit status.
pub(crate) fn execute(command: Command) -> u8 {
    let result = match command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Explain { code } => inspect::explain(code.as_deref()),
        Command::Fmt { files, check } => format::fmt(&files, check),
        Command::Summary(arguments) => summary::summary(&arguments),
        Command::Doc(arguments) => doc::doc(&arguments),
        Command::Ir { file, stage, model, batch, set } => inspect::ir(&file, stage, model, batch, &set),
    };
    match result {
        Ok(status) => status,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => UNREAD,
        Err(error) => {
            let _ = writeln!(io::stderr(), "nnc: cannot write the output: {error}");
            FAILURE
        }
    }
}

fn usage(message: &str) -> io::Result<u8> {
    writeln!(io::stderr(), "nnc: {message}")?;
    Ok(USAGE)
}

fn fail(failure: &Failure) -> io::Result<u8> {
    show::people(&failure.sources, &failure.diagnostics)?;
    Ok(FAILURE)
}

/// `NAME=VALUE` pairs.
fn overrides(set: &[String]) -> Result<Vec<(String, String)>, String> {
    let parse = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("`--set {text}` is not NAME=VALUE")),
    };
    set.iter().map(parse).collect()
}
