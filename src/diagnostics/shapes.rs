//! Problems with types and shapes: one constructor each.

use super::{Diagnostic, Edit, Operand};
use crate::source::{Span, Spanned};
use std::fmt::Display;

/// What may help the operands of an elementwise operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinAdvice {
    /// Nothing in particular.
    None,
    /// The left one is a vector of one.
    FirstOfLeft,
    /// The right one is a vector of one.
    FirstOfRight,
    /// The shorter one has the first axes of the longer one.
    Leading,
    /// One has an axis of 1.
    OneAxis,
}

/// `shape-mismatch`: the shapes of an elementwise operation do not join.
pub fn elementwise_mismatch(
    symbol: &str,
    span: Span,
    left: &Operand,
    right: &Operand,
    advice: JoinAdvice,
    fixable: bool,
) -> Diagnostic {
    let diagnostic = Diagnostic::error("shape-mismatch", format!("`{symbol}` cannot join {left} with {right}"))
        .at_operand(right)
        .and_operand(left);
    let _ = span;
    let first = |operand: &Operand| Edit::replace(operand.span.after(), "[0]");
    match advice {
        JoinAdvice::FirstOfLeft => diagnostic
            .help("an axis of 1 does not stretch; the element itself, a scalar, joins with anything")
            .fix_if(fixable, "take the element", first(left)),
        JoinAdvice::FirstOfRight => diagnostic
            .help("an axis of 1 does not stretch; the element itself, a scalar, joins with anything")
            .fix_if(fixable, "take the element", first(right)),
        JoinAdvice::Leading => diagnostic
            .help("the shorter shape must be the last axes of the longer one, not the first; `transpose` moves axes"),
        JoinAdvice::OneAxis => diagnostic
            .help("an axis of 1 does not stretch; `expand` repeats along an axis, `reshape` takes the axis away"),
        JoinAdvice::None => diagnostic.help("shapes must be equal, or one a scalar, or one the last axes of the other"),
    }
}

/// `shape-mismatch`: the inner dimensions of `@` differ.
pub fn matmul_mismatch(
    left: &Operand,
    right: &Operand,
    columns: &impl Display,
    rows: &impl Display,
    flips: bool,
) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("`@` cannot join {left} with {right}"))
        .at_operand(right)
        .and_operand(left)
        .help(format!("the last axis on the left, {columns}, must equal the first on the right, {rows}"))
        .fix_if(flips, "transpose the right side", Edit::wrap(right.span, "transpose(", ")"))
}

/// `shape-mismatch`: the leading axes of `@` differ.
pub fn matmul_leading(left: &Operand, right: &Operand) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("`@` cannot join {left} with {right}"))
        .at_operand(right)
        .and_operand(left)
        .help("matrices of higher rank must have the same axes before the last two")
}

/// `shape-mismatch`: `@` of a scalar; whether that is the `state` of a loop, which starts as one.
pub fn matmul_of_scalar(operand: &Operand, state: Option<&str>, at: Span) -> Diagnostic {
    let problem =
        Diagnostic::error("shape-mismatch", "`@` takes vectors and matrices, not a scalar").at_operand(operand);
    match state {
        Some(state) => problem.help(format!("a state that shall be a vector starts as one: `{state} = zeros([n])`")),
        None => problem.help("for a product with a scalar write `*`").fix("write `*`", Edit::replace(at, "*")),
    }
}

/// What may help an argument of another type than asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FitAdvice {
    /// Nothing in particular.
    None,
    /// One axis more than the layer takes, and the layer takes a vector.
    EachOrFlatten,
    /// One axis more than the layer takes.
    Each,
    /// Several axes more than a vector; how many numbers they hold together.
    Flatten(String),
    /// An axis less than the layer takes: the shape with an axis of 1 behind.
    AddAxis(String),
    /// The same axes in another order, the channels first.
    ChannelsFirst,
    /// A scalar where a vector belongs.
    Wrap,
    /// A vector of one where a scalar belongs.
    First,
    /// A category where numbers belong.
    OneHot,
    /// Numbers, one for each category, where a category belongs.
    ArgMax,
    /// Numbers where a category belongs; the type to declare.
    ClassWanted(String),
}

impl FitAdvice {
    fn text(&self, callee: &str, argument: &str) -> Option<String> {
        Some(match self {
            FitAdvice::None => return None,
            FitAdvice::EachOrFlatten => {
                format!(
                    "map it over the first axis with `each {callee}`, or make one vector of it with `flatten` before; of a \
                     sequence, `last` takes the final step"
                )
            }
            FitAdvice::Each => format!("map it over the first axis with `each {callee}`"),
            FitAdvice::Flatten(total) => format!("`flatten` before makes one vector of it: {total}"),
            FitAdvice::AddAxis(shape) => {
                format!("`reshape({shape})` before adds the axis that is missing, with one element")
            }
            FitAdvice::ChannelsFirst => {
                "channels come last here; `transpose(x, [1, 2, 0])` moves the first axis behind \
                the others"
                    .to_owned()
            }
            FitAdvice::Wrap => format!("a scalar in brackets is a vector of one: `[{argument}]`"),
            FitAdvice::First => format!("`{argument}[0]` is its only element"),
            FitAdvice::OneHot => {
                format!("`one_hot({argument})` makes numbers of a category; a loss for categories takes it as it is")
            }
            FitAdvice::ArgMax => {
                format!(
                    "`argmax({argument})` makes a category of them; better, declare the field as a category in the data"
                )
            }
            FitAdvice::ClassWanted(class) => {
                format!("declare it as `{argument}: {class}` in the data, from whole numbers or from names")
            }
        })
    }
}

