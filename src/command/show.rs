//! Diagnostics to where their reader wants them, as the reader's terminal can show them.

use super::arguments::Format;
use nnc::diagnostics::{Diagnostic, render, sarif};
use nnc::driver;
use nnc::source::Sources;
use std::env;
use std::io::{self, IsTerminal, Write};

/// Writes what was found in several programs: for people on standard error, for machines on standard output.
pub(super) fn diagnostics(format: Format, programs: &[(&Sources, &[Diagnostic])]) -> io::Result<()> {
    if format == Format::Sarif {
        return writeln!(io::stdout(), "{}", sarif::log(programs, &driver::explanation));
    }
    for &(sources, list) in programs {
        if format == Format::Human {
            people(sources, list)?;
            continue;
        }
        for diagnostic in list {
            match format {
                Format::Human | Format::Sarif => {}
                Format::Plain => writeln!(io::stderr(), "{}", render::plain(diagnostic, sources))?,
                Format::Short => writeln!(io::stdout(), "{}", render::short(diagnostic, sources))?,
                Format::Json => writeln!(io::stdout(), "{}", render::json(diagnostic, sources))?,
            }
        }
    }
    Ok(())
}

/// Writes what was found on standard error: drawn, or in sentences where the terminal cannot draw or the reader does not see.
pub(super) fn people(sources: &Sources, list: &[Diagnostic]) -> io::Result<()> {
    let plain = prefers_plain();
    let style = style();
    for diagnostic in list {
        let text = match plain {
            true => render::plain(diagnostic, sources),
            false => render::human(diagnostic, sources, &style),
        };
        writeln!(io::stderr(), "{text}")?;
    }
    Ok(())
}

/// Whether the environment asks for text without drawings, as screen readers need it.
pub(super) fn prefers_plain() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb") || is_set("NO_GRAPHICS")
}

fn style() -> render::Style {
    let terminal = io::stderr().is_terminal();
    render::Style {
        color: terminal && !no_color(),
        unicode: terminal && speaks_unicode(),
        width: width(),
        fit: terminal,
    }
}

/// Whether the locale is one of UTF-8; one that says nothing is taken for one.
fn speaks_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env::var(name).ok().filter(|is| !is.is_empty()));
    let locale = locale.map(|locale| locale.to_ascii_uppercase());
    locale.is_none_or(|locale| locale.contains("UTF-8") || locale.contains("UTF8"))
        && env::var_os("TERM").is_none_or(|term| term != "linux")
}

/// Whether the reader wants no colours.
pub(super) fn no_color() -> bool {
    is_set("NO_COLOR")
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// The columns of the terminal.
pub(super) fn width() -> usize {
    let columns = || env::var("COLUMNS").ok()?.parse().ok();
    let size = console::Term::stderr().size_checked().map(|(_, width)| usize::from(width));
    size.or_else(columns).unwrap_or(100).clamp(40, 200)
}
