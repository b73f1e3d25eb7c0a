//! Problems with names, kinds and declarations: one constructor each.

use super::{Diagnostic, Edit, Label, foreign};
use crate::source::{Span, Spanned};

/// `` `a`, `b` and `c` ``.
fn listed(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn counted(number: usize, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("one {what}"),
        number => format!("{number} {what}s"),
    }
}

/// Offers the nearest name.
fn suggesting(diagnostic: Diagnostic, span: Span, near: Option<&str>) -> Diagnostic {
    match near {
        Some(near) => {
            let (help, title) = (format!("did you mean `{near}`?"), format!("write `{near}`"));
            let edits = Edit::replace(span, near);
            // Names of one letter are all near to each other.
            match near.chars().count() {
                1 => diagnostic.help(help).suggest(title, edits),
                _ => diagnostic.help(help).fix(title, edits),
            }
        }
        None => diagnostic,
    }
}

/// The use of a declaration in whose body something goes wrong, with what its dimensions are there.
pub fn use_label(span: Span, name: &str, bound: &[(String, i64)]) -> Label {
    let dimensions: Vec<String> = bound.iter().take(6).map(|(name, number)| format!("{name} = {number}")).collect();
    let message = match dimensions.as_slice() {
        [] => format!("in this use of `{name}`"),
        dimensions => format!("in this use of `{name}`, with {}", dimensions.join(", ")),
    };
    Label { span, message }
}

/// `unknown-name`: a name of another tool. What it takes may be another thing here, so the fix is not applied unasked.
pub fn name_elsewhere(span: Span, name: &str, own: &str) -> Diagnostic {
    Diagnostic::error("unknown-name", format!("there is no `{name}` here"))
        .collected()
        .at(span, "not found")
        .help(format!("did you mean `{own}`? `nnc doc {own}` says what it takes"))
        .suggest(format!("write `{own}`"), Edit::replace(span, own))
}

/// `unknown-name`: nothing of that name is in scope.
pub fn unknown_name(span: Span, name: &str, near: Option<&str>, elsewhere: &Option<String>) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("unknown-name", format!("there is no `{name}` here")).collected().at(span, "not found");
    match elsewhere {
        Some(elsewhere) => diagnostic.help(elsewhere.clone()),
        None => suggesting(diagnostic, span, near),
    }
}

/// `unknown-name`: no input binds the axes `..s`.
pub fn unknown_rest(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("unknown-name", format!("nothing binds the axes `..{}`", name.value))
        .collected()
        .at(name.span, "not found")
        .help(format!("an input of type `[..{}]` binds them", name.value))
}

/// `unknown-type`: a word that is no type.
pub fn unknown_type(span: Span, word: &str) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("unknown-type", format!("`{word}` is no type")).collected().at(span, "not a type");
    if let Some(own) = foreign::type_word(word) {
        return diagnostic
            .help(format!("it is called `{own}` here"))
            .fix(format!("write `{own}`"), Edit::replace(span, own));
    }
    if matches!(word, "Tensor" | "tensor" | "array" | "ndarray" | "list" | "List") {
        return diagnostic
            .help("the type of a tensor is its shape for one sample: `[n]`, `[28, 28, 1]`, `[]` for a scalar");
    }
    diagnostic.help(
        "configuration is an `int`, `float`, `bool` or `string`, an enumeration such as `{valid, same}`, or a kind of declaration \
         such as `activation` or `init`",
    )
}

/// `unknown-type`: a word where a tensor's type belongs.
pub fn type_is_no_tensor(span: Span, word: &str) -> Diagnostic {
    Diagnostic::error("unknown-type", format!("`{word}` is no type of a tensor"))
        .at(span, "a tensor's type belongs here")
        .help("write a shape such as `[n]`, `[]` for a scalar, or `class(10)`")
}

