//! What looks wrong in the values of a data set.

use super::data::{plural, some};
use super::{Diagnostic, Edit};
use crate::source::{Span, Spanned};

/// A number as people write it: three digits that tell something.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

/// `constant-column`: a field, or elements of it, with one value in all training rows; without `elements` all of it.
pub fn constant(field: &Spanned<String>, elements: &[String]) -> Diagnostic {
    let (message, label) = match elements {
        [] => (format!("`{}` is the same in every training row", field.value), String::from("never changes")),
        [one] => {
            (format!("{one} is the same in every training row"), String::from("one of its elements never changes"))
        }
        several => (
            format!("{} of `{}` are the same in every training row", plural(several.len(), "element"), field.value),
            format!("never change: {}", several.join(", ")),
        ),
    };
    Diagnostic::warning("constant-column", message)
        .at(field.span, label)
        .help("a network learns nothing from it; leave it out, or see whether the right column was taken")
}

/// `class-absent`: classes of which a part of the split has no row.
pub fn class_without_example(field: &Spanned<String>, part: &str, classes: &[String]) -> Diagnostic {
    let (classes_are, it) = match classes {
        [one] => (format!("the class `{one}`"), "it"),
        several => (format!("the classes {}", some(several)), "them"),
    };
    let message = format!("no row of `{part}` has {classes_are} of `{}`", field.value);
    let help = match part {
        "train" => {
            format!("what is never seen is not learned: give `train` rows of {it}, or leave {it} out of the type")
        }
        _ => format!("how well {it} went is not measured: give `{part}` a larger share, or divide with another `seed`"),
    };
    Diagnostic::warning("class-absent", message).at(field.span, format!("without an example in `{part}`")).help(help)
}

/// `parts-overlap`: the rows of a part are those of the training over again.
pub fn rows_again(part: &Spanned<String>, train: &Spanned<String>, again: usize, rows: usize) -> Diagnostic {
    let message = format!("{again} of {} of `{}` are in `{}`, too", plural(rows, "row"), part.value, train.value);
    Diagnostic::warning("parts-overlap", message)
        .at(part.span, "a model has seen these in training")
        .and(train.span, "the same rows")
        .help(
            "a model judged by the rows it has learned looks better than it is; see that both files are the right ones",
        )
}

/// `part-empty`: a share that is no row.
pub fn empty_part(part: &Spanned<String>, rows: usize) -> Diagnostic {
    let message = format!("no row is left for `{}`: there are {} in all", part.value, plural(rows, "row"));
    Diagnostic::warning("part-empty", message).at(part.span, "its share is less than a row").help(
        "give it a larger share; of a series, samples between two parts that foretell the same steps are left out",
    )
}

/// `unbalanced-classes`: a target whose classes occur very differently often: the most and the least frequent.
pub fn unbalanced(
    field: &Spanned<String>,
    names: [String; 2],
    counts: [usize; 2],
    rows: usize,
    insert: Edit,
) -> Diagnostic {
    let [most, least] = names;
    let [many, few] = counts;
    let share = short(100.0 * many as f64 / rows.max(1) as f64);
    let message = format!("`{most}` has {many} of {rows} training rows, `{least}` only {few}");
    Diagnostic::warning("unbalanced-classes", message)
        .at(field.span, format!("always saying `{most}` would be right in {share}%"))
        .help(format!(
            "`balance = weights({})` makes every class weigh the same; look at `f1` besides `accuracy`",
            field.value
        ))
        .suggest("weigh the classes", vec![insert])
}

/// `target-leak`: an input that the target can be read off from.
pub fn copy_of_target(input: &Spanned<String>, target: &Spanned<String>, element: &str) -> Diagnostic {
    let message = format!("the target `{}` can be read off the input {element}", target.value);
    Diagnostic::warning("target-leak", message)
        .at(input.span, format!("holds `{}` over again", target.value))
        .and(target.span, "the target")
        .help(
            "each determines the other in every training row; leave it out of the inputs, it will not be known in use",
        )
}

/// `wide-range`: an input far from where a network begins.
pub fn wide_input(
    field: &Spanned<String>,
    element: &str,
    mean: f64,
    deviation: f64,
    image: bool,
    expression: Span,
) -> Diagnostic {
    let message = format!("the values of {element} are about {} ± {}", short(mean), short(deviation));
    let problem = Diagnostic::warning("wide-range", message)
        .at(field.span, "far from the −1 … 1 that first weights are made for");
    match image {
        true => problem.help("divide: `image / 255` brings bytes to 0 … 1"),
        false => problem
            .help("`standardize(…)` brings them to mean 0 and deviation 1, `minmax(…)` to 0 … 1, both learned from the training rows")
            .suggest("standardize it", Edit::wrap(expression, "standardize(", ")")),
    }
}

/// `wide-range`: a target far from where a network begins.
pub fn wide_target(field: &Spanned<String>, mean: f64, deviation: f64, size: f64) -> Diagnostic {
    let message = format!("the target `{}` is about {} ± {}", field.value, short(mean), short(deviation));
    Diagnostic::warning("wide-range", message)
        .at(field.span, format!("a network begins near 0: its first squared errors are about {:.1e}", size * size))
        .help("divide it by a round number, as in `price / 1000`, or `standardize` it")
}
