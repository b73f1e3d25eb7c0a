//! What the checker knows of a value: types with symbolic or known shapes, and compile-time values.

use super::dim::{Dim, Verdict};
use super::names::DeclId;
use super::primitives::Primitive;
use crate::check::hir::{self, ValueId};
use crate::diagnostics::Operand;
use crate::source::{Span, Spanned};
use crate::syntax::ast::CallableKind;
use std::fmt;
use std::rc::Rc;

/// An axis, or the axes of a `..s` that are not known here.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Axis {
    /// One axis.
    Dim(Dim),
    /// Any number of axes, the same wherever the name is.
    Rest(Rc<str>),
}

/// The extents of a tensor of one sample.
pub(super) type Shape = Vec<Axis>;

/// What the elements of a tensor are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Element {
    /// f32.
    Number,
    /// A truth value.
    Truth,
    /// A category.
    Class {
        /// How many there are.
        count: Dim,
        /// Their names, where they have any.
        names: Option<Rc<[String]>>,
    },
}

/// The type of a tensor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Type {
    /// What its elements are.
    pub(super) element: Element,
    /// Its extents.
    pub(super) shape: Shape,
}

/// The axis name that stands for the shape of an argument without a type.
pub(super) const LIFTED: &str = "any";

impl Type {
    /// A tensor of numbers.
    pub(super) fn number(shape: Shape) -> Type {
        Type { element: Element::Number, shape }
    }

    /// A number.
    pub(super) fn scalar() -> Type {
        Type::number(Vec::new())
    }

    /// A tensor of truth values.
    pub(super) fn truth(shape: Shape) -> Type {
        Type { element: Element::Truth, shape }
    }

    /// The same elements in another shape.
    pub(super) fn with_shape(&self, shape: Shape) -> Type {
        Type { element: self.element.clone(), shape }
    }

    /// The type with numbers, where everything is known and no extent is below 0.
    pub(super) fn known(&self) -> Option<hir::ValueType> {
        let element = match &self.element {
            Element::Number => hir::Element::Number,
            Element::Truth => hir::Element::Truth,
            Element::Class { count, names } => hir::Element::Class {
                count: usize::try_from(count.known()?).ok()?,
                names: names.as_ref().map(|names| names.to_vec()),
            },
        };
        Some(hir::ValueType { element, shape: known_shape(&self.shape)? })
    }

    /// The checker's form of a known type.
    pub(super) fn of(ty: &hir::ValueType) -> Type {
        let element = match &ty.element {
            hir::Element::Number => Element::Number,
            hir::Element::Truth => Element::Truth,
            hir::Element::Class { count, names } => Element::Class {
                count: Dim::Known(*count as i64),
                names: names.as_ref().map(|names| names.clone().into()),
            },
        };
        Type { element, shape: ty.shape.iter().map(|&extent| axis(extent as i64)).collect() }
    }

    /// Whether its shape is that of an argument without a type.
    pub(super) fn is_lifted(&self) -> bool {
        self.shape.iter().any(|axis| matches!(axis, Axis::Rest(name) if &**name == LIFTED))
    }
}

/// An axis of that extent.
pub(super) fn axis(extent: i64) -> Axis {
    Axis::Dim(Dim::Known(extent))
}

/// The extents as numbers, where all are known.
pub(super) fn known_shape(shape: &Shape) -> Option<Vec<usize>> {
    shape.iter().map(|axis| usize::try_from(axis.dim()?.known()?).ok()).collect()
}

/// The extents, where no `..s` is among them.
pub(super) fn plain_dims(shape: &Shape) -> Option<Vec<Dim>> {
    shape.iter().map(|axis| axis.dim().cloned()).collect()
}

/// The number of elements.
pub(super) fn count(shape: &Shape) -> Dim {
    shape.iter().fold(Dim::Known(1), |product, axis| match axis {
        Axis::Dim(dim) => product.mul(dim),
        Axis::Rest(name) => product.mul(&Dim::atom(super::dim::Atom::Prod(name.clone()))),
    })
}

