//! Advice: programs that run and look as if something else was meant. One constructor each; all are warnings.

use super::{Diagnostic, Edit};
use crate::source::{Span, Spanned};

/// What a piece of advice needs to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// The program alone.
    Program,
    /// The rows of the data, or at least how many there are.
    Data,
}

/// The codes that `// allow: code` silences.
pub const WARNINGS: &[(&str, Sight)] = &[
    ("batch-larger-than-data", Sight::Data),
    ("class-absent", Sight::Data),
    ("columns-differ", Sight::Data),
    ("constant-column", Sight::Data),
    ("dropout-on-output", Sight::Program),
    ("file-absent", Sight::Data),
    ("flat-activation", Sight::Program),
    ("header-is-data", Sight::Data),
    ("init-mismatch", Sight::Program),
    ("linear-layers", Sight::Program),
    ("missing-seed", Sight::Program),
    ("more-parameters-than-data", Sight::Data),
    ("name-style", Sight::Program),
    ("not-probabilities", Sight::Program),
    ("part-empty", Sight::Data),
    ("parts-overlap", Sight::Data),
    ("product-of-inputs", Sight::Program),
    ("same-weights", Sight::Program),
    ("softmax-of-one", Sight::Program),
    ("squares-of-classes", Sight::Data),
    ("target-leak", Sight::Data),
    ("unbalanced-classes", Sight::Data),
    ("unreached-target", Sight::Data),
    ("unused-declaration", Sight::Program),
    ("unused-field", Sight::Program),
    ("unused-name", Sight::Program),
    ("unused-parameter", Sight::Program),
    ("unused-use", Sight::Program),
    ("wide-range", Sight::Data),
];

/// `unknown-allow`: a comment allows what is no warning.
pub fn unknown_allow(code: &Spanned<String>, near: Option<&str>) -> Diagnostic {
    let diagnostic = Diagnostic::warning("unknown-allow", format!("no warning has the code `{}`", code.value))
        .at(code.span, "allows nothing");
    match near {
        Some(near) => diagnostic
            .help(format!("did you mean `{near}`?"))
            .fix(format!("write `{near}`"), Edit::replace(code.span, near)),
        None => diagnostic.help("warnings alone can be allowed; `nnc explain` lists the codes"),
    }
}

/// `unused-allow`: a comment allows a warning that is not given.
pub fn unused_allow(code: &Spanned<String>, covers: &str, fix: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("unused-allow", format!("`{}` is allowed where it is not given", code.value))
        .at(code.span, format!("there is no such warning {covers}"))
        .fix("remove it", fix)
}

/// `name-style`: a name that is written as another kind of thing is.
pub fn name_style(name: &Spanned<String>, what: &str, wanted: &str, style: &str, rename: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("name-style", format!("the {what} `{}` is not in `{style}`", name.value))
        .at(name.span, format!("would be `{wanted}`"))
        .help("models and data are named in `CamelCase`, all else in `snake_case`")
        .fix_if(!rename.is_empty(), format!("rename it to `{wanted}`"), rename)
}

/// `unused-declaration`: nothing that is run needs it.
pub fn unused_declaration(keyword: &str, name: &Spanned<String>, removal: Vec<Edit>) -> Diagnostic {
    let why = match keyword {
        "model" => "no `train` trains it",
        "data" => "no `train` uses it",
        _ => "nothing uses it",
    };
    Diagnostic::warning("unused-declaration", format!("the {keyword} `{}` is not used", name.value))
        .at(name.span, why)
        .suggest_if(!removal.is_empty(), "remove it", removal)
}

/// `unused-use`: no declaration of the file is named.
pub fn unused_use(span: Span, removal: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("unused-use", "nothing of this file is used")
        .at(span, "brings names that none needs")
        .fix("remove it", removal)
}

/// `unused-parameter`: a configuration parameter or an input that the body does not name.
pub fn unused_parameter(what: &str, name: &Spanned<String>, owner: &str, rename: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("unused-parameter", format!("`{owner}` does not use its {what} `{}`", name.value))
        .at(name.span, "not named in the body")
        .help("a name that begins with `_` is meant to be unused")
        .fix_if(!rename.is_empty(), format!("write `_{}`", name.value), rename)
}

