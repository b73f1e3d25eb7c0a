//! What other tools call things, and what they are called here.

/// Layers, losses, optimizers and functions by their names elsewhere.
const NAMES: [(&str, &str); 48] = [
    ("Linear", "dense"),
    ("Dense", "dense"),
    ("fc", "dense"),
    ("fully_connected", "dense"),
    ("Conv1d", "conv1d"),
    ("Conv1D", "conv1d"),
    ("Conv2d", "conv2d"),
    ("Conv2D", "conv2d"),
    ("conv2D", "conv2d"),
    ("Convolution2D", "conv2d"),
    ("ConvTranspose2d", "conv2d_transpose"),
    ("Conv2DTranspose", "conv2d_transpose"),
    ("MaxPool2d", "max_pool2d"),
    ("MaxPooling2D", "max_pool2d"),
    ("maxpool", "max_pool2d"),
    ("AvgPool2d", "avg_pool2d"),
    ("AveragePooling2D", "avg_pool2d"),
    ("GlobalAveragePooling2D", "global_avg_pool"),
    ("AdaptiveAvgPool2d", "global_avg_pool"),
    ("BatchNorm1d", "batch_norm"),
    ("BatchNorm2d", "batch_norm"),
    ("BatchNormalization", "batch_norm"),
    ("LayerNormalization", "layer_norm"),
    ("LayerNorm", "layer_norm"),
    ("GroupNorm", "group_norm"),
    ("UpSampling2D", "upsample2d"),
    ("SimpleRNN", "rnn"),
    ("MultiheadAttention", "multi_head_attention"),
    ("MultiHeadAttention", "multi_head_attention"),
    ("MSELoss", "mse"),
    ("mse_loss", "mse"),
    ("mean_squared_error", "mse"),
    ("L1Loss", "mae"),
    ("mean_absolute_error", "mae"),
    ("CrossEntropyLoss", "cross_entropy"),
    ("categorical_crossentropy", "cross_entropy"),
    ("sparse_categorical_crossentropy", "cross_entropy"),
    ("crossentropy", "cross_entropy"),
    ("NLLLoss", "cross_entropy"),
    ("BCELoss", "binary_cross_entropy"),
    ("BCEWithLogitsLoss", "binary_cross_entropy"),
    ("binary_crossentropy", "binary_cross_entropy"),
    ("swish", "silu"),
    ("SiLU", "silu"),
    ("concatenate", "concat"),
    ("cat", "concat"),
    ("acc", "accuracy"),
    ("Accuracy", "accuracy"),
];

/// Configuration by its names elsewhere.
const ARGUMENTS: [(&str, &str); 36] = [
    ("out_features", "units"),
    ("hidden_size", "units"),
    ("num_units", "units"),
    ("out_channels", "filters"),
    ("num_filters", "filters"),
    ("kernel_size", "size"),
    ("pool_size", "size"),
    ("kernel", "size"),
    ("strides", "stride"),
    ("dilation_rate", "dilation"),
    ("use_bias", "bias"),
    ("kernel_initializer", "weights"),
    ("init", "weights"),
    ("p", "rate"),
    ("epsilon", "eps"),
    ("learning_rate", "lr"),
    ("rate", "lr"),
    ("beta_1", "beta1"),
    ("beta_2", "beta2"),
    ("momentum", "beta"),
    ("weight_decay", "decay"),
    ("num_heads", "heads"),
    ("num_groups", "groups"),
    ("embedding_dim", "units"),
    ("output_dim", "units"),
    ("negative_slope", "k"),
    ("gamma", "rate"),
    ("step_size", "every"),
    ("factor", "rate"),
    ("dim", "axis"),
    ("delimiter", "separator"),
    ("sep", "separator"),
    ("na_values", "missing"),
    ("n_samples", "rows"),
    ("random_state", "seed"),
    ("vocab_size", "vocabulary"),
];

/// Fields of a run by their names elsewhere.
const FIELDS: [(&str, &str); 12] = [
    ("batch_size", "batch"),
    ("num_epochs", "epochs"),
    ("n_epochs", "epochs"),
    ("max_epochs", "epochs"),
    ("iterations", "epochs"),
    ("objective", "loss"),
    ("criterion", "loss"),
    ("scheduler", "schedule"),
    ("lr_scheduler", "schedule"),
    ("regularizer", "penalty"),
    ("random_state", "seed"),
    ("clipnorm", "clip"),
];