/// `unknown-constant`: `--set` names no constant.
pub fn unknown_override(name: &str, near: Option<&str>) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-constant", format!("`--set {name}=…` names no `const` of the program"));
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

/// `not-a-number`: the value behind `--set` is none.
pub fn override_not_a_number(name: &str, text: &str, declared: Span) -> Diagnostic {
    Diagnostic::error("not-a-number", format!("`--set {name}={text}` gives no number"))
        .at(declared, "the constant it would set")
        .help("give a number such as `12`, `0.5` or `20%`, or `true` or `false`")
}

/// `not-compile-time`: a constant's value is known only when the program runs.
pub fn constant_not_known(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("not-compile-time", format!("the value of `{name}` is no number known beforehand"))
        .at(span, "a `const` is a number, a text or a list of them")
}

/// `duplicate-name`: two declarations of one name in one file.
pub fn duplicate_declaration(name: &Spanned<String>, first: Span) -> Diagnostic {
    Diagnostic::error("duplicate-name", format!("`{}` is declared twice", name.value))
        .at(name.span, "declared again here")
        .and(first, "first declared here")
        .help("rename one of them")
}

/// `duplicate-name`: a name bound twice in one block or head.
pub fn bound_twice(name: &Spanned<String>, first: Span) -> Diagnostic {
    Diagnostic::error("duplicate-name", format!("`{}` is bound twice", name.value))
        .at(name.span, "bound again here")
        .and(first, "first bound here")
        .help("a name is bound once; give the second value a name of its own")
}

/// `duplicate-name`: a field of a run stands twice; `missing` is one that it needs and does not have.
pub fn field_twice(name: &Spanned<String>, first: Span, missing: Option<&str>) -> Diagnostic {
    Diagnostic::error("duplicate-name", format!("`{}` is given twice", name.value))
        .at(name.span, "given again here")
        .and(first, "first given here")
        .help(match missing {
            Some(missing) => format!("the run has no `{missing}`: is one of them meant to be it?"),
            None => "remove one of them".to_owned(),
        })
}

/// `recursion`: a declaration leads back to itself.
pub fn cycle(span: Span, ring: &[(&str, Span)]) -> Diagnostic {
    let message = match ring {
        [] => "a declaration is made of itself".to_owned(),
        [(name, _)] => format!("`{name}` is made of itself"),
        [(first, _), rest @ ..] => {
            let names: Vec<String> = rest.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("`{first}` is made of itself, by way of {}", names.join(" and "))
        }
    };
    let mut diagnostic =
        Diagnostic::error("recursion", message).collected_if(!ring.is_empty()).at(span, "this leads back");
    for (name, place) in ring.iter().take(4) {
        diagnostic = diagnostic.and(*place, format!("`{name}` is declared here"));
    }
    diagnostic.help("a declaration may use others, but not itself; for copies in a row there is `repeat n { … }`")
}

/// `use-cycle`: files use each other.
pub fn use_cycle(span: Span) -> Diagnostic {
    Diagnostic::error("use-cycle", "this file is being read already: the files use each other")
        .at(span, "leads back to a file that uses this one")
        .help("move what both need into a third file")
}

/// `wrong-kind`: data where a value belongs.
pub fn data_is_no_value(span: Span, name: &str, declared: Span) -> Diagnostic {
    Diagnostic::error("wrong-kind", format!("`{name}` is data, not a value"))
        .collected()
        .at(span, "a value belongs here")
        .and(declared, "declared here")
        .help(format!("name the data in a run: `train MODEL on {name} {{ … }}`"))
}

/// `wrong-kind`: a declaration of another kind than the place asks for.
pub fn wrong_kind(span: Span, found: &str, wanted: &str) -> Diagnostic {
    Diagnostic::error("wrong-kind", format!("{wanted} belongs here, not {found}")).at(span, format!("this is {found}"))
}

