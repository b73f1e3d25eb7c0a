//! Dimensions: integer polynomials over names, in normal form.
//!
//! While a declaration is checked where it stands its dimensions are symbolic: `[m + n]` equals `[n + m]`, `[2 * n]` equals
//! `[n + n]`. A polynomial is a sorted list of monomials with integer factors; what is not polynomial (`/`, `%`, `min`,
//! `max`, the product of an unknown number of axes) enters it as an opaque atom. With numbers every dimension is
//! [`Dim::Known`].
//!
//! A known extent may be 0. A name counts as at least 1: a declaration is checked for what it is written for, and `[n]` beside
//! `[2 * n]` is a mistake although both may be empty. What is left undecided is decided with the numbers of each use.

use std::fmt;
use std::rc::Rc;

/// An extent. Extents that occur in shapes are at least 0.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Dim {
    /// A number.
    Known(i64),
    /// A polynomial with at least one name.
    Poly(Rc<Poly>),
    /// Nothing is known; agrees with everything.
    Unknown,
}

/// A sum of monomials, sorted, none with the factor 0.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Poly {
    terms: Vec<(Monomial, i64)>,
    /// The number of atoms written out, those inside of atoms too.
    size: usize,
}

/// A product of atoms with their powers, sorted; the constant has none.
type Monomial = Vec<(Atom, u32)>;

/// What a polynomial is made of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Atom {
    /// A name: at least 1.
    Name(Rc<str>),
    /// The product of the axes of a `..s`: at least 1.
    Prod(Rc<str>),
    /// Division, rounded down.
    Div(Dim, Dim),
    /// The remainder.
    Rem(Dim, Dim),
    /// The smaller.
    Min(Dim, Dim),
    /// The larger.
    Max(Dim, Dim),
}

/// What is known of two dimensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// They are equal whatever the names stand for.
    Equal,
    /// They differ whatever the names stand for.
    Different,
    /// It depends.
    Undecided,
}

/// Polynomials with more terms than this are not followed.
const MOST_TERMS: usize = 48;

/// Nor those that are longer than this when they are written out: atoms nest, and what is built of shared parts doubles
/// with each step.
const MOST_ATOMS: usize = 256;

impl Dim {
    /// The dimension of that name.
    pub(super) fn name(name: &str) -> Dim {
        Dim::atom(Atom::Name(name.into()))
    }

    /// An opaque atom as a dimension; unknown where it is too long to follow.
    pub(super) fn atom(atom: Atom) -> Dim {
        let size = atom.size();
        match size <= MOST_ATOMS {
            true => Dim::Poly(Rc::new(Poly { terms: vec![(vec![(atom, 1)], 1)], size })),
            false => Dim::Unknown,
        }
    }

    /// Its number, where it has one.
    pub(super) fn known(&self) -> Option<i64> {
        match self {
            Dim::Known(number) => Some(*number),
            Dim::Poly(_) | Dim::Unknown => None,
        }
    }

    fn terms(&self) -> Option<Vec<(Monomial, i64)>> {
        match self {
            Dim::Known(0) => Some(Vec::new()),
            Dim::Known(number) => Some(vec![(Vec::new(), *number)]),
            Dim::Poly(poly) => Some(poly.terms.clone()),
            Dim::Unknown => None,
        }
    }

    fn from_terms(mut terms: Vec<(Monomial, i64)>) -> Dim {
        terms.sort();
        let mut merged: Vec<(Monomial, i64)> = Vec::with_capacity(terms.len());
        for (monomial, factor) in terms {
            match merged.last_mut() {
                Some((last, sum)) if *last == monomial => match sum.checked_add(factor) {
                    Some(total) => *sum = total,
                    None => return Dim::Unknown,
                },
                Some(_) | None => merged.push((monomial, factor)),
            }
        }
        merged.retain(|(_, factor)| *factor != 0);
        match merged.as_slice() {
            [] => Dim::Known(0),
            [(monomial, factor)] if monomial.is_empty() => Dim::Known(*factor),
            _ if merged.len() > MOST_TERMS => Dim::Unknown,
            _ => {
                let size = merged.iter().flat_map(|(monomial, _)| monomial).map(|(atom, _)| atom.size()).sum();
                match size <= MOST_ATOMS {
                    true => Dim::Poly(Rc::new(Poly { terms: merged, size })),
                    false => Dim::Unknown,
                }
            }
        }
    }