/// An argument that is not of the declared type.
pub struct Misfit<'m> {
    /// The argument.
    pub argument: &'m Operand,
    /// What takes it.
    pub callee: &'m str,
    /// The declared type, and where it is worth showing.
    pub declared: Spanned<&'m str>,
    /// That type with what its names stand for here, where one of them is the reason.
    pub asked: Option<&'m str>,
    /// Whether the declaration is the user's.
    pub own: bool,
    /// What bound a name of the type before.
    pub reason: Option<(&'m str, Span)>,
    /// The use.
    pub call: Option<Span>,
    /// What may help.
    pub advice: FitAdvice,
    /// Whether the use is written as a call or a link of a pipe of the callee.
    pub direct: bool,
    /// The argument's text, where it is a name.
    pub name: Option<&'m str>,
}

/// `shape-mismatch`: an argument is not of the declared type.
pub fn argument_mismatch(misfit: &Misfit<'_>) -> Diagnostic {
    let Misfit { argument, callee, declared, .. } = misfit;
    let message = match misfit.asked {
        Some(asked) => format!("`{callee}` takes {}, here {asked}, and gets {argument}", declared.value),
        None => format!("`{callee}` takes {}, here it gets {argument}", declared.value),
    };
    let diagnostic = Diagnostic::error("shape-mismatch", message);
    // Behind `|>` the link is the place to edit, in a call the argument.
    let link = misfit.call.filter(|call| !call.contains(argument.span));
    let diagnostic = match link {
        Some(link) => diagnostic.at(link, format!("takes {}", declared.value)).and_operand(argument),
        None => diagnostic.at_operand(argument),
    };
    let diagnostic = match misfit.reason {
        Some((text, span)) => diagnostic.and(span, text),
        None => diagnostic,
    };
    let diagnostic = match misfit.own {
        true => diagnostic.and(declared.span, format!("`{callee}` asks for this")),
        false => diagnostic,
    };
    let diagnostic = match misfit.advice.text(callee, misfit.name.unwrap_or("x")) {
        Some(text) => diagnostic.help(text),
        None => diagnostic,
    };
    let before = |text: &str| {
        let link = link.filter(|_| misfit.direct)?;
        Some(Edit::replace(Span { end: link.start, ..link }, text))
    };
    let around = |open: &str, close: &str| misfit.name.map(|_| Edit::wrap(argument.span, open, close));
    let (title, edits) = match &misfit.advice {
        FitAdvice::Flatten(_) => ("flatten it", before("flatten |> ").or_else(|| around("flatten(", ")"))),
        FitAdvice::AddAxis(shape) => {
            // Perhaps it is the model's signature that lacks the axis.
            return match before(&format!("reshape({shape}) |> ")) {
                Some(reshape) => diagnostic.suggest("add the axis", reshape),
                None => diagnostic,
            };
        }
        FitAdvice::Wrap if link.is_none() => ("put it in brackets", around("[", "]")),
        FitAdvice::First if link.is_none() => ("take its element", around("", "[0]")),
        FitAdvice::OneHot => ("make numbers of it", before("one_hot |> ").or_else(|| around("one_hot(", ")"))),
        FitAdvice::ArgMax if link.is_none() => ("make a category of it", around("argmax(", ")")),
        FitAdvice::ChannelsFirst => ("move the channels", before("transpose([1, 2, 0]) |> ")),
        FitAdvice::EachOrFlatten => {
            return match before("flatten |> ") {
                Some(flatten) => diagnostic.suggest("flatten it", flatten),
                None => diagnostic,
            };
        }
        FitAdvice::None
        | FitAdvice::Each
        | FitAdvice::ClassWanted(_)
        | FitAdvice::Wrap
        | FitAdvice::First
        | FitAdvice::ArgMax => {
            return diagnostic;
        }
    };
    // Numbers in place of categories may mean that two arguments were exchanged: only the user knows.
    let safe = !matches!(misfit.advice, FitAdvice::OneHot | FitAdvice::ArgMax);
    match edits {
        Some(edits) if safe => diagnostic.fix(title, edits),
        Some(edits) => diagnostic.suggest(title, edits),
        None => diagnostic,
    }
}

/// `shape-mismatch`: a body's value is not what the signature says.
pub fn output_mismatch(name: &str, actual: &Operand, declared: Spanned<&impl Display>) -> Diagnostic {
    let message = format!("`{name}` should give {}, its body gives {actual}", declared.value);
    Diagnostic::error("shape-mismatch", message)
        .at_operand(actual)
        .and(declared.span, format!("{} is declared here", declared.value))
}

