//! Metrics from their averages.
//!
//! In: the [`Sums`] of an evaluation. Out: a value per metric. What stands outside `avg` is computed here, once, by the interpreter.

use super::program::Programs;
use super::step::Sums;
use crate::graph::Graph;
use crate::graph::elaborate::Unsupported;
use crate::graph::eval::{Array, eval};

/// The outer parts of a run's metrics.
pub struct Metrics {
    metrics: Vec<(String, Graph)>,
}

impl Metrics {
    /// Those of the run.
    pub fn new(programs: &Programs) -> Result<Metrics, Unsupported> {
        let metrics = programs.run.metrics.iter().enumerate();
        let metrics = metrics.map(|(number, metric)| Ok((metric.name.clone(), programs.metric(number)?)));
        Ok(Metrics { metrics: metrics.collect::<Result<_, _>>()? })
    }

    /// Their values; the averages are taken in f64, as is what is made of them.
    pub fn values(&self, sums: &Sums) -> Vec<(String, f64)> {
        let mut averages = sums.averages.iter();
        let mut values = Vec::with_capacity(self.metrics.len());
        for (name, graph) in &self.metrics {
            let inputs: Vec<Array<f64>> = (graph.inputs.iter())
                .map(|input| {
                    // An evaluation that was interrupted before its first batch has no sums.
                    let average = match averages.next() {
                        Some(sum) => sum.iter().map(|x| x / sums.weight).collect(),
                        None => vec![f64::NAN; input.ty.len()],
                    };
                    Array::real(&input.ty.shape, average)
                })
                .collect();
            values.push((name.clone(), eval(graph, &inputs)[0].reals()[0]));
        }
        values
    }
}
