//! Text to [`ast::Ast`].

pub mod ast;
