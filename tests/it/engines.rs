//! Whole runs, by the interpreter and as machine code: the same bits.

use nnc::data::{self, Dataset, batch::shuffle};
use nnc::diagnostics::{Diagnostics, Severity};
use nnc::driver::{Checked, check_program};
use nnc::graph::DType;
use nnc::jit::{Buffer, Isa, Pool, Target};
use nnc::train::execute::Engine;
use nnc::train::metrics::Metrics;
use nnc::train::program::Programs;
use nnc::train::schedule::{Moment, Rate};
use nnc::train::step::Session;

/// What a run gives at one place, as bits, all NaNs as one.
type Record = Vec<(String, Vec<u32>)>;

/// How a run of a program differs between the interpreter and machine code with these instructions, if it does: on one thread, and
/// on two where there is work enough for them. `Err` holds the mistakes that the checker finds.
pub(crate) fn difference(text: &str, epochs: usize, isas: &[Isa]) -> Result<Option<String>, String> {
    let mut checked = check_program("test.nn", text);
    let errors: Vec<_> = checked.diagnostics.iter().filter(|one| one.severity == Severity::Error).collect();
    if !errors.is_empty() {
        return Err(format!("{errors:#?}"));
    }
    let mut found = Diagnostics::new();
    let datasets: Vec<Option<Dataset>> = (checked.hir.data.iter())
        .map(|data| data::load(data, &checked.paths, &mut checked.sources, &mut found))
        .collect();
    if found.has_errors() {
        return Err(format!("{:#?}", found.into_sorted()));
    }
    let threads: &[usize] = if is_shared_out(&checked) { &[1, 2] } else { &[1] };
    let engines: Vec<(String, Engine)> =
        (isas.iter().flat_map(|&isa| threads.iter().map(move |&threads| (isa, threads))))
            .map(|(isa, threads)| {
                let engine = Engine::Jit(Target { isa, listing: false }, Pool::new(threads));
                (format!("{} on {threads} threads", isa.name()), engine)
            })
            .collect();
    for run in 0..checked.hir.runs.len() {
        let dataset = datasets[checked.hir.runs[run].data].as_ref().expect("data without errors is there");
        let expected = record(&checked, run, dataset, Engine::Interp, epochs);
        for (name, engine) in &engines {
            let found = record(&checked, run, dataset, engine.clone(), epochs);
            assert_eq!(found.len(), expected.len());
            for ((what, found), (_, expected)) in found.iter().zip(&expected) {
                if let Some(place) = (0..expected.len()).find(|&place| found[place] != expected[place]) {
                    return Ok(Some(format!(
                        "{}, {what}: element {place} is {:#010x} with {name}, {:#010x} by the interpreter",
                        checked.hir.runs[run].name, found[place], expected[place]
                    )));
                }
            }
        }
    }
    Ok(None)
}

/// Whether some kernel of a training step is cut into shards for several threads.
pub(crate) fn is_shared_out(checked: &Checked) -> bool {
    checked.hir.runs.iter().any(|run| {
        let programs = Programs { run, model: &checked.hir.models[run.model], weighted: false };
        let graph = programs.training(run.batch).expect("all of it is supported");
        nnc::train::execute::module(&graph).kernels.iter().any(|kernel| kernel.shards.is_some())
    })
}

/// What a panic says.
pub(crate) fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let message = panic.downcast_ref::<String>().cloned();
    message.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into())).unwrap_or_default()
}

fn bits(buffer: &Buffer) -> Vec<u32> {
    let same = |&bits: &u32| match buffer.dtype() {
        DType::F32 if f32::from_bits(bits).is_nan() => f32::NAN.to_bits(),
        DType::F32 | DType::I32 | DType::Bool => bits,
    };
    buffer.bits().iter().map(same).collect()
}

fn bits_of(number: f64) -> [u32; 2] {
    let bits = if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() };
    [bits as u32, (bits >> 32) as u32]
}

