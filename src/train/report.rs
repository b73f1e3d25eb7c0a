//! What a person and a program are told of a run: values in, text out.
//!
//! [`json`] writes an event as `--json` has it; [`start_line`], [`epoch_line`] and [`summary`] are what a terminal and a log get:
//! a line per epoch, the loss curve drawn as text, the decision in the plane where there is one, a table of the runs and
//! a verdict in plain words.

use super::event::{DecisionMap, End, EpochEnd, Event, Start, Status};
use serde_json::{Map, Number, Value, json};
use std::fmt::Write;

/// An event as one line of `--json`; `None` for those that are not told there.
pub fn json(event: &Event) -> Option<String> {
    let value = match event {
        Event::Start(start) => json!({
            "event": "start", "run": start.run, "params": start.params, "compile_ms": number(start.compile_ms),
            "threads": start.threads, "isa": start.isa, "seed": start.seed,
            "samples": start.samples.iter().map(|(name, n)| (name.clone(), json!(n))).collect::<Map<_, _>>(),
        }),
        Event::Progress(_) => return None,
        Event::Epoch(epoch) => json!({
            "event": "epoch", "run": epoch.run, "epoch": epoch.epoch, "lr": number(epoch.lr),
            "train_loss": number(epoch.train_loss), "val_loss": optional(epoch.val_loss),
            "metrics": numbers(&epoch.metrics), "seconds": number(epoch.seconds),
            "samples_per_s": number(epoch.samples_per_s),
        }),
        Event::End(end) => json!({
            "event": "end", "run": end.run, "status": end.status.word(), "best_epoch": end.best_epoch,
            "train_loss": optional(trained(end)), "val_loss": optional(end.val_loss),
            "test_loss": optional(end.test_loss), "metrics": numbers(&end.metrics), "seconds": number(end.seconds),
            "out": end.out.as_ref().map(|path| path.to_string_lossy().into_owned()),
        }),
    };
    Some(value.to_string())
}

/// A number for JSON: one that is not finite is the string `"NaN"`, `"Infinity"` or `"-Infinity"`.
fn number(x: f64) -> Value {
    match Number::from_f64(x) {
        Some(number) => Value::Number(number),
        None if x.is_nan() => json!("NaN"),
        None if x > 0.0 => json!("Infinity"),
        None => json!("-Infinity"),
    }
}

fn optional(x: Option<f64>) -> Value {
    x.map_or(Value::Null, number)
}

fn numbers(list: &[(String, f64)]) -> Value {
    Value::Object(list.iter().map(|(name, x)| (name.clone(), number(*x))).collect())
}

/// The line that opens a run.
pub fn start_line(start: &Start) -> String {
    let samples: Vec<String> = start.samples.iter().map(|(name, n)| format!("{name} {n}")).collect();
    format!(
        "{}: {} parameters, samples {}, compiled in {:.1} ms ({}, {}), seed {}",
        start.run,
        thousands(start.params),
        samples.join(" + "),
        start.compile_ms,
        start.isa,
        plural(start.threads, "thread"),
        start.seed
    )
}

/// The line that stays of an epoch; `epochs` is how many are planned.
pub fn epoch_line(epoch: &EpochEnd, epochs: usize) -> String {
    let width = epochs.to_string().len();
    let mut line = format!("epoch {:>width$}/{epochs}  loss {}", epoch.epoch, short(epoch.train_loss));
    if let Some(loss) = epoch.val_loss {
        write_to(&mut line, format_args!("  val {}", short(loss)));
    }
    for (name, value) in &epoch.metrics {
        write_to(&mut line, format_args!("  {name} {}", short(*value)));
    }
    let rate = short(epoch.samples_per_s.round());
    write_to(&mut line, format_args!("  lr {}  {rate} samples/s  {}", short(epoch.lr), duration(epoch.seconds)));
    line
}

/// What is said when a run of `epochs` planned epochs is done: the curve, the decision, the verdict, where it is saved.
pub fn summary(end: &End, epochs: usize, width: usize) -> String {
    let mut text = String::new();
    if end.history.len() > 1 {
        text.push_str(&curve(&end.history, width.clamp(40, 100) - 12, 10));
    }
    if let Some(map) = &end.decision {
        text.push_str(&decision(map));
    }
    write_to(&mut text, format_args!("{}: {}\n", end.run, verdict(end, epochs)));
    if let Some(out) = &end.out {
        write_to(&mut text, format_args!("saved in {}\n", out.display()));
    }
    text
}