/// `unused-name`: a `let`, `param` or `state` that nothing reads.
pub fn unused_name(keyword: &str, name: &Spanned<String>, removal: Vec<Edit>) -> Diagnostic {
    let (message, label) = match keyword {
        "param" => (format!("the parameter `{}` is not used", name.value), "nothing reads it, so it learns nothing"),
        "state" => (format!("the state `{}` is not read", name.value), "it is kept for nothing"),
        _ => (format!("`{}` is not used", name.value), "nothing reads it"),
    };
    Diagnostic::warning("unused-name", message).at(name.span, label).suggest("remove it", removal)
}

/// `unused-field`: a field that neither a model, a run nor another field names.
pub fn unused_field(name: &Spanned<String>, data: &str, removal: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("unused-field", format!("no run uses the field `{}` of `{data}`", name.value))
        .at(name.span, "no input of a trained model has this name, and no loss or metric names it")
        .suggest("remove it", removal)
}

/// `missing-seed`: runs are compared and the seed is not written.
pub fn missing_seed(models: Span, count: usize, insertion: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("missing-seed", format!("{count} runs are compared and no seed is written"))
        .at(models, "these are compared")
        .help("a comparison is worth as much as its luck is even: write the seed, and try another before trusting the winner")
        .fix("write the seed", insertion)
}

/// `batch-larger-than-data`: a batch is never full.
pub fn batch_larger_than_data(span: Span, batch: usize, data: &Spanned<String>, rows: usize) -> Diagnostic {
    let message = format!("a batch of {batch} is larger than the {rows} training rows of `{}`", data.value);
    Diagnostic::warning("batch-larger-than-data", message)
        .at(span, "no batch is ever full")
        .and(data.span, format!("{rows} rows are for training"))
        .help("with several batches in an epoch the model takes several steps, and their noise helps it along")
}

/// `flat-activation`: the derivative is 0 everywhere, and behind it stand parameters that no gradient reaches.
pub fn flat_activation(site: Span, parameters: usize, name: Option<&str>) -> Diagnostic {
    let what = name.map_or_else(|| "this".to_owned(), |name| format!("`{name}`"));
    Diagnostic::warning("flat-activation", format!("{what} keeps {parameters} parameters before it from learning"))
        .at(site, "its derivative is 0 everywhere, so no gradient comes through")
        .help("where a threshold is wanted, `sigmoid` is a smooth one; in hidden layers `relu` learns best")
        .suggest_if(name.is_some(), "take `sigmoid`", Edit::replace(site, "sigmoid"))
}

/// `flat-activation`: the derivative of the loss is 0 everywhere.
pub fn flat_loss(site: Span) -> Diagnostic {
    Diagnostic::warning("flat-activation", "the loss gives the model no gradient, so that nothing learns")
        .at(site, "its derivative is 0 everywhere")
        .help("count right answers with a metric; `cross_entropy` and `binary_cross_entropy` are losses that can be followed downhill")
}

/// `not-probabilities`: the logarithm of an output for one of several classes that is no softmax.
pub fn classes_without_softmax(site: Span, output: &str, end: Span, fix: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning(
        "not-probabilities",
        format!("this loss wants probabilities that sum to 1, `{output}` has none"),
    )
    .at(site, format!("takes the logarithm of `{output}` as of a probability"))
    .and(end, "each of these numbers goes where it likes")
    .help("`softmax` makes probabilities of k numbers")
    .suggest_if(!fix.is_empty(), "end the model with `softmax`", fix)
}

/// `not-probabilities`: the logarithm of an output that can be negative.
pub fn answer_without_sigmoid(site: Span, output: &str, end: Span, fix: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning(
        "not-probabilities",
        format!("this loss wants probabilities from 0 to 1, `{output}` can be any number"),
    )
    .at(site, "takes a logarithm, which negative numbers do not have")
    .and(end, "nothing keeps this between 0 and 1")
    .help("`sigmoid` makes a probability of a number")
    .suggest_if(!fix.is_empty(), "end the model with `sigmoid`", fix)
}

