//! What the machine can hold, asked before it is allocated.

use crate::diagnostics::{Diagnostic, data as report};
use crate::source::Span;

/// What is taken as available where the machine does not say.
const ASSUMED: u128 = 16 << 30;

/// A diagnostic at `span` where `bytes` are more than the machine has left.
pub(super) fn require(span: Span, bytes: u128) -> Result<(), Diagnostic> {
    // Small sizes need no look at the machine.
    if bytes < 1 << 28 {
        return Ok(());
    }
    let available = available().unwrap_or(ASSUMED);
    if bytes > available { Err(report::data_too_large(span, bytes, available)) } else { Ok(()) }
}

/// The memory that can be taken without swapping, as Linux tells it.
pub(crate) fn available() -> Option<u128> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u128 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