/// `shape-mismatch`: a body gives another number of values than the signature says.
pub fn output_count(span: Span, name: &str, wanted: usize, found: &str, declared: Span) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("`{name}` should give {wanted} values, its body gives {found}"))
        .at(span, "the body's value")
        .and(declared, "declared here")
        .help("end the body in a tuple, one value for each output: `(a, b)`")
}

/// `shape-mismatch`: a field's value is not of its type.
pub fn field_mismatch(span: Span, actual: &impl Display, declared: Spanned<&impl Display>) -> Diagnostic {
    let (found, wanted) = (actual.to_string(), declared.value.to_string());
    let diagnostic = Diagnostic::error("shape-mismatch", format!("this should be {wanted}, it is {found}"))
        .at(span, format!("this is {found}"))
        .and(declared.span, format!("{wanted} is declared here"));
    match (wanted.starts_with("class"), found.as_str(), wanted.as_str()) {
        (true, "[]", _) => diagnostic.help(
            "a number is no category: take a column of whole numbers or of names, or `argmax` of one number for each",
        ),
        (false, "[]", "[1]") => diagnostic
            .help("a scalar in brackets is a vector of one")
            .fix("put it in brackets", Edit::wrap(span, "[", "]")),
        (_, _, _) => diagnostic,
    }
}

/// `shape-mismatch`: an activation changes the shape.
pub fn activation_shape(
    span: Span,
    name: &str,
    actual: &impl Display,
    input: &impl Display,
    declared: Span,
) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("the activation `{name}` gives {actual} for {input}"))
        .at(span, format!("this is {actual}"))
        .and(declared, "an activation keeps the shape of its input")
        .help("what changes the shape is a `fn` or a `layer`")
}

/// `shape-mismatch`: a loss, metric, penalty or schedule is no scalar.
pub fn not_a_scalar(span: Span, keyword: &str, name: &str, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("the {keyword} `{name}` should give a scalar, it gives {actual}"))
        .at(span, format!("this is {actual}"))
        .help("`mean(…)` or `sum(…)` makes one number of a tensor")
}

/// `shape-mismatch`: a loss expression of a run is no scalar.
pub fn scalar_wanted(span: Span, callee: &str, name: &str, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("`{name}` of `{callee}` is a scalar, not {actual}"))
        .at(span, format!("this is {actual}"))
}

/// `shape-mismatch`: `avg` of a tensor that is no scalar.
pub fn avg_of_tensor(span: Span, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("`avg` averages a scalar of each sample, not {actual}"))
        .at(span, format!("this is {actual}"))
        .help("take the mean over the elements first: `avg(mean(…))`")
}

/// `shape-mismatch`: an initial value is not of the parameter's shape.
pub fn init_shape(span: Span, actual: &impl Display, shape: &impl Display) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("the initial value should be {shape} or a scalar, it is {actual}"))
        .at(span, format!("this is {actual}"))
}

/// `shape-mismatch`: a state's next value is not of its shape.
pub fn state_shape(span: Span, name: &str, actual: &impl Display, state: &impl Display, declared: Span) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("`{name}` is {state}, its next value is {actual}"))
        .at(span, format!("this is {actual}"))
        .and(declared, format!("{state} is declared here"))
        .help("a state keeps the shape of its start")
}

/// `shared-layer`: one set of parameters would have two shapes.
pub fn shared_layer_shape(span: Span, path: &str, now: &impl Display, before: &str, first: Span) -> Diagnostic {
    Diagnostic::error(
        "shared-layer",
        format!("`{path}` is shared, and would be {before} in one use and {now} in another"),
    )
    .at(span, format!("{now} in this use"))
    .and(first, format!("{before} in the first use"))
    .help("a layer bound by `let` is one set of parameters; write it in place where each use should have its own")
}

/// `shape-mismatch`: the tensors under `each` or `scan` are of different lengths.
pub fn each_extents(actual: &Operand, first: &Operand) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("the first axes of {first} and {actual} differ"))
        .at_operand(actual)
        .and_operand(first)
        .help("what runs together has the same first axis")
}

/// `shape-mismatch`: a scalar has no first axis.
pub fn each_of_scalar(actual: &Operand, each: Span) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("there is no first axis in {actual} to run over"))
        .at_operand(actual)
        .and(each, "runs over the first axis")
}

/// `shape-mismatch`: the parts of `concat` differ beside the joined axis.
pub fn concat_mismatch(
    first: &Operand,
    part: &Operand,
    rank: [usize; 2],
    joined: usize,
    fits: Option<usize>,
) -> Diagnostic {
    let diagnostic = Diagnostic::error("shape-mismatch", format!("`concat` cannot join {first} with {part}"))
        .at_operand(part)
        .and_operand(first);
    match fits {
        _ if rank[0] != rank[1] => {
            diagnostic.help("`concat` joins tensors with the same number of axes; `reshape` adds one of 1")
        }
        Some(axis) => diagnostic.help(format!("they join along axis {axis}: `concat(…, axis = {axis})`")),
        None => diagnostic.help(format!("all axes but the joined one (axis {joined}) must be equal")),
    }
}

