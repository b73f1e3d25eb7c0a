//! Problems with training runs: one constructor each.
