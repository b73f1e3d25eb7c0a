//! The commands that show something: `nnc explain`, `nnc ir`.

use super::{SUCCESS, fail, overrides, usage};
use nnc::driver::{self, Settings, Stage};
use std::io::{self, Write};
use std::path::Path;

/// The long form of a diagnostic, or all codes.
pub(super) fn explain(code: Option<&str>) -> io::Result<u8> {
    let Some(code) = code else {
        for (code, title) in driver::codes() {
            writeln!(io::stdout(), "{code:<28} {title}")?;
        }
        return Ok(SUCCESS);
    };
    match driver::explain(code) {
        Ok(text) => {
            writeln!(io::stdout(), "{text}")?;
            Ok(SUCCESS)
        }
        Err(near) => {
            let hint = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
            usage(&format!("no diagnostic has the code `{code}`{hint}; `nnc explain` lists them all"))
        }
    }
}

/// An intermediate form as text.
pub(super) fn ir(
    file: &Path,
    stage: Stage,
    model: Option<String>,
    batch: Option<u32>,
    set: &[String],
) -> io::Result<u8> {
    let set = match overrides(set) {
        Ok(set) => set,
        Err(message) => return usage(&message),
    };
    let settings = Settings { set, ..Settings::default() };
    match driver::ir(file, stage, model.as_deref(), batch.map(|n| n as usize), &settings) {
        Ok(text) => {
            write!(io::stdout(), "{text}")?;
            Ok(SUCCESS)
        }
        Err(failure) => fail(&failure),
    }
}