/// `shape-mismatch`: `concat` of scalars.
pub fn concat_of_scalars(span: Span) -> Diagnostic {
    Diagnostic::error("shape-mismatch", "`concat` joins along an axis, a scalar has none")
        .at(span, "this is a scalar")
        .help("scalars in brackets make a vector: `[a, b]`")
}

/// `shape-mismatch`: the elements of a list differ in shape.
pub fn stack_mismatch(first: &Operand, part: &Operand) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("a list cannot hold {part} beside {first}"))
        .at_operand(part)
        .and_operand(first)
        .help("the elements of a list have one shape; `concat(a, b)` joins vectors of different lengths")
}

/// `shape-mismatch`: `reshape` to another number of elements.
pub fn reshape_mismatch(
    span: Span,
    operand: &Operand,
    shape: &impl Display,
    own: impl Display,
    asked: impl Display,
) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("{operand} cannot take the shape {shape}"))
        .at(span, asked.to_string())
        .and(operand.span, own.to_string())
        .help("the number of elements must stay the same; `-1` stands for the one axis that is to be worked out")
}

/// `type-mismatch`: numbers one by one where a list of them belongs.
pub fn list_wanted(callee: &str, numbers: Span) -> Diagnostic {
    Diagnostic::error("type-mismatch", format!("`{callee}` takes one list of numbers, not several numbers"))
        .at(numbers, "a list belongs here")
        .help(match callee {
            "transpose" => "the axes stand in brackets: `x |> transpose([2, 0, 1])`",
            _ => "a shape stands in brackets: `x |> reshape([16, 16])`",
        })
        .fix("put them in brackets", Edit::wrap(numbers, "[", "]"))
}

/// `shape-mismatch`: `expand` to a shape that does not end in the operand's.
pub fn expand_mismatch(span: Span, operand: &Operand, shape: &impl Display) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("{operand} cannot be repeated to {shape}"))
        .at(span, "the last axes differ")
        .and_operand(operand)
        .help("the shape asked for ends in that of the operand")
}

/// `shape-mismatch`: a table has another number of rows than there are categories.
pub fn gather_mismatch(table: &Operand, index: &Operand) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("{table} has no row for each category of {index}"))
        .at_operand(index)
        .and_operand(table)
        .help("the first axis of the table has one element for each category")
}

/// `shape-mismatch`: the weights of a convolution are of another rank.
pub fn conv_weights(name: &str, weights: &Operand, x: &Operand, spatial: usize) -> Diagnostic {
    let form = match spatial {
        1 => "[k, c_in, c_out]",
        2 => "[kh, kw, c_in, c_out]",
        _ => "[one size for each spatial axis, c_in, c_out]",
    };
    Diagnostic::error("shape-mismatch", format!("`{name}` of {x} needs weights {form}, not {weights}"))
        .at_operand(weights)
        .and_operand(x)
}

/// `shape-mismatch`: the channels of a convolution differ.
pub fn conv_channels(
    name: &str,
    weights: &Operand,
    x: &Operand,
    inputs: &impl Display,
    channels: &impl Display,
    groups: &impl Display,
) -> Diagnostic {
    let times = match groups.to_string().as_str() {
        "1" => String::new(),
        groups => format!(" in each of {groups} groups"),
    };
    Diagnostic::error("shape-mismatch", format!("`{name}` cannot join {x} with the weights {weights}"))
        .at(weights.span, format!("for {inputs} input channels{times}"))
        .and(x.span, format!("{channels} channels, the last axis of {x}"))
        .and_operand(x)
        .help(
            "the last axis of the image equals the input channels of the weights times the groups; channels come last",
        )
}

/// `out-of-range`: output channels that the groups do not divide.
pub fn conv_groups(span: Span, groups: i64, outputs: i64) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("{groups} groups do not divide {outputs} output channels"))
        .at(span, "here")
}

/// `shape-mismatch`: an operation over windows of what has no spatial axis.
pub fn window_rank(x: &Operand, call: Span, name: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error("shape-mismatch", format!("`{name}` takes spatial axes and channels, not {x}"));
    let diagnostic = match call.contains(x.span) {
        true => diagnostic.at_operand(x),
        false => diagnostic.at(call, "runs over spatial axes").and_operand(x),
    };
    diagnostic.help("an image is `[height, width, channels]`, a signal `[length, channels]`")
}

/// `out-of-range`: a list that has not one number for each spatial axis.
pub fn window_list(span: Span, name: &str, spatial: usize, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("`{name}` is a positive number, or {spatial} of them, for {actual}"))
        .at(span, "here")
}

/// `out-of-range`: padding that is no number of zeros for each spatial axis.
pub fn padding_list(span: Span, spatial: usize, actual: &impl Display) -> Diagnostic {
    let numbers = if spatial == 1 { String::new() } else { format!(", or {spatial} of them") };
    let message = format!("`padding` is `valid`, `same` or a number from 0 on{numbers}, for {actual}");
    Diagnostic::error("out-of-range", message).at(span, "here")
}