/// What is known about the equality of two shapes.
pub(super) fn compare_shapes(a: &Shape, b: &Shape) -> Verdict {
    let plain = |shape: &Shape| shape.iter().all(|axis| matches!(axis, Axis::Dim(_)));
    if plain(a) && plain(b) && a.len() != b.len() {
        return Verdict::Different;
    }
    if a == b && !a.iter().any(|axis| matches!(axis, Axis::Dim(Dim::Unknown))) {
        return Verdict::Equal;
    }
    if a.len() != b.len() {
        if let (Some(first), Some(second)) = (only_rest(a), only_rest(b))
            && first == second
        {
            return Verdict::Different;
        }
        return Verdict::Undecided;
    }
    let mut verdict = Verdict::Equal;
    for (left, right) in a.iter().zip(b) {
        let one = match (left, right) {
            (Axis::Dim(left), Axis::Dim(right)) => left.compare(right),
            (Axis::Rest(left), Axis::Rest(right)) if left == right => Verdict::Equal,
            _ => return Verdict::Undecided,
        };
        match one {
            Verdict::Equal => {}
            Verdict::Different => return Verdict::Different,
            Verdict::Undecided => verdict = Verdict::Undecided,
        }
    }
    verdict
}

/// The name of the one `..s` of a shape, where it stands for the same axes everywhere.
fn only_rest(shape: &Shape) -> Option<&str> {
    let mut rests = shape.iter().filter_map(|axis| match axis {
        Axis::Rest(name) => Some(&**name),
        Axis::Dim(_) => None,
    });
    let only = rests.next().filter(|&name| name != LIFTED)?;
    rests.next().is_none().then_some(only)
}

impl Axis {
    /// Its extent, where it is one axis.
    pub(super) fn dim(&self) -> Option<&Dim> {
        match self {
            Axis::Dim(dim) => Some(dim),
            Axis::Rest(_) => None,
        }
    }
}

/// A shape as it is written: `[n, 2 * m]`.
pub(super) struct Written<'s>(pub(super) &'s Shape);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, axis) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match axis {
                Axis::Dim(dim) => write!(f, "{dim}")?,
                Axis::Rest(name) => write!(f, "..{name}")?,
            }
        }
        f.write_str("]")
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.element {
            Element::Number => write!(f, "{}", Written(&self.shape)),
            Element::Truth => {
                f.write_str("truth values ")?;
                write!(f, "{}", Written(&self.shape))
            }
            Element::Class { count, names } => {
                match names {
                    Some(names) if names.len() <= 6 => {
                        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                        write!(f, "class({})", quoted.join(", "))?;
                    }
                    Some(_) | None => write!(f, "class({count})")?,
                }
                if self.shape.is_empty() { Ok(()) } else { write!(f, "{}", Written(&self.shape)) }
            }
        }
    }
}

/// A value that exists when the program runs.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// Its type.
    pub(super) ty: Type,
    /// The body it is a value of.
    pub(super) body: u32,
    /// Its place there; means nothing while shapes are symbolic.
    pub(super) id: ValueId,
    /// What gave it its shape: an operation or a layer in the file at hand, or what binds its name.
    pub(super) origin: Span,
    /// How a number of its shape was worked out.
    pub(super) made: Option<Rc<str>>,
}

impl Tensor {
    /// The tensor as problems speak of it, where it stands at `span`.
    pub(super) fn at(&self, span: Span) -> Operand {
        Operand { ty: self.ty.to_string(), span, origin: self.origin, made: self.made.clone() }
    }

    /// The tensor with its shape explained.
    pub(super) fn made_by(self, made: Option<String>) -> Tensor {
        Tensor { made: made.map(Into::into), ..self }
    }

    /// The tensor with the shape of another one, and from the same place.
    pub(super) fn shaped_as(self, source: &Tensor) -> Tensor {
        Tensor { origin: source.origin, made: source.made.clone(), ..self }
    }
}

/// An element of a compile-time list.
#[derive(Clone, Debug)]
pub(super) struct ListItem {
    /// Its name: `train = 60%`.
    pub(super) name: Option<Spanned<String>>,
    /// Its value.
    pub(super) value: Value,
    /// Where it stands.
    pub(super) span: Span,
}