    /// The sum; unknown where it leaves 64 bits.
    pub(super) fn add(&self, other: &Dim) -> Dim {
        if let (Dim::Known(a), Dim::Known(b)) = (self, other) {
            return a.checked_add(*b).map_or(Dim::Unknown, Dim::Known);
        }
        let (Some(mut terms), Some(more)) = (self.terms(), other.terms()) else { return Dim::Unknown };
        terms.extend(more);
        Dim::from_terms(terms)
    }

    /// The difference.
    pub(super) fn sub(&self, other: &Dim) -> Dim {
        self.add(&other.mul(&Dim::Known(-1)))
    }

    /// The product.
    pub(super) fn mul(&self, other: &Dim) -> Dim {
        if let (Dim::Known(a), Dim::Known(b)) = (self, other) {
            return a.checked_mul(*b).map_or(Dim::Unknown, Dim::Known);
        }
        let (Some(left), Some(right)) = (self.terms(), other.terms()) else { return Dim::Unknown };
        if left.len() * right.len() > 4 * MOST_TERMS {
            return Dim::Unknown;
        }
        let mut terms = Vec::with_capacity(left.len() * right.len());
        for (a, factor_a) in &left {
            for (b, factor_b) in &right {
                let Some(factor) = factor_a.checked_mul(*factor_b) else { return Dim::Unknown };
                let Some(monomial) = times(a, b) else { return Dim::Unknown };
                terms.push((monomial, factor));
            }
        }
        Dim::from_terms(terms)
    }

    /// The quotient, rounded down; unknown for a divisor of 0.
    pub(super) fn div(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Unknown, _) | (_, Dim::Unknown | Dim::Known(0)) => Dim::Unknown,
            (Dim::Known(a), Dim::Known(b)) => a.checked_div_euclid(*b).map_or(Dim::Unknown, |quotient| {
                let floored = if *b < 0 && a.rem_euclid(*b) != 0 { quotient - 1 } else { quotient };
                Dim::Known(floored)
            }),
            (_, Dim::Known(1)) => self.clone(),
            (Dim::Poly(poly), Dim::Known(b)) if poly.is_multiple_of(*b) => {
                Dim::from_terms(poly.terms.iter().map(|(monomial, factor)| (monomial.clone(), factor / b)).collect())
            }
            _ if self == other => Dim::Known(1),
            // (b * p + r) / b is p + r / b.
            (Dim::Poly(poly), Dim::Known(b)) if *b > 0 => match poly.split_by(*b) {
                Some((multiple, rest)) => multiple.add(&rest.div(other)),
                None => Dim::atom(Atom::Div(self.clone(), other.clone())),
            },
            _ => Dim::atom(Atom::Div(self.clone(), other.clone())),
        }
    }

    /// The remainder with the sign of the divisor; unknown for a divisor of 0.
    pub(super) fn rem(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Unknown, _) | (_, Dim::Unknown | Dim::Known(0)) => Dim::Unknown,
            (Dim::Known(a), Dim::Known(b)) => a.checked_rem(*b).map_or(Dim::Unknown, |rest| {
                Dim::Known(if rest != 0 && (rest < 0) != (*b < 0) { rest + b } else { rest })
            }),
            (_, Dim::Known(1)) => Dim::Known(0),
            (Dim::Poly(poly), Dim::Known(b)) if poly.is_multiple_of(*b) => Dim::Known(0),
            _ if self == other => Dim::Known(0),
            (Dim::Poly(poly), Dim::Known(b)) if *b > 0 => match poly.split_by(*b) {
                Some((_, rest)) => rest.rem(other),
                None => Dim::atom(Atom::Rem(self.clone(), other.clone())),
            },
            _ => Dim::atom(Atom::Rem(self.clone(), other.clone())),
        }
    }

    /// The smaller of the two.
    pub(super) fn smaller(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Unknown, _) | (_, Dim::Unknown) => Dim::Unknown,
            (Dim::Known(a), Dim::Known(b)) => Dim::Known(*a.min(b)),
            _ if self == other => self.clone(),
            _ if self.at_least(other) => other.clone(),
            _ if other.at_least(self) => self.clone(),
            _ => Dim::atom(Atom::Min(self.clone().min_of(other), self.clone().max_of(other))),
        }
    }

    /// The larger of the two.
    pub(super) fn larger(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Unknown, _) | (_, Dim::Unknown) => Dim::Unknown,
            (Dim::Known(a), Dim::Known(b)) => Dim::Known(*a.max(b)),
            _ if self == other => self.clone(),
            _ if self.at_least(other) => self.clone(),
            _ if other.at_least(self) => other.clone(),
            _ => Dim::atom(Atom::Max(self.clone().min_of(other), self.clone().max_of(other))),
        }
    }

    /// The first of the two in the order of writing, so that `min(a, b)` and `min(b, a)` are one atom.
    fn min_of(self, other: &Dim) -> Dim {
        std::cmp::Ord::min(self, other.clone())
    }

    fn max_of(self, other: &Dim) -> Dim {
        std::cmp::Ord::max(self, other.clone())
    }

    /// The factor of a name and the rest, where it occurs to the first power and everything else is a number.
    pub(super) fn linear_in(&self, name: &str) -> Option<(i64, i64)> {
        let (mut factor, mut rest) = (None, 0);
        for (monomial, coefficient) in self.terms()? {
            match monomial.as_slice() {
                [] => rest = coefficient,
                [(Atom::Name(other), 1)] if **other == *name => factor = Some(coefficient),
                _ => return None,
            }
        }
        Some((factor?, rest))
    }

    /// What is known about equality, given that every name is at least 1.
    pub(super) fn compare(&self, other: &Dim) -> Verdict {
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) if a == b => Verdict::Equal,
            (Dim::Known(_), Dim::Known(_)) => Verdict::Different,
            (Dim::Unknown, _) | (_, Dim::Unknown) => Verdict::Undecided,
            _ => match self.sub(other) {
                Dim::Known(0) => Verdict::Equal,
                Dim::Known(_) => Verdict::Different,
                Dim::Unknown => Verdict::Undecided,
                Dim::Poly(difference) if difference.never_zero() => Verdict::Different,
                difference if difference.least().is_some_and(|least| least > 0) => Verdict::Different,
                difference if difference.most().is_some_and(|most| most < 0) => Verdict::Different,
                Dim::Poly(_) => Verdict::Undecided,
            },
        }
    }
}