/// `out-of-range`: a window larger than what it runs over; `worked` is the arithmetic of how many there would be.
pub fn window_too_large(
    span: Span,
    name: &str,
    size: &impl Display,
    extent: &impl Display,
    x: &Operand,
    worked: Option<&str>,
) -> Diagnostic {
    let label = match worked {
        Some(worked) => format!("`{name}` over {x}: {worked}"),
        None => format!("`{name}` over {x}"),
    };
    let diagnostic = Diagnostic::error("out-of-range", format!("a window of {size} does not fit into {extent}"))
        .at(span, label)
        .and_operand(x);
    match channels_first(&x.ty) {
        true => diagnostic.help("is the first axis that of the channels? they come last: `transpose(x, [1, 2, 0])`"),
        false => diagnostic.help("make the window smaller, or use `padding = same`"),
    }
}

/// Whether a written shape looks like that of an image with its channels first.
fn channels_first(shape: &str) -> bool {
    let extents: Vec<u64> =
        shape.trim_matches(['[', ']']).split(", ").map_while(|extent| extent.parse().ok()).collect();
    matches!(extents.as_slice(), [channels @ (1 | 3 | 4), height, width] if height > channels && width > &4)
}

/// `out-of-range`: an extent below 0.
pub fn extent_negative(span: Span, shape: &impl Display, extent: &impl Display) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("{shape} has an axis of {extent} elements"))
        .at(span, "this gives an axis of less than nothing")
        .help("an axis has a number from 0 on, or a name such as `n`; the batch is no axis of a shape")
}

/// `out-of-range`: categories of which there is none.
pub fn class_of_nothing(span: Span, ty: &impl Display, count: &impl Display) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("{ty} has {count} categories, and a value is one of at least one"))
        .at(span, "no value has this type")
}

/// `out-of-range`: a reduction that has no value of no elements.
pub fn reduction_of_nothing(span: Span, name: &str, x: &Operand) -> Diagnostic {
    let help = match name {
        "max" | "min" => format!("`{name}(concat(x, [0]))` has 0 where `x` is empty"),
        _ => "of nothing only `sum` has a value, 0, and `prod`, 1".to_owned(),
    };
    Diagnostic::error("out-of-range", format!("`{name}` of no elements has no value"))
        .at(span, format!("over an axis of {x} that has none"))
        .and_operand(x)
        .help(help)
}

/// `out-of-range`: a transposed convolution whose padding cuts everything off.
pub fn nothing_left(span: Span, name: &str, extent: &impl Display, x: &Operand) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("`{name}` of {x} would have an axis of {extent}"))
        .at(span, "the padding cuts off all there is")
        .and_operand(x)
        .help("the padding of a transposed convolution is taken off its result")
}

/// `out-of-range`: windows over an image without pixels, or of a size of nothing.
pub fn window_of_nothing(span: Span, name: &str, what: &str, x: &Operand) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("`{name}` needs {what} of at least 1 along every spatial axis"))
        .at(span, "0 here")
        .and_operand(x)
}

/// `out-of-range`: an extent beyond 64 bits.
pub fn extent_too_large(span: Span) -> Diagnostic {
    Diagnostic::error("out-of-range", "the size of an axis goes beyond all numbers here").at(span, "too large to count")
}

/// `too-complex`: no shape could be worked out, and nothing else was found wrong.
pub fn undetermined(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("too-complex", format!("the shapes of `{name}` cannot be worked out"))
        .at(span, "used here")
        .help("give the dimensions it leaves open as numbers")
}

/// `model-too-large`: one tensor that no memory holds.
pub fn model_too_large(span: Span, shape: &impl Display, elements: u128, limit: u64) -> Diagnostic {
    Diagnostic::error("model-too-large", format!("{shape} has {} elements, {}", grouped(elements), bytes(elements)))
        .at(span, "this tensor is too large")
        .help(format!("the limit is {} elements for one sample", grouped(u128::from(limit))))
}

/// `model-too-large`: all parameters together.
pub fn parameters_too_large(span: Span, path: &str, shape: &impl Display, total: u128, limit: u64) -> Diagnostic {
    let message = format!("with `{path}` the model has {} parameters, {}", grouped(total), bytes(total));
    Diagnostic::error("model-too-large", message).at(span, format!("{shape} more")).help(format!(
        "the limit is {} parameters; training keeps two to four numbers for each",
        grouped(u128::from(limit))
    ))
}

fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(elements: u128) -> String {
    let mut size = elements as f64 * 4.0;
    let units = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.3} {}", units[unit])
}

/// `out-of-range`: an axis that is not there.
pub fn axis_out_of_range(span: Span, axis: i64, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("{actual} has no axis {axis}"))
        .at(span, "no such axis")
        .help("axes count from 0, or from the end with -1")
}

/// `missing-argument`: an axis must be named.
pub fn axis_needed(span: Span, name: &str, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("missing-argument", format!("`{name}` of {actual} needs an axis"))
        .at(span, "along which axis?")
        .help(format!("write `{name}(x, axis = -1)`"))
}

