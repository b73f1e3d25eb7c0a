//! Random loops over time, and rows picked and added up by random indices.

use super::{Generator, LARGEST};
use nnc::graph::{Binary, Builder, DType, NodeId, Role, Scan, TensorType, Time, Unary};

impl Generator {
    /// Rows of a table, some of whose indices are out of its bounds.
    pub(super) fn gather(&mut self) -> Option<NodeId> {
        let dtype = if self.smooth { DType::F32 } else { self.choices.of(&[DType::F32, DType::I32]) };
        let table = self.array(dtype)?;
        let shape = self.builder.shape(table).to_vec();
        let batch = self.choices.below(shape.len().min(2));
        let places = [&shape[..batch], &self.shape()].concat();
        if places.iter().chain(&shape[batch + 1..]).product::<usize>() > LARGEST || places.len() + shape.len() > 6 {
            return None;
        }
        let indices = self.input(DType::I32, &places);
        Some(self.builder.gather(table, indices, batch))
    }

    pub(super) fn scatter_add(&mut self) -> Option<NodeId> {
        let updates = self.array(DType::F32)?;
        let shape = self.builder.shape(updates).to_vec();
        let places = self.choices.below(shape.len() + 1);
        let batch = self.choices.below(places.min(1) + 1);
        let rows = 1 + self.choices.below(6);
        if shape[..batch].iter().chain([&rows]).chain(&shape[places..]).product::<usize>() > LARGEST {
            return None;
        }
        let indices = self.input(DType::I32, &shape[..places]);
        Some(self.builder.scatter_add(indices, updates, batch, rows))
    }

    /// A loop over one or two sequences with one or two states and a few results.
    pub(super) fn scan(&mut self) -> Option<NodeId> {
        let x = self.array(DType::F32)?;
        let shape = self.builder.shape(x).to_vec();
        let time = Time { axis: self.choices.below(shape.len()), reversed: self.choices.once_in(3) };
        let (extent, step) = (shape[time.axis], time.step_of(&shape));
        if extent > 9 {
            return None;
        }
        let other = if self.choices.once_in(2) { Some(self.input(DType::F32, &[extent])) } else { None };
        let start = self.input(DType::F32, &step);
        let width = step.last().copied().filter(|&width| width <= 33);
        let weights = width.map(|width| self.input(DType::F32, &[width, width]));

        let mut r = Builder::new("region");
        let x_t = r.input("x_t", Role::Data, TensorType::f32(step.clone()));
        let y_t = other.map(|_| r.input("y_t", Role::Data, TensorType::f32([])));
        let h = r.input("h", Role::State, TensorType::f32(step.clone()));
        let sum = r.input("sum", Role::State, TensorType::f32([]));
        let w = width.map(|width| r.input("W", Role::Setting, TensorType::f32([width, width])));
        let mut value = match w {
            Some(w) if self.choices.below(3) > 0 => r.contract(h, w, &[], &[(step.len() - 1, 0)]),
            _ => h,
        };
        value = r.binary(self.choices.of(&[Binary::Add, Binary::Mul, Binary::Sub]), value, x_t);
        if let Some(y_t) = y_t {
            value = r.mul(value, y_t);
        }
        let next = r.unary(self.choices.of(&[Unary::Tanh, Unary::Sigmoid, Unary::Sin]), value);
        let axes: Vec<usize> = (0..step.len()).collect();
        let reduced = r.sum(next, &axes);
        let half = r.f32(0.5);
        let less = r.mul(sum, half);
        let total = r.add(less, reduced);
        let emitted = match self.choices.below(4) {
            0 => next,
            1 => h,
            2 => r.mul(next, sum),
            _ => r.mul(x_t, next),
        };
        for (name, node) in [("h", next), ("sum", total), ("emit", emitted)] {
            r.output(name, node);
        }
        let emit = Time { axis: self.choices.below(step.len() + 1), reversed: self.choices.once_in(3) };
        let over = [Some(time), other.map(|_| Time::along(0))].into_iter().flatten().collect();
        let zero = self.builder.f32(0.0);
        let operands: Vec<NodeId> = [Some(x), other, Some(start), Some(zero), weights].into_iter().flatten().collect();
        let scan = self.builder.scan(Scan { region: r.graph, extent, over, states: 2, emits: vec![emit] }, &operands);
        let last = self.builder.result(scan, self.choices.below(2));
        self.pool.push(last);
        Some(self.builder.result(scan, 2))
    }
}
