//! Reductions, joining, cutting and rearranging: the shapes of what changes shapes.

use super::arithmetic::{self, product};
use super::dim::{Dim, Verdict};
use super::hir::{Elementwise, HirOp, Reduce};
use super::infer::{Walker, Want};
use super::types::{Argument, Axis, Element, Shape, Tensor, Type, Value, Written, compare_shapes, count, plain_dims};
use crate::diagnostics::shapes as problems;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{ExprId, IndexExpr};
use std::rc::Rc;

impl<'a> Walker<'a> {
    pub(super) fn reduce(
        &mut self,
        reduce: Reduce,
        x: &Tensor,
        at: Span,
        axis: Option<&Argument>,
        span: Span,
    ) -> Value {
        let name = reduction_name(reduce);
        let Some(x) = self.numbers(x, at, name) else { return Value::Unknown };
        let picks = matches!(reduce, Reduce::ArgMax | Reduce::ArgMin);
        let axes: Vec<usize> = match axis.map(|argument| (&argument.value, argument.span)) {
            Some((Value::List(items), _)) if !picks => {
                let mut axes = Vec::with_capacity(items.len());
                for item in items.clone().iter() {
                    let Some(axis) = self.as_int(&item.value, item.span).and_then(|axis| axis.known()) else {
                        return Value::Unknown;
                    };
                    let Some(axis) = self.axis_number(axis, &x.ty, item.span) else { return Value::Unknown };
                    axes.push(axis);
                }
                axes.sort_unstable();
                axes.dedup();
                axes
            }
            Some(_) => match self.axis_argument(axis, 0, &x.ty, at) {
                Some(axis) => vec![axis],
                None => return Value::Unknown,
            },
            None if picks && x.ty.shape.len() != 1 => {
                if plain_dims(&x.ty.shape).is_some() {
                    self.report(problems::axis_needed(span, name, &x.ty));
                }
                return Value::Unknown;
            }
            None => (0..x.ty.shape.len()).collect(),
        };
        let shape: Shape =
            x.ty.shape.iter().enumerate().filter(|(at, _)| !axes.contains(at)).map(|(_, axis)| axis.clone()).collect();
        let combines_nothing = axes.iter().any(|&axis| x.ty.shape[axis].dim() == Some(&Dim::Known(0)));
        if combines_nothing && !matches!(reduce, Reduce::Sum | Reduce::Prod) {
            self.report(problems::reduction_of_nothing(span, name, &x.at(at)));
            return Value::Unknown;
        }
        if picks {
            let Some(Axis::Dim(extent)) = axes.first().map(|&axis| &x.ty.shape[axis]) else { return Value::Unknown };
            let element = Element::Class { count: extent.clone(), names: None };
            return self.emit(HirOp::Reduce(reduce, axes), &[&x], Type { element, shape }, span);
        }
        if axes.is_empty() {
            // Over no axes: a scalar is its own sum, mean, product and extreme; it varies by nothing.
            return match reduce {
                Reduce::Var => self.constant(0.0, span).map_or(Value::Unknown, Value::Tensor),
                _ => Value::Tensor(Tensor { origin: span, ..x }),
            };
        }
        self.emit(HirOp::Reduce(reduce, axes), &[&x], Type::number(shape), span)
    }

