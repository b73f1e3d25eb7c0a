//! Loops over the boxes of several axes.

use super::Affine;
use super::emit::{Emitter, linear};
use crate::numerics::boxes::Boxes;
use crate::plan::row_major;

/// A box: a range along each of some axes.
pub(super) struct Span {
    /// Where it begins along each axis.
    pub start: Vec<Affine>,
    /// How far it reaches along each axis.
    pub extents: Vec<usize>,
    /// Whether boxes came before, where they come in order.
    pub later: bool,
}

impl Span {
    /// The number of its elements.
    pub(super) fn size(&self) -> usize {
        self.extents.iter().product()
    }

    /// The row-major place of its first element among all of axes of these extents.
    pub(super) fn place(&self, extents: &[usize]) -> Affine {
        linear(&self.start, &row_major(extents))
    }
}

/// In which order boxes come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounds {
    /// One after the other; the first by itself.
    InOrder,
    /// In any order.
    Independent,
}

impl Emitter<'_> {
    /// Runs `body` for each box of `axes` axes.
    pub(super) fn each_box(
        &mut self,
        name: &str,
        boxes: &Boxes,
        axes: usize,
        rounds: Rounds,
        body: &mut dyn FnMut(&mut Self, &Span),
    ) {
        let around = Around { name, boxes, is_cut: axes > boxes.inner.len(), rounds };
        self.boxes_behind(&around, Vec::new(), false, body);
    }

    fn boxes_behind(
        &mut self,
        around: &Around<'_>,
        index: Vec<Affine>,
        later: bool,
        body: &mut dyn FnMut(&mut Self, &Span),
    ) {
        let Around { boxes, rounds, .. } = *around;
        let is_first = rounds == Rounds::InOrder && !later;
        let behind = |place: Affine| -> Vec<Affine> { index.iter().cloned().chain([place]).collect() };
        if let Some(&extent) = boxes.outer.get(index.len()) {
            if is_first && extent > 0 {
                self.boxes_behind(around, behind(Affine::default()), false, body);
            }
            self.rounds_between(around, usize::from(is_first), extent, &mut |emitter, place| {
                emitter.boxes_behind(around, behind(place), rounds == Rounds::InOrder, body);
            });
            return;
        }
        let (whole, rest) = (boxes.extent / boxes.piece, boxes.extent % boxes.piece);
        let mut one = |emitter: &mut Self, at: Affine, piece: usize, later: bool| {
            let cut = around.is_cut.then_some((at, piece));
            let mut start = index.clone();
            let mut extents = vec![1; index.len()];
            if let Some((at, piece)) = cut {
                start.push(at);
                extents.push(piece);
            }
            start.extend(boxes.inner.iter().map(|_| Affine::default()));
            extents.extend(&boxes.inner);
            body(emitter, &Span { start, extents, later });
        };
        if is_first && whole > 0 {
            one(self, Affine::default(), boxes.piece, false);
        }
        self.rounds_between(around, usize::from(is_first), whole, &mut |emitter, place| {
            one(emitter, place.times(boxes.piece as i64), boxes.piece, rounds == Rounds::InOrder);
        });
        if rest > 0 {
            one(self, Affine::constant((whole * boxes.piece) as i64), rest, later || (is_first && whole > 0));
        }
    }

    /// Runs `body` for each number from `from` to `to`.
    fn rounds_between(&mut self, around: &Around<'_>, from: usize, to: usize, body: &mut dyn FnMut(&mut Self, Affine)) {
        let start = Affine::constant(from as i64);
        match to.saturating_sub(from) {
            0 => {}
            1 => body(self, start),
            count => {
                let var = match around.rounds {
                    Rounds::InOrder => self.open(around.name),
                    Rounds::Independent => self.open_independent(around.name),
                };
                body(self, Affine::var(var).plus(&start));
                self.close_for(count);
            }
        }
    }
}

/// What loops over boxes share.
struct Around<'a> {
    name: &'a str,
    boxes: &'a Boxes,
    /// Whether the pieces are of an axis: else all axes are whole.
    is_cut: bool,
    rounds: Rounds,
}
