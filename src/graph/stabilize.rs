//! Textbook formulas become numerically stable ones.
