//! The batch axis: the graph of one sample becomes the graph of `n` of them.
//!
//! In: a graph of one sample. Out: the same computation with a new first axis of extent `n` on every input of
//! [`Role::Data`] and on whatever depends on one; parameters, states and what is made from them alone stay as they are. The
//! same rules map the body of an `each` over the first axis of its operands.
//!
//! The one place where samples meet is [`Op::SumBatch`], which becomes a reduction over the new axis.

mod regions;

use super::{Builder, Graph, Input, NodeId, Op, Output, Role, Scalar, TensorType, verify};
use crate::graph::DType;
use std::collections::BTreeMap;

/// The graph of `n` samples. Every input of [`Role::Data`] has the new axis, as has every [`Op::Uniform`] (each sample draws its own
/// numbers); an output has it if it depends on one of those other than through [`Op::SumBatch`].
pub fn batch(graph: &Graph, n: usize) -> Graph {
    assert!(graph.batch.is_none(), "{} has a batch axis already", graph.name);
    let mut builder = Builder::new(graph.name.clone());
    builder.graph.batch = Some(n);
    let mapped: Vec<bool> = graph.inputs.iter().map(|input| input.role == Role::Data).collect();
    for (input, &mapped) in graph.inputs.iter().zip(&mapped) {
        let ty = if mapped { with_axis(n, &input.ty) } else { input.ty.clone() };
        builder.graph.inputs.push(Input { ty, ..input.clone() });
    }
    let mut mapper = Mapper::new(&mut builder, n, true);
    let values = mapper.run(graph, |builder, number| {
        let ty = builder.graph.inputs[number].ty.clone();
        (builder.push(Op::Input(number), Vec::new(), ty), mapped[number])
    });
    builder.graph.outputs = (graph.outputs.iter())
        .map(|output| Output { node: values[output.node.0 as usize].0, ..output.clone() })
        .collect();
    verify::check(&builder.graph, "batch");
    builder.graph
}

/// Appends `region` with `operands` for its inputs; gives the values of its outputs.
pub fn inline(builder: &mut Builder, region: &Graph, operands: &[NodeId]) -> Vec<NodeId> {
    assert_eq!(region.inputs.len(), operands.len(), "operands of region {}", region.name);
    let outer = builder.origin;
    let mut values: Vec<NodeId> = Vec::with_capacity(region.nodes.len());
    for node in &region.nodes {
        builder.origin = node.origin;
        values.push(match node.op {
            Op::Input(number) => operand(builder, region, number, operands[number], None),
            _ => {
                let operands = node.operands.iter().map(|&operand| values[operand.0 as usize]).collect();
                builder.push(node.op.clone(), operands, node.ty.clone())
            }
        });
    }
    builder.origin = outer;
    region.outputs.iter().map(|output| values[output.node.0 as usize]).collect()
}

/// Appends `region` mapped over the first axis, of extent `n`, of those `operands` that are `mapped`; the others serve every
/// index alike. All values given have the mapped axis in front. A sum over the batch stays one, for each index by itself.
pub fn inline_batched(
    builder: &mut Builder,
    region: &Graph,
    operands: &[NodeId],
    mapped: &[bool],
    n: usize,
) -> Vec<NodeId> {
    assert_eq!(region.inputs.len(), operands.len(), "operands of region {}", region.name);
    let outer = builder.origin;
    let mut mapper = Mapper::new(builder, n, false);
    let values = mapper.run(region, |builder, number| {
        let axis = mapped[number].then_some(n);
        (operand(builder, region, number, operands[number], axis), mapped[number])
    });
    let results = (region.outputs.iter())
        .map(|output| {
            let value = values[output.node.0 as usize];
            mapper.spread(value, &region[output.node].ty.shape)
        })
        .collect();
    builder.origin = outer;
    results
}

/// The operand for an input of a region, its type checked.
fn operand(builder: &Builder, region: &Graph, number: usize, operand: NodeId, axis: Option<usize>) -> NodeId {
    let expected = &region.inputs[number].ty;
    let expected = axis.map_or_else(|| expected.clone(), |n| with_axis(n, expected));
    assert_eq!(*builder.ty(operand), expected, "operand {number} of region {}", region.name);
    operand
}

fn with_axis(n: usize, ty: &TensorType) -> TensorType {
    TensorType { dtype: ty.dtype, shape: in_front(n, &ty.shape) }
}

fn in_front(n: usize, shape: &[usize]) -> Vec<usize> {
    std::iter::once(n).chain(shape.iter().copied()).collect()
}