/// The runs side by side.
pub fn table(ends: &[End]) -> String {
    let mut metrics: Vec<&str> = Vec::new();
    for (name, _) in ends.iter().flat_map(|end| &end.metrics) {
        if !metrics.contains(&name.as_str()) {
            metrics.push(name);
        }
    }
    let mut header = vec!["run", "status", "kept epoch", "train loss", "val loss", "test loss"];
    header.extend(&metrics);
    header.push("time");
    let mut rows = vec![header.into_iter().map(String::from).collect::<Vec<_>>()];
    for end in ends {
        let mut row = vec![end.run.clone(), end.status.word().replace('_', " "), end.best_epoch.to_string()];
        row.push(trained(end).map_or("-".into(), short));
        row.extend([end.val_loss, end.test_loss].map(|loss| loss.map_or_else(|| "-".into(), short)));
        for name in &metrics {
            let value = end.metrics.iter().find(|(metric, _)| metric == name);
            row.push(value.map_or_else(|| "-".into(), |(_, value)| short(*value)));
        }
        row.push(duration(end.seconds));
        rows.push(row);
    }
    align(&rows)
}

/// Columns as wide as their widest entry, the first two to the left and the others to the right, a rule under the header.
fn align(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        write_to(&mut text, format_args!("{}\n", line.trim_end()));
        if number == 0 {
            write_to(&mut text, format_args!("{}\n", "-".repeat(line.chars().count())));
        }
    }
    text
}

/// The training loss (`*`) and the validation loss (`o`) over the epochs, on a logarithmic scale where they span
/// more than a factor of twenty.
fn curve(history: &[EpochEnd], width: usize, height: usize) -> String {
    let series: [(char, Vec<Option<f64>>); 2] = [
        ('*', history.iter().map(|epoch| Some(epoch.train_loss)).collect()),
        ('o', history.iter().map(|epoch| epoch.val_loss).collect()),
    ];
    let finite = |x: &f64| x.is_finite();
    let all: Vec<f64> = series.iter().flat_map(|(_, points)| points.iter().flatten().copied().filter(finite)).collect();
    let (Some(low), Some(high)) = (all.iter().copied().reduce(f64::min), all.iter().copied().reduce(f64::max)) else {
        return String::new();
    };
    let logarithmic = low > 0.0 && high / low > 20.0;
    let scale = |x: f64| if logarithmic { decades(x) } else { x };
    let (bottom, top) = (scale(low), scale(high));
    let span = if top > bottom { top - bottom } else { 1.0 };
    let mut canvas = vec![vec![' '; width]; height];
    for (mark, points) in &series {
        let at = |column: usize| column * (history.len() - 1) / (width - 1).max(1);
        for (column, y) in (0..width).filter_map(|column| Some((column, points[at(column)].filter(finite)?))) {
            let row = ((top - scale(y)) / span * (height - 1) as f64).round() as usize;
            canvas[row.min(height - 1)][column] = *mark;
        }
    }
    let mut text = String::from("loss: * training");
    text.push_str(if history.iter().any(|epoch| epoch.val_loss.is_some()) { ", o validation" } else { "" });
    text.push_str(if logarithmic { " (logarithmic scale)\n" } else { "\n" });
    for (number, row) in canvas.iter().enumerate() {
        let label = match number {
            0 => short(high),
            last if last + 1 == height => short(low),
            _ => String::new(),
        };
        write_to(&mut text, format_args!("{label:>9} |{}\n", row.iter().collect::<String>().trim_end()));
    }
    let last = history.last().map_or(0, |epoch| epoch.epoch).to_string();
    let gap = width.saturating_sub(last.len() + 1);
    write_to(&mut text, format_args!("{:>9} +{}\n{:>11}{}{last}\n", "", "-".repeat(width), "1", " ".repeat(gap)));
    text
}

