//! Random graphs with values for their inputs, the same for the same seed: what two ways of running a graph are compared on.

mod loops;

use nnc::graph::eval::Array;
use nnc::graph::windows::Along;
use nnc::graph::{Binary, Builder, DType, Graph, NodeId, Reduction, Role, Scalar, TensorType, Unary};
use nnc::numerics::philox;

/// A source of random choices.
pub(crate) struct Choices {
    seed: u64,
    drawn: u64,
}

impl Choices {
    pub(crate) fn new(seed: u64) -> Choices {
        Choices { seed, drawn: 0 }
    }

    pub(crate) fn word(&mut self) -> u32 {
        let counter = [self.drawn as u32, (self.drawn >> 32) as u32, 0, 0];
        self.drawn += 1;
        philox::block(counter, [self.seed as u32, (self.seed >> 32) as u32])[0]
    }

    /// A number from 0 to below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.word()) * n as u64) >> 32) as usize
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Uniform between the bounds.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * philox::unit(self.word())
    }
}

/// A graph of 10 to 40 operations with all of [`nnc::graph::Op`] but `Orthogonalize` and `SumBatch` among them, some of them over
/// values that are zero, huge, infinite or NaN, and values for its inputs. Has several outputs, some of which update inputs.
pub(crate) fn random_graph(seed: u64) -> (Graph, Vec<Array>) {
    Generator::new(seed, false).run()
}

/// A graph of operations that have a derivative everywhere, over moderate values, with one output: an f32 scalar.
pub(crate) fn smooth_graph(seed: u64) -> (Graph, Vec<Array>) {
    Generator::new(seed, true).run()
}

const EXTENTS: [usize; 8] = [1, 2, 3, 7, 8, 16, 17, 33];
const SMALL_EXTENTS: [usize; 4] = [1, 2, 3, 4];
const LARGEST: usize = 5000;

struct Generator {
    choices: Choices,
    smooth: bool,
    /// Whether zeros, infinities, NaN are among the inputs.
    special: bool,
    builder: Builder,
    inputs: Vec<Array>,
    pool: Vec<NodeId>,
    random: Option<(NodeId, NodeId)>,
}

impl Generator {
    fn new(seed: u64, smooth: bool) -> Generator {
        let mut choices = Choices::new(seed);
        let special = !smooth && choices.once_in(4);
        let builder = Builder::new(format!("random_{seed}"));
        Generator { choices, smooth, special, builder, inputs: Vec::new(), pool: Vec::new(), random: None }
    }

    fn run(mut self) -> (Graph, Vec<Array>) {
        for _ in 0..3 {
            let shape = self.shape();
            let x = self.input(DType::F32, &shape);
            self.pool.push(x);
        }
        let steps = if self.smooth { 3 + self.choices.below(6) } else { 10 + self.choices.below(30) };
        for _ in 0..steps {
            if let Some(node) = self.step() {
                self.pool.push(node);
            }
        }
        if self.smooth {
            self.finish_scalar()
        } else {
            self.finish()
        }
        nnc::graph::verify::check(&self.builder.graph, "random_graph");
        (self.builder.graph, self.inputs)
    }

    fn finish(&mut self) {
        let mut used = vec![false; self.builder.graph.nodes.len()];
        for node in &self.builder.graph.nodes {
            node.operands.iter().for_each(|operand| used[operand.0 as usize] = true);
        }
        for (number, &id) in self.pool.clone().iter().enumerate() {
            if !used[id.0 as usize] || self.choices.once_in(8) {
                self.builder.output(format!("y{number}"), id);
            }
        }
        // Some inputs are updated: each by a value of its type, if there is one.
        for id in self.builder.graph.ids().collect::<Vec<_>>() {
            let nnc::graph::Op::Input(_) = self.builder.graph[id].op else { continue };
            let last = self
                .pool
                .iter()
                .rev()
                .copied()
                .find(|&other| other != id && self.builder.ty(other) == self.builder.ty(id));
            if let Some(value) = last
                && self.builder.graph.inputs[self.number(id)].role == Role::Param
            {
                self.builder.update(id, value);
            }
        }
    }

