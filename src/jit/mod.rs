//! Kernels to machine code.
