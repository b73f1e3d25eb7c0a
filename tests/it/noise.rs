//! The layers that draw numbers: what they draw has the share, the mean and the deviation asked for, is drawn anew for each sample
//! and step, and value and gradient follow from it. It is read off a run; machine code draws what the interpreter draws.

use crate::lower::assert_same;
use crate::oracle::graph_of;
use crate::random_graphs::Choices;
use nnc::check::hir::Model;
use nnc::driver::check_program;
use nnc::graph::Role;
use nnc::graph::eval::{Array, eval};

const SAMPLES: usize = 3;

/// A model of one layer, and how many elements a sample has.
fn model_of(layer: &str, shape: &[usize]) -> (Model, usize) {
    let text = format!("model M(x: {shape:?}) -> y: {shape:?} {{ x |> {layer} }}\n");
    let checked = check_program("test.nn", &text);
    assert!(checked.diagnostics.is_empty(), "{layer}: {:?}", checked.diagnostics);
    (checked.hir.models[0].clone(), shape.iter().product())
}

/// The output for `x` at a step, and the gradient of the sum of its elements times `weights`.
fn run(model: &Model, training: bool, step: i32, x: &[f32], weights: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let graph = graph_of(model, SAMPLES, training, &["y".to_owned()], &["x".to_owned()]);
    let inputs: Vec<Array> = (graph.inputs.iter())
        .map(|input| match input.name.as_str() {
            "x" => Array::real(&input.ty.shape, x.to_vec()),
            "step" => Array::i32(&[], vec![step]),
            "seed" => Array::i32(&[2], vec![5, 7]),
            _ => {
                assert_eq!(input.role, Role::Data);
                Array::real(&input.ty.shape, weights.to_vec())
            }
        })
        .collect();
    assert_same("noise", &graph, &inputs);
    let results = eval(&graph, &inputs);
    (results[0].reals().to_vec(), results[1].reals().to_vec())
}

fn drawn(choices: &mut Choices, count: usize) -> Vec<f32> {
    (0..count).map(|_| choices.between(-2.0, 2.0)).collect()
}

/// Whether so many of `count` independent draws are what draws of that probability give: within five deviations.
fn likely(found: usize, count: usize, share: f64) -> bool {
    let (count, found) = (count as f64, found as f64);
    (found - share * count).abs() <= 5.0 * (count * share * (1.0 - share)).sqrt()
}