/// `out-of-range`: an index beyond its axis.
pub fn index_out_of_range(span: Span, index: &impl Display, extent: &impl Display, base: &Operand) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("there is no element {index} on an axis of {extent}"))
        .at(span, "beyond the axis")
        .and_operand(base)
        .help("indices count from 0, or from the end with -1")
}

/// `out-of-range`: an index beyond a list.
pub fn list_index(span: Span, index: i64, length: usize) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("there is no element {index} in a list of {length}"))
        .at(span, "beyond the list")
        .help("indices count from 0, or from the end with -1")
}

/// `out-of-range`: a range that leaves its axis or ends before it begins.
pub fn range_out_of_bounds(
    span: Span,
    start: i64,
    end: i64,
    extent: &impl Display,
    actual: &impl Display,
) -> Diagnostic {
    let message = if start > end {
        format!("the range {start}..{end} ends before it begins")
    } else {
        format!("the range {start}..{end} leaves an axis of {extent}")
    };
    Diagnostic::error("out-of-range", message)
        .at(span, format!("of {actual}"))
        .help("ranges are half-open: `0..n` is all of an axis of n")
}

/// `shape-mismatch`: more indices than axes.
pub fn too_many_indices(span: Span, count: usize, base: &Operand) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("{count} indices for {base}"))
        .at(span, "more indices than axes")
        .and_operand(base)
}

/// `not-compile-time`: an index that is neither a number of the program nor a category.
pub fn index_at_run_time(span: Span, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("not-compile-time", format!("an index is a number known beforehand or a category, not {actual}"))
        .at(span, format!("this is {actual}"))
}

/// `out-of-range`: `range` of a number that is no extent of an axis.
pub fn range_count(span: Span, count: &impl Display) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("`range` counts a number of places from 0 to 2^24, not {count}"))
        .at(span, format!("this is {count}"))
}

/// `shape-mismatch`: `split` into parts that do not come out even.
pub fn split_uneven(span: Span, actual: &impl Display, parts: i64, extent: &impl Display) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("an axis of {extent} does not split into {parts} equal parts"))
        .at(span, format!("of {actual}"))
        .help("give the sizes of the parts in a list: `split(x, [3, 5])`")
}

/// `shape-mismatch`: the parts of `split` do not sum to the axis.
pub fn split_total(span: Span, total: &impl Display, extent: &impl Display, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("the parts sum to {total}, the axis has {extent}"))
        .at(span, format!("of {actual}"))
}

/// `out-of-range`: axes that are no permutation.
pub fn not_a_permutation(span: Span, axes: &[i64], base: &Operand) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("{axes:?} does not name every axis of {base} once"))
        .at(span, "here")
        .and_operand(base)
}

/// `out-of-range`: widths that `pad` does not understand.
pub fn pad_width(span: Span, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("`pad` cannot read these widths for {actual}"))
        .at(span, "here")
        .help("write one width for all sides, `pad(x, 1)`, or a pair for every axis, `pad(x, [[1, 1], [0, 2]])`")
}

/// `misplaced`: an optimizer that looks at more than one element.
pub fn not_elementwise(span: Span) -> Diagnostic {
    Diagnostic::error("misplaced", "an optimizer is written for one element of a parameter")
        .at(span, "this looks at more than one element, or makes several")
        .help("`param`, `grad` and each `state` are scalars here; they stand for each element in turn")
}

/// `misplaced`: random numbers where a result would not be the same twice.
pub fn misplaced_random(span: Span, keyword: &str) -> Diagnostic {
    Diagnostic::error("misplaced", format!("a {keyword} has no random numbers"))
        .at(span, "a random number")
        .help("random numbers belong in layers, models, inits and the fields of generated data")
}

/// `out-of-range`: a pool some of whose windows hold padding alone.
pub fn pool_of_nothing(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("some windows of this `{name}` would hold nothing but padding"))
        .at(span, "as wide as the window, or wider")
        .help("the padding on each side is smaller than the window")
}

/// `out-of-range`: a probability outside 0 to 1.
pub fn share_out_of_range(span: Span, share: f64) -> Diagnostic {
    // What subtraction of decimal fractions leaves is not the user's.
    let share = (share * 1e9).round() / 1e9;
    Diagnostic::error("out-of-range", format!("a share of {share} is not between 0 and 1"))
        .at(span, format!("this is {share}"))
        .help("`bernoulli(share)` gives 1 with this probability, 0 otherwise")
}

/// `out-of-range`: a configuration value outside 0 to 1 that a shipped layer takes for a probability.
pub fn share_given_out_of_range(span: Span, callee: &str, name: &str, given: f64) -> Diagnostic {
    let message = format!("`{name} = {given}` of `{callee}` is not between 0 and 1");
    Diagnostic::error("out-of-range", message).at(span, format!("`{name}` is {given}")).help(match given {
        2.0..=100.0 => format!("`{name}` is a share: write `{given}%` or `{}`", given / 100.0),
        _ => format!("`{name}` is a share, such as `50%` or `0.5`"),
    })
}

