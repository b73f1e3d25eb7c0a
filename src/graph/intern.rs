//! A builder that gives equal nodes one id, and reads structure back out of what was built.

use super::{Binary, Builder, Graph, NodeId, Op, Scalar, TensorType, Unary};
use std::collections::HashMap;

/// Appends nodes to a graph; a node that is there already is not built again. The table is only looked up in, never iterated.
pub(super) struct Interner {
    pub(super) builder: Builder,
    table: HashMap<(Op, Vec<NodeId>, TensorType), NodeId>,
}

impl Interner {
    /// An empty graph with name, batch size and inputs of `graph`.
    pub(super) fn like(graph: &Graph) -> Interner {
        let builder = Builder::on(Graph {
            name: graph.name.clone(),
            batch: graph.batch,
            inputs: graph.inputs.clone(),
            nodes: Vec::new(),
            outputs: Vec::new(),
        });
        Interner { builder, table: HashMap::new() }
    }

    /// The node of that operation.
    ///
    /// The operands of operations that commute to the bit are put in order first; where both are NaN, which of the two payloads the
    /// result carries is not fixed by the language.
    pub(super) fn push(&mut self, op: Op, operands: Vec<NodeId>, ty: TensorType) -> NodeId {
        let mut sorted = operands.clone();
        if matches!(op, Op::Binary(op) if commutes(op)) {
            sorted.sort_unstable();
        }
        let key = (op, sorted, ty);
        if let Some(&id) = self.table.get(&key) {
            return id;
        }
        let id = self.builder.push(key.0.clone(), operands, key.2.clone());
        self.table.insert(key, id);
        id
    }

    /// What `build` appends, with equal nodes found again. The builder works the types out.
    pub(super) fn build(&mut self, build: impl FnOnce(&mut Builder) -> NodeId) -> NodeId {
        let first = self.builder.graph.nodes.len();
        let result = build(&mut self.builder);
        let fresh = self.builder.graph.nodes.split_off(first);
        let mut ids: Vec<NodeId> = Vec::with_capacity(fresh.len());
        let place = |ids: &[NodeId], id: NodeId| match (id.0 as usize).checked_sub(first) {
            Some(at) => ids[at],
            None => id,
        };
        for node in fresh {
            let operands = node.operands.iter().map(|&operand| place(&ids, operand)).collect();
            let id = self.push(node.op, operands, node.ty);
            ids.push(id);
        }
        place(&ids, result)
    }

    pub(super) fn op(&self, id: NodeId) -> &Op {
        &self.builder.graph[id].op
    }

    pub(super) fn operand(&self, id: NodeId, number: usize) -> NodeId {
        self.builder.graph[id].operands[number]
    }

    pub(super) fn shape(&self, id: NodeId) -> &[usize] {
        self.builder.shape(id)
    }

    /// The operand, where the node is that function of it.
    pub(super) fn is_unary(&self, id: NodeId, op: Unary) -> Option<NodeId> {
        match self.op(id) {
            Op::Unary(found) if *found == op => Some(self.operand(id, 0)),
            _ => None,
        }
    }

    /// The operands, where the node is that function of them.
    pub(super) fn is_binary(&self, id: NodeId, op: Binary) -> Option<(NodeId, NodeId)> {
        match self.op(id) {
            Op::Binary(found) if *found == op => Some((self.operand(id, 0), self.operand(id, 1))),
            _ => None,
        }
    }

    /// The scalar, where the node repeats one constant.
    pub(super) fn constant(&self, id: NodeId) -> Option<Scalar> {
        let mut id = id;
        loop {
            match self.op(id) {
                Op::Constant(scalar) => return Some(*scalar),
                Op::Broadcast { .. } | Op::Reshape => id = self.operand(id, 0),
                _ => return None,
            }
        }
    }

    /// Whether the node repeats that number (to the bit).
    pub(super) fn is_number(&self, id: NodeId, number: f32) -> bool {
        self.constant(id) == Some(Scalar::F32(number))
    }
}

/// Whether `op` gives the same bits with its operands swapped (`Max` and `Min` do not, at a tie of zeros).
pub(super) fn commutes(op: Binary) -> bool {
    match op {
        Binary::Add | Binary::Mul | Binary::Eq | Binary::Ne | Binary::And | Binary::Or => true,
        Binary::Sub
        | Binary::Div
        | Binary::Pow
        | Binary::Max
        | Binary::Min
        | Binary::Lt
        | Binary::Le
        | Binary::Gt
        | Binary::Ge => false,
    }
}
