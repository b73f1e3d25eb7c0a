//! Contractions and windows: `@`, `conv`, `conv_transpose`, `max_pool`, `avg_pool`.

use super::arithmetic;
use super::dim::{Dim, Verdict};
use super::hir::{HirOp, Window};
use super::infer::Walker;
use super::types::{Argument, Axis, Shape, Tensor, Type, Value, plain_dims};
use crate::diagnostics::{Operand, shapes as problems};
use crate::source::Span;

/// How the border of windows is treated.
enum Padding {
    Valid,
    Same,
    Widths(Vec<Dim>),
    Unknown,
}

impl<'a> Walker<'a> {
    /// `a @ b`.
    pub(super) fn matmul(&mut self, left: (Value, Span), right: (Value, Span), at: Span, span: Span) -> Value {
        if matches!(left.0, Value::Unknown) || matches!(right.0, Value::Unknown) {
            return Value::Unknown;
        }
        let (Some(a), Some(b)) = (self.to_tensor(&left.0, left.1), self.to_tensor(&right.0, right.1)) else {
            return Value::Unknown;
        };
        for (tensor, place) in [(&a, left.1), (&b, right.1)] {
            if tensor.ty.is_lifted() {
                self.report(problems::untyped_argument(place, "@"));
                return Value::Unknown;
            }
        }
        let (Some(a), Some(b)) = (self.numbers(&a, left.1, "@"), self.numbers(&b, right.1, "@")) else {
            return Value::Unknown;
        };
        for (tensor, place) in [(&a, left.1), (&b, right.1)] {
            if tensor.ty.shape.is_empty() {
                let name = self.sources.slice(place);
                let scans = self.frames.last().map_or(&[][..], |frame| &frame.scans);
                let state = scans.iter().flat_map(|scan| &scan.states).any(|(state, ..)| **state == *name);
                self.report(problems::matmul_of_scalar(&tensor.at(place), state.then_some(name), at));
                return Value::Unknown;
            }
        }
        let (rows, columns) = (&a.ty.shape, &b.ty.shape);
        let Some(inner_b) = columns.len().checked_sub(if columns.len() > 2 { 2 } else { columns.len() }) else {
            return Value::Unknown;
        };
        let (Some(Axis::Dim(inner)), Some(Axis::Dim(other))) = (rows.last(), columns.get(inner_b)) else {
            return Value::Unknown;
        };
        if inner.compare(other) == Verdict::Different {
            let flips = columns.len() == 2
                && columns.last().and_then(Axis::dim).is_some_and(|dim| dim.compare(inner) == Verdict::Equal);
            self.report(problems::matmul_mismatch(&a.at(left.1), &b.at(right.1), inner, other, flips));
            return Value::Unknown;
        }
        let mut shape: Shape = rows[..rows.len() - 1].to_vec();
        if columns.len() <= 2 {
            shape.extend(columns[1..].iter().cloned());
            return self.emit(HirOp::MatMul, &[&a, &b], Type::number(shape), span);
        }
        // Higher ranks: the leading axes run together.
        let leading = columns.len() - 2;
        if plain_dims(rows).is_none() || plain_dims(columns).is_none() {
            return Value::Unknown;
        }
        let same = rows.len() == columns.len()
            && super::types::compare_shapes(&rows[..leading].to_vec(), &columns[..leading].to_vec())
                != Verdict::Different;
        if !same {
            self.report(problems::matmul_leading(&a.at(left.1), &b.at(right.1)));
            return Value::Unknown;
        }
        shape.extend(columns.last().cloned());
        self.emit(HirOp::MatMul, &[&a, &b], Type::number(shape), span)
    }

