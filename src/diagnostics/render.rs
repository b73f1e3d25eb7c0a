//! Diagnostics as text for the terminal and as JSON; the only file that knows miette.
