//! Problems with data files and the data border: one constructor each.