    fn finish_scalar(&mut self) {
        let mut loss = self.builder.f32(0.0);
        for &id in self.pool.clone().iter().rev() {
            if self.builder.ty(id).dtype != DType::F32 {
                continue;
            }
            let axes: Vec<usize> = (0..self.builder.shape(id).len()).collect();
            let bounded = self.builder.unary(Unary::Tanh, id);
            let sum = self.builder.sum(bounded, &axes);
            loss = self.builder.add(loss, sum);
        }
        self.builder.output("loss", loss);
    }

    fn number(&self, id: NodeId) -> usize {
        match self.builder.graph[id].op {
            nnc::graph::Op::Input(number) => number,
            _ => panic!("{id} is no input"),
        }
    }

    fn extent(&mut self) -> usize {
        match (self.smooth, self.choices.below(40)) {
            (true, _) => self.choices.of(&SMALL_EXTENTS),
            (false, 0) => 0,
            (false, _) => self.choices.of(&EXTENTS),
        }
    }

    fn shape(&mut self) -> Vec<usize> {
        let rank = self.choices.of(&[0, 1, 1, 2, 2, 2, 3, 3, 4]);
        let mut shape = Vec::new();
        for _ in 0..rank {
            let extent = self.extent();
            if extent * shape.iter().product::<usize>() <= LARGEST {
                shape.push(extent);
            }
        }
        shape
    }

    fn number_value(&mut self) -> f32 {
        if self.special && self.choices.once_in(12) {
            let special = [
                0.0,
                -0.0,
                1.0,
                -1.0,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::NAN,
                1e38,
                -1e38,
                1e-40,
                100.0,
                -1000.0,
                0.5,
            ];
            return self.choices.of(&special);
        }
        if !self.smooth && self.choices.once_in(6) {
            return self.choices.below(7) as f32 - 3.0;
        }
        self.choices.between(-2.0, 2.0)
    }

    fn input(&mut self, dtype: DType, shape: &[usize]) -> NodeId {
        let len: usize = shape.iter().product();
        let array = match dtype {
            DType::F32 => Array::real(shape, (0..len).map(|_| self.number_value()).collect()),
            DType::I32 => Array::i32(shape, (0..len).map(|_| self.choices.below(9) as i32 - 3).collect()),
            DType::Bool => Array::bool(shape, (0..len).map(|_| self.choices.once_in(2)).collect()),
        };
        let role = self.choices.of(&[Role::Data, Role::Data, Role::Param]);
        let name = format!("x{}", self.inputs.len());
        self.inputs.push(array);
        self.builder.input(name, role, TensorType { dtype, shape: shape.to_vec() })
    }

    /// An earlier value of that element type, or a new input.
    fn value(&mut self, dtype: DType) -> NodeId {
        let fits: Vec<NodeId> = self.pool.iter().copied().filter(|&id| self.builder.ty(id).dtype == dtype).collect();
        if fits.is_empty() || self.choices.once_in(8) {
            let shape = self.shape();
            return self.input(dtype, &shape);
        }
        // The latest are preferred, so that chains become long.
        let recent = fits.len().saturating_sub(1 + self.choices.below(6));
        if self.choices.once_in(3) { self.choices.of(&fits) } else { fits[recent] }
    }

    /// A value of that element type with at least one axis.
    fn array(&mut self, dtype: DType) -> Option<NodeId> {
        for _ in 0..8 {
            let x = self.value(dtype);
            if !self.builder.shape(x).is_empty() {
                return Some(x);
            }
        }
        None
    }

