//! The only test binary; one module per folder of `tests/fixtures/` and per subject.

mod advice;
mod check;
mod cli;
mod data;
mod data_fields;
mod docs;
mod edits;
mod errors;
mod files;
mod format;
mod grad;
mod graph;
mod images;
mod jit;
mod lower;
mod networks;
mod numerics;
mod plan;
mod random_graphs;
mod render;
mod series;
mod stages;
mod summary;
mod syntax;
mod tidy;
mod training;
