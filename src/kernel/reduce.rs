//! The order of sums: reductions one after the other inside a lane, and folds along rows.

use super::emit::{Emitter, STEP, linear};
use super::{Affine, Carried, Combine, Comparison, Fold, Lane, OneOp, Order, Place, Reg, Stmt, TwoOp};
use crate::graph::{DType, NodeId, Op, Reduction};
use crate::numerics::sums::reduces_interleaved;
use crate::plan::{
    Access, AxisMap, ContextKind, Group, access, as_one, contract_axes, fold_columns, fold_operand_index, row_major,
    strided,
};

/// Loops of at most so many rounds are written out.
pub(super) const WRITTEN_OUT: usize = 8;

/// So many rounds of a longer loop are written out behind each other.
pub(super) const UNROLL: usize = 4;

impl Emitter<'_> {
    /// The values of nodes of one context at several points (each an index along the context's axes); stores those that lie in memory.
    pub(super) fn compute_nodes(&mut self, group: &Group, nodes: &[NodeId], points: &[Vec<Affine>]) {
        let mut stores = Vec::new();
        for &node in nodes {
            let indices: Vec<Vec<Affine>> = points.iter().map(|point| self.node_index(node, point)).collect();
            let values: Vec<Reg> = match access(&self.graph[node].op) {
                Access::Product => self.contract(node, &indices),
                Access::Reduction => indices.iter().map(|index| self.reduction(group, node, index)).collect(),
                Access::Source
                | Access::Point
                | Access::View
                | Access::Pick
                | Access::Join
                | Access::Loop
                | Access::Foreign => indices.iter().map(|index| self.compute(node, index)).collect(),
            };
            for (index, value) in indices.iter().zip(values) {
                self.remember(node, index, value);
                if self.plan.stored[node.0 as usize].is_some() {
                    stores.push((self.place(node, index), value));
                }
            }
        }
        for (place, value) in stores {
            self.store(place, value);
        }
    }

    /// The operand of a node that reduces or joins, at an index of the operand.
    pub(super) fn under(&mut self, group: &Group, node: NodeId, number: usize, index: &[Affine]) -> Reg {
        let operand = self.graph[node].operands[number];
        let kind = ContextKind::Under(node, number);
        if let Some(context) = group.contexts.iter().find(|context| context.kind == kind) {
            let shape = &self.graph[operand].ty.shape;
            let point: Vec<Affine> =
                shape.iter().zip(index).filter(|(extent, _)| **extent != 1).map(|(_, index)| index.clone()).collect();
            self.compute_nodes(group, &context.nodes, &[point]);
        }
        self.value(operand, index)
    }

    /// A reduction inside its lane.
    fn reduction(&mut self, group: &Group, node: NodeId, index: &[Affine]) -> Reg {
        let Op::Reduce { kind, axis, count } = self.graph[node].op else { return self.extremum(group, node, index) };
        let dtype = self.graph[node].ty.dtype;
        let extents = self.graph[self.graph[node].operands[0]].ty.shape[axis..axis + count].to_vec();
        let total: usize = extents.iter().product();
        let at = |inner: &[Affine]| [&index[..axis], inner, &index[axis..]].concat();
        let mut accumulator = self.start(kind, dtype);
        if total <= WRITTEN_OUT {
            for element in 0..total {
                let value = self.under(group, node, 0, &at(&unravel(element, &extents)));
                accumulator = self.step(kind, accumulator, value);
            }
            return accumulator;
        }
        let lane = self.lane(accumulator);
        let mut inner = vec![Affine::default(); count];
        let mut open = Vec::new();
        for (place, &extent) in extents.iter().enumerate().filter(|(_, extent)| **extent != 1) {
            inner[place] = Affine::var(self.open("r"));
            let current = self.reg(lane);
            open.push((extent, accumulator, current));
            accumulator = current;
        }
        let value = self.under(group, node, 0, &at(&inner));
        let mut next = self.step(kind, accumulator, value);
        while let Some((extent, start, current)) = open.pop() {
            let result = self.reg(lane);
            self.close_loop(extent, UNROLL, vec![Carried { start, current, next, result }]);
            next = result;
        }
        next
    }

    fn extremum(&mut self, group: &Group, node: NodeId, index: &[Affine]) -> Reg {
        let (Op::ArgMax { axis } | Op::ArgMin { axis }) = self.graph[node].op else { unreachable!("a reduction") };
        let better = if matches!(self.graph[node].op, Op::ArgMax { .. }) { Comparison::Gt } else { Comparison::Lt };
        let extent = self.graph[self.graph[node].operands[0]].ty.shape[axis];
        let first = self.i32(0);
        if extent <= 1 {
            return first;
        }
        let value = |emitter: &mut Self, at: Affine| {
            let value = emitter.under(group, node, 0, &[&index[..axis], &[at], &index[axis..]].concat());
            emitter.comparable(value)
        };
        let best = value(self, Affine::constant(0));
        let lane = self.lane(best);
        let at = Affine::var(self.open("r")).plus(&Affine::constant(1));
        let (best_now, place_now) = (self.reg(lane), self.reg(Lane::I32));
        let candidate = value(self, at.clone());
        let wins = self.compare(better, candidate, best_now);
        let place = self.index_value(&at);
        let (best_next, place_next) = (self.choose(wins, candidate, best_now), self.choose(wins, place, place_now));
        let (best_last, place_last) = (self.reg(lane), self.reg(Lane::I32));
        let carried = vec![
            Carried { start: best, current: best_now, next: best_next, result: best_last },
            Carried { start: first, current: place_now, next: place_next, result: place_last },
        ];
        self.close_loop(extent - 1, UNROLL, carried);
        place_last
    }

    /// Truth values as numbers.
    fn comparable(&mut self, value: Reg) -> Reg {
        match self.lane(value) {
            Lane::F32 | Lane::I32 => value,
            Lane::Mask => self.one(Lane::I32, OneOp::MaskToI32, value),
        }
    }

    fn start(&mut self, kind: Reduction, dtype: DType) -> Reg {
        match (kind, dtype) {
            (Reduction::Sum, DType::F32) => self.f32(0.0),
            (Reduction::Prod, DType::F32) => self.f32(1.0),
            (Reduction::Max, DType::F32) => self.f32(f32::NEG_INFINITY),
            (Reduction::Min, DType::F32) => self.f32(f32::INFINITY),
            (Reduction::Sum, DType::I32 | DType::Bool) => self.i32(0),
            (Reduction::Prod, DType::I32 | DType::Bool) => self.i32(1),
            (Reduction::Max, DType::I32 | DType::Bool) => self.i32(i32::MIN),
            (Reduction::Min, DType::I32 | DType::Bool) => self.i32(i32::MAX),
        }
    }

    fn step(&mut self, kind: Reduction, accumulator: Reg, value: Reg) -> Reg {
        let lane = self.lane(accumulator);
        let op = match (kind, lane) {
            (Reduction::Sum, Lane::F32) => TwoOp::Add,
            (Reduction::Prod, Lane::F32) => TwoOp::Mul,
            (Reduction::Max, Lane::F32) => TwoOp::Max,
            (Reduction::Min, Lane::F32) => TwoOp::Min,
            (Reduction::Sum, Lane::I32 | Lane::Mask) => TwoOp::AddI,
            (Reduction::Prod, Lane::I32 | Lane::Mask) => TwoOp::MulI,
            (Reduction::Max, Lane::I32 | Lane::Mask) => TwoOp::MaxI,
            (Reduction::Min, Lane::I32 | Lane::Mask) => TwoOp::MinI,
        };
        self.two(lane, op, accumulator, value)
    }

    /// The loops of a group with rows, one row: for each stage what the row knows, then the columns with the folds that end it.
    pub(super) fn row(&mut self, group: &Group, rows: &[Affine]) {
        let cols = &group.domain[rows.len()..];
        let width: usize = cols.iter().product();
        let nodes_of =
            |context: Option<usize>| context.map_or(&[][..], |context| group.contexts[context].nodes.as_slice());
        let (full, row) = (nodes_of(Some(group.full)).to_vec(), nodes_of(group.row).to_vec());
        let last = group.stages.iter().map(|(_, stage)| *stage).max().unwrap_or(0);
        let mut results: Vec<(Place, Reg)> = Vec::new();
        for stage in 0..=last {
            let points: Vec<NodeId> =
                row.iter().copied().filter(|&node| group.stage(node) == stage && !self.is_fold(node)).collect();
            self.compute_nodes(group, &points, &[rows.to_vec()]);
            for &node in &points {
                let value = self.value(node, &self.node_index(node, rows));
                self.know(node, value);
            }
            // What the row reads of an input that a fold replaces is read by now.
            for (place, value) in results.drain(..) {
                self.store(place, value);
            }
            let folds: Vec<NodeId> =
                row.iter().copied().filter(|&node| group.stage(node) == stage + 1 && self.is_fold(node)).collect();
            let maps: Vec<NodeId> = full.iter().copied().filter(|&node| group.stage(node) == stage).collect();
            if width == 0 {
                for &node in &folds {
                    let value = self.empty_fold(node);
                    self.know(node, value);
                }
            } else if group.linear {
                self.columns(group, rows, &maps, &folds);
            } else {
                self.nest(group, rows.to_vec(), cols, &maps);
                for &node in &folds {
                    self.stored_fold(node, rows, width);
                }
            }
            for &node in folds.iter().filter(|node| self.plan.stored[node.0 as usize].is_some()) {
                let index = self.node_index(node, rows);
                results.push((self.place(node, &index), self.value(node, &index)));
            }
        }
    }

    fn is_fold(&self, node: NodeId) -> bool {
        fold_columns(self.graph, node).is_some()
    }

    /// A fold of no columns: an interleaved product has some.
    fn empty_fold(&mut self, node: NodeId) -> Reg {
        match self.graph[node].op {
            Op::Reduce { kind, .. } => self.start(kind, self.graph[node].ty.dtype),
            ref op => {
                debug_assert_eq!(access(op), Access::Reduction, "an index of an extremum");
                self.i32(0)
            }
        }
    }

    /// All columns as one axis.
    fn columns(&mut self, group: &Group, rows: &[Affine], maps: &[NodeId], folds: &[NodeId]) {
        if maps.is_empty() && folds.is_empty() {
            return;
        }
        let cols = &group.domain[rows.len()..];
        let extent = cols.iter().product();
        let lane = Affine::var(self.open("j"));
        let mut point = rows.to_vec();
        point.extend(vec![Affine::default(); cols.len() - 1]);
        point.push(lane);
        self.compute_nodes(group, maps, std::slice::from_ref(&point));
        let mut results = Vec::new();
        for &node in folds {
            let values: Vec<Reg> = self
                .fold_indices(node, rows.len(), &point)
                .into_iter()
                .map(|(operand, index)| self.value(operand, &index))
                .collect();
            results.push(self.fold(node, &values));
        }
        self.close_columns(extent, results, folds);
    }

    fn close_columns(&mut self, extent: usize, results: Vec<(Combine, Order, Reg)>, nodes: &[NodeId]) {
        let (var, block) = self.close_lanes();
        if results.is_empty() {
            self.push_stmt(Stmt::Map { var, extent, block });
            return;
        }
        let mut folds = Vec::new();
        for ((combine, order, value), &node) in results.into_iter().zip(nodes) {
            let result = self.reg(super::emit::lane_of(self.graph[node].ty.dtype));
            folds.push(Fold { combine, order, value, result });
        }
        let known: Vec<Reg> = folds.iter().map(|fold| fold.result).collect();
        self.push_stmt(Stmt::Fold { var, extent, block, folds });
        for (&node, value) in nodes.iter().zip(known) {
            self.know(node, value);
        }
    }

    /// The operands of a fold and where it wants them.
    fn fold_indices(&self, node: NodeId, rows: usize, point: &[Affine]) -> Vec<(NodeId, Vec<Affine>)> {
        let operands = self.graph[node].operands.iter().enumerate();
        let is_product = access(&self.graph[node].op) == Access::Product;
        let index = |number: usize, operand: NodeId| match is_product {
            true => at_point(&fold_operand_index(self.graph, node, number, rows), point),
            false => self.node_index(operand, point),
        };
        operands.map(|(number, &operand)| (operand, index(number, operand))).collect()
    }

    /// How a fold combines, with its value as a register of the block.
    fn fold(&mut self, node: NodeId, values: &[Reg]) -> (Combine, Order, Reg) {
        let mut values: Vec<Reg> = values.iter().map(|&value| self.comparable(value)).collect();
        for value in &mut values {
            *value = self.in_scope(*value);
        }
        match self.graph[node].op {
            Op::Reduce { kind, axis, count } => {
                let combine = match kind {
                    Reduction::Sum => Combine::Add,
                    Reduction::Prod => Combine::Mul,
                    Reduction::Max => Combine::Max,
                    Reduction::Min => Combine::Min,
                };
                let shape = &self.graph[self.graph[node].operands[0]].ty.shape;
                let order = if reduces_interleaved(shape, axis, count) { Order::Interleaved } else { Order::Sequence };
                (combine, order, values[0])
            }
            Op::Contract { .. } => (Combine::Fma(values[1]), Order::Interleaved, values[0]),
            Op::ArgMax { .. } => (Combine::ArgMax, Order::Sequence, values[0]),
            Op::ArgMin { .. } => (Combine::ArgMin, Order::Sequence, values[0]),
            ref op => unreachable!("{op:?} is no fold"),
        }
    }

    /// A fold over several axes whose operands lie in memory and run as one axis there.
    fn stored_fold(&mut self, node: NodeId, rows: &[Affine], extent: usize) {
        let operands = self.graph[node].operands.clone();
        let mut zero = rows.to_vec();
        zero.extend(vec![Affine::default(); fold_columns(self.graph, node).map_or(0, |cols| cols.len())]);
        let starts = self.fold_indices(node, rows.len(), &zero);
        let strides = match access(&self.graph[node].op) == Access::Product {
            true => {
                let axes = contract_axes(self.graph, node, &self.plan.inline).expect("operands are views");
                let depth = as_one(&axes.depth).expect("a fold runs along one axis");
                vec![depth.left, depth.right]
            }
            false => vec![1],
        };
        let lane = Affine::var(self.open("j"));
        let mut values = Vec::new();
        for (((_, index), &operand), stride) in starts.iter().zip(&operands).zip(strides) {
            let start = self.view_place(operand, index);
            let place = Place { index: start.index.plus(&lane.times(stride)), ..start };
            values.push(self.load(place, self.graph[operand].ty.dtype));
        }
        let result = self.fold(node, &values);
        self.close_columns(extent, vec![result], &[node]);
    }

    /// Where an element of a view of a stored node lies.
    fn view_place(&self, node: NodeId, index: &[Affine]) -> Place {
        let view = strided(self.graph, node, &self.plan.inline).expect("a view of a stored node");
        let rank = self.graph[view.base].ty.rank();
        let base = self.place(view.base, &vec![Affine::default(); rank]);
        let buffer = self.plan.stored[view.base.0 as usize].expect("a view of a stored node");
        let strides = self.stored_strides(buffer, view.strides);
        let index = linear(index, &strides).plus(&from_start(view.offset, view.step));
        Place { index: base.index.plus(&index), ..base }
    }
}

/// Where a view begins: at a fixed place, moved on with the steps of the loop around.
pub(super) fn from_start(offset: i64, step: i64) -> Affine {
    Affine::constant(offset).plus(&Affine::var(STEP).times(step))
}

fn at_point(index: &[AxisMap], point: &[Affine]) -> Vec<Affine> {
    index
        .iter()
        .map(|map| {
            let along = map.axis.map_or(Affine::default(), |axis| point[axis].times(map.scale));
            along.plus(&Affine::constant(map.offset))
        })
        .collect()
}

fn unravel(element: usize, extents: &[usize]) -> Vec<Affine> {
    let strides = row_major(extents);
    extents
        .iter()
        .zip(strides)
        .map(|(&extent, stride)| Affine::constant((element as i64 / stride) % extent as i64))
        .collect()
}