    /// A value whose shape is a suffix of `shape`: an earlier one, a constant or a new input.
    fn suffix(&mut self, dtype: DType, shape: &[usize]) -> NodeId {
        let fits: Vec<NodeId> = (self.pool.iter().copied())
            .filter(|&id| self.builder.ty(id).dtype == dtype && shape.ends_with(self.builder.shape(id)))
            .collect();
        match self.choices.below(4) {
            0 if dtype == DType::F32 => {
                let value = self.number_value();
                self.builder.f32(value)
            }
            0 if dtype == DType::I32 => self.builder.scalar(Scalar::I32(3)),
            1 | 2 if !fits.is_empty() => self.choices.of(&fits),
            _ => {
                let axis = self.drawn_axis(shape.len());
                let from = self.choices.of(&[0, 0, shape.len(), axis]);
                self.input(dtype, &shape[from..])
            }
        }
    }

    fn drawn_axis(&mut self, rank: usize) -> usize {
        if rank == 0 { 0 } else { self.choices.below(rank) }
    }

    fn step(&mut self) -> Option<NodeId> {
        let numeric =
            if self.smooth { DType::F32 } else { self.choices.of(&[DType::F32, DType::F32, DType::F32, DType::I32]) };
        let any =
            if self.smooth { DType::F32 } else { self.choices.of(&[DType::F32, DType::F32, DType::I32, DType::Bool]) };
        match self.choices.below(30) {
            27 => self.gather(),
            28 => self.scatter_add(),
            29 => self.scan(),
            0..=3 => self.unary(),
            4..=7 => self.binary(numeric),
            8 if !self.smooth => self.comparison(),
            9 => {
                let x = self.value(any);
                let shape = self.builder.shape(x).to_vec();
                let other = self.suffix(any, &shape);
                let condition = self.suffix(DType::Bool, &shape);
                let (a, b) = if self.choices.once_in(2) { (x, other) } else { (other, x) };
                Some(self.builder.select(condition, a, b))
            }
            10 if !self.smooth => {
                let (from, to) = (
                    self.choices.of(&[DType::F32, DType::I32, DType::Bool]),
                    self.choices.of(&[DType::F32, DType::I32, DType::Bool]),
                );
                let x = self.value(from);
                Some(self.builder.convert(x, to))
            }
            11 => self.broadcast(any),
            12 => self.reshape(any),
            13 => {
                let x = self.array(any)?;
                let permutation = self.permutation(self.builder.shape(x).len());
                Some(self.builder.transpose(x, &permutation))
            }
            14 => {
                let x = self.array(any)?;
                let shape = self.builder.shape(x).to_vec();
                let start: Vec<usize> = shape.iter().map(|&n| self.choices.below(n + 1)).collect();
                let end: Vec<usize> = shape
                    .iter()
                    .zip(&start)
                    .map(|(n, a)| a + self.choices.below(n - a + 1).max((*n > *a) as usize))
                    .collect();
                Some(self.builder.slice(x, &start, &end))
            }
            15 => {
                let x = self.array(any)?;
                let rank = self.builder.shape(x).len();
                let widths: Vec<usize> = (0..2 * rank).map(|_| self.choices.below(3)).collect();
                (self.builder.ty(x).len() * 16 < LARGEST).then(|| self.builder.pad(x, &widths[..rank], &widths[rank..]))
            }
            16 => self.concat(any),
            17 => {
                let x = self.array(any)?;
                let axis = self.choices.below(self.builder.shape(x).len());
                Some(self.builder.reverse(x, axis))
            }
            18 | 19 => self.reduce(numeric),
            20 if !self.smooth => {
                let x = self.array(numeric)?;
                let axis = self.choices.below(self.builder.shape(x).len());
                Some(match self.choices.below(4) {
                    0 => self.builder.arg_max(x, axis),
                    1 => self.builder.arg_min(x, axis),
                    number => self.builder.arg_sort(x, axis, number == 2),
                })
            }
            21 | 22 => self.contract(),
            23 if !self.smooth => self.source(),
            24 => self.windows(any),
            25 | 26 => self.convolution(),
            _ => None,
        }
    }

