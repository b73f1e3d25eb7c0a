//! The only test binary; one module per folder of `tests/fixtures/` and per subject.

mod tidy;

mod numerics;

mod random_graphs;

mod graph;

mod grad;