    /// `conv(x, W, stride, padding, dilation, groups)`: `x` is `[spatial…, c_in]`, `W` is `[window…, c_in / groups, c_out]`.
    pub(super) fn conv(&mut self, x: &Tensor, at: Span, rest: &[Option<Argument>], span: Span) -> Value {
        let Some(Some(weights)) = rest.first() else { return Value::Unknown };
        let Some(w) = self.to_tensor(&weights.value, weights.span) else { return Value::Unknown };
        let Some(x) = self.numbers(x, at, "conv") else { return Value::Unknown };
        let Some(w) = self.numbers(&w, weights.span, "conv") else { return Value::Unknown };
        let (Some(dims), Some(window)) = (plain_dims(&x.ty.shape), plain_dims(&w.ty.shape)) else {
            return Value::Unknown;
        };
        if dims.len() < 2 {
            self.report(problems::window_rank(&x.at(at), span, "conv"));
            return Value::Unknown;
        }
        let spatial = dims.len() - 1;
        if window.len() != spatial + 2 {
            self.report(problems::conv_weights("conv", &w.at(weights.span), &x.at(at), spatial));
            return Value::Unknown;
        }
        let argument = |at: usize| rest.get(at).and_then(Option::as_ref);
        let Some(stride) = self.per_axis(argument(1), "stride", spatial, &x.ty) else { return Value::Unknown };
        let Some(padding) = self.padding(argument(2), spatial, &x.ty) else { return Value::Unknown };
        let Some(dilation) = self.per_axis(argument(3), "dilation", spatial, &x.ty) else { return Value::Unknown };
        let Some(groups) = self.int_argument(argument(4), 1) else { return Value::Unknown };
        let channels = window[spatial].mul(&groups);
        if channels.compare(&dims[spatial]) == Verdict::Different {
            self.report(problems::conv_channels(
                "conv",
                &w.at(weights.span),
                &x.at(at),
                &window[spatial],
                &dims[spatial],
                &groups,
            ));
            return Value::Unknown;
        }
        let outputs = window[spatial + 1].clone();
        if let (Some(groups), Some(outputs)) = (groups.known(), outputs.known())
            && (groups < 1 || outputs % groups != 0)
        {
            self.report(problems::conv_groups(span, groups, outputs));
            return Value::Unknown;
        }
        let size = window[..spatial].to_vec();
        let spec = WindowSpec { size, stride, padding, dilation, groups };
        let Some((window, mut shape, made)) = self.windows(&spec, &dims[..spatial], &x.at(at), "conv", span) else {
            return Value::Unknown;
        };
        shape.push(Axis::Dim(outputs));
        let result = self.emit_tensor(HirOp::Conv(window), &[&x, &w], Type::number(shape), span);
        result.map_or(Value::Unknown, |result| Value::Tensor(result.made_by(made)))
    }

    /// `conv_transpose(x, W, stride, padding, dilation)`: the transpose of `conv`; `x` is `[spatial…, c_in]`, `W` is
    /// `[window…, c_in, c_out]`.
    pub(super) fn conv_transpose(&mut self, x: &Tensor, at: Span, rest: &[Option<Argument>], span: Span) -> Value {
        let name = "conv_transpose";
        let Some(Some(weights)) = rest.first() else { return Value::Unknown };
        let Some(w) = self.to_tensor(&weights.value, weights.span) else { return Value::Unknown };
        let Some(x) = self.numbers(x, at, name) else { return Value::Unknown };
        let Some(w) = self.numbers(&w, weights.span, name) else { return Value::Unknown };
        let (Some(dims), Some(filter)) = (plain_dims(&x.ty.shape), plain_dims(&w.ty.shape)) else {
            return Value::Unknown;
        };
        if dims.len() < 2 {
            self.report(problems::window_rank(&x.at(at), span, name));
            return Value::Unknown;
        }
        let spatial = dims.len() - 1;
        if filter.len() != spatial + 2 {
            self.report(problems::conv_weights(name, &w.at(weights.span), &x.at(at), spatial));
            return Value::Unknown;
        }
        let one = Dim::Known(1);
        if filter[spatial].compare(&dims[spatial]) == Verdict::Different {
            let (w, x) = (w.at(weights.span), x.at(at));
            self.report(problems::conv_channels(name, &w, &x, &filter[spatial], &dims[spatial], &one));
            return Value::Unknown;
        }
        let argument = |at: usize| rest.get(at).and_then(Option::as_ref);
        let Some(stride) = self.per_axis(argument(1), "stride", spatial, &x.ty) else { return Value::Unknown };
        let Some(padding) = self.padding(argument(2), spatial, &x.ty) else { return Value::Unknown };
        let Some(dilation) = self.per_axis(argument(3), "dilation", spatial, &x.ty) else { return Value::Unknown };
        let mut shape = Vec::with_capacity(dims.len());
        let mut window = Window { groups: 1, ..Window::default() };
        for (axis, extent) in dims[..spatial].iter().enumerate() {
            if !self.has_windows(&filter[axis], extent, true, &x.at(at), name, span) {
                return Value::Unknown;
            }
            let (stride, dilation) = (&stride[axis], &dilation[axis]);
            let reach = filter[axis].sub(&one).mul(dilation).add(&one);
            let whole = extent.sub(&one).mul(stride).add(&reach);
            let (out, before) = match &padding {
                Padding::Valid => (whole, Dim::Known(0)),
                Padding::Widths(widths) => (whole.sub(&widths[axis]).sub(&widths[axis]), widths[axis].clone()),
                Padding::Same => {
                    let out = extent.mul(stride);
                    let before = whole.sub(&out).larger(&Dim::Known(0)).div(&Dim::Known(2));
                    (out, before)
                }
                Padding::Unknown => (Dim::Unknown, Dim::Known(0)),
            };
            if matches!(out, Dim::Known(out) if out < 1) {
                self.report(problems::nothing_left(span, name, &out, &x.at(at)));
                return Value::Unknown;
            }
            let number = |dim: &Dim| dim.known().unwrap_or_default().max(0) as usize;
            window.size.push(number(&filter[axis]));
            window.stride.push(number(stride));
            window.padding.push((number(&before), 0));
            window.dilation.push(number(dilation));
            shape.push(Axis::Dim(out));
        }
        shape.push(Axis::Dim(filter[spatial + 1].clone()));
        self.emit(HirOp::ConvTranspose(window), &[&x, &w], Type::number(shape), span)
    }

