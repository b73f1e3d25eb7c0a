//! `nnc check`.

use super::arguments::{CheckArguments, Format};
use super::{FAILURE, SUCCESS, fail, overrides, show, usage};
use nnc::diagnostics::{Diagnostic, Severity};
use nnc::driver::{self, Checked, Settings};
use std::io::{self, Write};
use std::path::Path;

/// Says what is wrong with programs.
pub(super) fn check(arguments: &CheckArguments) -> io::Result<u8> {
    let set = match overrides(&arguments.set) {
        Ok(set) => set,
        Err(message) => return usage(&message),
    };
    let settings = Settings { set, data_dir: arguments.data_dir.clone(), ..Settings::default() };
    let mut status = SUCCESS;
    let mut found = Vec::new();
    for file in &arguments.files {
        let checked = match arguments.fix {
            true => match fix(file, &settings, arguments.data)? {
                Some(checked) => checked,
                None => return Ok(FAILURE),
            },
            false => driver::check_file(file, &settings, arguments.data),
        };
        if checked.has_errors() || (arguments.deny_warnings && checked.has_warnings()) {
            status = FAILURE;
        }
        if arguments.format == Format::Sarif {
            found.push(checked);
            continue;
        }
        show::diagnostics(arguments.format, &[(&checked.sources, &checked.diagnostics)])?;
        if matches!(arguments.format, Format::Human | Format::Plain) {
            writeln!(io::stderr(), "{}: {}", file.display(), verdict(&checked.diagnostics))?;
        }
    }
    if arguments.format == Format::Sarif {
        let found: Vec<_> = found.iter().map(|one| (&one.sources, one.diagnostics.as_slice())).collect();
        show::diagnostics(Format::Sarif, &found)?;
    }
    Ok(status)
}

/// Applies the safe fixes of a program, writes its files and tells what was done; `None` where they cannot be written.
fn fix(file: &Path, settings: &Settings, read_data: bool) -> io::Result<Option<Checked>> {
    let fixed = driver::fix_file(file, settings, read_data);
    for (path, text) in &fixed.texts {
        if let Err(failure) = driver::replace_file(path, text) {
            fail(&failure)?;
            return Ok(None);
        }
    }
    for (problem, title) in &fixed.done {
        writeln!(io::stderr(), "fixed {problem}\n  {title}")?;
    }
    Ok(Some(fixed.checked))
}

/// What was found in numbers.
fn verdict(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|problem| problem.severity == Severity::Error).count();
    match (errors, diagnostics.len() - errors) {
        (0, 0) => "nothing to complain about".to_owned(),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}
