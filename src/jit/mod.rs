//! Kernels to machine code.

mod math;

pub use math::expand;