/// Says that the text in quotes is a name that is there; `exact` where it is written as it is called.
pub fn without_quotes(diagnostic: Diagnostic, span: Span, name: &str, exact: bool) -> Diagnostic {
    let help = format!("a name stands without quotes: `{name}`");
    let (title, edits) = (format!("write `{name}`"), Edit::replace(span, name));
    match exact {
        true => diagnostic.help(help).fix(title, edits),
        false => diagnostic.help(help).suggest(title, edits),
    }
}

/// `not-callable`: a value is applied.
pub fn not_callable(span: Span, found: &str, origin: Option<Span>) -> Diagnostic {
    let mut problem =
        Diagnostic::error("not-callable", format!("{found} cannot be applied")).at(span, "not a layer or a function");
    if let Some(origin) = origin {
        problem = problem.and(origin, "this is what it means here");
    }
    problem.help("`x |> f` and `f(x)` need a layer, an activation, a function or a model for `f`")
}

/// `wrong-kind`: an init, schedule or optimizer is given tensors.
pub fn takes_no_tensors(span: Span, keyword: &str, name: &str) -> Diagnostic {
    Diagnostic::error("wrong-kind", format!("the {keyword} `{name}` takes no tensors"))
        .collected()
        .at(span, "applied here")
        .help(format!("`{name}` has configuration only; name it where {keyword}s belong"))
}

/// `unknown-argument`: no parameter has that name.
pub fn unknown_argument(
    argument: &Spanned<String>,
    callee: &str,
    known: &[String],
    near: Option<&str>,
    is_input: bool,
) -> Diagnostic {
    let message = format!("`{callee}` has no configuration `{}`", argument.value);
    let diagnostic = Diagnostic::error("unknown-argument", message).collected().at(argument.span, "not known");
    if is_input {
        return diagnostic
            .help(format!("`{}` is a tensor of `{callee}`; tensors are given by position", argument.value));
    }
    if let Some(another) = foreign::argument_of_another(callee, &argument.value) {
        return diagnostic.help(another);
    }
    let ours = foreign::argument(&argument.value, known.iter().map(String::as_str));
    if let Some(elsewhere) = foreign::argument_elsewhere(&argument.value).filter(|_| ours.is_none()) {
        return diagnostic.help(elsewhere);
    }
    match ours.or(near) {
        Some(near) => suggesting(diagnostic, argument.span, Some(near)),
        None if known.is_empty() => diagnostic.help(format!("`{callee}` has no configuration")),
        None => diagnostic.help(format!("`{callee}` knows {}", listed(known))),
    }
}

/// Arguments of one call that nothing is known like, told together: it is rather another thing that was meant to be called.
pub fn joined_unknown_arguments(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut joined: Vec<Diagnostic> = Vec::new();
    for problem in found {
        let first = joined.iter_mut().find(|first| first.fixes.is_empty() && first.help == problem.help);
        match first.filter(|_| problem.fixes.is_empty()) {
            Some(first) => {
                first.labels.extend(problem.span().map(|span| Label { span, message: "nor this".to_owned() }))
            }
            None => joined.push(problem),
        }
    }
    joined
}

/// `duplicate-argument`: one parameter is given twice.
pub fn argument_twice(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("duplicate-argument", format!("`{name}` is given twice")).at(span, "given again here")
}

/// `missing-argument`: configuration without a default is not given.
pub fn missing_argument(span: Span, callee: &str, name: &str, declared: Span) -> Diagnostic {
    Diagnostic::error("missing-argument", format!("`{callee}` needs `{name}`"))
        .collected_if(declared.file == span.file)
        .at(span, format!("`{name}` is not given"))
        .and(declared, "it has no default")
        .help(format!("give it by position or by name: `{callee}({name} = …)`"))
}

/// `missing-argument`: a primitive lacks an argument.
pub fn missing_tensor(span: Span, callee: &str, name: &str) -> Diagnostic {
    Diagnostic::error("missing-argument", format!("`{callee}` needs `{name}`"))
        .at(span, format!("`{name}` is not given"))
}