    /// `sort`, or with `picks` `argsort`.
    pub(super) fn sort(
        &mut self,
        picks: bool,
        x: &Tensor,
        at: Span,
        axis: Option<&Argument>,
        descending: Option<&Argument>,
        span: Span,
    ) -> Value {
        let name = if picks { "argsort" } else { "sort" };
        let Some(x) = self.numbers(x, at, name) else { return Value::Unknown };
        let Some(axis) = self.axis_argument(axis, -1, &x.ty, at) else { return Value::Unknown };
        let descending = match descending.map(|given| (&given.value, given.span)) {
            None => false,
            Some((Value::Bool(descending), _)) => descending.unwrap_or_default(),
            Some((other, place)) => {
                let found = self.describe(other);
                self.report(problems::not_a_case(place, &found, "descending", &["true", "false"]));
                return Value::Unknown;
            }
        };
        if !picks {
            return self.emit(HirOp::Sort { axis, descending }, &[&x], x.ty.clone(), span);
        }
        let Axis::Dim(count) = x.ty.shape[axis].clone() else { return Value::Unknown };
        if count == Dim::Known(0) {
            self.report(problems::reduction_of_nothing(span, name, &x.at(at)));
            return Value::Unknown;
        }
        let element = Element::Class { count, names: None };
        let ty = Type { element, shape: x.ty.shape.clone() };
        self.emit(HirOp::ArgSort { axis, descending }, &[&x], ty, span)
    }

    /// `concat` or `stack`.
    pub(super) fn join(&mut self, concat: bool, arguments: Vec<Argument>, axis: Option<Argument>, span: Span) -> Value {
        let mut parts = Vec::with_capacity(arguments.len());
        for argument in &arguments {
            let Some(tensor) = self.to_tensor(&argument.value, argument.span) else { return Value::Unknown };
            if tensor.ty.is_lifted() {
                self.report(problems::untyped_argument(argument.span, if concat { "concat" } else { "stack" }));
                return Value::Unknown;
            }
            parts.push((tensor, argument.span));
        }
        if !concat {
            let Some((first, at)) = parts.first() else { return Value::Unknown };
            let mut longer = first.ty.clone();
            longer.shape.insert(0, super::types::axis(1));
            let at = *at;
            let Some(axis) = self.axis_argument(axis.as_ref(), 0, &longer, at) else { return Value::Unknown };
            return self.stack_tensors(parts, axis, span).map_or(Value::Unknown, Value::Tensor);
        }
        let Some(parts) = self.one_element(parts, span) else { return Value::Unknown };
        let Some((first, first_at)) = parts.first().cloned() else { return Value::Unknown };
        if first.ty.shape.is_empty() {
            self.report(problems::concat_of_scalars(first_at));
            return Value::Unknown;
        }
        let Some(axis) = self.axis_argument(axis.as_ref(), -1, &first.ty, span) else { return Value::Unknown };
        let mut shape = first.ty.shape.clone();
        for (part, at) in &parts[1..] {
            let plain = plain_dims(&part.ty.shape).is_some() && plain_dims(&first.ty.shape).is_some();
            if part.ty.shape.len() != shape.len() {
                if plain {
                    let (ranks, fits) = ([shape.len(), part.ty.shape.len()], None);
                    let problem = problems::concat_mismatch(&first.at(first_at), &part.at(*at), ranks, axis, fits);
                    self.report(problem);
                }
                return Value::Unknown;
            }
            for (index, (place, other)) in shape.iter_mut().zip(&part.ty.shape).enumerate() {
                let (Axis::Dim(own), Axis::Dim(other)) = (&*place, other) else { continue };
                if index == axis {
                    *place = Axis::Dim(own.add(other));
                } else if own.compare(other) == Verdict::Different {
                    let fits = joining_axis(&first.ty.shape, &part.ty.shape);
                    let ranks = [first.ty.shape.len(); 2];
                    let problem = problems::concat_mismatch(&first.at(first_at), &part.at(*at), ranks, axis, fits);
                    self.report(problem);
                    return Value::Unknown;
                }
            }
        }
        let references: Vec<&Tensor> = parts.iter().map(|(tensor, _)| tensor).collect();
        let ty = first.ty.with_shape(shape);
        // An axis counts from the front in the numeric form; behind a `..s` it is only known there.
        let extents: Option<Vec<Dim>> = parts.iter().map(|(part, _)| part.ty.shape[axis].dim().cloned()).collect();
        let made = extents.and_then(|extents| arithmetic::sum(&extents));
        let result = self.emit_tensor(HirOp::Concat(axis), &references, ty, span);
        result.map_or(Value::Unknown, |result| Value::Tensor(result.made_by(made)))
    }

