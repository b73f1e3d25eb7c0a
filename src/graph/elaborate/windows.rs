//! Convolutions and pools as products and reductions of windows.

use super::Elaboration;
use crate::check::hir::Window;
use crate::graph::windows::Along;
use crate::graph::{Binary, DType, NodeId, Reduction};

impl Window {
    /// The windows along a spatial axis.
    fn along(&self, axis: usize) -> Along {
        Along { size: self.size[axis], stride: self.stride[axis], dilation: self.dilation[axis] }
    }

    fn axes(&self) -> std::ops::Range<usize> {
        0..self.size.len()
    }
}

impl Elaboration<'_, '_> {
    /// `x: [spatial…, c_in]`, `w: [window…, c_in / groups, c_out]`. The products are summed over the window's axes in order, then over the
    /// channels.
    pub(super) fn conv(&mut self, x: NodeId, w: NodeId, window: &Window) -> NodeId {
        let (x, w) = (self.b.convert(x, DType::F32), self.b.convert(w, DType::F32));
        let (x, w) = (self.in_groups(x, window.groups), self.filters_in_groups(w, window));
        let mut views = x;
        for axis in window.axes() {
            let extent = self.b.shape(x)[axis];
            let (before, behind) = window.padding[axis];
            views = self.b.fitted(views, axis, before as i64, before + extent + behind);
        }
        for axis in window.axes() {
            views = self.b.windows(views, 2 * axis, window.along(axis));
        }
        self.filtered(views, w, window)
    }

    /// As [`Elaboration::conv`] with what each window reads and writes exchanged; `spatial` are the extents of the result.
    pub(super) fn conv_transpose(&mut self, x: NodeId, w: NodeId, window: &Window, spatial: &[usize]) -> NodeId {
        let (x, mut w) = (self.b.convert(x, DType::F32), self.b.convert(w, DType::F32));
        let mut views = x;
        for axis in window.axes() {
            let before = window.padding[axis].0;
            views = self.b.reaching(views, axis, window.along(axis), before, spatial[axis]);
            w = self.b.reverse(w, axis);
        }
        for axis in window.axes() {
            views = self.b.windows(views, 2 * axis, window.along(axis).reaching());
        }
        self.filtered(views, w, window)
    }

    /// The product of windows with filters: `[o, k, …, c]` (or `[…, g, c]`) with `[k, …, c, f]` (or `[…, c, g, f]`).
    fn filtered(&mut self, views: NodeId, w: NodeId, window: &Window) -> NodeId {
        let spatial = window.size.len();
        let mut pairs: Vec<(usize, usize)> = window.axes().map(|axis| (2 * axis + 1, axis)).collect();
        if window.groups == 1 {
            pairs.push((2 * spatial, spatial));
            return self.b.contract(views, w, &[], &pairs);
        }
        pairs.push((2 * spatial + 1, spatial));
        let product = self.b.contract(views, w, &[(2 * spatial, spatial + 1)], &pairs);
        let order: Vec<usize> = (1..=spatial).chain([0, spatial + 1]).collect();
        let product = self.b.transpose(product, &order);
        let mut shape = self.b.shape(product)[..spatial].to_vec();
        shape.push(self.b.shape(product)[spatial..].iter().product());
        self.b.reshape(product, &shape)
    }

    /// The channels of `x` as groups and what is in each.
    fn in_groups(&mut self, x: NodeId, groups: usize) -> NodeId {
        if groups == 1 {
            return x;
        }
        let mut shape = self.b.shape(x).to_vec();
        let channels = shape.pop().unwrap_or(0);
        shape.extend([groups, channels / groups]);
        self.b.reshape(x, &shape)
    }

    fn filters_in_groups(&mut self, w: NodeId, window: &Window) -> NodeId {
        if window.groups == 1 {
            return w;
        }
        let mut shape = self.b.shape(w).to_vec();
        let filters = shape.pop().unwrap_or(0);
        shape.extend([window.groups, filters / window.groups]);
        self.b.reshape(w, &shape)
    }

    /// The largest element of each window; what lies outside does not count.
    pub(super) fn max_pool(&mut self, x: NodeId, window: &Window) -> NodeId {
        let mut x = self.b.convert(x, DType::F32);
        for axis in window.axes() {
            x = self.b.surrounded(x, axis, f32::NEG_INFINITY, window.padding[axis]);
        }
        self.pooled(x, window, Reduction::Max)
    }

    /// The mean of each window; what lies outside does not count.
    pub(super) fn avg_pool(&mut self, x: NodeId, window: &Window) -> NodeId {
        let x = self.b.convert(x, DType::F32);
        let mut padded = x;
        for axis in window.axes() {
            let extent = self.b.shape(x)[axis];
            let (before, behind) = window.padding[axis];
            padded = self.b.fitted(padded, axis, before as i64, before + extent + behind);
        }
        let sum = self.pooled(padded, window, Reduction::Sum);
        let count = self.counts(x, sum, window);
        self.b.div(sum, count)
    }

    fn pooled(&mut self, x: NodeId, window: &Window, kind: Reduction) -> NodeId {
        let spatial = window.size.len();
        let mut views = x;
        for axis in window.axes() {
            views = self.b.windows(views, 2 * axis, window.along(axis));
        }
        let places = window.axes().map(|axis| 2 * axis);
        let elements = window.axes().map(|axis| 2 * axis + 1);
        let order: Vec<usize> = places.chain(elements).chain([2 * spatial]).collect();
        let views = self.b.transpose(views, &order);
        let axes: Vec<usize> = (spatial..2 * spatial).collect();
        self.b.reduce(kind, views, &axes)
    }

    /// How many elements of `x` each window of `result` has, at least 1.
    fn counts(&mut self, x: NodeId, result: NodeId, window: &Window) -> NodeId {
        if window.padding.iter().all(|&padding| padding == (0, 0)) {
            return self.b.f32(window.size.iter().product::<usize>() as f32);
        }
        let one = self.b.f32(1.0);
        let shape = self.b.shape(result).to_vec();
        let mut counts = one;
        for axis in window.axes() {
            let extent = self.b.shape(x)[axis];
            let (before, behind) = window.padding[axis];
            let ones = self.b.broadcast_suffix(one, &[extent]);
            let ones = self.b.fitted(ones, 0, before as i64, before + extent + behind);
            let views = self.b.windows(ones, 0, window.along(axis));
            let sums = self.b.sum(views, &[1]);
            let here = self.b.broadcast(sums, &shape, &[axis]);
            counts = self.b.mul(counts, here);
        }
        self.b.binary(Binary::Max, counts, one)
    }
}
