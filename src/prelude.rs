//! `std-models/`, embedded in the binary.
//!
//! The files of the prelude are part of every program; the others are brought in by `use std.NAME`.

/// A shipped file: the name diagnostics show, and its text.
pub type Shipped = (&'static str, &'static str);

macro_rules! shipped {
    ($path:literal) => {
        (concat!("std:", $path), include_str!(concat!("../std-models/", $path)))
    };
}

/// The prelude, in the order it is read.
pub const PRELUDE: &[Shipped] = &[
    shipped!("prelude/activations.nn"),
    shipped!("prelude/losses.nn"),
    shipped!("prelude/metrics.nn"),
    shipped!("prelude/penalties.nn"),
    shipped!("prelude/inits.nn"),
    shipped!("prelude/schedules.nn"),
    shipped!("prelude/optimizers.nn"),
    shipped!("prelude/layers.nn"),
    shipped!("prelude/images.nn"),
    shipped!("prelude/sequences.nn"),
];

/// The modules that `use std.NAME` can name. There are none yet.
pub const MODULES: &[(&str, Shipped)] = &[];

/// The module of that name.
pub fn module(name: &str) -> Option<Shipped> {
    MODULES.iter().find(|(module, _)| *module == name).map(|(_, shipped)| *shipped)
}