/// `too-many-arguments`: more configuration than there are parameters.
pub fn too_many_configured(span: Span, callee: &str, count: usize, is_tensor: bool, declared: Span) -> Diagnostic {
    let what = counted(count, "configuration value");
    let diagnostic = Diagnostic::error("too-many-arguments", format!("`{callee}` takes {what}"))
        .collected_if(declared.file == span.file)
        .at(span, "one too many")
        .and(declared, "declared here");
    if is_tensor {
        diagnostic.help(format!("tensors are given in a list of their own: `{callee}(…)(x)` or `x |> {callee}(…)`"))
    } else {
        diagnostic
    }
}

/// `too-many-arguments`: more arguments than a primitive has.
pub fn too_many_arguments(span: Span, callee: &str, count: usize) -> Diagnostic {
    let message = format!("`{callee}` takes {}", counted(count, "argument"));
    Diagnostic::error("too-many-arguments", message).at(span, "one too many")
}

/// `wrong-number-of-inputs`: a callable is given more or fewer tensors than it takes.
pub fn input_count(
    span: Span,
    callee: &str,
    names: &[String],
    config: &[String],
    found: usize,
    declared: Span,
) -> Diagnostic {
    let wanted = names.len();
    let help = match found > wanted && !config.is_empty() {
        true => format!(
            "it takes {}; configuration has a list of its own before them: `{callee}({})({})`",
            listed(names),
            config.join(", "),
            names.join(", ")
        ),
        false if callee == "linear" => "`linear` is the identity; a layer with weights is `dense(units)`".to_owned(),
        false => format!("it takes {}", listed(names)),
    };
    let message = format!("`{callee}` takes {}, here it gets {found}", counted(wanted, "tensor"));
    Diagnostic::error("wrong-number-of-inputs", message)
        .collected_if(declared.file == span.file)
        .at(span, format!("{} given", if found == 1 { "one is".to_owned() } else { format!("{found} are") }))
        .and(declared, "declared here")
        .help(help)
}

/// `wrong-number-of-inputs`: empty brackets behind what has no configuration, where its tensor comes from elsewhere.
pub fn empty_call(brackets: Span, callee: &str, found: &str) -> Diagnostic {
    Diagnostic::error("wrong-number-of-inputs", format!("{found} is given nothing in these brackets"))
        .at(brackets, "nothing is given here")
        .help(format!("it has no configuration left to give; name it: `{callee}`"))
        .fix("remove the brackets", Edit::replace(brackets, ""))
}

/// `not-callable`: numbers stand where only a declaration with configuration takes them.
pub fn no_configuration(brackets: Span, callee: &str) -> Diagnostic {
    Diagnostic::error("not-callable", format!("`{callee}` has no configuration"))
        .at(brackets, "nothing to configure")
        .help(format!("`x |> {callee}` applies it"))
        .fix("remove the brackets", Edit::replace(brackets, ""))
}

/// `unknown-argument`: a tensor is given by name.
pub fn input_by_name(name: &Spanned<String>, callee: &str, is_config: bool) -> Diagnostic {
    let message = format!("tensors are given to `{callee}` by position, `{}` is given by name", name.value);
    let diagnostic = Diagnostic::error("unknown-argument", message).collected().at(name.span, "named here");
    if is_config {
        diagnostic
            .help(format!("configuration has a list of its own, before the tensors: `{callee}({} = …)(…)`", name.value))
    } else {
        diagnostic.help("leave the name out")
    }
}

/// `misplaced`: `on` outside of a penalty.
pub fn misplaced_on(span: Span) -> Diagnostic {
    Diagnostic::error("misplaced", "`on \"pattern\"` belongs behind a penalty of a run")
        .at(span, "not a penalty's place")
        .help("`penalty = l2(1e-4) on \"*.W\"` in a `train` block says which parameters it falls on")
}

