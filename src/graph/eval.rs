//! The reference interpreter: what a graph means, as code.
//!
//! In: a graph and an array per input. Out: an array per output. Every operation is written in the most obvious way, the
//! sums in the order the graph's documentation fixes, the arithmetic that of `numerics`. Machine code is right if it gives
//! these bits. Run in f64 the same graph is the yardstick of gradients and of numerical stability.

mod regions;

use super::{Binary, CONTRACT_BLOCK, DType, Graph, NodeId, Op, Reduction, Scalar, TensorType, Unary};
use crate::numerics::boxes::Boxes;
use crate::numerics::sums::{
    Reducible, contract_interleaved, contracts_interleaved, fold_interleaved, reduces_interleaved,
};
use crate::numerics::{self, Real, philox};
use ndarray::{ArrayD, IxDyn};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A tensor's value. `T` stands for the f32 of the program: itself, or f64.
#[derive(Clone, PartialEq, Debug)]
pub enum Array<T = f32> {
    /// Numbers.
    Real(ArrayD<T>),
    /// Whole numbers.
    I32(ArrayD<i32>),
    /// Truth values.
    Bool(ArrayD<bool>),
}

impl<T: Real> Array<T> {
    /// Numbers in row-major order.
    pub fn real(shape: &[usize], elements: Vec<T>) -> Array<T> {
        Array::Real(array(shape, elements))
    }

    /// Whole numbers in row-major order.
    pub fn i32(shape: &[usize], elements: Vec<i32>) -> Array<T> {
        Array::I32(array(shape, elements))
    }

    /// Truth values in row-major order.
    pub fn bool(shape: &[usize], elements: Vec<bool>) -> Array<T> {
        Array::Bool(array(shape, elements))
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Array::Real(array) => array.shape(),
            Array::I32(array) => array.shape(),
            Array::Bool(array) => array.shape(),
        }
    }

    /// The type in a graph.
    pub fn ty(&self) -> TensorType {
        let dtype = match self {
            Array::Real(_) => DType::F32,
            Array::I32(_) => DType::I32,
            Array::Bool(_) => DType::Bool,
        };
        TensorType { dtype, shape: self.shape().to_vec() }
    }

    /// The numbers in row-major order; panics of another element type.
    pub fn reals(&self) -> &[T] {
        match self {
            Array::Real(array) => elements(array),
            Array::I32(_) | Array::Bool(_) => panic!("{} where f32 is due", self.ty()),
        }
    }

    /// The whole numbers in row-major order; panics of another element type.
    pub fn integers(&self) -> &[i32] {
        match self {
            Array::I32(array) => elements(array),
            Array::Real(_) | Array::Bool(_) => panic!("{} where i32 is due", self.ty()),
        }
    }

    /// The truth values in row-major order; panics of another element type.
    pub fn truths(&self) -> &[bool] {
        match self {
            Array::Bool(array) => elements(array),
            Array::Real(_) | Array::I32(_) => panic!("{} where bool is due", self.ty()),
        }
    }
}

impl Array<f32> {
    /// The array of that type whose elements, row-major, are stored as `bits` (see [`Scalar::bits`]).
    pub fn from_bits(ty: &TensorType, bits: &[u32]) -> Array {
        match ty.dtype {
            DType::F32 => Array::real(&ty.shape, bits.iter().map(|&bits| f32::from_bits(bits)).collect()),
            DType::I32 => Array::i32(&ty.shape, bits.iter().map(|&bits| bits as i32).collect()),
            DType::Bool => Array::bool(&ty.shape, bits.iter().map(|&bits| bits != 0).collect()),
        }
    }

    /// The elements as stored, row-major.
    pub fn to_bits(&self) -> Vec<u32> {
        match self {
            Array::Real(array) => array.iter().map(|&x| Scalar::F32(x).bits()).collect(),
            Array::I32(array) => array.iter().map(|&x| Scalar::I32(x).bits()).collect(),
            Array::Bool(array) => array.iter().map(|&x| Scalar::Bool(x).bits()).collect(),
        }
    }

    /// The same values with the numbers in f64.
    pub fn widen(&self) -> Array<f64> {
        match self {
            Array::Real(array) => Array::Real(array.mapv(f64::from)),
            Array::I32(array) => Array::I32(array.clone()),
            Array::Bool(array) => Array::Bool(array.clone()),
        }
    }
}

