//! The arithmetic every stage agrees on to the bit.
