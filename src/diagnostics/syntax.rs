//! Problems with the text of a program: one constructor each.
