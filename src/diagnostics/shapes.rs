//! Problems with types and shapes: one constructor each.
