//! Loops over time, and rows picked and added up by index.

use super::{Array, elements, eval, read, row_major, write, zeros};
use crate::graph::{DType, Scan, TensorType};
use crate::numerics::Real;
use ndarray::Axis;

/// The results of a loop: the last states, then what was emitted.
pub(super) fn scan<T: Real>(scan: &Scan, operands: &[&Array<T>]) -> Vec<Array<T>> {
    let states = scan.state_operands();
    let mut inputs: Vec<Array<T>> = operands.iter().map(|&operand| operand.clone()).collect();
    let mut emitted: Vec<Array<T>> = (scan.states..scan.results()).map(|at| zeros(&scan.result_type(at))).collect();
    for step in 0..scan.extent {
        for (input, (time, sequence)) in inputs.iter_mut().zip(scan.over.iter().zip(operands)) {
            let place = time.place(step, scan.extent) as isize;
            let mut strides = row_major(sequence.shape());
            let offset = place * strides.remove(time.axis);
            *input = read(sequence, offset, &time.step_of(sequence.shape()), &strides);
        }
        let mut results = eval(&scan.region, &inputs).into_iter();
        for state in states.clone() {
            inputs[state] = results.next().expect("a region gives its states");
        }
        for (whole, (time, part)) in emitted.iter_mut().zip(scan.emits.iter().zip(results)) {
            let mut start = vec![0; whole.shape().len()];
            start[time.axis] = time.place(step, scan.extent);
            write(whole, &with_axis(part, time.axis), &start);
        }
    }
    states.map(|state| inputs[state].clone()).chain(emitted).collect()
}

fn with_axis<T: Real>(part: Array<T>, axis: usize) -> Array<T> {
    match part {
        Array::Real(part) => Array::Real(part.insert_axis(Axis(axis))),
        Array::I32(part) => Array::I32(part.insert_axis(Axis(axis))),
        Array::Bool(part) => Array::Bool(part.insert_axis(Axis(axis))),
    }
}

/// The rows of a table that indices name.
pub(super) fn gather<T: Real>(table: &Array<T>, indices: &Array<T>, batch: usize, shape: &[usize]) -> Array<T> {
    let places = row_places(indices.integers(), indices.shape(), batch, table.shape()[batch]);
    let width = table.shape()[batch + 1..].iter().product();
    match table {
        Array::Real(table) => Array::real(shape, rows(elements(table), &places, width, T::from_f32(0.0))),
        Array::I32(table) => Array::i32(shape, rows(elements(table), &places, width, 0)),
        Array::Bool(table) => Array::bool(shape, rows(elements(table), &places, width, false)),
    }
}

/// The updates added up by the rows that indices name, in their order.
pub(super) fn scatter_add<T: Real>(indices: &Array<T>, updates: &Array<T>, batch: usize, shape: &[usize]) -> Array<T> {
    let ty = TensorType { dtype: DType::F32, shape: shape.to_vec() };
    let mut result: Vec<T> = vec![T::from_f32(0.0); ty.len()];
    let width: usize = shape[batch + 1..].iter().product();
    let updates = updates.reals();
    for (number, place) in row_places(indices.integers(), indices.shape(), batch, shape[batch]).into_iter().enumerate()
    {
        let Some(row) = place else { continue };
        for (sum, &update) in result[row * width..][..width].iter_mut().zip(&updates[number * width..]) {
            *sum = *sum + update;
        }
    }
    Array::real(shape, result)
}

/// For each index the number of its row among those of all tables of `count` rows; none where they have no rows.
fn row_places(indices: &[i32], shape: &[usize], batch: usize, count: usize) -> Vec<Option<usize>> {
    let each: usize = shape[batch..].iter().product();
    let place = |(number, &index): (usize, &i32)| {
        let last = count.checked_sub(1)?;
        let row = usize::try_from(index).unwrap_or(0).min(last);
        Some(number / each * count + row)
    };
    indices.iter().enumerate().map(place).collect()
}

fn rows<E: Copy>(table: &[E], places: &[Option<usize>], width: usize, zero: E) -> Vec<E> {
    let mut result = Vec::with_capacity(places.len() * width);
    for place in places {
        match place {
            Some(row) => result.extend_from_slice(&table[row * width..][..width]),
            None => result.extend(std::iter::repeat_n(zero, width)),
        }
    }
    result
}