/// What an expression is worth to the checker.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Something went wrong, or it cannot be known yet; agrees with everything.
    Unknown,
    /// Known only when the program runs.
    Tensor(Tensor),
    /// A whole number; symbolic while a declaration is checked where it stands.
    Int(Dim),
    /// A number; `None` while a declaration is checked where it stands.
    Float(Option<f64>),
    /// A truth value.
    Bool(Option<bool>),
    /// A text.
    Text(Rc<str>),
    /// A case of an enumeration.
    Word(Option<Rc<str>>),
    /// `[a, b]` of compile-time values.
    List(Rc<Vec<ListItem>>),
    /// The axes bound by `..s`.
    Axes(Rc<Shape>),
    /// `a..b`, for `columns(0..11)`.
    Range(Dim, Dim),
    /// Several values with the names of the outputs they are.
    Tuple(Rc<Vec<(Option<Rc<str>>, Value)>>),
    /// What can be applied.
    Callable(Callable),
}

/// The configuration of a declaration: one value for each parameter.
pub(super) type Config = Rc<Vec<Value>>;

/// Something that can be applied: a declaration, a primitive, or what is made of them.
#[derive(Clone, Debug)]
pub(super) enum Callable {
    /// A declaration with its configuration where that is given.
    Declared(DeclId, Option<Config>),
    /// A primitive with arguments given by name.
    Primitive(Primitive, Rc<Vec<Argument>>),
    /// One after the other.
    Chain(Rc<Vec<(Callable, Span)>>),
    /// Over the first axis.
    Each(Rc<Callable>),
    /// Any number of copies in a row.
    Repeated(Rc<Callable>),
    /// One set of parameters under that path.
    Shared {
        /// The path.
        path: Rc<str>,
        /// What is shared.
        inner: Rc<Callable>,
    },
    /// A configuration parameter while its declaration is checked where it stands.
    Opaque(CallableKind),
}

impl Callable {
    /// Whether it is a declaration or a primitive, which messages call by its name.
    pub(super) fn is_named(&self) -> bool {
        match self {
            Callable::Declared(..) | Callable::Primitive(..) => true,
            Callable::Shared { inner, .. } => inner.is_named(),
            Callable::Chain(_) | Callable::Each(_) | Callable::Repeated(_) | Callable::Opaque(_) => false,
        }
    }
}

/// An evaluated argument.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    /// The name it is given by.
    pub(super) name: Option<Spanned<String>>,
    /// Its value.
    pub(super) value: Value,
    /// Where it stands.
    pub(super) span: Span,
}

impl Value {
    /// The value, its shape given by what stands at `origin`.
    pub(super) fn placed_at(self, origin: Span) -> Value {
        match self {
            Value::Tensor(tensor) => Value::Tensor(Tensor { origin, ..tensor }),
            other => other,
        }
    }

    /// A scalar of the program.
    pub(super) fn int(number: i64) -> Value {
        Value::Int(Dim::Known(number))
    }

    /// The number it stands for, where it is a known one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Value::Int(dim) => dim.known().map(|number| number as f64),
            Value::Float(number) => *number,
            Value::Bool(_)
            | Value::Unknown
            | Value::Tensor(_)
            | Value::Text(_)
            | Value::Word(_)
            | Value::List(_)
            | Value::Axes(_)
            | Value::Range(..)
            | Value::Tuple(_)
            | Value::Callable(_) => None,
        }
    }

    /// Whether it or a part of it exists only when the program runs.
    pub(super) fn is_run_time(&self) -> bool {
        match self {
            Value::Tensor(_) => true,
            Value::List(items) => items.iter().any(|item| item.value.is_run_time()),
            Value::Tuple(items) => items.iter().any(|(_, value)| value.is_run_time()),
            Value::Unknown
            | Value::Int(_)
            | Value::Float(_)
            | Value::Bool(_)
            | Value::Text(_)
            | Value::Word(_)
            | Value::Axes(_)
            | Value::Range(..)
            | Value::Callable(_) => false,
        }
    }
}
