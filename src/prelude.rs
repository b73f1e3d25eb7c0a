//! `std-models/`, embedded in the binary.
