//! Problems with names, kinds and declarations: one constructor each.
