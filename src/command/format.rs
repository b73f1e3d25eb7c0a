//! `nnc fmt`.

use super::{FAILURE, SUCCESS, fail, show};
use nnc::driver;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Formats files.
pub(super) fn fmt(files: &[PathBuf], check: bool) -> io::Result<u8> {
    let mut status = SUCCESS;
    for file in files {
        let piped = file == Path::new("-");
        let formatted = if piped {
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text)?;
            driver::format_bytes("<stdin>", text)
        } else {
            driver::format_file(file)
        };
        let formatted = match formatted {
            Ok(formatted) => formatted,
            Err(failure) => {
                status = fail(&failure)?;
                continue;
            }
        };
        show::people(&formatted.sources, &formatted.diagnostics)?;
        if !formatted.diagnostics.is_empty() {
            status = FAILURE;
        }
        if check {
            if formatted.changed {
                writeln!(io::stdout(), "{} would change", file.display())?;
                status = FAILURE;
            }
        } else if piped {
            write!(io::stdout(), "{}", formatted.text)?;
        } else if formatted.changed
            && let Err(failure) = driver::replace_file(file, &formatted.text)
        {
            status = fail(&failure)?;
        }
    }
    Ok(status)
}
