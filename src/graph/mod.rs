//! The typed graph of tensor operations.