/// Types by their names elsewhere.
const TYPES: [(&str, &str); 14] = [
    ("Integer", "int"),
    ("integer", "int"),
    ("int32", "int"),
    ("int64", "int"),
    ("Int", "int"),
    ("usize", "int"),
    ("Float", "float"),
    ("float32", "float"),
    ("float64", "float"),
    ("double", "float"),
    ("number", "float"),
    ("boolean", "bool"),
    ("Bool", "bool"),
    ("str", "string"),
];

fn find(table: &[(&'static str, &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(foreign, _)| *foreign == word).map(|(_, own)| *own)
}

/// What a layer, loss, optimizer or function of another tool is called here.
pub fn name(word: &str) -> Option<&'static str> {
    find(&NAMES, word)
}

/// A word on what other tools have as a function and this language writes otherwise.
pub fn name_elsewhere(word: &str) -> Option<&'static str> {
    Some(match word {
        "matmul" | "mm" | "bmm" | "dot" | "MatMul" => "the product of matrices and vectors is written `a @ b`",
        "topk" | "TopK" | "top_k" => "the k largest elements are `sort(x, descending = true)[0..k]`",
        _ => return None,
    })
}

/// A word on configuration that makes another declaration of a callee.
pub(super) fn argument_of_another(callee: &str, word: &str) -> Option<&'static str> {
    Some(match (callee, word) {
        ("sgd", "momentum" | "beta") => "an optimizer of its own has it: `momentum(lr = 0.01, beta = 0.9)`",
        ("adam", "weight_decay" | "decay") => {
            "`adamw(decay = 0.01)` shrinks the weights in each step; a penalty on them is `penalty = l2(1e-4)`"
        }
        ("sort", "k") => "the k largest elements are `sort(x, descending = true)[0..k]`",
        _ => return None,
    })
}

/// What the configuration of another tool is called here, where it is among what is `known`.
pub(super) fn argument<'k>(word: &str, mut known: impl Iterator<Item = &'k str>) -> Option<&'static str> {
    find(&ARGUMENTS, word).filter(|own| known.any(|known| known == *own))
}

/// What a field of a run is called here.
pub(super) fn field(word: &str) -> Option<&'static str> {
    find(&FIELDS, word)
}

/// What a type is called here.
pub(super) fn type_word(word: &str) -> Option<&'static str> {
    find(&TYPES, word)
}

/// A word on configuration that a layer does not need here, or that stands elsewhere.
pub(super) fn argument_elsewhere(word: &str) -> Option<&'static str> {
    Some(match word {
        "activation" => "an activation is a link of its own: `x |> dense(8) |> relu`",
        "input_shape" | "input_dim" | "in_features" | "in_channels" | "input_size" | "in_planes" => {
            "leave it out: the shape of the input is known"
        }
        "kernel_regularizer" | "regularizer" | "weight_decay" | "l2" => {
            "the run has a penalty on the parameters: `penalty = l2(1e-4)`"
        }
        "betas" => "`beta1` and `beta2` are a number each",
        "name" => "`let` gives a layer a name",
        "training" => "a layer knows by itself whether it is trained",
        "clipnorm" | "clip_norm" | "max_norm" => "the run limits the gradients: `clip = 1.0`",
        "return_sequences" => "a recurrent layer gives all steps; `|> last` takes the last one",
        _ => return None,
    })
}

/// A word on a field that has its place elsewhere.
pub(super) fn field_elsewhere(word: &str) -> Option<&'static str> {
    Some(match word {
        "lr" | "learning_rate" | "rate" => "the rate belongs to the optimizer: `optimizer = adam(lr = 0.001)`",
        "callbacks" | "early_stopping" | "patience" => "a run stops early by `stop = early(patience = 5)`",
        "validation_split" | "validation_data" | "val_split" | "test_split" => {
            "the data is split where it is declared: `split = [train = 80%, val = 20%]`"
        }
        "shuffle" => "leave it out: each epoch takes the samples in an order of its own",
        "weight_decay" => "a penalty on the parameters: `penalty = l2(1e-4)`",
        "verbose" | "log" => "leave it out; `--quiet` and `--json` say what is printed",
        "device" | "num_workers" | "threads" => "leave it out; `--threads N` says how many are used",
        "model" => "the model stands behind `train`: `train MODEL on DATA { … }`",
        "data" | "dataset" => "the data stands behind `on`: `train MODEL on DATA { … }`",
        _ => return None,
    })
}