/// A value of the new graph and whether it has the new axis.
type Mapped = (NodeId, bool);

struct Mapper<'a> {
    builder: &'a mut Builder,
    n: usize,
    /// Whether the new axis is the batch, so that sums over it can be written out.
    outermost: bool,
    /// For each loop over time which of its results have the new axis.
    scans: BTreeMap<NodeId, Vec<bool>>,
}

impl Mapper<'_> {
    fn new(builder: &mut Builder, n: usize, outermost: bool) -> Mapper<'_> {
        Mapper { builder, n, outermost, scans: BTreeMap::new() }
    }

    fn run(&mut self, graph: &Graph, mut input: impl FnMut(&mut Builder, usize) -> Mapped) -> Vec<Mapped> {
        let mut values: Vec<Mapped> = Vec::with_capacity(graph.nodes.len());
        for id in graph.ids() {
            let node = &graph[id];
            self.builder.origin = node.origin;
            let value = match node.op {
                Op::Input(number) => input(self.builder, number),
                _ => {
                    let operands: Vec<Mapped> =
                        node.operands.iter().map(|&operand| values[operand.0 as usize]).collect();
                    self.node(graph, id, &operands)
                }
            };
            values.push(value);
        }
        values
    }

    fn node(&mut self, graph: &Graph, id: NodeId, operands: &[Mapped]) -> Mapped {
        let node = &graph[id];
        let shape = &node.ty.shape;
        match &node.op {
            Op::Uniform { purpose } => {
                assert!(operands.iter().all(|&(_, mapped)| !mapped), "the seed of a uniform differs between samples");
                let shape = in_front(self.n, shape);
                return (self.builder.uniform(operands[0].0, operands[1].0, *purpose, &shape), true);
            }
            Op::SumBatch if self.outermost => return (self.sum_batch(operands[0]), false),
            Op::Scan(scan) => return self.scan(scan, operands),
            Op::Result(number) => return self.result(operands[0].0, *number),
            _ => {}
        }
        if operands.iter().all(|&(_, mapped)| !mapped) {
            let operands = operands.iter().map(|&(id, _)| id).collect();
            return (self.builder.push(node.op.clone(), operands, node.ty.clone()), false);
        }
        let x = operands[0].0;
        let value = match &node.op {
            Op::Input(_) | Op::Constant(_) | Op::Iota { .. } | Op::Uniform { .. } => {
                unreachable!("an operation without mapped operands")
            }
            Op::Unary(op) => self.builder.unary(*op, x),
            Op::Binary(op) => {
                let [a, b] = [0, 1].map(|i| self.align(operands[i], &graph[node.operands[i]].ty.shape, shape));
                self.builder.binary(*op, a, b)
            }
            Op::Select => {
                let [condition, a, b] =
                    [0, 1, 2].map(|i| self.align(operands[i], &graph[node.operands[i]].ty.shape, shape));
                self.builder.select(condition, a, b)
            }
            Op::Convert => self.builder.convert(x, node.ty.dtype),
            Op::Broadcast { axes } => {
                let axes: Vec<usize> = std::iter::once(0).chain(axes.iter().map(|axis| axis + 1)).collect();
                self.builder.broadcast(x, &in_front(self.n, shape), &axes)
            }
            Op::Reshape => self.builder.reshape(x, &in_front(self.n, shape)),
            Op::Transpose { permutation } => {
                let permutation: Vec<usize> =
                    std::iter::once(0).chain(permutation.iter().map(|axis| axis + 1)).collect();
                self.builder.transpose(x, &permutation)
            }
            Op::Slice { start, end } => self.builder.slice(x, &in_front(0, start), &in_front(self.n, end)),
            Op::Pad { low, high } => self.builder.pad(x, &in_front(0, low), &in_front(0, high)),
            Op::Concat { axis } => {
                let parts: Vec<NodeId> = (operands.iter().zip(&node.operands))
                    .map(|(&part, &old)| self.spread(part, &graph[old].ty.shape))
                    .collect();
                self.builder.concat(&parts, axis + 1)
            }
            Op::Reverse { axis } => self.builder.reverse(x, axis + 1),
            Op::Windows { axis, along } => self.builder.windows(x, axis + 1, *along),
            Op::Reduce { kind, axis, count } => {
                let axes: Vec<usize> = (axis + 1..axis + 1 + count).collect();
                self.builder.reduce(*kind, x, &axes)
            }
            Op::ArgMax { axis } => self.builder.arg_max(x, axis + 1),
            Op::ArgMin { axis } => self.builder.arg_min(x, axis + 1),
            Op::ArgSort { axis, descending } => self.builder.arg_sort(x, axis + 1, *descending),
            Op::Contract { batch, contract } => self.contract(operands[0], operands[1], batch, contract),
            Op::Gather { batch } => {
                let shapes = [0, 1].map(|i| graph[node.operands[i]].ty.shape.as_slice());
                self.gather([operands[0], operands[1]], shapes, *batch)
            }
            Op::ScatterAdd { batch } => {
                let [indices, updates] = [0, 1].map(|i| self.spread(operands[i], &graph[node.operands[i]].ty.shape));
                self.builder.scatter_add(indices, updates, batch + 1, shape[*batch])
            }
            Op::Scan(_) | Op::Result(_) => unreachable!("{:?} is mapped before", node.op),
            Op::Step(_) | Op::Emit { .. } => panic!("a plan is not mapped"),
            Op::StopGradient => self.builder.stop_gradient(x),
            Op::SumBatch => self.builder.sum_batch(x),
            Op::Orthogonalize => panic!("an initialisation has no batch"),
        };
        (value, true)
    }

    fn sum_batch(&mut self, (x, mapped): Mapped) -> NodeId {
        if mapped {
            return self.builder.sum(x, &[0]);
        }
        let samples = match self.builder.ty(x).dtype {
            DType::F32 => Scalar::F32(self.n as f32),
            DType::I32 => Scalar::I32(self.n as i32),
            DType::Bool => panic!("a sum of bool"),
        };
        let samples = self.builder.scalar(samples);
        self.builder.mul(x, samples)
    }

    /// An operand of an elementwise operation. A mapped one that is stretched must be repeated in so many words: behind the
    /// new axis its shape is no suffix any more.
    fn align(&mut self, (x, mapped): Mapped, old: &[usize], result: &[usize]) -> NodeId {
        if !mapped || old.len() == result.len() {
            return x;
        }
        let behind = 1 + result.len() - old.len();
        let axes: Vec<usize> = std::iter::once(0).chain(behind..=result.len()).collect();
        self.builder.broadcast(x, &in_front(self.n, result), &axes)
    }

    /// A value with the new axis, repeated along it where it had none.
    fn spread(&mut self, (x, mapped): Mapped, old: &[usize]) -> NodeId {
        if mapped { x } else { self.builder.broadcast_suffix(x, &in_front(self.n, old)) }
    }

    fn contract(&mut self, a: Mapped, b: Mapped, batch: &[(usize, usize)], contract: &[(usize, usize)]) -> NodeId {
        let shift = |pairs: &[(usize, usize)]| -> Vec<(usize, usize)> {
            pairs.iter().map(|&(i, j)| (i + usize::from(a.1), j + usize::from(b.1))).collect()
        };
        let (mut batch, contract) = (shift(batch), shift(contract));
        let (left, right) = (a.0, b.0);
        let free_left = self.builder.shape(left).len() - batch.len() - contract.len();
        let free_right = self.builder.shape(right).len() - batch.len() - contract.len();
        match (a.1, b.1) {
            (true, true) => {
                batch.insert(0, (0, 0));
                self.builder.contract(left, right, &batch, &contract)
            }
            // The new axis is the first free one of the left and stands behind the old batch axes.
            (true, false) => {
                let product = self.builder.contract(left, right, &batch, &contract);
                self.in_first_place(product, batch.len())
            }
            // Of a product where one side has no axis of its own the sides may trade places.
            (false, true) if free_left == 0 || free_right == 1 => {
                let swap =
                    |pairs: &[(usize, usize)]| -> Vec<(usize, usize)> { pairs.iter().map(|&(i, j)| (j, i)).collect() };
                let product = self.builder.contract(right, left, &swap(&batch), &swap(&contract));
                self.in_first_place(product, batch.len())
            }
            (false, true) => {
                let product = self.builder.contract(left, right, &batch, &contract);
                self.in_first_place(product, batch.len() + free_left)
            }
            (false, false) => unreachable!("a product without mapped operands"),
        }
    }

    fn in_first_place(&mut self, x: NodeId, axis: usize) -> NodeId {
        let rank = self.builder.shape(x).len();
        let permutation: Vec<usize> = std::iter::once(axis).chain((0..rank).filter(|&other| other != axis)).collect();
        self.builder.transpose(x, &permutation)
    }
}
