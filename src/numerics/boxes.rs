//! Indices over several axes, in order, cut into boxes of a limited size: the blocks that long sums are added up in.
//!
//! A box is made of whole inner axes and a piece of the next: of `[5, 32, 32]` with at most 256 elements those are 8 rows of 32.
//! So the boxes of a sum over an image are the same wherever the image lies in memory.

/// The axes of some indices by their part in the boxes. One behind the other they are `outer`, the one that is cut, `inner`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Boxes {
    /// The extents of the axes of which each index has boxes of its own.
    pub outer: Vec<usize>,
    /// The extent of the axis that is cut into pieces; 1 where there is none.
    pub extent: usize,
    /// How many of its elements belong to a box; the last box of a row may have fewer.
    pub piece: usize,
    /// The extents of the axes that are whole in each box.
    pub inner: Vec<usize>,
}

impl Boxes {
    /// The boxes of at most `limit` elements: as many inner axes as fit into it, then as large a piece as fits. `limit` is at least 1.
    pub fn new(extents: &[usize], limit: usize) -> Boxes {
        let mut size = 1;
        let mut whole = extents.len();
        while whole > 0 && size * extents[whole - 1] <= limit {
            whole -= 1;
            size *= extents[whole];
        }
        let inner = extents[whole..].to_vec();
        match extents[..whole].split_last() {
            Some((&extent, outer)) => Boxes { outer: outer.to_vec(), extent, piece: limit / size.max(1), inner },
            None => Boxes { outer: Vec::new(), extent: 1, piece: 1, inner },
        }
    }

    /// The number of elements for each element of the axis that is cut.
    pub fn unit(&self) -> usize {
        self.inner.iter().product()
    }

    /// The numbers of elements of all boxes, in order.
    pub fn sizes(&self) -> impl Iterator<Item = usize> + use<'_> {
        let rows: usize = self.outer.iter().product();
        let pieces = move |_| (0..self.extent).step_by(self.piece).map(|at| self.piece.min(self.extent - at));
        (0..rows).flat_map(pieces).map(|piece| piece * self.unit())
    }
}
