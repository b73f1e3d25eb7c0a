//! The `nnc` command.

fn main() {}