    fn unary(&mut self) -> Option<NodeId> {
        let smooth = [Unary::Neg, Unary::Sin, Unary::Cos, Unary::Tanh, Unary::Erf, Unary::Sigmoid, Unary::Softplus];
        let rough = [
            Unary::Abs,
            Unary::Sign,
            Unary::Floor,
            Unary::Ceil,
            Unary::Round,
            Unary::Sqrt,
            Unary::Exp,
            Unary::Log,
            Unary::Log1p,
        ];
        if !self.smooth && self.choices.once_in(10) {
            let x = self.value(DType::Bool);
            return Some(self.builder.unary(Unary::Not, x));
        }
        if !self.smooth && self.choices.once_in(12) {
            let x = self.value(DType::I32);
            return Some(self.builder.unary(Unary::Neg, x));
        }
        let op =
            if self.smooth || self.choices.once_in(2) { self.choices.of(&smooth) } else { self.choices.of(&rough) };
        let x = self.value(DType::F32);
        Some(self.builder.unary(op, x))
    }

    fn binary(&mut self, dtype: DType) -> Option<NodeId> {
        let ops: &[Binary] = match (self.smooth, dtype) {
            (true, _) => &[Binary::Add, Binary::Sub, Binary::Mul],
            (false, DType::F32) => &[
                Binary::Add,
                Binary::Sub,
                Binary::Mul,
                Binary::Div,
                Binary::Pow,
                Binary::Max,
                Binary::Min,
                Binary::Add,
                Binary::Mul,
            ],
            (false, DType::I32 | DType::Bool) => &[Binary::Add, Binary::Sub, Binary::Mul, Binary::Max, Binary::Min],
        };
        let op = self.choices.of(ops);
        let a = self.value(dtype);
        let shape = self.builder.shape(a).to_vec();
        let b = self.suffix(dtype, &shape);
        Some(if self.choices.once_in(2) { self.builder.binary(op, a, b) } else { self.builder.binary(op, b, a) })
    }

    fn comparison(&mut self) -> Option<NodeId> {
        let dtype = self.choices.of(&[DType::F32, DType::I32, DType::Bool]);
        let op = match dtype {
            DType::F32 | DType::I32 => {
                self.choices.of(&[Binary::Eq, Binary::Ne, Binary::Lt, Binary::Le, Binary::Gt, Binary::Ge])
            }
            DType::Bool => self.choices.of(&[Binary::Eq, Binary::Ne, Binary::And, Binary::Or]),
        };
        let a = self.value(dtype);
        let shape = self.builder.shape(a).to_vec();
        let b = self.suffix(dtype, &shape);
        Some(if self.choices.once_in(2) { self.builder.binary(op, a, b) } else { self.builder.binary(op, b, a) })
    }

    fn broadcast(&mut self, dtype: DType) -> Option<NodeId> {
        let x = self.value(dtype);
        let old = self.builder.shape(x).to_vec();
        let (mut shape, mut axes) = (Vec::new(), Vec::new());
        let (mut taken, mut len) = (0, old.iter().product::<usize>());
        while taken < old.len() || self.choices.once_in(2) {
            if taken < old.len() && !self.choices.once_in(3) {
                axes.push(shape.len());
                shape.push(old[taken]);
                taken += 1;
            } else {
                let extent = self.extent();
                len *= extent;
                shape.push(extent);
            }
            if len > LARGEST || shape.len() > 5 {
                return None;
            }
        }
        Some(self.builder.broadcast(x, &shape, &axes))
    }

    fn reshape(&mut self, dtype: DType) -> Option<NodeId> {
        let x = self.value(dtype);
        let mut shape = self.builder.shape(x).to_vec();
        match self.choices.below(3) {
            0 if shape.len() > 1 => {
                let axis = self.choices.below(shape.len() - 1);
                let merged = shape[axis] * shape.remove(axis + 1);
                shape[axis] = merged;
            }
            1 if !shape.is_empty() => {
                let axis = self.choices.below(shape.len());
                let divisor = self.choices.of(&[2, 3, 4, 11]);
                if !shape[axis].is_multiple_of(divisor) {
                    return None;
                }
                shape[axis] /= divisor;
                shape.insert(axis + self.choices.below(2), divisor);
            }
            _ => shape.insert(self.choices.below(shape.len() + 1), 1),
        }
        (shape.len() < 6).then(|| self.builder.reshape(x, &shape))
    }