/// `misplaced`: `avg` outside of a metric.
pub fn misplaced_avg(span: Span) -> Diagnostic {
    Diagnostic::error("misplaced", "`avg` belongs in a metric").at(span, "there is no split to average over here").help(
        "a loss is a scalar of one sample, the run averages it; for the mean of a tensor's elements there is `mean`",
    )
}

/// `misplaced`: `orthogonal` outside of an initialisation.
pub fn misplaced_orthogonal(span: Span) -> Diagnostic {
    Diagnostic::error("misplaced", "`orthogonal` fills parameters only").at(span, "not an initialisation")
}

/// `misplaced`: a statement that its surroundings do not have.
pub fn misplaced_statement(span: Span, statement: &str, place: &str) -> Diagnostic {
    Diagnostic::error("misplaced", format!("`{statement}` belongs in {place}")).at(span, "not here")
}

/// `missing-value`: a block without a value.
pub fn block_without_value(span: Span) -> Diagnostic {
    Diagnostic::error("missing-value", "this block has no value")
        .at(span, "its last line is no expression")
        .help("the last line of a block is its value")
}

/// `unused-value`: an expression statement that is not the last.
pub fn value_unused(span: Span) -> Diagnostic {
    Diagnostic::error("unused-value", "this value goes nowhere")
        .at(span, "only the last line of a block is its value")
        .help("bind it with `let`, or join the lines with `|>`")
}

/// `missing-value`: `scan` neither emits nor keeps anything.
pub fn scan_without_value(span: Span) -> Diagnostic {
    Diagnostic::error("missing-value", "this `scan` has no value")
        .at(span, "it emits nothing and keeps no state")
        .help("`emit e` gives one element of the result for each step")
}

/// `missing-type`: a parameter without its shape.
pub fn param_without_type(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("missing-type", format!("the parameter `{}` has no shape", name.value))
        .at(name.span, "its shape is not known")
        .help(format!("write it: `param {}: [n, units] = …`", name.value))
}

/// `missing-value`: a parameter of that rank without an initialisation.
pub fn param_without_init(name: &Spanned<String>, rank: usize, span: Span) -> Diagnostic {
    let init = if rank < 2 { "zeros" } else { "glorot_uniform" };
    Diagnostic::error("missing-value", format!("nothing fills the parameter `{}`", name.value))
        .at(span, "it has no initial value")
        .help("write one behind `=`: `zeros`, `glorot_uniform`, `normal(0, 0.1)`")
        .fix(format!("start from `{init}`"), Edit::replace(span.after(), format!(" = {init}")))
}

/// `missing-type`: a layer's state without its shape.
pub fn state_without_type(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("missing-type", format!("the state `{}` has no shape", name.value))
        .at(name.span, "its shape is not known")
        .help(format!("write it: `state {}: [c] = zeros`, or `[]` for a scalar", name.value))
}

/// `missing-value`: a state without a start.
pub fn state_without_start(name: &Spanned<String>, span: Span) -> Diagnostic {
    Diagnostic::error("missing-value", format!("the state `{}` has no start", name.value))
        .at(span, "it needs a value to begin with")
        .help("write one behind `=`: `state velocity = 0`")
}

/// `missing-value`: a `scan` state without `next`.
pub fn state_without_next(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("missing-value", format!("the state `{name}` of this `scan` never changes"))
        .at(span, "no `next` for it")
        .help(format!("say what it is in the next step: `next {name} = …`"))
}

/// `unknown-name`: `next` of what is no state.
pub fn unknown_state(name: &Spanned<String>, near: Option<&str>) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-name", format!("there is no state `{}` here", name.value))
        .at(name.span, "not a state");
    match near {
        Some(_) => suggesting(diagnostic, name.span, near),
        None => diagnostic.help(format!("declare it before: `state {} = …`", name.value)),
    }
}