/// Trains for some epochs as `nnc run` does, whatever the losses: all tensors, losses, rates, metrics and predictions.
fn record(checked: &Checked, run: usize, dataset: &Dataset, engine: Engine, epochs: usize) -> Record {
    let run = &checked.hir.runs[run];
    let model = &checked.hir.models[run.model];
    let programs = Programs { run, model, weighted: dataset.weights.is_some() };
    let columns: Vec<_> =
        programs.fields().iter().map(|field| dataset.field(&field.name).expect("a field of the data")).collect();
    let mut rate = Rate::new(&programs, &engine).expect("the schedule is supported");
    let metrics = Metrics::new(&programs).expect("the metrics are supported");
    let mut session =
        Session::new(programs, engine, columns, dataset.weights.as_deref()).expect("all of it is supported");
    let mut record = Record::new();
    let tensors = |what: &str, session: &Session, record: &mut Record| {
        for (kept, tensor) in session.kept.iter().zip(&session.tensors) {
            record.push((format!("{} {what}", kept.path), bits(tensor)));
        }
    };
    tensors("at the start", &session, &mut record);
    let split = &dataset.split;
    for epoch in 0..epochs {
        let mut rows = split.train.clone();
        shuffle(&mut rows, run.seed, 1 + epoch as u32);
        let steps_per_epoch = rows.len().div_ceil(run.batch);
        let moment = |step| Moment { epoch, step, epochs, steps_per_epoch, val_loss: 0.5, stalled: epoch };
        let (mut losses, mut rates) = (Vec::new(), Vec::new());
        let mut at = |step| {
            let lr = rate.at(moment(step));
            rates.push(lr.to_bits());
            lr
        };
        let mut done = |done: nnc::train::step::Done| {
            losses.extend(bits(&Buffer::from_f32(&[done.loss])));
            true
        };
        session.train(&rows, run.batch.min(rows.len()), &mut at, &mut done).expect("there is memory enough");
        rate.end_epoch(moment(session.step));
        record.push((format!("the losses of epoch {epoch}"), losses));
        record.push((format!("the rates of epoch {epoch}"), rates));
        tensors(&format!("after epoch {epoch}"), &session, &mut record);
    }
    let measured = if split.val.is_empty() { &split.train } else { &split.val };
    let sums = session.evaluate(measured, run.batch + 3, &|| false).expect("there is memory enough");
    record.push(("the validation loss".into(), [sums.loss, sums.weight].map(bits_of).concat()));
    for (name, value) in metrics.values(&sums) {
        record.push((format!("the metric {name}"), bits_of(value).to_vec()));
    }
    let rows = &measured[..measured.len().min(3)];
    let inputs = model.body.inputs.iter().map(|input| {
        let column = dataset.field(&input.name).expect("a field of the data");
        let mut buffer = Buffer::new(nnc::graph::elaborate::dtype_of(&input.ty.element), rows.len() * column.row_len);
        match buffer.dtype() {
            DType::F32 => data::batch::gather_f32(column, rows, buffer.as_f32_mut()),
            DType::I32 | DType::Bool => data::batch::gather_i32(column, rows, buffer.as_i32_mut()),
        }
        buffer
    });
    let inputs = inputs.collect();
    for (number, output) in session.predict(inputs, rows.len()).expect("all of it is supported").iter().enumerate() {
        record.push((format!("output {number} of the model"), bits(output)));
    }
    record
}

/// Neither samples nor rows stand around the order, so that only what leads to its keys could be shared out.
#[test]
fn the_order_of_a_long_parameter() {
    let text = "\
data D {
  source = generate(8, seed = 1)
  x: [3] = uniform(-1, 1, [3])
  y: [1] = [max(x)]
}
model M(x: [3]) -> q: [1] {
  param w: [12000] = normal(0, 1)
  [sum(sort(tanh(w)) * range(12000)) / 1e7 + sum(x)]
}
train M on D {
  loss      = mse(q, y)
  optimizer = sgd(lr = 0.01)
  batch     = 4
}
";
    assert_eq!(difference(text, 1, &[Isa::Native]), Ok(None));
}