/// The values of the graph's outputs for `inputs`, in order. Panics where the inputs do not have the types the graph states.
pub fn eval<T: Real>(graph: &Graph, inputs: &[Array<T>]) -> Vec<Array<T>> {
    assert_eq!(graph.inputs.len(), inputs.len(), "the number of inputs of {}", graph.name);
    let inputs: Vec<Cow<'_, Array<T>>> = (graph.inputs.iter().zip(inputs))
        .map(|(input, array)| {
            assert_eq!(input.ty, array.ty(), "the type of input {:?} of {}", input.name, graph.name);
            standard_layout(array)
        })
        .collect();

    const KEPT: usize = usize::MAX;
    let mut last_use: Vec<usize> = (0..graph.nodes.len()).collect();
    for id in graph.ids() {
        for &operand in &graph[id].operands {
            last_use[operand.0 as usize] = id.0 as usize;
        }
    }
    for output in &graph.outputs {
        last_use[output.node.0 as usize] = KEPT;
    }

    let mut results: BTreeMap<NodeId, Vec<Array<T>>> = BTreeMap::new();
    let mut values: Vec<Option<Cow<'_, Array<T>>>> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let value = match &graph[id].op {
            Op::Input(number) => Cow::Borrowed(&*inputs[*number]),
            Op::Scan(scan) => {
                let operand =
                    |id: &NodeId| values[id.0 as usize].as_deref().expect("a value is kept up to its last use");
                let operands: Vec<&Array<T>> = graph[id].operands.iter().map(operand).collect();
                results.insert(id, regions::scan(scan, &operands));
                Cow::Owned(Array::real(&[0], Vec::new()))
            }
            Op::Result(number) => Cow::Owned(results[&graph[id].operands[0]][*number].clone()),
            _ => Cow::Owned(node(graph, id, &values)),
        };
        debug_assert_eq!(value.ty(), graph[id].ty, "the value of {id}");
        let at = id.0 as usize;
        values.push((last_use[at] != at).then_some(value));
        for operand in &graph[id].operands {
            if last_use[operand.0 as usize] == at {
                results.remove(operand);
                values[operand.0 as usize] = None;
            }
        }
    }
    let value = |id: NodeId| values[id.0 as usize].as_deref().expect("an output is kept").clone();
    graph.outputs.iter().map(|output| value(output.node)).collect()
}