/// The classes of a plane as characters.
fn decision(map: &DecisionMap) -> String {
    const MARKS: &[u8] = b".#o+x%=@*~";
    let mark = |class: &u32| char::from(MARKS[*class as usize % MARKS.len()]);
    let mut text = format!(
        "decision for the first input from {} to {}, the second from {} to {}:\n",
        short(f64::from(map.x.0)),
        short(f64::from(map.x.1)),
        short(f64::from(map.y.0)),
        short(f64::from(map.y.1))
    );
    for row in map.classes.chunks(map.width) {
        write_to(&mut text, format_args!("  {}\n", row.iter().map(mark).collect::<String>()));
    }
    text
}

/// The training loss of what is kept; none where no epoch came to its end.
fn trained(end: &End) -> Option<f64> {
    (!end.history.is_empty() || !end.train_loss.is_nan()).then_some(end.train_loss)
}

/// How a run of `epochs` planned epochs went, and what to try next.
fn verdict(end: &End, epochs: usize) -> String {
    let (Some(first), Some(last)) = (end.history.first(), end.history.last()) else {
        return match end.status {
            Status::Diverged => diverged(1),
            Status::Interrupted => "stopped before the end of the first epoch".into(),
            Status::Finished | Status::StoppedEarly => "nothing was trained: no epoch was asked for".into(),
        };
    };
    if end.status == Status::Diverged {
        return diverged(last.epoch + usize::from(last.train_loss.is_finite()));
    }
    let stopped = match end.status {
        Status::Interrupted => format!("stopped by hand after epoch {} of {epochs}; ", last.epoch),
        _ => String::new(),
    };
    let fallen = first.train_loss - last.train_loss;
    let still_falling = || {
        let told = |epoch: &EpochEnd| epoch.val_loss.unwrap_or(epoch.train_loss);
        let tail = end.history.len().div_ceil(5).max(2);
        let start = end.history.iter().rev().nth(tail - 1).map_or(f64::NAN, told);
        start - told(last) > 0.1 * start.abs()
    };
    if let Some(overfit) = overfits_from(&end.history) {
        return format!(
            "{stopped}overfits from epoch {overfit}: the training loss falls, the validation loss rises. \
             Try `stop = early(patience = 5)`, dropout, `penalty = l2(1e-4)`, fewer units or more data"
        );
    }
    if fallen <= 0.1 * first.train_loss.abs() && end.history.len() > 2 && last.train_loss.abs() >= 1e-6 {
        return format!(
            "{stopped}underfits: the training loss has hardly fallen since the first epoch. \
             Try another rate, more units or layers, or standardized inputs"
        );
    }
    if end.history.len() == 1 {
        return format!("{stopped}one epoch tells little. Try more epochs");
    }
    if still_falling() && end.status != Status::StoppedEarly {
        return format!("{stopped}still learning: the loss was falling when training ended. Try more epochs");
    }
    let kept = match end.status {
        Status::StoppedEarly => format!(", stopped early with the weights of epoch {}", end.best_epoch),
        _ => String::new(),
    };
    match last.val_loss {
        Some(_) => format!("{stopped}fits well: training and validation loss have settled together{kept}"),
        None => {
            format!("{stopped}fits its training data; a `split` with a part `val` would tell how it does on other data")
        }
    }
}

fn diverged(epoch: usize) -> String {
    format!(
        "diverged in epoch {epoch}: the loss is no longer a finite number. \
         Try a smaller rate, `clip = 1.0`, standardized inputs or a smaller initialisation; \
         a loss of probabilities needs `softmax` or `sigmoid` before it"
    )
}

/// The epoch of the least validation loss, where it has risen clearly since while the training loss fell.
fn overfits_from(history: &[EpochEnd]) -> Option<usize> {
    let losses: Vec<f64> = history.iter().map(|epoch| epoch.val_loss).collect::<Option<_>>()?;
    let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]))?;
    let last = losses.len() - 1;
    if last < best + 3 {
        return None;
    }
    // One epoch may be lucky or unlucky: the last three speak for the end.
    let end = losses[last - 2..].iter().sum::<f64>() / 3.0;
    let risen = end - losses[best];
    let fallen = losses[0] - losses[best];
    let trained = history[best].train_loss - history[last].train_loss;
    let clearly = risen > 0.1 * losses[best].abs() && risen > 0.02 * fallen;
    (clearly && trained > 0.0 && end > history[last].train_loss).then_some(history[best].epoch)
}