/// `out-of-range`: `repeat` less than no or too many times.
pub fn repeat_count(span: Span, count: i64, most: i64) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("`repeat` makes 0 to {most} copies, not {count}")).at(span, "here")
}

/// `type-mismatch`: a category where numbers belong.
pub fn class_is_no_number(span: Span, what: &str, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("type-mismatch", format!("`{what}` takes numbers, {actual} is a category"))
        .at(span, format!("this is {actual}"))
        .help("`one_hot(x)` makes numbers of a category; categories are compared with `==`")
}

/// `type-mismatch`: something else where a category belongs.
pub fn class_wanted(span: Span, what: &str, actual: &impl Display) -> Diagnostic {
    Diagnostic::error("type-mismatch", format!("`{what}` takes a category, not {actual}"))
        .at(span, format!("this is {actual}"))
        .help("a category has the type `class(k)`")
}

/// `type-mismatch`: values that `==` does not compare.
pub fn not_comparable(symbol: &str, left: Spanned<impl Display>, right: Spanned<impl Display>) -> Diagnostic {
    Diagnostic::error("type-mismatch", format!("`{symbol}` cannot compare {} with {}", left.value, right.value))
        .at(right.span, format!("this is {}", right.value))
        .and(left.span, format!("this is {}", left.value))
        .help("categories are compared with categories of the same kind, numbers with numbers")
}

/// `type-mismatch`: branches or parts with different elements.
pub fn branches_differ(span: Span, first: Spanned<impl Display>, second: Spanned<impl Display>) -> Diagnostic {
    let _ = span;
    Diagnostic::error("type-mismatch", format!("{} and {} cannot stand for each other", first.value, second.value))
        .at(second.span, format!("this is {}", second.value))
        .and(first.span, format!("this is {}", first.value))
}

/// `type-mismatch`: a truth value belongs here.
pub fn truth_wanted(span: Span, what: &str, actual: &impl Display) -> Diagnostic {
    truth_wanted_of_value(span, what, &format!("a tensor {actual}"))
}

/// `type-mismatch`: a truth value belongs here.
pub fn truth_wanted_of_value(span: Span, what: &str, found: &str) -> Diagnostic {
    Diagnostic::error("type-mismatch", format!("`{what}` takes truth values, not {found}"))
        .at(span, "not a truth value")
        .help("a comparison gives one: `x > 0.5`")
}

/// `type-mismatch`: the condition of an `if` is no truth value.
pub fn condition_not_truth(span: Span, found: &str) -> Diagnostic {
    Diagnostic::error("type-mismatch", format!("the condition of an `if` is a truth value, not {found}"))
        .at(span, "not a truth value")
        .help("compare it: `x > 0`")
}

/// `type-mismatch`: a number belongs here.
pub fn number_wanted(span: Span, what: &str, found: &str) -> Diagnostic {
    let what = if what.contains(' ') { what.to_owned() } else { format!("`{what}`") };
    Diagnostic::error("type-mismatch", format!("{what} takes a number, not {found}")).at(span, "not a number")
}

/// `type-mismatch`: a whole number belongs here.
pub fn not_whole_number(span: Span, found: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error("type-mismatch", format!("a whole number belongs here, not {found}"));
    if found.starts_with("a tensor") {
        diagnostic
            .at(span, "known only when the program runs")
            .help("sizes, counts and axes are known before anything runs")
    } else {
        diagnostic.at(span, "not a whole number")
    }
}

/// `type-mismatch`: a list of whole numbers belongs here.
pub fn not_a_shape(span: Span, found: &str) -> Diagnostic {
    Diagnostic::error("type-mismatch", format!("a list of whole numbers belongs here, not {found}"))
        .at(span, "not a shape")
        .help("write `[28, 28, 1]`")
}

/// `type-mismatch`: what is no tensor where one belongs.
pub fn not_a_tensor(span: Span, found: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error("type-mismatch", format!("a tensor belongs here, not {found}"));
    let layer = found.starts_with("the layer") || found.starts_with("a layer") || found.starts_with("the function");
    let activation = found.starts_with("the activation") || found.starts_with("the model");
    if layer || activation {
        diagnostic.at(span, "not applied to anything").help("apply it to a tensor: `x |> f` or `f(x)`")
    } else {
        diagnostic.at(span, "not a tensor")
    }
}

/// `type-mismatch`: a word that is no case of the enumeration.
pub fn not_a_case(span: Span, found: &str, name: &str, cases: &[&str]) -> Diagnostic {
    let cases: Vec<String> = cases.iter().map(|case| format!("`{case}`")).collect();
    Diagnostic::error("type-mismatch", format!("`{name}` is {}, not {found}", cases.join(" or ")))
        .at(span, "not one of them")
}