/// Bounds inside of bounds are not followed deeper than this.
const DEEPEST: u32 = 1;

impl Dim {
    /// Whether it is at least as large whatever the names stand for.
    fn at_least(&self, other: &Dim) -> bool {
        self.sub(other).least().is_some_and(|least| least >= 0)
    }

    /// A number it is never below, given that every name is at least 1.
    fn least(&self) -> Option<i64> {
        self.bound(false, 0)
    }

    /// A number it is never above.
    fn most(&self) -> Option<i64> {
        self.bound(true, 0)
    }

    fn bound(&self, upper: bool, depth: u32) -> Option<i64> {
        let poly = match self {
            Dim::Known(number) => return Some(*number),
            Dim::Unknown => return None,
            Dim::Poly(_) if depth > DEEPEST => return None,
            Dim::Poly(poly) => poly,
        };
        poly.terms.iter().try_fold(0_i64, |sum, (monomial, factor)| {
            let upper = upper == (*factor > 0);
            let product = monomial.iter().try_fold(1_i64, |product, (atom, power)| {
                // Only what is never negative has its bounds multiplied.
                let least = atom.bound(false, depth + 1).filter(|least| *least >= 0)?;
                let bound = if upper { atom.bound(true, depth + 1)? } else { least };
                product.checked_mul(bound.checked_pow(*power)?)
            })?;
            sum.checked_add(product.checked_mul(*factor)?)
        })
    }
}

impl Poly {
    /// The part that is a multiple of `divisor`, divided by it, and the rest; `None` where there is no such part.
    fn split_by(&self, divisor: i64) -> Option<(Dim, Dim)> {
        let (multiple, rest): (Vec<_>, Vec<_>) =
            self.terms.iter().cloned().partition(|(_, factor)| factor % divisor == 0);
        if multiple.is_empty() {
            return None;
        }
        let multiple = multiple.into_iter().map(|(monomial, factor)| (monomial, factor / divisor)).collect();
        Some((Dim::from_terms(multiple), Dim::from_terms(rest)))
    }

    /// Whether every factor is a multiple of the number, with a quotient in 64 bits.
    fn is_multiple_of(&self, number: i64) -> bool {
        self.terms.iter().all(|(_, factor)| factor.checked_rem(number) == Some(0))
    }

    /// Whether all terms have one sign and one of them cannot be 0.
    fn never_zero(&self) -> bool {
        let same_sign = self.terms.iter().all(|(_, f)| *f > 0) || self.terms.iter().all(|(_, f)| *f < 0);
        same_sign && self.terms.iter().any(|(monomial, _)| monomial.iter().all(|(atom, _)| atom.is_positive()))
    }
}

