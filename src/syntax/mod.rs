//! Text to [`ast::Ast`].
//!
//! In: the text of a file. Out: its tree, comments included, and one diagnostic for each mistake. Parsing never fails:
//! a part that cannot be read becomes a hole in the tree, and the rest of the file stands. Afterwards every node has a
//! span within the file and no branch of the tree is higher than [`parser::HEIGHT_LIMIT`], so that later stages may
//! recurse over it.
//!
//! The way: [`tokens`] and [`layout`] prepare the text ([`repair`] and [`brackets`] mend what can be mended), the
//! grammar in `grammar/nn.pest` cuts it into pairs, [`parser`] makes nodes of them, and [`explain`] words what did not fit.

pub mod ast;
mod brackets;
mod explain;
mod format;
mod layout;
mod openings;
pub mod parser;
pub mod print;
mod repair;
mod tokens;

pub use format::format;
pub use parser::parse;
