//! Windows over axes: what convolutions, their transposes, pools and the gradients of all of them are built from.
//!
//! A window is a view, [`Op::Windows`]; nothing is added up here. Zeros around an axis, and between its elements, are written
//! out by [`Op::Pad`].
//!
//! ```text
//! y[o] = Σ_k x[o · stride + k · dilation] · w[k]          the product of windows of x with w
//! x'[i] = Σ_k y'[(i − k · dilation) / stride] · w[k]      the product of windows of y', spread and padded, with w reversed
//! ```

use super::{Builder, NodeId, Op, TensorType};

/// How windows lie along an axis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Along {
    /// The number of elements in a window.
    pub size: usize,
    /// From the first element of a window to that of the next.
    pub stride: usize,
    /// From an element of a window to the next.
    pub dilation: usize,
}

impl Along {
    /// From the first element of a window to behind its last.
    pub fn reach(self) -> usize {
        (self.size - 1) * self.dilation + 1
    }

    /// The windows of the transpose, see [`Builder::reaching`].
    pub fn reaching(self) -> Along {
        Along { stride: 1, ..self }
    }

    /// How many windows lie within `extent` elements.
    pub fn count(self, extent: usize) -> usize {
        extent.checked_sub(self.reach()).map_or(0, |rest| rest / self.stride + 1)
    }
}

impl Builder {
    /// Axis `axis` of `x` as two: the windows along it and the elements of each.
    pub fn windows(&mut self, x: NodeId, axis: usize, along: Along) -> NodeId {
        assert!(along.size > 0 && along.stride > 0 && along.dilation > 0, "windows {along:?}");
        let mut ty = self.ty(x).clone();
        let count = along.count(ty.shape[axis]);
        ty.shape[axis] = count;
        ty.shape.insert(axis + 1, along.size);
        if along.size == 1 && along.stride == 1 {
            return self.reshape(x, &ty.shape);
        }
        self.push(Op::Windows { axis, along }, vec![x], ty)
    }

    /// What windows that each have a value of `ct` for every element add up to along an axis of `extent` elements: the transpose of
    /// [`Builder::windows`]. `axis` is that of the windows, the one behind it that of their elements.
    pub fn overlap(&mut self, ct: NodeId, axis: usize, along: Along, extent: usize) -> NodeId {
        let Along { size, stride, dilation } = along;
        let shape = self.shape(ct).to_vec();
        let with = |extents: &[usize]| [&shape[..axis], extents, &shape[axis + 2..]].concat();
        let count = shape[axis];
        if dilation == 1 && (size <= stride || count <= 1) {
            // Side by side, with gaps where they are further apart.
            let period = if count <= 1 { size } else { stride };
            let wide = self.fitted(ct, axis + 1, 0, period);
            let line = self.reshape(wide, &with(&[count * period]));
            return self.fitted(line, axis, 0, extent);
        }
        // Row k of [size, covered] is what the k-th elements add, moved by k · dilation. In rows that are `dilation` longer, read
        // on as rows of `covered`, each begins that much later than the one before.
        let spread = self.spread(ct, axis, stride);
        let covered = self.shape(spread)[axis] + (size - 1) * dilation;
        let mut order: Vec<usize> = (0..shape.len()).collect();
        order.swap(axis, axis + 1);
        let rows = self.transpose(spread, &order);
        let long = self.fitted(rows, axis + 1, 0, covered + dilation);
        let line = self.reshape(long, &with(&[size * (covered + dilation)]));
        let line = self.fitted(line, axis, 0, size * covered);
        let moved = self.reshape(line, &with(&[size, covered]));
        let sum = self.sum(moved, &[axis]);
        self.fitted(sum, axis, 0, extent)
    }

    /// `y` spread and padded so that its windows [`Along::reaching`], multiplied with the elements of a window in reverse order, are the
    /// transpose of a convolution: for each of `extent` places, `before` of which have been cut off in front, what of `y`
    /// reaches it.
    pub fn reaching(&mut self, y: NodeId, axis: usize, along: Along, before: usize, extent: usize) -> NodeId {
        let spread = self.spread(y, axis, along.stride);
        let before_first = along.reach() as i64 - 1 - before as i64;
        self.fitted(spread, axis, before_first, extent + along.reach() - 1)
    }

    /// `x` with `stride - 1` zeros between neighbours along `axis`.
    pub fn spread(&mut self, x: NodeId, axis: usize, stride: usize) -> NodeId {
        let mut shape = self.shape(x).to_vec();
        let extent = shape[axis];
        if stride == 1 || extent <= 1 {
            return x;
        }
        shape.insert(axis + 1, 1);
        let apart = self.reshape(x, &shape);
        let apart = self.fitted(apart, axis + 1, 0, stride);
        shape.remove(axis + 1);
        shape[axis] = extent * stride;
        let line = self.reshape(apart, &shape);
        self.fitted(line, axis, 0, (extent - 1) * stride + 1)
    }

    /// `x` with `extent` elements along `axis`, its first at `start`: zeros come in, what has no place is cut off.
    pub fn fitted(&mut self, x: NodeId, axis: usize, start: i64, extent: usize) -> NodeId {
        let shape = self.shape(x).to_vec();
        let limit = |place: i64| place.clamp(0, shape[axis] as i64) as usize;
        let (first, last) = (limit(-start), limit(extent as i64 - start));
        let (mut from, mut to) = (vec![0; shape.len()], shape.clone());
        (from[axis], to[axis]) = (first.min(last), last);
        let inside = self.slice(x, &from, &to);
        let (mut low, mut high) = (vec![0; shape.len()], vec![0; shape.len()]);
        low[axis] = start.clamp(0, extent as i64) as usize;
        high[axis] = extent - low[axis] - (to[axis] - from[axis]);
        self.pad(inside, &low, &high)
    }

    /// `x` with elements of that value before and behind along `axis`.
    pub fn surrounded(&mut self, x: NodeId, axis: usize, value: f32, (low, high): (usize, usize)) -> NodeId {
        let mut parts = Vec::new();
        for extent in [low, high] {
            let mut shape = self.shape(x).to_vec();
            shape[axis] = extent;
            let value = self.f32(value);
            parts.push((extent > 0).then(|| self.broadcast_suffix(value, &shape)));
        }
        let parts: Vec<NodeId> = [parts[0], Some(x), parts[1]].into_iter().flatten().collect();
        self.concat(&parts, axis)
    }
}

/// The type of the windows along an axis of `x`; `None` where there are no such windows.
pub(super) fn windows_type(x: &TensorType, axis: usize, along: Along) -> Option<TensorType> {
    if axis >= x.rank() || along.size == 0 || along.stride == 0 || along.dilation == 0 {
        return None;
    }
    let mut shape = x.shape.clone();
    shape[axis] = along.count(shape[axis]);
    shape.insert(axis + 1, along.size);
    Some(TensorType { dtype: x.dtype, shape })
}
