//! What every [`Hir`] promises where nothing was reported; looked at in debug builds and tests.
//!
//! Definitions come before uses, every number of an input, parameter, state or column is one, and the shapes of operands
//! give the shape of the result. A failure is a bug of the checker.

use super::hir::{Body, Data, Element, Hir, HirOp, Reduce, Value, ValueId, ValueType};

/// The first broken promise, in words.
pub(super) fn verify(hir: &Hir) -> Result<(), String> {
    for model in &hir.models {
        whole(&model.body).map_err(|fault| format!("model {}: {fault}", model.name))?;
    }
    for data in &hir.data {
        for field in &data.fields {
            let place = |fault| format!("field {} of {}: {fault}", field.name.value, data.name.value);
            // Columns of a file that is not there have no type yet; reading the data reports the file.
            if field.body.outputs.is_empty() {
                continue;
            }
            body(&field.body, &field.body, Some(data)).map_err(place)?;
            let [(_, output)] = field.body.outputs.as_slice() else { return Err(place("not one output".to_owned())) };
            if field.body[*output].ty != field.ty {
                return Err(place(format!("declared {}, is {}", field.ty, field.body[*output].ty)));
            }
        }
    }
    for run in &hir.runs {
        let place = |fault| format!("run {}: {fault}", run.name);
        if run.model >= hir.models.len() || run.data >= hir.data.len() {
            return Err(place("no such model or data".to_owned()));
        }
        let metrics = run.metrics.iter().map(|metric| &metric.body);
        let penalties = run.penalties.iter().map(|(_, penalty)| penalty);
        let bodies = [&run.loss, &run.optimizer.body].into_iter().chain(metrics).chain(penalties).chain(&run.schedule);
        for scalar in bodies {
            whole(scalar).map_err(place)?;
            let numbers = scalar.outputs.iter().all(|(_, id)| {
                let ty = &scalar[*id].ty;
                ty.shape.is_empty() && ty.element == Element::Number
            });
            if !numbers || scalar.outputs.len() != 1 {
                return Err(place("a loss, metric, penalty or rule is no scalar".to_owned()));
            }
        }
        let params = hir.models[run.model].body.params.len();
        if run.penalties.iter().any(|(param, _)| *param >= params) {
            return Err(place("a penalty on no parameter".to_owned()));
        }
    }
    Ok(())
}

/// A body that stands alone, with the initialisations of what it owns.
fn whole(owner: &Body) -> Result<(), String> {
    let inits = owner.params.iter().map(|param| (&param.path, &param.shape, &param.init));
    let states = owner.states.iter().map(|state| (&state.path, &state.shape, &state.init));
    for (path, shape, init) in inits.chain(states) {
        body(init, init, None).map_err(|fault| format!("initialisation of {path}: {fault}"))?;
        let [(_, output)] = init.outputs.as_slice() else { return Err(format!("{path} is not filled")) };
        let ty = &init[*output].ty;
        if !(ty.shape.is_empty() || ty.shape == *shape) || !init.inputs.is_empty() {
            return Err(format!("{path} of {shape:?} is filled with {ty}"));
        }
    }
    for state in &owner.states {
        if let Some(next) = state.next
            && owner.values.get(next.0 as usize).is_none_or(|value| value.ty.shape != state.shape)
        {
            return Err(format!("the next {} has another shape", state.path));
        }
    }
    body(owner, owner, None)
}

/// The values of a body or of a region of `owner`.
fn body(body: &Body, owner: &Body, data: Option<&Data>) -> Result<(), String> {
    for (at, value) in body.values.iter().enumerate() {
        if let Some(late) = value.operands.iter().find(|operand| operand.0 as usize >= at) {
            return Err(format!("%{at} uses %{} before it is there", late.0));
        }
        let operands: Vec<&ValueType> =
            value.operands.iter().map(|&ValueId(id)| &body.values[id as usize].ty).collect();
        let sound = operation(body, owner, data, value, &operands)?;
        if !sound || matches!(value.ty.element, Element::Class { count: 0, .. }) {
            let shown: Vec<String> = operands.iter().map(|ty| ty.to_string()).collect();
            return Err(format!("%{at}: {} from {:?} of {}", value.ty, value.op, shown.join(", ")));
        }
    }
    match body.outputs.iter().find(|(_, id)| id.0 as usize >= body.values.len()) {
        Some((name, _)) => Err(format!("the output {name} is no value")),
        None => Ok(()),
    }
}