/// A number in about four significant digits.
pub fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    let exponent = decades(x.abs()).floor() as i32;
    match exponent {
        6.. => format!("{x:.3e}"),
        -3..=5 => {
            let text = format!("{x:.*}", (3 - exponent).max(0) as usize);
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
        _ => format!("{x:.2e}"),
    }
}

/// The decimal logarithm, for drawing and writing numbers.
#[allow(clippy::disallowed_methods, reason = "no result of a training depends on it")]
fn decades(x: f64) -> f64 {
    x.log10()
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{:.0} min {:02.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// Writing to a `String` cannot fail.
fn write_to(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(losses: &[(f64, f64)]) -> Vec<EpochEnd> {
        let make = |(number, &(train, val)): (usize, &(f64, f64))| EpochEnd {
            run: "M".into(),
            epoch: number + 1,
            lr: 0.01,
            train_loss: train,
            val_loss: Some(val),
            metrics: vec![("mae".into(), val / 2.0)],
            seconds: 0.5,
            samples_per_s: 1000.0,
        };
        losses.iter().enumerate().map(make).collect()
    }

    fn end(status: Status, history: Vec<EpochEnd>) -> End {
        End {
            run: "M".into(),
            status,
            best_epoch: 1,
            train_loss: 0.25,
            val_loss: Some(0.5),
            test_loss: None,
            metrics: vec![("mae".into(), f64::NAN)],
            seconds: 61.0,
            out: Some("runs/M-1".into()),
            history,
            decision: None,
        }
    }

    #[test]
    fn json_writes_what_is_not_finite_as_text() {
        let line = json(&Event::End(end(Status::StoppedEarly, Vec::new()))).unwrap();
        let expected = concat!(
            r#"{"event":"end","run":"M","status":"stopped_early","best_epoch":1,"train_loss":0.25,"val_loss":0.5,"#,
            r#""test_loss":null,"metrics":{"mae":"NaN"},"seconds":61.0,"out":"runs/M-1"}"#
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn a_verdict_names_what_happened() {
        let said = |status, losses: &[(f64, f64)]| verdict(&end(status, epochs(losses)), losses.len());
        let overfit = [(1.0, 1.0), (0.6, 0.7), (0.4, 0.8), (0.3, 0.9), (0.2, 1.0)];
        assert!(said(Status::Finished, &overfit).starts_with("overfits from epoch 2"));
        assert!(said(Status::Finished, &[(1.0, 1.0), (0.99, 1.0), (0.98, 1.0)]).starts_with("underfits"));
        let settled = [(1.0, 1.0), (0.2, 0.25), (0.1, 0.2), (0.1, 0.2), (0.1, 0.2), (0.1, 0.2)];
        assert!(said(Status::Finished, &settled).starts_with("fits well"));
        assert!(said(Status::Finished, &[(1.0, 1.0), (0.5, 0.5)]).starts_with("still learning"));
        assert!(said(Status::Finished, &[(1.0, 1.0)]).starts_with("one epoch tells little"));
        assert!(
            said(Status::Finished, &[(1.0, 1.0), (0.8, 0.9), (0.5, 0.6), (0.3, 0.5), (0.2, 0.4), (0.1, 0.3)])
                .starts_with("still learning")
        );
        assert!(said(Status::Diverged, &[(1.0, 1.0), (f64::NAN, 1.0)]).starts_with("diverged in epoch 2"));
    }

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> = [0.0, 1.0, 0.5, 1234.5678, 0.012345, 1e-7, 123456.7, 1.5e9].map(short).into();
        assert_eq!(shown, ["0", "1", "0.5", "1235", "0.01235", "1.00e-7", "123457", "1.500e9"]);
        assert_eq!(thousands(1234567), "1,234,567");
        assert_eq!(thousands(12), "12");
    }

    #[test]
    fn a_table_lines_up() {
        let text = table(&[end(Status::Finished, Vec::new())]);
        let widths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(text.lines().count(), 3);
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}