fn node<T: Real>(graph: &Graph, id: NodeId, values: &[Option<Cow<'_, Array<T>>>]) -> Array<T> {
    let node = &graph[id];
    let shape = &node.ty.shape;
    let operand = |number: usize| -> &Array<T> {
        values[node.operands[number].0 as usize].as_deref().expect("a value is kept up to its last use")
    };
    match &node.op {
        Op::Input(_) => unreachable!("inputs are given"),
        Op::Constant(Scalar::F32(x)) => Array::real(shape, vec![T::from_f32(*x)]),
        Op::Constant(Scalar::I32(x)) => Array::i32(shape, vec![*x]),
        Op::Constant(Scalar::Bool(x)) => Array::bool(shape, vec![*x]),
        Op::Iota { axis } => {
            let inner: usize = shape[axis + 1..].iter().product();
            Array::i32(shape, (0..node.ty.len()).map(|element| (element / inner % shape[*axis]) as i32).collect())
        }
        Op::Unary(op) => unary(*op, operand(0)),
        Op::Binary(op) => binary(*op, operand(0), operand(1), shape),
        Op::Select => select(operand(0).truths(), operand(1), operand(2), shape),
        Op::Convert => convert(operand(0), node.ty.dtype),
        Op::Broadcast { axes } => {
            let mut strides = vec![0; shape.len()];
            for (stride, &axis) in row_major(operand(0).shape()).into_iter().zip(axes) {
                strides[axis] = stride;
            }
            read(operand(0), 0, shape, &strides)
        }
        Op::Reshape | Op::StopGradient => read(operand(0), 0, shape, &row_major(shape)),
        Op::Transpose { permutation } => {
            let strides = row_major(operand(0).shape());
            read(operand(0), 0, shape, &permutation.iter().map(|&axis| strides[axis]).collect::<Vec<_>>())
        }
        Op::Slice { start, .. } => {
            let strides = row_major(operand(0).shape());
            let offset = start.iter().zip(&strides).map(|(&start, stride)| start as isize * stride).sum();
            read(operand(0), offset, shape, &strides)
        }
        Op::Reverse { axis } => {
            let mut strides = row_major(shape);
            let offset = (shape[*axis] as isize - 1) * strides[*axis];
            strides[*axis] = -strides[*axis];
            read(operand(0), offset, shape, &strides)
        }
        Op::Windows { axis, along } => {
            let mut strides = row_major(operand(0).shape());
            let apart = strides[*axis];
            strides[*axis] = apart * along.stride as isize;
            strides.insert(axis + 1, apart * along.dilation as isize);
            read(operand(0), 0, shape, &strides)
        }
        Op::Pad { low, .. } => {
            let mut result = zeros(&node.ty);
            write(&mut result, operand(0), low);
            result
        }
        Op::Concat { axis } => {
            let mut result = zeros(&node.ty);
            let mut start = vec![0; shape.len()];
            for number in 0..node.operands.len() {
                write(&mut result, operand(number), &start);
                start[*axis] += operand(number).shape()[*axis];
            }
            result
        }
        Op::Reduce { kind, axis, count } => reduce(*kind, operand(0), *axis, *count, shape),
        Op::ArgMax { axis } => Array::i32(shape, arg_extremum(operand(0), *axis, true, node.ty.len())),
        Op::ArgMin { axis } => Array::i32(shape, arg_extremum(operand(0), *axis, false, node.ty.len())),
        Op::ArgSort { axis, descending } => Array::i32(shape, arg_sort(operand(0), *axis, *descending)),
        Op::Contract { batch, contract: pairs } => Array::real(shape, contract(operand(0), operand(1), batch, pairs)),
        Op::Gather { batch } => regions::gather(operand(0), operand(1), *batch, shape),
        Op::ScatterAdd { batch } => regions::scatter_add(operand(0), operand(1), *batch, shape),
        Op::Scan(_) | Op::Result(_) => unreachable!("loops have several results"),
        Op::Step(_) | Op::Emit { .. } => panic!("a step outside of its loop in {}", graph.name),
        Op::Uniform { purpose } => {
            let (seed, step) = (operand(0).integers(), operand(1).integers()[0]);
            Array::real(shape, uniform([seed[0] as u32, seed[1] as u32], step as u32, *purpose, node.ty.len()))
        }
        Op::SumBatch => panic!("the graph of one sample of {} has no batch to sum over", graph.name),
        Op::Orthogonalize => Array::real(shape, orthogonalize(operand(0).reals(), shape[0], shape[1])),
    }
}

fn array<E>(shape: &[usize], elements: Vec<E>) -> ArrayD<E> {
    ArrayD::from_shape_vec(IxDyn(shape), elements).expect("as many elements as the shape has")
}

fn elements<E>(array: &ArrayD<E>) -> &[E] {
    array.as_slice().expect("values are kept in row-major order")
}

fn standard_layout<T: Real>(given: &Array<T>) -> Cow<'_, Array<T>> {
    let is_standard = match given {
        Array::Real(array) => array.is_standard_layout(),
        Array::I32(array) => array.is_standard_layout(),
        Array::Bool(array) => array.is_standard_layout(),
    };
    if is_standard {
        return Cow::Borrowed(given);
    }
    Cow::Owned(match given {
        Array::Real(array) => Array::Real(array.as_standard_layout().into_owned()),
        Array::I32(array) => Array::I32(array.as_standard_layout().into_owned()),
        Array::Bool(array) => Array::Bool(array.as_standard_layout().into_owned()),
    })
}

fn zeros<T: Real>(ty: &TensorType) -> Array<T> {
    match ty.dtype {
        DType::F32 => Array::real(&ty.shape, vec![T::from_f32(0.0); ty.len()]),
        DType::I32 => Array::i32(&ty.shape, vec![0; ty.len()]),
        DType::Bool => Array::bool(&ty.shape, vec![false; ty.len()]),
    }
}

/// How far apart in memory neighbours along each axis lie.
fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// Calls `row` with the place of the first element of each row (along the last axis), rows in row-major order.
fn for_each_row(offset: isize, shape: &[usize], strides: &[isize], mut row: impl FnMut(isize)) {
    if shape.contains(&0) {
        return;
    }
    let outer = shape.len().saturating_sub(1);
    let mut index = vec![0; outer];
    let mut place = offset;
    loop {
        row(place);
        let mut axis = outer;
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis] as isize;
            index[axis] = 0;
        }
    }
}

