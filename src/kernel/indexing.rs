//! Rows picked from a table, and updates added up by row.

use super::emit::{Emitter, linear};
use super::{Affine, Inst, Lane, Place, Reg, Rows, Stmt};
use crate::graph::{Binary, NodeId, Op};
use crate::plan::{Group, row_major};

impl Emitter<'_> {
    /// An element of [`Op::Gather`].
    pub(super) fn gather(&mut self, node: NodeId, index: &[Affine]) -> Reg {
        let Op::Gather { batch } = self.graph[node].op else { unreachable!("{node} picks no rows") };
        let [table, indices] = self.graph[node].operands[..] else { unreachable!("two operands") };
        let table_ty = self.graph[table].ty.clone();
        let rank = self.graph[indices].ty.rank();
        let (lane, count) = (super::emit::lane_of(table_ty.dtype), table_ty.shape[batch]);
        if count == 0 {
            let zero = self.i32(0);
            return match lane {
                Lane::F32 => self.f32(0.0),
                Lane::I32 => zero,
                Lane::Mask => self.one(Lane::Mask, super::OneOp::I32ToMask, zero),
            };
        }
        let row = self.operand(node, 1, index);
        let at = [&index[..batch], &[Affine::default()], &index[rank..]].concat();
        let place = self.place(table, &at);
        let stride: usize = table_ty.shape[batch + 1..].iter().product();
        self.load_at(place, row, Rows { count, stride }, lane)
    }

    /// [`Op::ScatterAdd`]: zeros, then one update after the other.
    pub(super) fn scatter_add(&mut self, group: &Group, node: NodeId) {
        let Op::ScatterAdd { batch } = self.graph[node].op else { unreachable!("{node} adds no rows up") };
        let [indices, updates] = self.graph[node].operands[..] else { unreachable!("two operands") };
        let shape = self.graph[node].ty.shape.clone();
        self.fill(node);
        let (places, parts) = (self.graph[indices].ty.shape.clone(), self.graph[updates].ty.shape.clone());
        if parts.contains(&0) || shape.contains(&0) {
            return;
        }
        let rest = &shape[batch + 1..];
        let rows = Rows { count: shape[batch], stride: rest.iter().product() };
        // Axes of extent 1 have no loops.
        let open = |emitter: &mut Self, extent: usize, name: &str, independent: bool| match extent {
            1 => Affine::default(),
            _ if independent => Affine::var(emitter.open_independent(name)),
            _ => Affine::var(emitter.open(name)),
        };
        let shared: Vec<Affine> = shape[..batch].iter().map(|&extent| open(self, extent, "i", true)).collect();
        let each: Vec<Affine> = places[batch..].iter().map(|&extent| open(self, extent, "i", false)).collect();
        let index = [shared.as_slice(), &each].concat();
        let row = self.under(group, node, 0, &index);
        // All but the last axis of a row have loops; the last is that of the lanes.
        let (lanes, outer) = rest.split_last().map_or((None, &[][..]), |(last, outer)| (Some(*last), outer));
        let mut inner: Vec<Affine> = outer.iter().map(|&extent| open(self, extent, "r", false)).collect();
        let lanes = lanes.inspect(|&extent| inner.push(open(self, extent, "j", false))).filter(|&extent| extent != 1);
        let update = self.under(group, node, 1, &[index.as_slice(), &inner].concat());
        let at = [shared.as_slice(), &[Affine::default()], &inner].concat();
        let start = self.place(node, &vec![Affine::default(); shape.len()]);
        let place = Place { index: start.index.plus(&linear(&at, &row_major(&shape))), ..start };
        let before = self.load_here(place.clone(), row, rows);
        let sum = self.binary(Binary::Add, before, update);
        self.store_at(place, row, rows, sum);
        if let Some(extent) = lanes {
            let (var, block) = self.close_lanes();
            self.push_stmt(Stmt::Map { var, extent, block });
        }
        for &extent in outer.iter().rev().chain(places.iter().rev()).filter(|extent| **extent != 1) {
            self.close_for(extent);
        }
    }

    fn store_at(&mut self, place: Place, row: Reg, rows: Rows, value: Reg) {
        self.push_inst(Inst::StoreAt { place, row, rows, value });
    }
}