impl Atom {
    fn bound(&self, upper: bool, depth: u32) -> Option<i64> {
        match (self, upper) {
            (Atom::Name(_) | Atom::Prod(_), false) => Some(1),
            (Atom::Name(_) | Atom::Prod(_), true) => None,
            // The quotient by a number of 1 or more grows with what is divided.
            (Atom::Div(a, Dim::Known(b)), upper) if *b > 0 => Some(a.bound(upper, depth)?.div_euclid(*b)),
            (Atom::Div(a, b), false) => (a.bound(false, depth)? >= 0 && b.bound(false, depth)? > 0).then_some(0),
            (Atom::Rem(_, b), false) => (b.bound(false, depth)? > 0).then_some(0),
            (Atom::Rem(_, Dim::Known(b)), true) if *b > 0 => Some(b - 1),
            (Atom::Min(a, b), false) => Some(a.bound(false, depth)?.min(b.bound(false, depth)?)),
            (Atom::Min(a, b), true) => match (a.bound(true, depth), b.bound(true, depth)) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (one, other) => one.or(other),
            },
            (Atom::Max(a, b), false) => match (a.bound(false, depth), b.bound(false, depth)) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (one, other) => one.or(other),
            },
            (Atom::Max(a, b), true) => Some(a.bound(true, depth)?.max(b.bound(true, depth)?)),
            (Atom::Div(..) | Atom::Rem(..), true) => None,
        }
    }

    fn size(&self) -> usize {
        let size = |dim: &Dim| match dim {
            Dim::Poly(poly) => poly.size,
            Dim::Known(_) | Dim::Unknown => 1,
        };
        match self {
            Atom::Name(_) | Atom::Prod(_) => 1,
            Atom::Div(a, b) | Atom::Rem(a, b) | Atom::Min(a, b) | Atom::Max(a, b) => 1 + size(a) + size(b),
        }
    }

    fn is_positive(&self) -> bool {
        match self {
            Atom::Name(_) | Atom::Prod(_) => true,
            Atom::Div(..) | Atom::Rem(..) | Atom::Min(..) | Atom::Max(..) => false,
        }
    }
}

fn times(a: &Monomial, b: &Monomial) -> Option<Monomial> {
    let mut product = a.clone();
    for (atom, power) in b {
        match product.iter_mut().find(|(other, _)| other == atom) {
            Some((_, sum)) => *sum += power,
            None => product.push((atom.clone(), *power)),
        }
    }
    product.sort();
    (product.iter().map(|(_, power)| power).sum::<u32>() <= 16).then_some(product)
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Known(number) => write!(f, "{number}"),
            Dim::Unknown => f.write_str("?"),
            Dim::Poly(poly) => write!(f, "{poly}"),
        }
    }
}