fn gather<E: Copy>(from: &[E], offset: isize, shape: &[usize], strides: &[isize]) -> Vec<E> {
    let mut result = Vec::with_capacity(shape.iter().product());
    let (extent, stride) = (shape.last().map_or(1, |&n| n as isize), strides.last().map_or(1, |&stride| stride));
    for_each_row(offset, shape, strides, |place| {
        result.extend((0..extent).map(|i| from[(place + i * stride) as usize]));
    });
    result
}

/// The elements of `x` at `offset + Σ stride · index` for all indices of `shape`.
fn read<T: Real>(x: &Array<T>, offset: isize, shape: &[usize], strides: &[isize]) -> Array<T> {
    match x {
        Array::Real(x) => Array::real(shape, gather(elements(x), offset, shape, strides)),
        Array::I32(x) => Array::i32(shape, gather(elements(x), offset, shape, strides)),
        Array::Bool(x) => Array::bool(shape, gather(elements(x), offset, shape, strides)),
    }
}

fn scatter<E: Copy>(into: &mut ArrayD<E>, part: &ArrayD<E>, start: &[usize]) {
    let strides = row_major(into.shape());
    let offset = start.iter().zip(&strides).map(|(&start, stride)| start as isize * stride).sum();
    let row = part.shape().last().map_or(1, |&n| n);
    let (from, into) = (elements(part), into.as_slice_mut().expect("values are kept in row-major order"));
    let mut taken = 0;
    for_each_row(offset, part.shape(), &strides, |place| {
        into[place as usize..place as usize + row].copy_from_slice(&from[taken..taken + row]);
        taken += row;
    });
}

/// Puts `part` into `into` from the index `start` on.
fn write<T: Real>(into: &mut Array<T>, part: &Array<T>, start: &[usize]) {
    match (into, part) {
        (Array::Real(into), Array::Real(part)) => scatter(into, part, start),
        (Array::I32(into), Array::I32(part)) => scatter(into, part, start),
        (Array::Bool(into), Array::Bool(part)) => scatter(into, part, start),
        (into, part) => panic!("{} written into {}", part.ty(), into.ty()),
    }
}

fn unary<T: Real>(op: Unary, x: &Array<T>) -> Array<T> {
    match x {
        Array::Real(values) => Array::real(x.shape(), elements(values).iter().map(|x| x.unary(op)).collect()),
        Array::I32(values) if op == Unary::Neg => {
            Array::i32(x.shape(), elements(values).iter().map(|x| x.wrapping_neg()).collect())
        }
        Array::Bool(values) if op == Unary::Not => {
            Array::bool(x.shape(), elements(values).iter().map(|x| !x).collect())
        }
        Array::I32(_) | Array::Bool(_) => panic!("{op:?} of {}", x.ty()),
    }
}

/// One value for each element of `shape` from those of `a` and `b`, each repeated where it is a suffix.
fn zip<A: Copy, B: Copy, R>(a: &[A], b: &[B], shape: &[usize], function: impl Fn(A, B) -> R) -> Vec<R> {
    let len: usize = shape.iter().product();
    let mut result = Vec::with_capacity(len);
    if len == 0 {
        return result;
    }
    if a.len() < b.len() {
        for row in b.chunks_exact(a.len()) {
            result.extend(a.iter().zip(row).map(|(&a, &b)| function(a, b)));
        }
    } else {
        for row in a.chunks_exact(b.len()) {
            result.extend(row.iter().zip(b).map(|(&a, &b)| function(a, b)));
        }
    }
    result
}

