//! The gradient of a product with windows, past the windows: a product with windows of the cotangent.
//!
//! In `y[o] = Σ_k x[o · stride + k · dilation] · w[k]` the cotangent of the windows would have an element for every factor, to be
//! added up where windows overlap. The cotangent of `x` itself is a product of the same family as `y`:
//! `x'[i] = Σ_k y'[(i − k · dilation) / stride] · w[k]`. Where `x` is a padded tensor, that of the tensor.

use crate::graph::windows::Along;
use crate::graph::{Builder, NodeId, Op};

/// An axis of what was looked at through windows.
#[derive(Clone, Copy)]
enum Axis {
    /// Axis of the windowed tensor.
    Whole(usize),
    /// The windows stand along that axis of the windowed tensor, their elements along the one behind; so many elements of
    /// padding stand before.
    Windows { at: usize, along: Along, before: usize },
}

/// A tensor behind windows.
struct Windowed {
    base: NodeId,
    axes: Vec<Axis>,
}

/// What `x` is windows of; `None` where it is none.
fn windowed(b: &Builder, x: NodeId) -> Option<Windowed> {
    let mut axes: Vec<Axis> = (0..b.shape(x).len()).map(Axis::Whole).collect();
    let mut base = x;
    while let Op::Windows { axis, along } = b.graph[base].op {
        let (Axis::Whole(at), Axis::Whole(behind)) = (axes[axis], axes[axis + 1]) else { break };
        if behind != at + 1 {
            break;
        }
        axes[axis] = Axis::Windows { at, along, before: 0 };
        axes.remove(axis + 1);
        base = b.graph[base].operands[0];
    }
    if base == x {
        return None;
    }
    if let Op::Pad { low, high } = &b.graph[base].op {
        let is_bare = |axis: usize| low[axis] == 0 && high[axis] == 0;
        let fits = axes.iter().enumerate().all(|(place, axis)| matches!(axis, Axis::Windows { .. }) || is_bare(place));
        if fits {
            for (axis, &low) in axes.iter_mut().zip(low) {
                if let Axis::Windows { before, .. } = axis {
                    *before = low;
                }
            }
            base = b.graph[base].operands[0];
        }
    }
    Some(Windowed { base, axes })
}

/// For the left operand `x` of a product, where it is windows whose elements are summed over: what they are windows of and its
/// cotangent. The pairs name the axes of `x` first; in `ct` the free axes of `x` begin at `own` and those of `other` at
/// `others`.
pub(super) fn cotangent(
    b: &mut Builder,
    ct: NodeId,
    [x, other]: [NodeId; 2],
    batch: &[(usize, usize)],
    contract: &[(usize, usize)],
    [own, others]: [usize; 2],
) -> Option<(NodeId, NodeId)> {
    let Windowed { base, axes } = windowed(b, x)?;
    let partner = |axis: usize| contract.iter().find(|pair| pair.0 == axis).map(|pair| pair.1);
    let in_batch = |axis: usize| batch.iter().position(|pair| pair.0 == axis);
    let is_free = |axis: usize| partner(axis).is_none() && in_batch(axis).is_none();
    let place = |axis: usize| own + (0..axis).filter(|&axis| is_free(axis)).count();
    for axis in &axes {
        if let Axis::Windows { at, .. } = *axis
            && !(is_free(at) && partner(at + 1).is_some())
        {
            return None;
        }
    }

    // The cotangent as windows, from its last axis to the first so that those before keep their places.
    let (mut views, mut other) = (ct, other);
    let rank = b.shape(ct).len();
    let mut places: Vec<usize> = (0..rank).collect();
    let mut elements: Vec<(usize, usize)> = Vec::new();
    let mut by_place: Vec<(usize, usize, Along, usize)> = Vec::new();
    for (number, axis) in axes.iter().enumerate() {
        if let Axis::Windows { at, along, before } = *axis {
            by_place.push((place(at), number, along, before));
            let partner = partner(at + 1).expect("elements are summed over");
            other = b.reverse(other, partner);
        }
    }
    by_place.sort_by_key(|entry| std::cmp::Reverse(entry.0));
    for &(at, number, along, before) in &by_place {
        let extent = b.shape(base)[number];
        views = b.reaching(views, at, along, before, extent);
    }
    for &(at, number, along, _) in &by_place {
        views = b.windows(views, at, along.reaching());
        places.iter_mut().filter(|place| **place > at).for_each(|place| *place += 1);
        elements.iter_mut().for_each(|(place, _)| *place += 1);
        let Axis::Windows { at: axis, .. } = axes[number] else { unreachable!("windows are listed") };
        elements.push((at + 1, partner(axis + 1).expect("elements are summed over")));
    }

    // Summed over the elements of the windows, then over what the other side alone has.
    let pairs = || batch.iter().chain(contract);
    let other_free = (0..b.shape(other).len()).filter(|axis| pairs().all(|pair| pair.1 != *axis));
    let stay: Vec<(usize, usize)> = batch.iter().enumerate().map(|(at, pair)| (places[at], pair.1)).collect();
    elements.sort_unstable();
    let mut sum = elements.clone();
    sum.extend(other_free.enumerate().map(|(at, axis)| (places[others + at], axis)));
    let product = b.contract(views, other, &stay, &sum);

    // The product has the batch axes, the free axes of `x`, then what was summed over and is no element of a window.
    let free: Vec<usize> = (0..b.shape(x).len()).filter(|&axis| is_free(axis)).collect();
    let mut kept: Vec<(usize, usize)> = contract.to_vec();
    kept.retain(|&(axis, _)| axes.iter().any(|other| matches!(*other, Axis::Whole(whole) if whole == axis)));
    kept.sort_by_key(|pair| pair.1);
    let order = [batch.iter().map(|pair| pair.0).collect(), free, kept.iter().map(|pair| pair.0).collect()].concat();
    let permutation: Vec<usize> = axes
        .iter()
        .map(|axis| match *axis {
            Axis::Whole(at) | Axis::Windows { at, .. } => {
                order.iter().position(|&other| other == at).expect("every axis is in the product")
            }
        })
        .collect();
    Some((base, b.transpose(product, &permutation)))
}