    fn permutation(&mut self, rank: usize) -> Vec<usize> {
        let mut permutation: Vec<usize> = (0..rank).collect();
        for i in (1..rank).rev() {
            permutation.swap(i, self.choices.below(i + 1));
        }
        permutation
    }

    fn concat(&mut self, dtype: DType) -> Option<NodeId> {
        let first = self.array(dtype)?;
        let shape = self.builder.shape(first).to_vec();
        let axis = self.choices.below(shape.len());
        let mut parts = vec![first];
        for _ in 0..1 + self.choices.below(2) {
            let mut other = shape.clone();
            other[axis] = self.extent();
            let part = if self.choices.once_in(3) { first } else { self.input(dtype, &other) };
            parts.insert(self.choices.below(parts.len() + 1), part);
        }
        (self.builder.ty(first).len() < LARGEST).then(|| self.builder.concat(&parts, axis))
    }

    fn reduce(&mut self, dtype: DType) -> Option<NodeId> {
        let kinds: &[Reduction] = match self.smooth {
            true => &[Reduction::Sum, Reduction::Prod],
            false => &[Reduction::Sum, Reduction::Sum, Reduction::Prod, Reduction::Max, Reduction::Min],
        };
        let kind = self.choices.of(kinds);
        let x = self.array(dtype)?;
        let rank = self.builder.shape(x).len();
        let axes: Vec<usize> = (0..rank).filter(|_| self.choices.once_in(2)).collect();
        if axes.is_empty() || (self.smooth && kind == Reduction::Prod && self.builder.ty(x).len() > 8) {
            return None;
        }
        Some(self.builder.reduce(kind, x, &axes))
    }

    fn contract(&mut self) -> Option<NodeId> {
        let a = self.array(DType::F32)?;
        let left = self.builder.shape(a).to_vec();
        let order = self.permutation(left.len());
        let batch = self.choices.of(&[0, 0, 1, 2]).min(left.len());
        let sums = self.choices.of(&[0, 1, 1, 1, 2]).min(left.len() - batch);
        let free = self.choices.of(&[0, 1, 1, 2]);
        let mut right: Vec<usize> = order[..batch + sums].iter().map(|&axis| left[axis]).collect();
        right.extend((0..free).map(|_| self.extent()).collect::<Vec<_>>());
        let mut place = self.permutation(right.len());
        if self.choices.once_in(2) {
            place.sort_unstable();
        }
        let mut shape = vec![0; right.len()];
        for (axis, &extent) in right.iter().enumerate() {
            shape[place[axis]] = extent;
        }
        let result: usize = right[batch + sums..].iter().product::<usize>()
            * (order[batch + sums..].iter().map(|&axis| left[axis]).product::<usize>())
            * (order[..batch].iter().map(|&axis| left[axis]).product::<usize>());
        if result > LARGEST
            || shape.iter().product::<usize>() > LARGEST
            || result_rank(left.len(), right.len(), batch, sums) > 6
        {
            return None;
        }
        let b = self.input(DType::F32, &shape);
        let pairs: Vec<(usize, usize)> = (0..batch + sums).map(|i| (order[i], place[i])).collect();
        let flipped: Vec<(usize, usize)> = pairs.iter().map(|&(i, j)| (j, i)).collect();
        Some(if self.choices.once_in(2) {
            self.builder.contract(a, b, &pairs[..batch], &pairs[batch..])
        } else {
            self.builder.contract(b, a, &flipped[..batch], &flipped[batch..])
        })
    }

    /// Some windows along an axis of that extent.
    fn along(&mut self, extent: usize) -> Along {
        let size = 1 + self.choices.below(extent.clamp(1, 5));
        let size = if self.choices.once_in(8) { extent.max(1) } else { size };
        Along { size, stride: self.choices.of(&[1, 1, 2, 3, 7]), dilation: self.choices.of(&[1, 1, 1, 2]) }
    }