    /// `max_pool` and `avg_pool`.
    pub(super) fn pool(&mut self, max: bool, x: &Tensor, at: Span, rest: &[Option<Argument>], span: Span) -> Value {
        let name = if max { "max_pool" } else { "avg_pool" };
        let Some(x) = self.numbers(x, at, name) else { return Value::Unknown };
        let Some(dims) = plain_dims(&x.ty.shape) else { return Value::Unknown };
        if dims.len() < 2 {
            self.report(problems::window_rank(&x.at(at), span, name));
            return Value::Unknown;
        }
        let spatial = dims.len() - 1;
        let argument = |at: usize| rest.get(at).and_then(Option::as_ref);
        let Some(size) = self.per_axis(argument(0), "size", spatial, &x.ty) else { return Value::Unknown };
        let stride = match argument(1) {
            Some(_) => self.per_axis(argument(1), "stride", spatial, &x.ty),
            None => Some(size.clone()),
        };
        let Some(stride) = stride else { return Value::Unknown };
        let Some(padding) = self.padding(argument(2), spatial, &x.ty) else { return Value::Unknown };
        let dilation = vec![Dim::Known(1); spatial];
        let spec = WindowSpec { size, stride, padding, dilation, groups: Dim::Known(1) };
        let Some((window, mut shape, made)) = self.windows(&spec, &dims[..spatial], &x.at(at), name, span) else {
            return Value::Unknown;
        };
        // A size that is not known yet is 0 here.
        let beyond = |((before, behind), size): (&(usize, usize), &usize)| *size > 0 && before.max(behind) >= size;
        let no_pixels = dims[..spatial].contains(&Dim::Known(0));
        if no_pixels || window.padding.iter().zip(&window.size).any(beyond) {
            let place = argument(2).map_or(span, |padding| padding.span);
            self.report(problems::pool_of_nothing(place, name));
            return Value::Unknown;
        }
        shape.push(Axis::Dim(dims[spatial].clone()));
        let op = if max { HirOp::MaxPool(window) } else { HirOp::AvgPool(window) };
        let result = self.emit_tensor(op, &[&x], Type::number(shape), span);
        result.map_or(Value::Unknown, |result| Value::Tensor(result.made_by(made)))
    }

    /// A number for every spatial axis: one for all, or a list.
    fn per_axis(&mut self, given: Option<&Argument>, name: &str, spatial: usize, ty: &Type) -> Option<Vec<Dim>> {
        let Some(given) = given else { return Some(vec![Dim::Known(1); spatial]) };
        let list = self.as_shape(&given.value, given.span)?;
        let mut numbers: Vec<Dim> = list.iter().filter_map(|axis| axis.dim().cloned()).collect();
        if numbers.len() == 1 {
            numbers = vec![numbers[0].clone(); spatial];
        }
        if numbers.len() != spatial || numbers.iter().any(|number| matches!(number, Dim::Known(n) if *n < 1)) {
            self.report(problems::window_list(given.span, name, spatial, ty));
            return None;
        }
        Some(numbers)
    }

