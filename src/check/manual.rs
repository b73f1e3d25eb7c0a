//! What the primitives of the language are: one table, for `nnc doc` and the editor.
//!
//! `docs/language.md` has a row for each, with the same words; a test compares.

/// A primitive, an operator or a form of the language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manual {
    /// Its name.
    pub name: &'static str,
    /// What kind it is, as a heading: `reductions`.
    pub kind: &'static str,
    /// How it is written, with its defaults.
    pub signature: &'static str,
    /// What it does.
    pub doc: &'static str,
}

const EACH: &str = "functions of each element";
const REDUCTIONS: &str = "reductions";
const OPERATORS: &str = "operators";
const WINDOWS: &str = "products and windows";
const SHAPES: &str = "shapes";
const CATEGORIES: &str = "categories";
const BATCH: &str = "the batch";
const RANDOM: &str = "random numbers and initialisations";
const FORMS: &str = "forms";

const fn manual(kind: &'static str, name: &'static str, signature: &'static str, doc: &'static str) -> Manual {
    Manual { name, kind, signature, doc }
}

/// All of them, by kind.
pub const MANUAL: &[Manual] = &[
    manual(EACH, "exp", "exp(x)", "e to the power of x."),
    manual(EACH, "log", "log(x)", "The natural logarithm; minus infinity at 0, NaN below."),
    manual(EACH, "sqrt", "sqrt(x)", "The square root."),
    manual(EACH, "abs", "abs(x)", "The distance from 0; its derivative at 0 is 0."),
    manual(EACH, "sign", "sign(x)", "-1, 0 or 1."),
    manual(EACH, "floor", "floor(x)", "The greatest whole number not above x."),
    manual(EACH, "ceil", "ceil(x)", "The least whole number not below x."),
    manual(EACH, "round", "round(x)", "The nearest whole number; of two, the even one."),
    manual(EACH, "sin", "sin(x)", "The sine."),
    manual(EACH, "cos", "cos(x)", "The cosine."),
    manual(EACH, "tanh", "tanh(x)", "The hyperbolic tangent, from -1 to 1; an activation as it stands."),
    manual(EACH, "erf", "erf(x)", "The error function."),
    manual(EACH, "clamp", "clamp(x, low, high)", "x, but not below `low` and not above `high`."),
    manual(
        EACH,
        "max",
        "max(a, b)",
        "The greater of two; where they are equal the gradient goes to `b`. `max(x, axis = i)` is a reduction.",
    ),
    manual(
        EACH,
        "min",
        "min(a, b)",
        "The lesser of two; where they are equal the gradient goes to `b`. `min(x, axis = i)` is a reduction.",
    ),
    manual(
        REDUCTIONS,
        "sum",
        "sum(x, axis)",
        "The sum over all axes, over one (`axis = 0`; `axis = -1` is the last) or over several (`axis = [0, 1]`), which \
         disappear.",
    ),
    manual(REDUCTIONS, "mean", "mean(x, axis)", "The mean, over axes as for `sum`."),
    manual(
        REDUCTIONS,
        "prod",
        "prod(x, axis)",
        "The product, over axes as for `sum`; of the axes `..s`, the number of elements.",
    ),
    manual(
        REDUCTIONS,
        "var",
        "var(x, axis)",
        "The mean of the squared distances from the mean, over axes as for `sum`.",
    ),
    manual(
        REDUCTIONS,
        "argmax",
        "argmax(x, axis)",
        "The number of the greatest element, the first of several: a `class(k)`. Only a vector needs no `axis`.",
    ),
    manual(REDUCTIONS, "argmin", "argmin(x, axis)", "The number of the least element, as `argmax` of the greatest."),
    manual(
        REDUCTIONS,
        "avg",
        "avg(x)",
        "In a metric: the average of a number of each sample over the whole split, by the samples' weights.",
    ),
    manual(
        OPERATORS,
        "@",
        "a @ b",
        "The product of matrices and vectors: the last axis of `a` with the first of a vector or matrix `b`; of higher ranks \
         the leading axes, which must be equal, run together.",
    ),
    manual(OPERATORS, "^", "a ^ b", "`a` to the power of `b`, the right one first: `a ^ b ^ c` is `a ^ (b ^ c)`."),
    manual(OPERATORS, "%", "a % b", "The remainder, with the sign of `b`."),
    manual(OPERATORS, "|>", "a |> f", "`f` applied to `a`; where `a` is a layer, the layer of both."),
    manual(
        OPERATORS,
        "[]",
        "x[i], x[a..b]",
        "The element number `i`, or those from `a` up to but not with `b`, along the first axis; `x[i, a..b]` for two axes. Counted from 0, \
         negative ones from the end; either bound may be left out. `E[token]` is the row of `E` that a category names, \
         of a `class(k)[t]` one for each.",
    ),
    manual(
        WINDOWS,
        "conv",
        "conv(x, W, stride = 1, padding = valid, dilation = 1, groups = 1)",
        "The convolution of `[spatial…, c_in]` with the filters `[window…, c_in / groups, c_out]`. `padding` is `valid` (none), \
         `same` (as many places as the input has, divided by the stride) or a number; each but `groups` is one number or a list with one for each spatial axis.",
    ),
    manual(
        WINDOWS,
        "conv_transpose",
        "conv_transpose(x, W, stride = 1, padding = valid, dilation = 1)",
        "The transpose of `conv`: each element of `[spatial…, c_in]` is spread over a window of the result, by the weights `[window…, c_in, c_out]`.",
    ),
    manual(
        WINDOWS,
        "max_pool",
        "max_pool(x, size, stride = size, padding = valid)",
        "The greatest element of each window of each channel.",
    ),
    manual(
        WINDOWS,
        "avg_pool",
        "avg_pool(x, size, stride = size, padding = valid)",
        "The mean of each window of each channel.",
    ),
    manual(
        SHAPES,
        "concat",
        "concat(a, b, …, axis = -1)",
        "Tensors one behind the other along an axis: `[m]` and `[n]` give `[m + n]`. Also of a list, `concat([a, b])`.",
    ),
    manual(
        SHAPES,
        "stack",
        "stack(a, b, …, axis = 0)",
        "Tensors of one shape along a new axis: two of `[n]` give `[2, n]`. A list, `[a, b]`, is the same along the first.",
    ),
    manual(
        SHAPES,
        "split",
        "split(x, parts, axis = -1)",
        "So many equal parts, or parts of the extents in a list: `let (a, b) = split(x, [2, 3])`.",
    ),
    manual(
        SHAPES,
        "reshape",
        "reshape(x, shape)",
        "The same elements, the last axis fastest, in another shape; an extent of `-1` is worked out from the others.",
    ),
    manual(SHAPES, "flatten", "flatten(x)", "The same elements as one vector."),
    manual(
        SHAPES,
        "transpose",
        "transpose(x, axes)",
        "The axes reversed, or in the order of a list: `transpose(x, [1, 0, 2])`.",
    ),
    manual(SHAPES, "slice", "slice(x, start, end, axis = 0)", "The elements from `start` up to `end` along any axis."),
    manual(
        SHAPES,
        "pad",
        "pad(x, width)",
        "Zeros around: so many at both ends of every axis, or a pair for each axis, `pad(x, [[0, 0], [1, 2]])`.",
    ),
    manual(SHAPES, "reverse", "reverse(x, axis = 0)", "Backwards along an axis."),
    manual(
        SHAPES,
        "sort",
        "sort(x, axis = -1, descending = false)",
        "The elements in order along an axis, NaN last: `sort(x, descending = true)[0..3]` are the three greatest.",
    ),
    manual(
        SHAPES,
        "argsort",
        "argsort(x, axis = -1, descending = false)",
        "The numbers of the elements in the order of `sort`, equal ones as they stood: each a `class(k)`.",
    ),
    manual(
        SHAPES,
        "upsample",
        "upsample(x, factor)",
        "Each element of `[spatial…, c]` repeated along every spatial axis; a list has a factor for each.",
    ),
    manual(
        SHAPES,
        "expand",
        "expand(x, shape, axis = 0)",
        "`x` repeated to a shape that ends in its own, `expand(x, [t, n])`, or along a new axis of that extent, `expand(x, 5)`.",
    ),
    manual(SHAPES, "range", "range(count)", "The numbers 0, 1, … up to but not with `count`."),
    manual(
        CATEGORIES,
        "one_hot",
        "one_hot(x)",
        "A `class(k)` as a vector `[k]`: 1 at its number, 0 elsewhere; a `class(k)[n]` as `[n, k]`.",
    ),
    manual(BATCH, "batch_mean", "batch_mean(x)", "The mean over the batch and every axis but the last."),
    manual(BATCH, "batch_var", "batch_var(x)", "The variance over the batch and every axis but the last."),
    manual(
        BATCH,
        "stop_gradient",
        "stop_gradient(x)",
        "`x`, which the gradient takes for a constant: nothing before it learns from what follows.",
    ),
    manual(
        RANDOM,
        "bernoulli",
        "bernoulli(share = 0.5, shape)",
        "1 with that probability, else 0. Of the shape given; without one, a scalar, or what an initialisation fills.",
    ),
    manual(
        RANDOM,
        "normal",
        "normal(mean = 0, deviation = 1, shape)",
        "Normal numbers, in a shape as for `bernoulli`.",
    ),
    manual(
        RANDOM,
        "uniform",
        "uniform(low = 0, high = 1, shape)",
        "Numbers from `low` up to but not with `high`, in a shape as for `bernoulli`.",
    ),
    manual(RANDOM, "zeros", "zeros(shape)", "Zeros; as an initialisation without a shape."),
    manual(RANDOM, "ones", "ones(shape)", "Ones; as an initialisation without a shape."),
    manual(
        RANDOM,
        "constant",
        "constant(value = 0, shape)",
        "One number everywhere; as an initialisation without a shape.",
    ),
    manual(
        RANDOM,
        "orthogonal",
        "orthogonal(shape)",
        "A random matrix with orthonormal columns, or rows where it is wider than high; in an initialisation only.",
    ),
    manual(
        FORMS,
        "if",
        "if c then a else b",
        "Where `c` is known when the program is compiled, one of both; else a choice element by element.",
    ),
    manual(
        FORMS,
        "each",
        "each f",
        "`f` for every element along the first axis, with the same parameters: `x |> each dense(10)`; `each f(a, b)` runs along both.",
    ),
    manual(
        FORMS,
        "repeat",
        "repeat n { f }",
        "`n` fresh copies of a layer, one behind the other: `repeat 3 { dense(8) |> relu }`.",
    ),
    manual(
        FORMS,
        "scan",
        "scan x_t over x from (h = start) { … }",
        "A loop along the first axis. The states begin as given, `next h = e` is the state of the next step, and what `emit e` gives is stacked; \
         without `emit` the value is the last state.",
    ),
];

/// The entry of a name.
pub fn manual_of(name: &str) -> Option<&'static Manual> {
    MANUAL.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::super::primitives;
    use super::{MANUAL, manual_of};

    #[test]
    fn every_primitive_has_its_entry_with_its_arguments() {
        for (name, arguments) in primitives::arguments() {
            let entry = manual_of(name).unwrap_or_else(|| panic!("`{name}` has no entry"));
            let variadic = entry.signature.contains('…') || entry.signature.ends_with("(a, b)");
            for argument in arguments {
                let known = entry.signature.contains(argument) || variadic && matches!(argument, "x" | "axis");
                assert!(known, "`{argument}` is not in {}", entry.signature);
            }
        }
    }

    #[test]
    fn names_are_there_once() {
        for (at, entry) in MANUAL.iter().enumerate() {
            assert!(MANUAL[..at].iter().all(|other| other.name != entry.name), "{}", entry.name);
        }
    }
}