impl fmt::Display for Poly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The constant sorts first and is written last, as one would.
        let (constants, rest): (Vec<_>, Vec<_>) = self.terms.iter().partition(|(monomial, _)| monomial.is_empty());
        for (at, (monomial, factor)) in rest.into_iter().chain(constants).enumerate() {
            let size = factor.unsigned_abs();
            match (at, *factor < 0) {
                (0, false) => {}
                (0, true) => f.write_str("-")?,
                (_, false) => f.write_str(" + ")?,
                (_, true) => f.write_str(" - ")?,
            }
            if monomial.is_empty() {
                write!(f, "{size}")?;
                continue;
            }
            if size != 1 {
                write!(f, "{size} * ")?;
            }
            let powers = monomial.iter().flat_map(|(atom, power)| std::iter::repeat_n(atom, *power as usize));
            for (at, atom) in powers.enumerate() {
                if at > 0 {
                    f.write_str(" * ")?;
                }
                write!(f, "{atom}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operand = |dim: &Dim| match dim {
            Dim::Poly(poly) if poly.terms.len() > 1 => format!("({dim})"),
            Dim::Known(_) | Dim::Poly(_) | Dim::Unknown => dim.to_string(),
        };
        match self {
            Atom::Name(name) => f.write_str(name),
            Atom::Prod(rest) => write!(f, "prod({rest})"),
            Atom::Div(a, b) => write!(f, "{} / {}", operand(a), operand(b)),
            Atom::Rem(a, b) => write!(f, "{} % {}", operand(a), operand(b)),
            Atom::Min(a, b) => write!(f, "min({a}, {b})"),
            Atom::Max(a, b) => write!(f, "max({a}, {b})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_have_one_form() {
        let (m, n) = (Dim::name("m"), Dim::name("n"));
        assert_eq!(m.add(&n), n.add(&m));
        assert_eq!(n.add(&n), n.mul(&Dim::Known(2)));
        assert_eq!(m.add(&n).mul(&m.add(&n)), m.mul(&m).add(&n.mul(&n)).add(&m.mul(&n).mul(&Dim::Known(2))));
        assert_eq!(n.sub(&n), Dim::Known(0));
        assert_eq!(n.mul(&Dim::Known(6)).div(&Dim::Known(3)).to_string(), "2 * n");
    }

    #[test]
    fn division_floors() {
        for (a, b) in [(7, 2), (-7, 2), (7, -2), (-7, -2), (6, 3)] {
            let expected = (a as f64 / b as f64).floor() as i64;
            assert_eq!(Dim::Known(a).div(&Dim::Known(b)), Dim::Known(expected), "{a} / {b}");
            assert_eq!(Dim::Known(a).rem(&Dim::Known(b)), Dim::Known(a - b * expected), "{a} % {b}");
        }
    }

    #[test]
    fn verdicts() {
        let n = Dim::name("n");
        assert_eq!(n.compare(&n.add(&Dim::Known(1))), Verdict::Different);
        assert_eq!(n.compare(&n.mul(&Dim::Known(2))), Verdict::Different);
        assert_eq!(n.compare(&Dim::name("m")), Verdict::Undecided);
        assert_eq!(n.compare(&Dim::Known(3)), Verdict::Undecided);
        assert_eq!(n.div(&Dim::Known(2)).compare(&n.div(&Dim::Known(2))), Verdict::Equal);
        assert_eq!(Dim::Known(i64::MAX).add(&Dim::Known(1)), Dim::Unknown);
    }

    #[test]
    fn what_leaves_64_bits_is_not_followed() {
        let lowest = Dim::name("n").mul(&Dim::Known(i64::MIN));
        assert_eq!(lowest.div(&Dim::Known(-1)).known(), None);
        assert_eq!(lowest.rem(&Dim::Known(-1)).known(), None);
    }

    #[test]
    fn what_doubles_is_not_followed() {
        let mut dim = Dim::name("n");
        for _ in 0..100 {
            dim = dim.mul(&Dim::Known(2)).smaller(&dim.mul(&Dim::Known(3)));
        }
        assert_eq!(dim, Dim::Unknown);
    }

    #[test]
    fn quotients_and_remainders_of_multiples() {
        let n = Dim::name("n");
        let odd = n.mul(&Dim::Known(2)).add(&Dim::Known(1));
        assert_eq!(odd.div(&Dim::Known(2)), n);
        assert_eq!(odd.rem(&Dim::Known(2)), Dim::Known(1));
        assert_eq!(n.mul(&Dim::Known(2)).sub(&Dim::Known(1)).div(&Dim::Known(2)), n.sub(&Dim::Known(1)));
    }

    #[test]
    fn bounds_decide() {
        let (m, n) = (Dim::name("m"), Dim::name("n"));
        assert_eq!(n.larger(&Dim::Known(1)), n);
        assert_eq!(n.smaller(&n.add(&m)), n);
        assert_eq!(n.larger(&m).add(&n).compare(&n), Verdict::Different);
        assert_eq!(n.rem(&Dim::Known(4)).compare(&Dim::Known(4)), Verdict::Different);
        assert_eq!(n.rem(&Dim::Known(4)).compare(&Dim::Known(3)), Verdict::Undecided);
        assert_eq!(n.div(&Dim::Known(2)).add(&Dim::Known(3)).compare(&Dim::Known(2)), Verdict::Different);
        assert_eq!(n.smaller(&Dim::Known(5)).compare(&Dim::Known(6)), Verdict::Different);
        assert_eq!(n.sub(&m).compare(&Dim::Known(0)), Verdict::Undecided);
    }

    #[test]
    fn printed_as_written() {
        let n = Dim::name("n");
        assert_eq!(n.mul(&Dim::Known(2)).sub(&Dim::Known(1)).to_string(), "2 * n - 1");
        assert_eq!(n.add(&Dim::Known(1)).div(&Dim::Known(2)).to_string(), "(n + 1) / 2");
    }
}