/// `type-mismatch`: configuration of another type.
pub fn configuration_mismatch(
    span: Span,
    found: &str,
    wanted: &str,
    callee: &str,
    name: &str,
    declared: Span,
) -> Diagnostic {
    let diagnostic = Diagnostic::error("type-mismatch", format!("`{name}` of `{callee}` is {wanted}, not {found}"))
        .at(span, format!("this is {found}"))
        .and(declared, "declared here");
    if let Some(numbers) = found.strip_prefix("the tuple `(").and_then(|rest| rest.strip_suffix(")`"))
        && wanted.contains("list")
    {
        return diagnostic.help(format!("a list stands in brackets: `[{numbers}]`"));
    }
    match wanted.contains("`true`") && found.starts_with("the number") {
        true => {
            diagnostic.help("values stand in the order of the declaration; the size of an input is known, not given")
        }
        false => diagnostic,
    }
}

/// `not-compile-time`: a tensor as configuration.
pub fn configuration_at_run_time(span: Span, callee: &str, name: &str) -> Diagnostic {
    Diagnostic::error(
        "not-compile-time",
        format!("`{name}` of `{callee}` is configuration, this is known only when the program runs"),
    )
    .at(span, "a tensor")
    .help(format!("tensors are given in a list of their own, behind the configuration: `{callee}({name} = …)(x)`"))
}

/// `not-compile-time`: an initialisation that looks at run-time values.
pub fn not_before_running(span: Span) -> Diagnostic {
    Diagnostic::error("not-compile-time", "an initial value cannot depend on what is known only when the program runs")
        .at(span, "known only when the program runs")
}

/// `missing-type`: an operation on shapes in a function of scalars.
pub fn untyped_argument(span: Span, what: &str) -> Diagnostic {
    Diagnostic::error("missing-type", format!("`{what}` looks at the shape, and this argument has no type"))
        .at(span, "an argument without a type is one element")
        .help("give the argument a type: `x: [n]` for a vector, `x: [..s]` for any shape")
}

/// `out-of-range`: a number that is no category.
pub fn category_out_of_range(span: Span, number: i64, count: &impl Display) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("there is no category {number} in class({count})"))
        .at(span, "no such category")
        .help("categories count from 0")
}

/// `unknown-name`: a text that names no category.
pub fn unknown_category(span: Span, text: &str, names: &[String]) -> Diagnostic {
    let known: Vec<String> = names.iter().take(8).map(|name| format!("{name:?}")).collect();
    Diagnostic::error("unknown-name", format!("there is no category {text:?}"))
        .at(span, "no such category")
        .help(format!("the categories are {}", known.join(", ")))
}

/// `type-mismatch`: a text compared with categories that have no names.
pub fn categories_without_names(span: Span, text: &str, count: &impl Display) -> Diagnostic {
    Diagnostic::error(
        "type-mismatch",
        format!("the categories of class({count}) have no names, {text:?} is none of them"),
    )
    .at(span, "a text")
    .help("compare with a number, or name them where they are declared: `class(\"no\", \"yes\")`")
}

/// `type-mismatch`: a parameter or state of categories.
pub fn param_of_classes(span: Span) -> Diagnostic {
    Diagnostic::error("type-mismatch", "parameters and states are numbers")
        .at(span, "write a shape such as `[n, units]`")
}

/// `type-mismatch`: `class` with odd arguments.
pub fn class_arguments(span: Span) -> Diagnostic {
    Diagnostic::error("type-mismatch", "`class` takes the number of categories or their names")
        .at(span, "here")
        .help("write `class(10)` or `class(\"no\", \"yes\")`")
}

/// `misplaced`: two `..` in one shape.
pub fn two_rests(span: Span) -> Diagnostic {
    Diagnostic::error("misplaced", "a shape has at most one `..`")
        .at(span, "a second one")
        .help("where one ends and the other begins could not be told")
}

/// `type-mismatch`: a list with names where a tensor belongs.
pub fn named_list_as_tensor(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("type-mismatch", "the elements of a vector have no names").at(name.span, "a name")
}

/// `shape-mismatch`: a vector without elements.
pub fn empty_list(span: Span) -> Diagnostic {
    Diagnostic::error("shape-mismatch", "a vector has at least one element").at(span, "an empty list")
}

/// `shape-mismatch`: `let (a, b) = e` with another number of values.
pub fn destructure(names: Span, wanted: usize, found: &str, value: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error("shape-mismatch", format!("{wanted} names for {found}"))
        .at(names, format!("{wanted} names"))
        .and(value, format!("this is {found}"));
    if found.ends_with("values") {
        diagnostic.help("bind as many names as there are values")
    } else {
        diagnostic.help("`split(x, 2)` makes two parts of a tensor; one name takes it whole")
    }
}

/// `shape-mismatch`: what an optimizer makes of a parameter's element is more than one number.
pub fn update_not_elementwise(span: Span, actual: &impl Display, name: Span) -> Diagnostic {
    Diagnostic::error("shape-mismatch", format!("the next `param` is one number, not {actual}"))
        .at(span, format!("this is {actual}"))
        .and(name, "one element of a parameter")
        .help("an optimizer is written for one element; it runs over all elements of every parameter")
}

/// `out-of-range`: a division by the number 0.
pub fn division_by_zero(span: Span, divisor: Span) -> Diagnostic {
    Diagnostic::error("out-of-range", "this divides by 0").at(divisor, "this is 0").and(span, "in this quotient")
}