    /// Tensors of one element type: truth values among numbers become numbers.
    fn one_element(&mut self, mut parts: Vec<(Tensor, Span)>, span: Span) -> Option<Vec<(Tensor, Span)>> {
        let first = parts.first()?.0.ty.clone();
        let first_at = parts.first()?.1;
        if parts.iter().all(|(part, _)| part.ty.element == first.element) {
            return Some(parts);
        }
        let classes = parts.iter().any(|(part, _)| matches!(part.ty.element, Element::Class { .. }));
        if classes {
            let odd = parts.iter().find(|(part, _)| part.ty.element != first.element)?;
            let problem =
                problems::branches_differ(span, Spanned::new(&first, first_at), Spanned::new(&odd.0.ty, odd.1));
            self.report(problem);
            return None;
        }
        for (part, at) in &mut parts {
            *part = self.numbers(part, *at, "stack")?;
        }
        Some(parts)
    }

    pub(super) fn stack_tensors(&mut self, parts: Vec<(Tensor, Span)>, axis: usize, span: Span) -> Option<Tensor> {
        let parts = self.one_element(parts, span)?;
        let (first, first_at) = parts.first().cloned()?;
        for (part, at) in &parts[1..] {
            if compare_shapes(&first.ty.shape, &part.ty.shape) == Verdict::Different {
                self.report(problems::stack_mismatch(&first.at(first_at), &part.at(*at)));
                return None;
            }
        }
        let mut shape = first.ty.shape.clone();
        shape.insert(axis.min(shape.len()), super::types::axis(parts.len() as i64));
        let references: Vec<&Tensor> = parts.iter().map(|(tensor, _)| tensor).collect();
        self.emit_tensor(HirOp::Stack(axis), &references, first.ty.with_shape(shape), span)
    }

    pub(super) fn split(
        &mut self,
        x: &Tensor,
        at: Span,
        parts: Option<&Argument>,
        axis: Option<&Argument>,
        span: Span,
    ) -> Value {
        let Some(axis) = self.axis_argument(axis, -1, &x.ty, at) else { return Value::Unknown };
        let (Axis::Dim(extent), Some(parts)) = (x.ty.shape[axis].clone(), parts) else { return Value::Unknown };
        let sizes: Vec<Dim> = match &parts.value {
            Value::List(_) | Value::Axes(_) => {
                match self.as_shape(&parts.value, parts.span).as_ref().and_then(plain_dims) {
                    Some(sizes) => sizes,
                    None => return Value::Unknown,
                }
            }
            value => {
                let Some(number) = self.as_int(value, parts.span).and_then(|number| number.known()) else {
                    return Value::Unknown;
                };
                if !(1..=10_000).contains(&number) || extent.known().is_some_and(|extent| extent % number != 0) {
                    self.report(problems::split_uneven(parts.span, &x.ty, number, &extent));
                    return Value::Unknown;
                }
                vec![extent.div(&Dim::Known(number)); number as usize]
            }
        };
        let total = sizes.iter().fold(Dim::Known(0), |sum, size| sum.add(size));
        if total.compare(&extent) == Verdict::Different {
            self.report(problems::split_total(parts.span, &total, &extent, &x.ty));
            return Value::Unknown;
        }
        let mut start = Dim::Known(0);
        let mut values = Vec::with_capacity(sizes.len());
        for size in sizes {
            let end = start.add(&size);
            values.push((None, self.cut(x, axis, &start, &end, span)));
            start = end;
        }
        Value::Tuple(Rc::new(values))
    }