#[test]
fn dropout_scales_what_it_keeps() {
    let mut choices = Choices::new(1);
    for (layer, shape, rate) in [
        ("dropout(0.3)", vec![40, 30], 0.3),
        ("dropout(0.9)", vec![1200], 0.9),
        ("spatial_dropout(0.25)", vec![3, 2, 600], 0.25),
    ] {
        let (model, len) = model_of(layer, &shape);
        let share: f64 = 1.0 - rate;
        let scale = 1.0 / share as f32;
        let (ones, count) = (vec![1.0; SAMPLES * len], SAMPLES * len);
        // The mask is what becomes of ones.
        let mask = |step: i32| -> Vec<bool> {
            let (values, _) = run(&model, true, step, &ones, &ones);
            assert!(values.iter().all(|&y| y == 0.0 || y == scale), "{layer}");
            values.iter().map(|&y| y != 0.0).collect()
        };
        let kept = mask(1);
        assert!(kept == mask(1), "{layer}: the same step draws the same");
        // How many elements share a draw: all places of a channel.
        let together = if layer.starts_with("spatial") { 6 } else { 1 };
        let channels = len / together;
        let of_channels = |sample: usize| &kept[sample * len..][..channels];
        for sample in 0..SAMPLES {
            for place in 1..together {
                let there = &kept[sample * len + place * channels..][..channels];
                assert!(there == of_channels(sample), "{layer}: sample {sample}, place {place}");
            }
        }
        let draws = SAMPLES * channels;
        let found = (0..SAMPLES).flat_map(of_channels).filter(|&&kept| kept).count();
        assert!(likely(found, draws, share), "{layer} keeps {found} of {draws}");
        // Two draws, be they next to each other or far apart, of two samples or of two steps, agree as often as chance has it.
        let agree = rate * rate + share * share;
        for apart in [1, 30, channels / 2] {
            // No draw is in two of the pairs, which makes them independent.
            let pairs: Vec<usize> = (0..channels - apart).filter(|i| i / apart % 2 == 0).collect();
            let alike = pairs.iter().filter(|&&i| kept[i] == kept[i + apart]).count();
            assert!(likely(alike, pairs.len(), agree), "{layer}: {alike} of {} are alike, {apart} apart", pairs.len());
        }
        let alike = (0..channels).filter(|&i| kept[i] == kept[len + i]).count();
        assert!(likely(alike, channels, agree), "{layer}: {alike} of {channels} are alike in two samples");
        let later = mask(2);
        let alike = (0..channels).filter(|&i| kept[i] == later[i]).count();
        assert!(likely(alike, channels, agree), "{layer}: {alike} of {channels} are alike in two steps");

        let (x, weights) = (drawn(&mut choices, count), drawn(&mut choices, count));
        let (y, slopes) = run(&model, true, 1, &x, &weights);
        for i in 0..count {
            let factor = if kept[i] { scale } else { 0.0 };
            assert!((y[i] - x[i] * factor).abs() <= 1e-6 * factor * 2.0, "{layer}: element {i}");
            assert!((slopes[i] - weights[i] * factor).abs() <= 1e-6 * factor * 2.0, "{layer}: slope {i}");
        }
        assert!(run(&model, false, 1, &x, &weights) == (x, weights), "{layer} outside of training");
    }
}

#[test]
fn gaussian_noise_is_added() {
    let (deviation, shape) = (0.5_f32, vec![40, 30]);
    let (model, len) = model_of("gaussian_noise(0.5)", &shape);
    let count = SAMPLES * len;
    let zeros = vec![0.0; count];
    let (noise, _) = run(&model, true, 1, &zeros, &zeros);
    assert!(noise == run(&model, true, 1, &zeros, &zeros).0);
    let mean = noise.iter().map(|&x| f64::from(x)).sum::<f64>() / count as f64;
    assert!(mean.abs() <= 5.0 * f64::from(deviation) / (count as f64).sqrt(), "the mean is {mean}");
    // How much of a normal distribution lies within so many deviations.
    for (deviations, share) in [(0.5, 0.382_925), (1.0, 0.682_689), (2.0, 0.954_500), (3.0, 0.997_300)] {
        let within = noise.iter().filter(|&&x| x.abs() <= deviation * deviations).count();
        assert!(likely(within, count, share), "{within} of {count} lie within {deviations} deviations");
    }
    // Neighbours, samples and steps have signs that agree by chance.
    let (later, _) = run(&model, true, 2, &zeros, &zeros);
    let alike = |pairs: Vec<(f32, f32)>| {
        let alike = pairs.iter().filter(|(a, b)| (*a > 0.0) == (*b > 0.0)).count();
        assert!(likely(alike, pairs.len(), 0.5), "{alike} of {}", pairs.len());
    };
    alike(noise.iter().copied().zip(later.iter().copied()).collect());
    alike(noise[..len].iter().copied().zip(noise[len..2 * len].iter().copied()).collect());
    alike(noise.iter().copied().zip(noise[1..].iter().copied()).collect());

    let mut choices = Choices::new(2);
    let (x, weights) = (drawn(&mut choices, count), drawn(&mut choices, count));
    let (y, slopes) = run(&model, true, 1, &x, &weights);
    assert!((0..count).all(|i| y[i] == x[i] + noise[i]));
    assert!(slopes == weights);
    assert!(run(&model, false, 1, &x, &weights) == (x, weights));
}