/// `not-supported-yet`: a layer with a state under `each`.
pub fn state_in_each(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(
        "not-supported-yet",
        format!("a layer with the state `{}` under `each` is not supported yet", name.value),
    )
    .at(name.span, "one state for all elements")
    .help("`batch_norm` takes any number of leading axes as it stands, without `each`")
}

/// `wrong-kind`: `repeat` of what is no layer.
pub fn repeat_without_layer(span: Span, found: &str) -> Diagnostic {
    Diagnostic::error("wrong-kind", format!("`repeat` makes copies of a layer, not of {found}"))
        .at(span, format!("this is {found}"))
        .help("write the layer alone, without what it is applied to: `x |> repeat 3 { dense(8) |> relu }`")
}

/// `wrong-kind`: `each` of what is no layer.
pub fn each_without_layer(span: Span, found: &str) -> Diagnostic {
    Diagnostic::error("wrong-kind", format!("`each` maps a layer, not {found}"))
        .at(span, "nothing to map here")
        .help("write `x |> each dense(10)`, or `each f(x, y)` with tensors as arguments")
}

/// `missing-inputs`: a declaration without its list of tensors.
pub fn declaration_without_inputs(name: &Spanned<String>, keyword: &str) -> Diagnostic {
    Diagnostic::error("missing-inputs", format!("the {keyword} `{}` has no list of tensors", name.value))
        .at(name.span, "what does it take?")
        .help(format!("write `{keyword} {}(x: [n]) …`", name.value))
}

/// `misplaced`: a tensor with a default.
pub fn input_with_default(name: &Spanned<String>, span: Span) -> Diagnostic {
    Diagnostic::error("misplaced", format!("the tensor `{}` cannot have a default", name.value))
        .at(span, "a default belongs to configuration")
        .help("configuration stands in a list of its own, before the tensors: `fn f(k = 2)(x)`")
}

/// `misplaced`: a tensor of one of several types.
pub fn input_of_several_types(name: &Spanned<String>, span: Span) -> Diagnostic {
    Diagnostic::error("misplaced", format!("the input `{}` has several types", name.value))
        .at(span, "an input has one type")
        .help("`or` belongs to configuration; `..s` in a shape stands for any axes: `[..s, n]`")
}

/// `missing-type`: a model's input without a type.
pub fn model_input_without_type(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("missing-type", format!("the input `{}` of this model has no type", name.value))
        .at(name.span, "what does the model take?")
        .help(format!("write its shape for one sample: `{}: [784]`", name.value))
}

/// `missing-type`: a model's output without a name or a type.
pub fn model_output_unnamed(name: &Spanned<String>, ty: Option<Span>) -> Diagnostic {
    Diagnostic::error("missing-type", format!("the output of the model `{}` has no name", name.value))
        .at(ty.unwrap_or(name.span), "a run refers to it by name")
        .help("write `-> y_hat: [10]`, or `-> (mean: [2], spread: [2])` for several")
}

/// `missing-argument`: an optimizer without a rate.
pub fn optimizer_without_lr(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("missing-argument", format!("the optimizer `{}` has no `lr`", name.value))
        .at(name.span, "a schedule has nothing to scale")
        .help(format!("add it to the configuration: `optimizer {}(lr = 0.01)`", name.value))
}

/// `missing-value`: an optimizer that changes nothing.
pub fn optimizer_without_next(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(
        "missing-value",
        format!("the optimizer `{}` does not say what becomes of the parameter", name.value),
    )
    .at(name.span, "no `next param` in it")
    .help("write `next param = param - lr * grad`")
}

/// `too-complex`: the program is larger than the checker follows.
pub fn too_complex(span: Span) -> Diagnostic {
    Diagnostic::error("too-complex", "the program unfolds into more than the compiler follows")
        .at(span, "the limit was reached here")
        .help("declarations that apply each other several times grow exponentially; `repeat` counts multiply")
}