fn operation(
    around: &Body,
    owner: &Body,
    data: Option<&Data>,
    value: &Value,
    operands: &[&ValueType],
) -> Result<bool, String> {
    let shape = &value.ty.shape;
    let same = |index: usize| operands.get(index).is_some_and(|operand| operand.shape == *shape);
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    let one = operands.len() == 1;
    Ok(match &value.op {
        HirOp::Input(at) => around.inputs.get(*at).is_some_and(|input| input.ty == value.ty),
        HirOp::Param(at) => owner.params.get(*at).is_some_and(|param| param.shape == *shape),
        HirOp::State(at) => owner.states.get(*at).is_some_and(|state| state.shape == *shape),
        HirOp::Number(_) | HirOp::Truth(_) | HirOp::Category(_) | HirOp::Training => {
            operands.is_empty() && shape.is_empty()
        }
        HirOp::Elementwise(_) => {
            let suffix = |operand: &&ValueType| shape.ends_with(&operand.shape);
            operands.iter().all(suffix) && operands.iter().any(|operand| operand.shape == *shape)
        }
        HirOp::Reduce(kind, axes) => {
            let rank = operands.first().map_or(0, |operand| operand.shape.len());
            let picks = matches!(kind, Reduce::ArgMax | Reduce::ArgMin);
            let left = (0..rank).filter(|axis| !axes.contains(axis));
            let rest: Vec<usize> = left.map(|axis| operands[0].shape[axis]).collect();
            let ascending = axes.is_sorted_by(|a, b| a < b) && axes.iter().all(|&axis| axis < rank);
            one && ascending && rest == *shape && (!picks || axes.len() == 1) && !axes.is_empty()
        }
        HirOp::MatMul => match operands {
            [a, b] if !a.shape.is_empty() && !b.shape.is_empty() => {
                let inner = if b.shape.len() > 2 { b.shape[b.shape.len() - 2] } else { b.shape[0] };
                a.shape.last() == Some(&inner)
            }
            _ => false,
        },
        HirOp::Concat(axis) => {
            let total: usize = operands.iter().filter_map(|operand| operand.shape.get(*axis)).sum();
            shape.get(*axis) == Some(&total) && operands.iter().all(|operand| operand.shape.len() == shape.len())
        }
        HirOp::Stack(axis) => {
            let mut part = shape.clone();
            *axis < shape.len()
                && part.remove(*axis) == operands.len()
                && operands.iter().all(|operand| operand.shape == part)
        }
        HirOp::Reshape => one && count(&operands[0].shape) == count(shape),
        HirOp::Transpose(axes) => {
            one && axes.len() == shape.len()
                && (0..axes.len()).all(|at| operands[0].shape.get(axes[at]) == Some(&shape[at]))
        }
        HirOp::Slice(ranges) => {
            let fits = |(at, (start, end)): (usize, &(usize, usize))| {
                start <= end
                    && operands[0].shape.get(at).is_some_and(|extent| end <= extent)
                    && shape[at] == end - start
            };
            one && ranges.len() == shape.len() && ranges.iter().enumerate().all(fits)
        }
        HirOp::Take { axis, index } => {
            let mut rest = operands.first().map(|operand| operand.shape.clone()).unwrap_or_default();
            *axis < rest.len() && *index < rest.remove(*axis) && rest == *shape
        }
        HirOp::Gather => operands.len() == 2,
        HirOp::Pad(widths) => {
            one && widths.len() == shape.len()
                && (0..shape.len()).all(|at| operands[0].shape[at] + widths[at].0 + widths[at].1 == shape[at])
        }
        HirOp::Reverse(axis) => one && same(0) && *axis < shape.len(),
        HirOp::Sort { axis, .. } => one && same(0) && *axis < shape.len(),
        HirOp::ArgSort { axis, .. } => match &value.ty.element {
            Element::Class { count, .. } => one && same(0) && shape.get(*axis) == Some(count),
            Element::Number | Element::Truth => false,
        },
        HirOp::Upsample { axis, factor } => {
            one && operands[0].shape.get(*axis).map(|n| n * factor) == shape.get(*axis).copied()
        }
        HirOp::Expand(axes) => {
            one && axes.len() == operands[0].shape.len()
                && axes.iter().enumerate().all(|(at, &axis)| shape.get(axis) == Some(&operands[0].shape[at]))
        }
        HirOp::OneHot => match operands {
            [ValueType { element: Element::Class { count, .. }, shape: own }] => {
                shape.split_last().is_some_and(|(last, rest)| last == count && rest == own)
            }
            _ => false,
        },
        HirOp::BatchMean | HirOp::BatchVar => one && operands[0].shape.last() == shape.last() && shape.len() <= 1,
        HirOp::Bernoulli | HirOp::Fill => one && operands[0].shape.is_empty(),
        HirOp::Normal | HirOp::Uniform => {
            operands.len() == 2 && operands.iter().all(|operand| operand.shape.is_empty())
        }
        HirOp::Orthogonal => operands.is_empty(),
        HirOp::Range => operands.is_empty() && shape.len() == 1,
        HirOp::StopGradient => one && same(0),
        HirOp::Avg | HirOp::Fitted(_) => one,
        HirOp::Each { region, mapped, results } => {
            body(region, owner, data).map_err(|fault| format!("each: {fault}"))?;
            region.inputs.len() == operands.len()
                && *mapped >= 1
                && region.outputs.len() == *results
                && region.inputs.iter().zip(operands).enumerate().all(|(at, (input, operand))| {
                    let given = if at < *mapped { operand.shape.get(1..).unwrap_or_default() } else { &operand.shape };
                    input.ty.shape == given && input.ty.element == operand.element
                })
        }
        HirOp::Scan { region, over, states } => {
            body(region, owner, data).map_err(|fault| format!("scan: {fault}"))?;
            region.inputs.len() == operands.len() && over + states <= operands.len() && region.outputs.len() >= *states
        }
        HirOp::Result(_) => one,
        HirOp::Conv(_) | HirOp::ConvTranspose(_) => operands.len() == 2,
        HirOp::MaxPool(_) | HirOp::AvgPool(_) => one,
        HirOp::Column(at) => data.is_some_and(|data| data.columns.get(*at).is_some_and(|column| column.ty == value.ty)),
    })
}