    fn windows(&mut self, dtype: DType) -> Option<NodeId> {
        let x = self.array(dtype)?;
        let shape = self.builder.shape(x).to_vec();
        let axis = self.choices.below(shape.len());
        let along = self.along(shape[axis]);
        let len = self.builder.ty(x).len() * along.size;
        (len <= LARGEST && shape.len() < 6).then(|| self.builder.windows(x, axis, along))
    }

    /// The product of windows over one or two axes of a value with filters, with groups of channels or without, on either side.
    fn convolution(&mut self) -> Option<NodeId> {
        let x = self.array(DType::F32)?;
        let spatial = 1 + self.choices.below(2);
        let rank = self.builder.shape(x).len();
        let in_groups = self.choices.once_in(4);
        if rank < spatial + 1 + usize::from(in_groups) || rank > 4 {
            return None;
        }
        let first = rank - spatial - 1 - usize::from(in_groups);
        let mut views = x;
        if self.choices.once_in(2) {
            for axis in first..first + spatial {
                let (low, high) = (self.choices.below(3), self.choices.below(3));
                let extent = self.builder.shape(views)[axis];
                views = self.builder.fitted(views, axis, low as i64, low + extent + high);
            }
        }
        let mut filter = Vec::new();
        for axis in 0..spatial {
            let along = self.along(self.builder.shape(views)[first + 2 * axis]);
            filter.push(along.size);
            views = self.builder.windows(views, first + 2 * axis, along);
        }
        let shape = self.builder.shape(views).to_vec();
        let mut pairs: Vec<(usize, usize)> = (0..spatial).map(|axis| (first + 2 * axis + 1, axis)).collect();
        let mut batch = Vec::new();
        if in_groups {
            batch.push((shape.len() - 2, spatial));
            filter.push(shape[shape.len() - 2]);
        }
        if self.choices.once_in(4) {
            filter.insert(0, self.choices.of(&[1, 2, 5]));
            pairs.iter_mut().chain(&mut batch).for_each(|pair| pair.1 += 1);
        }
        pairs.push((shape.len() - 1, filter.len()));
        filter.push(shape[shape.len() - 1]);
        let filters = self.choices.of(&[1, 3, 4, 8, 17]);
        filter.push(filters);
        let work = self.builder.ty(views).len() * filters;
        if work > 20 * LARGEST || filter.iter().product::<usize>() > LARGEST {
            return None;
        }
        let mut w = self.input(DType::F32, &filter);
        if self.choices.once_in(3) {
            w = self.builder.reverse(w, 0);
        }
        let flip = |pairs: &[(usize, usize)]| -> Vec<(usize, usize)> { pairs.iter().map(|&(i, j)| (j, i)).collect() };
        Some(if self.choices.once_in(5) {
            self.builder.contract(w, views, &flip(&batch), &flip(&pairs))
        } else {
            self.builder.contract(views, w, &batch, &pairs)
        })
    }

    fn source(&mut self) -> Option<NodeId> {
        let shape = self.shape();
        match self.choices.below(4) {
            0 => {
                let x = self.value(DType::F32);
                Some(self.builder.stop_gradient(x))
            }
            1 if !shape.is_empty() => {
                let axis = self.choices.below(shape.len());
                Some(self.builder.iota(&shape, axis))
            }
            2 => {
                let truth = self.choices.once_in(2);
                Some(self.builder.scalar(Scalar::Bool(truth)))
            }
            _ => {
                let (seed, step) = match self.random {
                    Some(found) => found,
                    None => {
                        let seed = self.builder.input("seed", Role::Setting, TensorType::i32([2]));
                        self.inputs.push(Array::i32(&[2], vec![17, -4]));
                        let step = self.builder.input("step", Role::Setting, TensorType::i32([]));
                        self.inputs.push(Array::i32(&[], vec![5]));
                        self.random = Some((seed, step));
                        (seed, step)
                    }
                };
                let purpose = self.choices.word();
                Some(self.builder.uniform(seed, step, purpose, &shape))
            }
        }
    }
}

fn result_rank(left: usize, right: usize, batch: usize, sums: usize) -> usize {
    left + right - batch - 2 * sums
}
