//! The loop IR.