fn binary<T: Real>(op: Binary, a: &Array<T>, b: &Array<T>, shape: &[usize]) -> Array<T> {
    match (a, b) {
        (Array::Real(a), Array::Real(b)) => {
            let (a, b) = (elements(a), elements(b));
            match op {
                // The two most frequent without a look at the operation per element.
                Binary::Add => Array::real(shape, zip(a, b, shape, |a, b| a + b)),
                Binary::Mul => Array::real(shape, zip(a, b, shape, |a, b| a * b)),
                Binary::Sub | Binary::Div | Binary::Pow | Binary::Max | Binary::Min => {
                    Array::real(shape, zip(a, b, shape, |a, b| numerics::binary(op, a, b)))
                }
                _ => Array::bool(shape, zip(a, b, shape, |a, b| numerics::compare(op, a, b))),
            }
        }
        (Array::I32(a), Array::I32(b)) => {
            let (a, b) = (elements(a), elements(b));
            match integer_function(op) {
                Some(function) => Array::i32(shape, zip(a, b, shape, function)),
                None => Array::bool(shape, zip(a, b, shape, |a, b| numerics::compare(op, a, b))),
            }
        }
        (Array::Bool(a), Array::Bool(b)) => {
            let (a, b) = (elements(a), elements(b));
            match op {
                Binary::And => Array::bool(shape, zip(a, b, shape, |a, b| a && b)),
                Binary::Or => Array::bool(shape, zip(a, b, shape, |a, b| a || b)),
                _ => Array::bool(shape, zip(a, b, shape, |a, b| numerics::compare(op, a, b))),
            }
        }
        _ => panic!("{op:?} of {} and {}", a.ty(), b.ty()),
    }
}

/// The arithmetic of whole numbers; `None` of a comparison.
fn integer_function(op: Binary) -> Option<fn(i32, i32) -> i32> {
    match op {
        Binary::Add => Some(i32::wrapping_add),
        Binary::Sub => Some(i32::wrapping_sub),
        Binary::Mul => Some(i32::wrapping_mul),
        Binary::Max => Some(i32::max),
        Binary::Min => Some(i32::min),
        Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => None,
        Binary::Div | Binary::Pow | Binary::And | Binary::Or => panic!("{op:?} of i32"),
    }
}

fn choose<E: Copy>(condition: &[bool], a: &ArrayD<E>, b: &ArrayD<E>, shape: &[usize]) -> Vec<E> {
    // The longest of three suffixes repeats the others: first the branches are paired, then the pairs chosen from.
    let longest = if a.ndim() < b.ndim() { b.shape() } else { a.shape() };
    let pairs = zip(elements(a), elements(b), longest, |a, b| (a, b));
    zip(condition, &pairs, shape, |condition, (a, b)| if condition { a } else { b })
}

fn select<T: Real>(condition: &[bool], a: &Array<T>, b: &Array<T>, shape: &[usize]) -> Array<T> {
    match (a, b) {
        (Array::Real(a), Array::Real(b)) => Array::real(shape, choose(condition, a, b, shape)),
        (Array::I32(a), Array::I32(b)) => Array::i32(shape, choose(condition, a, b, shape)),
        (Array::Bool(a), Array::Bool(b)) => Array::bool(shape, choose(condition, a, b, shape)),
        _ => panic!("a choice between {} and {}", a.ty(), b.ty()),
    }
}

fn convert<T: Real>(x: &Array<T>, dtype: DType) -> Array<T> {
    let shape = x.shape();
    match (x, dtype) {
        (Array::Real(_), DType::F32) | (Array::I32(_), DType::I32) | (Array::Bool(_), DType::Bool) => x.clone(),
        (Array::Real(x), DType::I32) => Array::i32(shape, elements(x).iter().map(|x| x.to_i32()).collect()),
        (Array::Real(x), DType::Bool) => {
            Array::bool(shape, elements(x).iter().map(|&x| x != T::from_f32(0.0)).collect())
        }
        (Array::I32(x), DType::F32) => Array::real(shape, elements(x).iter().map(|&x| T::from_i32(x)).collect()),
        (Array::I32(x), DType::Bool) => Array::bool(shape, elements(x).iter().map(|&x| x != 0).collect()),
        (Array::Bool(x), DType::F32) => {
            Array::real(shape, elements(x).iter().map(|&x| T::from_i32(i32::from(x))).collect())
        }
        (Array::Bool(x), DType::I32) => Array::i32(shape, elements(x).iter().map(|&x| i32::from(x)).collect()),
    }
}

fn reduce<T: Real>(kind: Reduction, x: &Array<T>, axis: usize, count: usize, shape: &[usize]) -> Array<T> {
    match x {
        Array::Real(values) => Array::real(shape, combine(kind, elements(values), x.shape(), axis, count)),
        Array::I32(values) => Array::i32(shape, combine(kind, elements(values), x.shape(), axis, count)),
        Array::Bool(_) => panic!("{kind:?} of bool"),
    }
}

