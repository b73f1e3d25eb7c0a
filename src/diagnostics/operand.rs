//! A tensor as problems speak of it: its type, where it stands, where its shape comes from and how a number in it was
//! worked out.

use super::Diagnostic;
use crate::source::Span;
use std::fmt;
use std::rc::Rc;

/// A tensor that an operation or a layer takes.
#[derive(Clone, Debug)]
pub struct Operand {
    /// Its type, as it is written.
    pub ty: String,
    /// Where it stands.
    pub span: Span,
    /// What gave it its shape.
    pub origin: Span,
    /// How a number of its shape was worked out: `26 · 26 · 8 = 5408`.
    pub made: Option<Rc<str>>,
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ty)
    }
}

impl Operand {
    /// What stands there, with the arithmetic where that is where its shape comes from.
    fn remark(&self, text: String) -> String {
        match &self.made {
            Some(made) => format!("{text}: {made}"),
            None => text,
        }
    }

    /// The labels of the operand: the place itself, and where its shape comes from if that is elsewhere.
    fn labels(&self) -> [Option<(Span, String)>; 2] {
        if self.span.contains(self.origin) {
            return [Some((self.origin, self.remark(format!("this is {}", self.ty)))), None];
        }
        let origin = self.remark(format!("{} comes from here", self.ty));
        [Some((self.span, format!("this is {}", self.ty))), Some((self.origin, origin))]
    }
}

impl Diagnostic {
    /// The operand as the place to edit.
    pub(super) fn at_operand(self, operand: &Operand) -> Diagnostic {
        let [place, origin] = operand.labels();
        let diagnostic = match place {
            Some((span, text)) => self.at(span, text),
            None => self,
        };
        diagnostic.and_new(origin)
    }

    /// The operand as a reason.
    pub(super) fn and_operand(self, operand: &Operand) -> Diagnostic {
        let [place, origin] = operand.labels();
        self.and_new(place).and_new(origin)
    }

    /// A reason that is not among them yet.
    fn and_new(self, label: Option<(Span, String)>) -> Diagnostic {
        match label {
            Some((span, _)) if self.labels.iter().any(|known| known.span == span) => self,
            Some((span, text)) => self.and(span, text),
            None => self,
        }
    }
}
