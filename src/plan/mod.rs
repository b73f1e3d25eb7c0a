//! Which nodes share a kernel and where every buffer lies.