    /// The elements `start..end` along an axis.
    fn cut(&mut self, x: &Tensor, axis: usize, start: &Dim, end: &Dim, span: Span) -> Value {
        let mut shape = x.ty.shape.clone();
        shape[axis] = Axis::Dim(end.sub(start));
        let mut ranges = Vec::with_capacity(shape.len());
        for (at, extent) in x.ty.shape.iter().enumerate() {
            let whole = extent.dim().and_then(Dim::known).unwrap_or_default() as usize;
            ranges.push(match (at == axis, start.known(), end.known()) {
                (true, Some(start), Some(end)) => (start.max(0) as usize, end.max(0) as usize),
                _ => (0, whole),
            });
        }
        let ty = x.ty.with_shape(shape);
        self.emit(HirOp::Slice(ranges), &[x], ty, span)
    }

    pub(super) fn reshape(&mut self, x: &Tensor, at: Span, shape: Option<&Argument>, span: Span) -> Value {
        let Some(given) = shape else { return Value::Unknown };
        let Some(mut shape) = self.as_shape(&given.value, given.span) else { return Value::Unknown };
        let total = count(&x.ty.shape);
        let open = shape.iter().position(|axis| matches!(axis, Axis::Dim(Dim::Known(-1))));
        if let Some(open) = open {
            // One -1 is worked out from the others, as in NumPy.
            shape[open] = super::types::axis(1);
            let others = count(&shape);
            if let (Some(total), Some(others)) = (total.known(), others.known())
                && (others < 1 || total % others != 0)
            {
                shape[open] = super::types::axis(-1);
                let rest: Shape =
                    shape.iter().enumerate().filter(|(at, _)| *at != open).map(|(_, axis)| axis.clone()).collect();
                self.report(problems::reshape_mismatch(
                    given.span,
                    &x.at(at),
                    &Written(&shape),
                    product(&x.ty.shape),
                    product(&rest),
                ));
                return Value::Unknown;
            }
            shape[open] = Axis::Dim(total.div(&others));
        } else if total.compare(&count(&shape)) == Verdict::Different {
            let (own, asked) = (product(&x.ty.shape), product(&shape));
            self.report(problems::reshape_mismatch(given.span, &x.at(at), &Written(&shape), own, asked));
            return Value::Unknown;
        }
        self.emit(HirOp::Reshape, &[x], x.ty.with_shape(shape), span)
    }

    pub(super) fn transpose(&mut self, x: &Tensor, at: Span, axes: Option<&Argument>, span: Span) -> Value {
        if plain_dims(&x.ty.shape).is_none() {
            return Value::Unknown;
        }
        let rank = x.ty.shape.len();
        let permutation: Vec<usize> = match axes {
            None => (0..rank).rev().collect(),
            Some(given) => {
                let Some(list) = self.as_shape(&given.value, given.span) else { return Value::Unknown };
                let numbers: Option<Vec<i64>> = list.iter().map(|axis| axis.dim().and_then(Dim::known)).collect();
                let Some(numbers) = numbers else { return Value::Unknown };
                let normal: Vec<i64> =
                    numbers.iter().map(|&number| if number < 0 { number + rank as i64 } else { number }).collect();
                let mut sorted = normal.clone();
                sorted.sort_unstable();
                if !sorted.into_iter().eq(0..rank as i64) {
                    self.report(problems::not_a_permutation(given.span, &numbers, &x.at(at)));
                    return Value::Unknown;
                }
                normal.into_iter().map(|number| number as usize).collect()
            }
        };
        let shape = permutation.iter().map(|&axis| x.ty.shape[axis].clone()).collect();
        self.emit(HirOp::Transpose(permutation), &[x], x.ty.with_shape(shape), span)
    }

