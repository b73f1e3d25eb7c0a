//! What the command line takes.

use clap::{Parser, Subcommand, ValueEnum};
use nnc::driver::{Backend, Isa, Stage};
use std::path::PathBuf;

/// Compiles and trains neural networks written in the `.nn` language.
#[derive(Parser)]
#[command(name = "nnc", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check, compile, train and evaluate the `train` declarations of a file, in order
    Run(RunArguments),
    /// Say what is wrong with a program; nothing is run
    Check(CheckArguments),
    /// Explain a diagnostic at length
    Explain {
        /// The code, such as shape-mismatch; without one, all codes are listed
        code: Option<String>,
    },
    /// Format files in place
    Fmt {
        /// The files; `-` reads standard input and writes standard output
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Change nothing; the exit status is 1 where a file would change
        #[arg(long)]
        check: bool,
    },
    /// Show models as tables: layers, shapes, parameters, multiply-adds, memory
    Summary(SummaryArguments),
    /// Show the signature and the documentation of a name; without one, list all names by kind
    Doc(DocArguments),
    /// Print an intermediate form of the compiler
    Ir {
        /// The program
        file: PathBuf,
        /// Which form
        #[arg(long, value_enum)]
        stage: Stage,
        /// The run, by its name or its model's, or a model that no run names; the first without it
        #[arg(long)]
        model: Option<String>,
        /// The batch size; that of the `train` declaration without it
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=LARGEST_BATCH), value_name = "N")]
        batch: Option<u32>,
        /// Give a `const` another value
        #[arg(long = "set", value_name = "NAME=VALUE")]
        set: Vec<String>,
    },
}

#[derive(clap::Args)]
pub(crate) struct RunArguments {
    /// The program
    pub(super) file: PathBuf,
    /// Give a `const` another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(super) set: Vec<String>,
    /// Only the runs of that name
    #[arg(long, value_name = "NAME")]
    pub(super) only: Option<String>,
    /// Train for so many epochs
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1 << 30), value_name = "N")]
    pub(super) epochs: Option<u32>,
    /// Another seed
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Threads; as many as there are processors without it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024), value_name = "N")]
    pub(super) threads: Option<u16>,
    /// Where run directories are made
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Where data files are looked for, besides the folder of the program
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Go on with the run saved in that directory
    #[arg(long, value_name = "RUN")]
    pub(super) resume: Option<PathBuf>,
    /// What runs the program
    #[arg(long, value_enum, default_value_t = Backend::Jit)]
    pub(super) backend: Backend,
    /// The instruction set
    #[arg(long, value_enum, default_value_t = Isa::Auto)]
    pub(super) isa: Isa,
    /// One JSON object a line on standard output
    #[arg(long)]
    pub(super) json: bool,
    /// Nothing but errors, warnings and the table at the end
    #[arg(long, conflicts_with = "json")]
    pub(super) quiet: bool,
}

#[derive(clap::Args)]
pub(crate) struct CheckArguments {
    /// The programs
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// How diagnostics are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Fail on warnings, too
    #[arg(long)]
    pub(super) deny_warnings: bool,
    /// Apply the fixes that are safe, then say what is left
    #[arg(long)]
    pub(super) fix: bool,
    /// Read every row of the data
    #[arg(long)]
    pub(super) data: bool,
    /// Where data files are looked for, besides the folder of the program
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Give a `const` another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(super) set: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct SummaryArguments {
    /// The program
    pub(super) file: PathBuf,
    /// One run, by its name or its model's, or one model; all without it
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// The batch size; that of the `train` declaration without it
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=LARGEST_BATCH), value_name = "N")]
    pub(super) batch: Option<u32>,
    /// One JSON object a model
    #[arg(long)]
    pub(super) json: bool,
    /// Where data files are looked for, besides the folder of the program
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Give a `const` another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(super) set: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct DocArguments {
    /// What a declaration or a primitive is called, such as dense or concat
    pub(super) name: Option<String>,
    /// A program whose declarations count too
    pub(super) path: Option<PathBuf>,
    /// The same by name, to list the declarations of a program
    #[arg(long, conflicts_with = "path", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// The largest batch that can be asked for.
const LARGEST_BATCH: i64 = 1 << 24;

/// How diagnostics are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// With the lines of the program, for people
    Human,
    /// In sentences, for screen readers (the same where TERM is dumb or NO_GRAPHICS is set)
    Plain,
    /// One line each
    Short,
    /// One JSON object a line
    Json,
    /// One log in the Static Analysis Results Interchange Format 2.1.0
    Sarif,
}