fn combine<E: Reducible>(kind: Reduction, x: &[E], shape: &[usize], axis: usize, count: usize) -> Vec<E> {
    let outer: usize = shape[..axis].iter().product();
    let combined: usize = shape[axis..axis + count].iter().product();
    let inner: usize = shape[axis + count..].iter().product();
    if reduces_interleaved(shape, axis, count) {
        return x.chunks_exact(combined).map(|row| fold_interleaved(kind, row.iter().copied())).collect();
    }
    let mut result = vec![E::start(kind); outer * inner];
    if x.is_empty() {
        return result;
    }
    for (results, block) in result.chunks_exact_mut(inner).zip(x.chunks_exact(combined * inner)) {
        for row in block.chunks_exact(inner) {
            for (accumulator, &x) in results.iter_mut().zip(row) {
                *accumulator = E::combine(kind, *accumulator, x);
            }
        }
    }
    result
}

fn uniform<T: Real>(seed: [u32; 2], step: u32, purpose: u32, len: usize) -> Vec<T> {
    let blocks = (0..len.div_ceil(4)).flat_map(|block| philox::block([block as u32, step, purpose, 0], seed));
    blocks.take(len).map(|word| T::from_f32(philox::unit(word))).collect()
}

fn arg_extremum<T: Real>(x: &Array<T>, axis: usize, largest: bool, len: usize) -> Vec<i32> {
    let extent = x.shape()[axis];
    let inner = x.shape()[axis + 1..].iter().product();
    match x {
        Array::Real(x) => {
            first_best(elements(x), (extent, inner, len), if largest { |a, b| a > b } else { |a, b| a < b })
        }
        Array::I32(x) => {
            first_best(elements(x), (extent, inner, len), if largest { |a, b| a > b } else { |a, b| a < b })
        }
        Array::Bool(_) => panic!("the extremum of bool"),
    }
}

/// Reads `x` as `[outer, extent, inner]`; the first index along the middle that none is better than. 0 where there is none.
fn first_best<E: Copy>(x: &[E], (extent, inner, len): (usize, usize, usize), better: fn(E, E) -> bool) -> Vec<i32> {
    if x.is_empty() {
        return vec![0; len];
    }
    let mut result = Vec::with_capacity(len);
    for block in x.chunks_exact(extent * inner) {
        for i in 0..inner {
            let mut best = 0;
            for k in 1..extent {
                if better(block[k * inner + i], block[best * inner + i]) {
                    best = k;
                }
            }
            result.push(best as i32);
        }
    }
    result
}

fn arg_sort<T: Real>(x: &Array<T>, axis: usize, descending: bool) -> Vec<i32> {
    let extent = x.shape()[axis];
    let inner = x.shape()[axis + 1..].iter().product();
    match x {
        Array::Real(x) => orders(elements(x), (extent, inner), descending),
        Array::I32(x) => orders(elements(x), (extent, inner), descending),
        Array::Bool(_) => panic!("the order of bool"),
    }
}

/// Reads `x` as `[outer, extent, inner]`; the order along the middle, what is not equal to itself last.
fn orders<E: Copy + PartialOrd>(x: &[E], (extent, inner): (usize, usize), descending: bool) -> Vec<i32> {
    let mut result = vec![0; x.len()];
    if x.is_empty() {
        return result;
    }
    for (block, result) in x.chunks_exact(extent * inner).zip(result.chunks_exact_mut(extent * inner)) {
        for i in 0..inner {
            let element = |k: &usize| block[k * inner + i];
            let mut order: Vec<usize> = (0..extent).collect();
            order.sort_by(|a, b| match element(a).partial_cmp(&element(b)) {
                Some(order) if descending => order.reverse(),
                Some(order) => order,
                None => is_nan(element(a)).cmp(&is_nan(element(b))),
            });
            for (place, k) in order.into_iter().enumerate() {
                result[place * inner + i] = k as i32;
            }
        }
    }
    result
}

/// NaN alone has no order with itself.
fn is_nan<E: PartialOrd>(x: E) -> bool {
    x.partial_cmp(&x).is_none()
}