    pub(super) fn pad(&mut self, x: &Tensor, at: Span, width: Option<&Argument>, span: Span) -> Value {
        let (Some(width), Some(dims)) = (width, plain_dims(&x.ty.shape)) else { return Value::Unknown };
        let Some(x) = self.numbers(x, at, "pad") else { return Value::Unknown };
        let mut widths: Vec<(i64, i64)> = Vec::with_capacity(dims.len());
        match &width.value {
            Value::List(items) => {
                let items = items.clone();
                let pairs = items.iter().all(|item| matches!(item.value, Value::List(_)));
                if pairs && items.len() == dims.len() {
                    for item in items.iter() {
                        let Some(pair) = self.as_shape(&item.value, item.span) else { return Value::Unknown };
                        let numbers: Option<Vec<i64>> =
                            pair.iter().map(|axis| axis.dim().and_then(Dim::known)).collect();
                        match numbers.as_deref() {
                            Some([before, behind]) => widths.push((*before, *behind)),
                            Some(_) => {
                                self.report(problems::pad_width(item.span, &x.ty));
                                return Value::Unknown;
                            }
                            None => return Value::Unknown,
                        }
                    }
                } else if let ([before, behind], 1) = (items.as_slice(), dims.len()) {
                    let (Some(before), Some(behind)) =
                        (self.as_int(&before.value, before.span), self.as_int(&behind.value, behind.span))
                    else {
                        return Value::Unknown;
                    };
                    let (Some(before), Some(behind)) = (before.known(), behind.known()) else { return Value::Unknown };
                    widths.push((before, behind));
                } else {
                    self.report(problems::pad_width(width.span, &x.ty));
                    return Value::Unknown;
                }
            }
            value => {
                let Some(width) = self.as_int(value, width.span).and_then(|width| width.known()) else {
                    return Value::Unknown;
                };
                widths = vec![(width, width); dims.len()];
            }
        }
        let limit = 0..=1_000_000_000_i64;
        if widths.iter().any(|(before, behind)| !limit.contains(before) || !limit.contains(behind)) {
            self.report(problems::pad_width(width.span, &x.ty));
            return Value::Unknown;
        }
        let shape = dims.iter().zip(&widths).map(|(dim, (a, b))| Axis::Dim(dim.add(&Dim::Known(a + b)))).collect();
        let widths = widths.into_iter().map(|(a, b)| (a as usize, b as usize)).collect();
        let ty = x.ty.with_shape(shape);
        self.emit(HirOp::Pad(widths), &[&x], ty, span)
    }

    pub(super) fn upsample(&mut self, x: &Tensor, at: Span, factor: Option<&Argument>, span: Span) -> Value {
        let (Some(factor), Some(dims)) = (factor, plain_dims(&x.ty.shape)) else { return Value::Unknown };
        if dims.len() < 2 {
            self.report(problems::window_rank(&x.at(at), span, "upsample"));
            return Value::Unknown;
        }
        let Some(given) = self.as_shape(&factor.value, factor.span) else { return Value::Unknown };
        let spatial = dims.len() - 1;
        let factors: Option<Vec<i64>> = given.iter().map(|axis| axis.dim().and_then(Dim::known)).collect();
        let Some(mut factors) = factors else { return Value::Unknown };
        if factors.len() == 1 {
            factors = vec![factors[0]; spatial];
        }
        if factors.len() != spatial || factors.iter().any(|factor| !(1..=1_000_000).contains(factor)) {
            self.report(problems::window_list(factor.span, "factor", spatial, &x.ty));
            return Value::Unknown;
        }
        let mut value = x.clone();
        let mut notes = Vec::with_capacity(factors.len());
        for (axis, &factor) in factors.iter().enumerate() {
            let mut shape = value.ty.shape.clone();
            shape[axis] = Axis::Dim(dims[axis].mul(&Dim::Known(factor)));
            let ty = value.ty.with_shape(shape);
            notes.push(arithmetic::of_two(&dims[axis], "·", &Dim::Known(factor), &dims[axis].mul(&Dim::Known(factor))));
            let op = HirOp::Upsample { axis, factor: factor as usize };
            match self.emit_tensor(op, &[&value], ty, span) {
                Some(next) => value = next,
                None => return Value::Unknown,
            }
        }
        Value::Tensor(value.made_by(arithmetic::notes(notes)))
    }