/// `squares-of-classes`: a squared error between an output and categories as 0 and 1.
pub fn squares_of_classes(site: Span, classes: Span) -> Diagnostic {
    Diagnostic::warning("squares-of-classes", "a squared error of classes learns slowly from the worst mistakes")
        .at(site, "squares the differences to 0 and 1")
        .and(classes, "these are classes")
        .help("for classes take `softmax` and `cross_entropy`, or `sigmoid` and `binary_cross_entropy`: the surer the mistake, the steeper they are")
}

/// `softmax-of-one`: a softmax over one number is always 1.
pub fn softmax_of_one(site: Span, fix: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("softmax-of-one", "over one number this is always 1, whatever the model learns")
        .at(site, "e / sum(e) with a single e")
        .help("one output for yes or no takes `sigmoid`; `softmax` takes an output for each class")
        .suggest_if(!fix.is_empty(), "take `sigmoid`", fix)
}

/// `linear-layers`: a layer multiplies what the layer before it gives, as it is.
pub fn layers_without_activation(first: Span, last: Span, units: usize) -> Diagnostic {
    let problem = Diagnostic::warning("linear-layers", "two layers without an activation between them are one")
        .at(last, "sums of sums are sums");
    let problem = if first == last { problem } else { problem.and(first, "the layer before it, not bent") };
    problem.help(format!(
        "put an activation between them, such as `relu`; or `dense({units})` alone, which learns the same"
    ))
}

/// `dropout-on-output`: elements of the output are dropped in training.
pub fn dropout_on_output(site: Span, fix: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("dropout-on-output", "this drops parts of the answer itself")
        .at(site, "behind the last layer")
        .help("dropout belongs between layers, where the others can make up for what is missing")
        .suggest_if(!fix.is_empty(), "remove it", fix)
}

/// `init-mismatch`: weights for rectifiers before something that saturates. `written`: the place is the initialisation.
pub fn he_before_saturation(place: Span, activation: Span, uniform: bool, written: bool) -> Diagnostic {
    let better = if uniform { "glorot_uniform" } else { "glorot_normal" };
    Diagnostic::warning("init-mismatch", "these first weights are made for `relu` and its family")
        .at(place, "twice the variance, for what a rectifier cuts off")
        .and(activation, "this cuts nothing off, and is flat for large sums")
        .help(format!("`{better}` keeps the sums where `tanh` and `sigmoid` are steep"))
        .suggest_if(written, format!("take `{better}`"), Edit::replace(place, better))
}

/// `init-mismatch`: weights so large that something saturates from the start. `sum` is how large the sums are.
pub fn saturated_from_the_start(place: Span, activation: Span, sum: f64) -> Diagnostic {
    Diagnostic::warning("init-mismatch", format!("these first weights make sums of about ±{}", rounded(sum)))
        .at(place, "much larger than one over the root of the number of inputs")
        .and(activation, "this is flat there, so that hardly a gradient comes through")
        .help("`glorot_normal` keeps the sums where `tanh` and `sigmoid` are steep")
        .suggest("take `glorot_normal`", Edit::replace(place, "glorot_normal"))
}

/// `init-mismatch`: weights for `tanh` before a rectifier.
pub fn glorot_before_rectifier(place: Span, activation: Span, uniform: bool) -> Diagnostic {
    let better = if uniform { "he_uniform" } else { "he_normal" };
    Diagnostic::warning("init-mismatch", "these first weights are made for `tanh` and `sigmoid`")
        .at(place, "leaves out that half of the sums is cut off")
        .and(activation, "cuts off what is negative")
        .help(format!("`{better}` makes up for it, so that the signal keeps its size from layer to layer"))
        .suggest(format!("take `{better}`"), Edit::replace(place, better))
}

/// `init-mismatch`: a deep stack of rectified layers with weights for `tanh`. `left` is what remains of the signal's size.
pub fn fading_stack(first: Span, layers: usize, left: f64) -> Diagnostic {
    let message = format!("behind {layers} layers about 1/{:.0} of the signal is left", 1.0 / left);
    Diagnostic::warning("init-mismatch", message)
        .at(first, "the first of them: its weights are made for `tanh`, a rectifier cuts off half")
        .help("give these layers `weights = he_normal`, or put `batch_norm` between them")
}

