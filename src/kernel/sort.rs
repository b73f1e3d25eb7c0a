//! The order of elements along an axis: keys whose order as whole numbers is that of the elements, then a sort of the keys.

use super::emit::Emitter;
use super::product::Scratch;
use super::{Affine, Comparison, Lane, Module, OneOp, Place, Reg, Sort, Stmt, TwoOp};
use crate::graph::{DType, NodeId, Op};
use crate::plan::{Group, row_major};

impl Emitter<'_> {
    /// [`Op::ArgSort`], one line along the axis after the other.
    pub(super) fn arg_sort(&mut self, module: &mut Module, group: &Group, node: NodeId) {
        let Op::ArgSort { axis, descending } = self.graph[node].op else { unreachable!("{node} is no order") };
        let shape = self.graph[node].ty.shape.clone();
        if shape.contains(&0) {
            return;
        }
        let extent = shape[axis];
        let mut scratch = Scratch { module, next: 0 };
        let keys = scratch.take_of(DType::I32, "keys", extent);
        let work = scratch.take_of(DType::I32, "work", Sort::work(extent));
        let loops: Vec<usize> = (0..shape.len()).filter(|&at| at != axis && shape[at] != 1).collect();
        let mut index = vec![Affine::default(); shape.len()];
        for &at in &loops {
            index[at] = Affine::var(self.open_independent("i"));
        }
        let order = self.place(node, &index);
        if extent > 1 {
            index[axis] = Affine::var(self.open("j"));
        }
        let element = self.under(group, node, 0, &index);
        let key = self.sort_key(element, descending);
        self.store(Place { buffer: keys, index: index[axis].clone() }, key);
        if extent > 1 {
            let (var, block) = self.close_lanes();
            self.push_stmt(Stmt::Map { var, extent, block });
        }
        let stride = row_major(&shape)[axis] as usize;
        let [keys, work] = [keys, work].map(|buffer| Place { buffer, index: Affine::default() });
        self.push_stmt(Stmt::Sort(Sort { extent, keys, work, order, stride }));
        for &at in loops.iter().rev() {
            self.close_for(shape[at]);
        }
    }

    /// A whole number that is less where an element comes earlier.
    fn sort_key(&mut self, element: Reg, descending: bool) -> Reg {
        if self.lane(element) == Lane::I32 {
            return if descending { self.flipped(element) } else { element };
        }
        // −0 becomes 0.
        let zero = self.f32(0.0);
        let element = self.two(Lane::F32, TwoOp::Add, element, zero);
        let bits = self.one(Lane::I32, OneOp::BitsOf, element);
        // The bits of negative numbers ascend while the numbers descend.
        let shift = self.i32(31);
        let sign = self.two(Lane::I32, TwoOp::ShrS, bits, shift);
        let all_but_sign = self.i32(i32::MAX);
        let mask = self.two(Lane::I32, TwoOp::AndI, sign, all_but_sign);
        let key = self.two(Lane::I32, TwoOp::XorI, bits, mask);
        let key = if descending { self.flipped(key) } else { key };
        let is_number = self.two(Lane::Mask, TwoOp::Compare(Comparison::Eq), element, element);
        self.choose(is_number, key, all_but_sign)
    }

    /// The complement, which reverses the order.
    fn flipped(&mut self, key: Reg) -> Reg {
        let ones = self.i32(-1);
        self.two(Lane::I32, TwoOp::XorI, key, ones)
    }
}