    /// `expand(x, [t, n])` repeats to a shape that has that of `x` as its suffix; `expand(x, 5, axis = 0)` makes a new axis.
    pub(super) fn expand(
        &mut self,
        x: &Tensor,
        at: Span,
        target: Option<&Argument>,
        axis: Option<&Argument>,
        span: Span,
    ) -> Value {
        let Some(target) = target else { return Value::Unknown };
        if !matches!(target.value, Value::List(_) | Value::Axes(_)) {
            let Some(extent) = self.as_int(&target.value, target.span) else { return Value::Unknown };
            let mut shape = x.ty.shape.clone();
            shape.insert(0, Axis::Dim(extent.clone()));
            let Some(axis) = self.axis_argument(axis, 0, &x.ty.with_shape(shape), at) else { return Value::Unknown };
            let mut shape = x.ty.shape.clone();
            shape.insert(axis, Axis::Dim(extent));
            let axes = (0..shape.len()).filter(|&own| own != axis).collect();
            return self.emit(HirOp::Expand(axes), &[x], x.ty.with_shape(shape), span);
        }
        let Some(shape) = self.as_shape(&target.value, target.span) else { return Value::Unknown };
        let (short, long) = (x.ty.shape.len(), shape.len());
        let plain = plain_dims(&shape).is_some() && plain_dims(&x.ty.shape).is_some();
        let fits = short <= long && compare_shapes(&x.ty.shape, &shape[long - short..].to_vec()) != Verdict::Different;
        if !fits {
            if plain {
                self.report(problems::expand_mismatch(target.span, &x.at(at), &Written(&shape)));
            }
            return Value::Unknown;
        }
        let axes = (long - short..long).collect();
        self.emit(HirOp::Expand(axes), &[x], x.ty.with_shape(shape), span)
    }

    pub(super) fn slice_call(&mut self, x: &Tensor, at: Span, rest: &[Option<Argument>], span: Span) -> Value {
        let [Some(start), Some(end), ..] = rest else { return Value::Unknown };
        let axis = rest.get(2).and_then(Option::as_ref);
        let Some(axis) = self.axis_argument(axis, 0, &x.ty, at) else { return Value::Unknown };
        let (Some(first), Some(last)) = (self.as_int(&start.value, start.span), self.as_int(&end.value, end.span))
        else {
            return Value::Unknown;
        };
        let Axis::Dim(extent) = x.ty.shape[axis].clone() else { return Value::Unknown };
        let place = start.span.to(end.span);
        let Some((first, last)) = self.bounds(&first, &last, &extent, &x.ty, place) else { return Value::Unknown };
        self.cut(x, axis, &first, &last, span)
    }

    /// A half-open range within an extent, negative numbers counted from the end; reports one that leaves it.
    fn bounds(&mut self, start: &Dim, end: &Dim, extent: &Dim, ty: &Type, span: Span) -> Option<(Dim, Dim)> {
        let from_end = |dim: &Dim| match dim {
            Dim::Known(number) if *number < 0 => extent.add(dim),
            dim => dim.clone(),
        };
        let (start, end) = (from_end(start), from_end(end));
        if let (Some(first), Some(last)) = (start.known(), end.known()) {
            let beyond = extent.known().is_some_and(|extent| last > extent);
            if first < 0 || first > last || beyond {
                self.report(problems::range_out_of_bounds(span, first, last, extent, ty));
                return None;
            }
        }
        Some((start, end))
    }

    pub(super) fn eval_index(&mut self, base: ExprId, indices: &'a [IndexExpr], span: Span) -> Value {
        let at = self.ast()[base].span;
        let value = self.eval(base, &Want::Any);
        match &value {
            Value::Unknown => {
                for index in indices {
                    if let IndexExpr::At(expr) = index {
                        self.eval(*expr, &Want::Int);
                    }
                }
                Value::Unknown
            }
            Value::List(_) | Value::Axes(_) | Value::Tuple(_) => self.index_list(&value, indices, span),
            value => match self.to_tensor(value, at) {
                Some(tensor) => self.index_tensor(&tensor, at, indices, span),
                None => Value::Unknown,
            },
        }
    }

