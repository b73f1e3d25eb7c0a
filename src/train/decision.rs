//! The picture of a decision in the plane.
//!
//! In: a trained model with one input of two numbers and one output that chooses between classes. Out: its choice on a grid over the
//! range of the data.

use super::event::DecisionMap;
use super::step::{Refusal, Session};
use crate::check::hir::{Binding, Element};
use crate::data::{Dataset, Storage};
use crate::jit::Buffer;

/// Columns and rows of the grid.
const GRID: (usize, usize) = (60, 24);

/// The picture, where the model is of that kind.
pub(super) fn map(session: &mut Session, dataset: &Dataset) -> Result<Option<DecisionMap>, Refusal> {
    let (model, run) = (session.programs.model, session.programs.run);
    let ([input], [(_, output)]) = (&model.body.inputs[..], &model.body.outputs[..]) else { return Ok(None) };
    let output = &model.body[*output].ty;
    let decides = run.loss.inputs.iter().any(|field| {
        let classes = match field.ty.element {
            Element::Class { count, .. } => count,
            Element::Number | Element::Truth => 0,
        };
        field.binding == Binding::Field && classes > 1 && output.shape == [classes]
    });
    let Some(column) = dataset.field(&input.name) else { return Ok(None) };
    let Storage::F32(values) = &column.values else { return Ok(None) };
    if !decides || input.ty.shape != [2] {
        return Ok(None);
    }
    let range = |offset: usize| {
        let mut range = (f32::INFINITY, f32::NEG_INFINITY);
        for &x in values.iter().skip(offset).step_by(2) {
            range = (range.0.min(x), range.1.max(x));
        }
        range
    };
    let (x, y) = (range(0), range(1));
    if !(x.0 < x.1 && y.0 < y.1) {
        return Ok(None);
    }
    let (width, height) = GRID;
    let between =
        |(low, high): (f32, f32), at: usize, count: usize| low + (high - low) * (at as f32 + 0.5) / count as f32;
    let points: Vec<f32> = (0..width * height)
        .flat_map(|point| [between(x, point % width, width), between(y, height - 1 - point / width, height)])
        .collect();
    let outputs = session.predict(vec![Buffer::from_f32(&points)], width * height)?;
    let largest = |scores: &[f32]| {
        (1..scores.len()).fold(0, |best, class| if scores[class] > scores[best] { class } else { best })
    };
    let classes = outputs[0].as_f32().chunks_exact(output.shape[0]).map(|scores| largest(scores) as u32).collect();
    Ok(Some(DecisionMap { x, y, width, classes }))
}