fn contract<T: Real>(a: &Array<T>, b: &Array<T>, batch: &[(usize, usize)], contract: &[(usize, usize)]) -> Vec<T> {
    let interleaved = contracts_interleaved(a.shape(), b.shape(), batch, contract);
    let extents: Vec<usize> = contract.iter().map(|pair| a.shape()[pair.0]).collect();
    let summed: usize = extents.iter().product();
    let blocks = Boxes::new(&extents, CONTRACT_BLOCK);
    let zero = T::from_f32(0.0);

    // The left as [batch, free, k]; the right the same, or as [batch, k, free] so that the blocks run along its rows.
    let side = |x: &Array<T>, pick: fn(&(usize, usize)) -> usize, sum_last: bool| -> (usize, Vec<T>) {
        let (batch, sum): (Vec<usize>, Vec<usize>) =
            (batch.iter().map(pick).collect(), contract.iter().map(pick).collect());
        let free: Vec<usize> =
            (0..x.shape().len()).filter(|axis| !batch.contains(axis) && !sum.contains(axis)).collect();
        let extent = free.iter().map(|&axis| x.shape()[axis]).product();
        let order: Vec<usize> = if sum_last { [batch, free, sum] } else { [batch, sum, free] }.concat();
        let (from, strides) = (x.shape(), row_major(x.shape()));
        let shape: Vec<usize> = order.iter().map(|&axis| from[axis]).collect();
        let strides: Vec<isize> = order.iter().map(|&axis| strides[axis]).collect();
        (extent, gather(x.reals(), 0, &shape, &strides))
    };
    let (rows, left) = side(a, |pair| pair.0, true);
    let (columns, right) = side(b, |pair| pair.1, interleaved);
    let batches: usize = batch.iter().map(|pair| a.shape()[pair.0]).product();

    let mut result = Vec::with_capacity(batches * rows * columns);
    for n in 0..batches {
        let left = &left[n * rows * summed..][..rows * summed];
        let right = &right[n * columns * summed..][..columns * summed];
        for i in 0..rows {
            let row = &left[i * summed..][..summed];
            if interleaved {
                result.extend(
                    right
                        .chunks_exact(summed)
                        .map(|column| contract_interleaved(row.iter().copied().zip(column.iter().copied()))),
                );
                continue;
            }
            let first = result.len();
            result.resize(first + columns, zero);
            let mut block_sum = vec![zero; columns];
            let mut from = 0;
            for (block, length) in blocks.sizes().enumerate() {
                block_sum.fill(zero);
                for (k, &x) in row[from..from + length].iter().enumerate() {
                    let at = (from + k) * columns;
                    for (sum, &y) in block_sum.iter_mut().zip(&right[at..at + columns]) {
                        *sum = x.fma(y, *sum);
                    }
                }
                for (total, &sum) in result[first..].iter_mut().zip(&block_sum) {
                    *total = if block == 0 { sum } else { *total + sum };
                }
                from += length;
            }
        }
    }
    result
}

/// Modified Gram–Schmidt on the columns of a row-major `[m, n]`, or its rows where they are fewer. One that those before it leave
/// nothing of becomes zero.
fn orthogonalize<T: Real>(x: &[T], m: usize, n: usize) -> Vec<T> {
    let zero = T::from_f32(0.0);
    let by_column = m >= n;
    let (count, len) = if by_column { (n, m) } else { (m, n) };
    let place = |vector: usize, element: usize| if by_column { element * n + vector } else { vector * n + element };
    let mut basis: Vec<Vec<T>> = Vec::with_capacity(count);
    let dot = |a: &[T], b: &[T]| a.iter().zip(b).fold(zero, |sum, (&a, &b)| a.fma(b, sum));
    for vector in 0..count {
        let mut v: Vec<T> = (0..len).map(|element| x[place(vector, element)]).collect();
        for q in &basis {
            let share = -dot(q, &v);
            for (v, &q) in v.iter_mut().zip(q) {
                *v = share.fma(q, *v);
            }
        }
        let norm = dot(&v, &v).root();
        if norm > zero {
            for v in &mut v {
                *v = *v / norm;
            }
        }
        basis.push(v);
    }
    let mut result = vec![zero; m * n];
    for (vector, v) in basis.iter().enumerate() {
        for (element, &v) in v.iter().enumerate() {
            result[place(vector, element)] = v;
        }
    }
    result
}