/// `same-weights`: weights that begin as one number, before other weights. `written`: the place is the initialisation.
pub fn same_weights(place: Span, path: &str, number: f64, written: bool) -> Diagnostic {
    Diagnostic::warning(
        "same-weights",
        format!("all weights of `{path}` begin as {number}, so all its units begin alike"),
    )
    .at(place, "what begins alike gets the same gradient and stays alike")
    .help("random first weights tell the units apart; biases may begin as 0")
    .suggest_if(written, "take `glorot_uniform`", Edit::replace(place, "glorot_uniform"))
}

/// `unreached-target`: the last activation ends before the target does.
pub fn unreached_target(
    site: Span,
    output: &str,
    limit: f64,
    target: &Spanned<String>,
    reached: f64,
    fix: Vec<Edit>,
) -> Diagnostic {
    let (side, beyond) = if reached < limit { ("below", "down") } else { ("above", "up") };
    let message = format!(
        "`{output}` is never {side} {limit}, and `{}` goes {beyond} to about {}",
        target.value,
        rounded(reached)
    );
    Diagnostic::warning("unreached-target", message)
        .at(site, format!("nothing {side} {limit} comes out of this"))
        .and(target.span, "what is to be learned")
        .help("the last layer of a regression has no activation, or one that reaches as far as the target")
        .suggest_if(!fix.is_empty(), "leave the last activation out", fix)
}

/// `unreached-target`: a loss takes a target for a probability, and it is none.
pub fn target_is_no_probability(site: Span, target: &Spanned<String>, reached: f64) -> Diagnostic {
    let direction = if reached < 0.0 { "down" } else { "up" };
    let message = format!(
        "this loss takes `{}` for a probability, and it goes {direction} to about {}",
        target.value,
        rounded(reached)
    );
    Diagnostic::warning("unreached-target", message)
        .at(site, "no answer from 0 to 1 fits it")
        .and(target.span, "what is to be learned")
        .help("yes and no are 1 and 0; for more than two answers there are `class(k)`, `softmax` and `cross_entropy`")
}

/// Two digits are enough to tell how large a number is.
fn rounded(number: f64) -> f64 {
    format!("{number:.1e}").parse().unwrap_or(number)
}

/// `product-of-inputs`: a narrow model with one hidden layer, or with none, is to learn a product of its inputs.
pub fn product_of_inputs(model: &Spanned<String>, units: Option<usize>, product: Span) -> Diagnostic {
    let (layers, why, wanted) = match units {
        Some(units) => (
            format!("one hidden layer of {units} units"),
            "adds up bends; a product takes many of them",
            "a second hidden layer",
        ),
        None => {
            let why = "weighs its inputs and adds them up; no weights make a product";
            (String::from("no hidden layer"), why, "two hidden layers")
        }
    };
    Diagnostic::warning("product-of-inputs", format!("`{}` has {layers} for a product of its inputs", model.value))
        .at(model.span, why)
        .and(product, "multiplies what the model is given")
        .help(format!("{wanted}, or branches joined by `a * b`, learn a product with few parameters"))
}

/// `more-parameters-than-data`: nothing holds the parameters that the data leaves open.
pub fn more_parameters_than_data(
    place: Span,
    model: &str,
    parameters: usize,
    data: &Spanned<String>,
    rows: usize,
    values: usize,
) -> Diagnostic {
    let known = if values == 1 { format!("{rows} numbers") } else { format!("{rows} rows of {values} numbers") };
    Diagnostic::warning("more-parameters-than-data", format!("`{model}` has {parameters} parameters, the data fixes {known}"))
        .at(place, "can learn every sample by heart")
        .and(data.span, format!("{rows} rows are for training"))
        .help("fewer units, `dropout`, `penalty = l2(1e-4)` or `stop = early(patience = 5)` keep it from that; so do more rows")
}