    /// An element of a compile-time list.
    fn index_list(&mut self, value: &Value, indices: &'a [IndexExpr], span: Span) -> Value {
        let items: Vec<Value> = match value {
            Value::List(items) => items.iter().map(|item| item.value.clone()).collect(),
            Value::Tuple(items) => items.iter().map(|(_, value)| value.clone()).collect(),
            Value::Axes(axes) => match plain_dims(axes) {
                Some(dims) => dims.into_iter().map(Value::Int).collect(),
                None => return Value::Unknown,
            },
            _ => return Value::Unknown,
        };
        let [IndexExpr::At(expr)] = indices else {
            return match self.to_tensor(value, span) {
                Some(tensor) => self.index_tensor(&tensor, span, indices, span),
                None => Value::Unknown,
            };
        };
        let at = self.ast()[*expr].span;
        let Some(index) = self.eval_int(*expr).and_then(|index| index.known()) else { return Value::Unknown };
        let place = if index < 0 { index + items.len() as i64 } else { index };
        match usize::try_from(place).ok().and_then(|place| items.get(place)) {
            Some(value) => value.clone(),
            None => {
                self.report(problems::list_index(at, index, items.len()));
                Value::Unknown
            }
        }
    }

    fn index_tensor(&mut self, x: &Tensor, at: Span, indices: &'a [IndexExpr], span: Span) -> Value {
        let ast = self.ast();
        if x.ty.is_lifted() {
            self.report(problems::untyped_argument(at, "x[…]"));
            return Value::Unknown;
        }
        let known = plain_dims(&x.ty.shape);
        if known.as_ref().is_some_and(|dims| indices.len() > dims.len()) {
            self.report(problems::too_many_indices(span, indices.len(), &x.at(at)));
            return Value::Unknown;
        }
        // Ranges first, in one go, then the axes that go, from the last.
        let mut ranges: Vec<Option<(Dim, Dim)>> = Vec::with_capacity(indices.len());
        let mut takes: Vec<(usize, Dim)> = Vec::new();
        for (axis, index) in indices.iter().enumerate() {
            let Some(Axis::Dim(extent)) = x.ty.shape.get(axis).cloned() else { return Value::Unknown };
            match index {
                IndexExpr::At(expr) => {
                    let place = ast[*expr].span;
                    let value = self.eval(*expr, &Want::Int);
                    if let Value::Tensor(category) = &value {
                        if indices.len() == 1 {
                            return self.gather(x, at, category, place, span);
                        }
                        self.report(problems::index_at_run_time(place, &category.ty));
                        return Value::Unknown;
                    }
                    let Some(index) = self.as_int(&value, place) else { return Value::Unknown };
                    let position = match &index {
                        Dim::Known(number) if *number < 0 => extent.add(&index),
                        index => index.clone(),
                    };
                    if let Some(number) = position.known() {
                        let beyond = extent.known().is_some_and(|extent| number >= extent);
                        if number < 0 || beyond {
                            self.report(problems::index_out_of_range(place, &index, &extent, &x.at(at)));
                            return Value::Unknown;
                        }
                    }
                    ranges.push(None);
                    takes.push((axis, position));
                }
                IndexExpr::Range { start, end, span: place } => {
                    let start = match start {
                        Some(start) => self.eval_int(*start),
                        None => Some(Dim::Known(0)),
                    };
                    let end = match end {
                        Some(end) => self.eval_int(*end),
                        None => Some(extent.clone()),
                    };
                    let (Some(start), Some(end)) = (start, end) else { return Value::Unknown };
                    let Some(bounds) = self.bounds(&start, &end, &extent, &x.ty, *place) else { return Value::Unknown };
                    ranges.push(Some(bounds));
                }
            }
        }
        let mut value = x.clone();
        if ranges.iter().any(Option::is_some) {
            let mut shape = x.ty.shape.clone();
            let mut numbers = Vec::with_capacity(shape.len());
            for (axis, extent) in x.ty.shape.iter().enumerate() {
                let whole = (0, extent.dim().and_then(Dim::known).unwrap_or_default() as usize);
                numbers.push(match ranges.get(axis) {
                    Some(Some((start, end))) => {
                        shape[axis] = Axis::Dim(end.sub(start));
                        match (start.known(), end.known()) {
                            (Some(start), Some(end)) => (start as usize, end as usize),
                            _ => whole,
                        }
                    }
                    Some(None) | None => whole,
                });
            }
            let ty = x.ty.with_shape(shape);
            match self.emit_tensor(HirOp::Slice(numbers), &[x], ty, span) {
                Some(cut) => value = cut,
                None => return Value::Unknown,
            }
        }
        for (axis, index) in takes.into_iter().rev() {
            let mut shape = value.ty.shape.clone();
            shape.remove(axis);
            let ty = value.ty.with_shape(shape);
            let op = HirOp::Take { axis, index: index.known().unwrap_or_default() as usize };
            match self.emit_tensor(op, &[&value], ty, span) {
                Some(next) => value = next,
                None => return Value::Unknown,
            }
        }
        Value::Tensor(value)
    }

