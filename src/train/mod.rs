//! A `train` declaration from first step to report.

pub mod event;
pub mod report;