    fn padding(&mut self, given: Option<&Argument>, spatial: usize, ty: &Type) -> Option<Padding> {
        let Some(given) = given else { return Some(Padding::Valid) };
        match &given.value {
            Value::Word(Some(word)) if &**word == "same" => Some(Padding::Same),
            Value::Word(Some(word)) if &**word == "valid" => Some(Padding::Valid),
            Value::Word(None) | Value::Unknown => Some(Padding::Unknown),
            Value::Text(text) if &**text == "same" => Some(Padding::Same),
            Value::Text(text) if &**text == "valid" => Some(Padding::Valid),
            Value::Word(_) | Value::Text(_) => {
                let found = self.describe(&given.value);
                self.report(problems::not_a_case(given.span, &found, "padding", &["valid", "same"]));
                None
            }
            _ => {
                let list = self.as_shape(&given.value, given.span)?;
                let mut widths: Vec<Dim> = list.iter().filter_map(|axis| axis.dim().cloned()).collect();
                if widths.len() == 1 {
                    widths = vec![widths[0].clone(); spatial];
                }
                if widths.len() != spatial || widths.iter().any(|width| matches!(width, Dim::Known(n) if *n < 0)) {
                    self.report(problems::padding_list(given.span, spatial, ty));
                    return None;
                }
                Some(Padding::Widths(widths))
            }
        }
    }

    /// Whether windows have elements, and where `pixels` are needed the image has some; reports what has not.
    fn has_windows(&mut self, size: &Dim, extent: &Dim, pixels: bool, x: &Operand, name: &str, span: Span) -> bool {
        let what = match (size, extent) {
            (Dim::Known(size), _) if *size < 1 => "a window",
            (_, Dim::Known(extent)) if pixels && *extent < 1 => "an extent",
            _ => return true,
        };
        self.report(problems::window_of_nothing(span, name, what, x));
        false
    }

    /// The windows over spatial axes, the extents of the result and how these were worked out.
    fn windows(
        &mut self,
        spec: &WindowSpec,
        dims: &[Dim],
        x: &Operand,
        name: &str,
        span: Span,
    ) -> Option<(Window, Shape, Option<String>)> {
        let mut shape = Vec::with_capacity(dims.len());
        let mut notes = Vec::with_capacity(dims.len());
        let mut window = Window {
            size: Vec::new(),
            stride: Vec::new(),
            padding: Vec::new(),
            dilation: Vec::new(),
            groups: spec.groups.known().unwrap_or(1).max(1) as usize,
        };
        let one = Dim::Known(1);
        for (axis, extent) in dims.iter().enumerate() {
            let (size, stride, dilation) = (&spec.size[axis], &spec.stride[axis], &spec.dilation[axis]);
            if !self.has_windows(size, extent, matches!(spec.padding, Padding::Same), x, name, span) {
                return None;
            }
            // The number of elements from the first of a window to its last.
            let reach = size.sub(&one).mul(dilation).add(&one);
            let (out, before, after) = match &spec.padding {
                Padding::Valid => (extent.sub(&reach).div(stride).add(&one), Dim::Known(0), Dim::Known(0)),
                Padding::Widths(widths) => {
                    let padded = extent.add(&widths[axis]).add(&widths[axis]);
                    (padded.sub(&reach).div(stride).add(&one), widths[axis].clone(), widths[axis].clone())
                }
                Padding::Same => {
                    let out = extent.add(stride).sub(&one).div(stride);
                    let total = out.sub(&one).mul(stride).add(&reach).sub(extent).larger(&Dim::Known(0));
                    let before = total.div(&Dim::Known(2));
                    (out, before.clone(), total.sub(&before))
                }
                Padding::Unknown => (Dim::Unknown, Dim::Known(0), Dim::Known(0)),
            };
            let padding = match &spec.padding {
                Padding::Widths(widths) => widths[axis].clone(),
                Padding::Valid | Padding::Same | Padding::Unknown => Dim::Known(0),
            };
            let written = arithmetic::Windows { extent, padding: &padding, reach: &reach, stride, out: &out }.written();
            if matches!(out, Dim::Known(out) if out < 1) {
                self.report(problems::window_too_large(span, name, &reach, extent, x, written.as_deref()));
                return None;
            }
            notes.push(match &spec.padding {
                Padding::Valid | Padding::Widths(_) => written,
                Padding::Same if *stride == one => None,
                Padding::Same => {
                    arithmetic::of_two(extent, "/", stride, &out).map(|text| format!("{text}, rounded up"))
                }
                Padding::Unknown => None,
            });
            let number = |dim: &Dim| dim.known().unwrap_or_default().max(0) as usize;
            window.size.push(number(size));
            window.stride.push(number(stride));
            window.padding.push((number(&before), number(&after)));
            window.dilation.push(number(dilation));
            shape.push(Axis::Dim(out));
        }
        Some((window, shape, arithmetic::notes(notes)))
    }
}

/// Windows with dimensions that may be symbolic.
struct WindowSpec {
    size: Vec<Dim>,
    stride: Vec<Dim>,
    padding: Padding,
    dilation: Vec<Dim>,
    groups: Dim,
}
