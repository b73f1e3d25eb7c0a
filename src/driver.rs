//! One call per stage; every command, test and the editor goes through it.