    /// `E[token]`: the elements along the first axis that a category names.
    fn gather(&mut self, table: &Tensor, at: Span, index: &Tensor, place: Span, span: Span) -> Value {
        let Element::Class { count, .. } = &index.ty.element else {
            self.report(problems::index_at_run_time(place, &index.ty));
            return Value::Unknown;
        };
        let Some((Axis::Dim(rows), rest)) = table.ty.shape.split_first() else { return Value::Unknown };
        if rows.compare(count) == Verdict::Different {
            let problem = problems::gather_mismatch(&table.at(at), &index.at(place));
            self.report(problem);
            return Value::Unknown;
        }
        let Some(table) = self.numbers(table, at, "x[…]") else { return Value::Unknown };
        let mut shape = index.ty.shape.clone();
        shape.extend(rest.iter().cloned());
        // An element of a vector is a product with the category as a vector of 0 and 1, which `graph::stabilize` sees through.
        let mut hot = index.ty.shape.clone();
        hot.push(Axis::Dim(count.clone()));
        match (index.ty.shape.len(), rest.len()) {
            (0, 0) => {
                let Some(hot) = self.emit_tensor(HirOp::OneHot, &[index], Type::number(hot), span) else {
                    return Value::Unknown;
                };
                let ty = Type::number(table.ty.shape.clone());
                let product = self.emit_tensor(HirOp::Elementwise(Elementwise::Mul), &[&hot, &table], ty, span);
                let Some(product) = product else { return Value::Unknown };
                self.emit(HirOp::Reduce(Reduce::Sum, vec![0]), &[&product], Type::scalar(), span)
            }
            _ => self.emit(HirOp::Gather, &[&table, index], Type::number(shape), span),
        }
    }
}

/// The one axis in which two shapes differ.
fn joining_axis(a: &Shape, b: &Shape) -> Option<usize> {
    let mut different = (0..a.len()).filter(|&at| a[at] != b[at]);
    let axis = different.next()?;
    different.next().is_none().then_some(axis)
}

/// A reduction as it is written.
pub(super) fn reduction_name(reduce: Reduce) -> &'static str {
    match reduce {
        Reduce::Sum => "sum",
        Reduce::Mean => "mean",
        Reduce::Max => "max",
        Reduce::Min => "min",
        Reduce::Prod => "prod",
        Reduce::Var => "var",
        Reduce::ArgMax => "argmax",
        Reduce::ArgMin => "argmin",
    }
}
