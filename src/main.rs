//! The `nnc` command: arguments in, exit code out.

use clap::{Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nnc::diagnostics::{Diagnostic, Severity, render};
use nnc::driver::{self, Backend, Failure, Isa, RunOptions, Settings, Stage};
use nnc::source::Sources;
use nnc::train::event::{End, Event, Status};
use nnc::train::report;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Compiles and trains neural networks written in the `.nn` language.
#[derive(Parser)]
#[command(name = "nnc", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
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
    /// Print an intermediate form of the compiler
    Ir {
        /// The program
        file: PathBuf,
        /// Which form
        #[arg(long, value_enum)]
        stage: Stage,
        /// The run, by its name or its model's; the first without it
        #[arg(long)]
        model: Option<String>,
        /// The batch size; that of the `train` declaration without it
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        batch: Option<u32>,
        /// Give a `const` another value
        #[arg(long = "set", value_name = "NAME=VALUE")]
        set: Vec<String>,
    },
}

#[derive(clap::Args)]
struct RunArguments {
    /// The program
    file: PathBuf,
    /// Give a `const` another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Only the runs of that name
    #[arg(long)]
    only: Option<String>,
    /// Train for so many epochs
    #[arg(long)]
    epochs: Option<usize>,
    /// Another seed
    #[arg(long)]
    seed: Option<u64>,
    /// Threads; as many as there are processors without it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Where run directories are made
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Where data files are looked for, besides the folder of the program
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Go on with the run saved in that directory
    #[arg(long, value_name = "RUN")]
    resume: Option<PathBuf>,
    /// What runs the program
    #[arg(long, value_enum, default_value_t = Backend::Jit)]
    backend: Backend,
    /// The instruction set
    #[arg(long, value_enum, default_value_t = Isa::Auto)]
    isa: Isa,
    /// One JSON object a line on standard output
    #[arg(long)]
    json: bool,
    /// Nothing but errors, warnings and the table at the end
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

#[derive(clap::Args)]
struct CheckArguments {
    /// The programs
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How diagnostics are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Read every row of the data
    #[arg(long)]
    data: bool,
    /// Where data files are looked for, besides the folder of the program
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Give a `const` another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// With the lines of the program, for people
    Human,
    /// One line each
    Short,
    /// One JSON object a line
    Json,
}

const SUCCESS: u8 = 0;
const FAILURE: u8 = 1;
const USAGE: u8 = 2;
const DIVERGED: u8 = 3;
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
        let what = panic.payload_as_str().unwrap_or("no message");
        let _ = writeln!(io::stderr(), "nnc: a bug in the compiler, please report it{place}:\n{what}");
    }));
    let arguments = Arguments::parse();
    // The stages recurse over the program; a stack of a known size makes their depth limits hold on every machine.
    let worker = std::thread::Builder::new().name("nnc".into()).stack_size(256 << 20);
    let status = match worker.spawn(move || execute(arguments.command)) {
        Ok(thread) => thread.join().unwrap_or(101),
        Err(error) => {
            let _ = writeln!(io::stderr(), "nnc: cannot start a thread: {error}");
            FAILURE
        }
    };
    ExitCode::from(status)
}

fn execute(command: Command) -> u8 {
    let result = match command {
        Command::Run(arguments) => run(arguments),
        Command::Check(arguments) => check(&arguments),
        Command::Explain { code } => explain(code.as_deref()),
        Command::Fmt { files, check } => fmt(&files, check),
        Command::Ir { file, stage, model, batch, set } => ir(&file, stage, model, batch, &set),
    };
    match result {
        Ok(status) => status,
        // The reader of our output went away: nothing is left to say, and to nobody.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "nnc: cannot write the output: {error}");
            FAILURE
        }
    }
}

fn run(arguments: RunArguments) -> io::Result<u8> {
    let set = match overrides(&arguments.set) {
        Ok(set) => set,
        Err(message) => return usage(&message),
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    let handler = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    });
    if let Err(error) = handler {
        writeln!(io::stderr(), "nnc: Ctrl-C will not save what was learned: {error}")?;
    }
    let options = RunOptions {
        settings: Settings { set, data_dir: arguments.data_dir, only: arguments.only },
        epochs: arguments.epochs,
        seed: arguments.seed,
        threads: arguments.threads.map(usize::from),
        out: arguments.out,
        resume: arguments.resume,
        backend: arguments.backend,
        isa: arguments.isa,
        interrupted,
    };
    let mut progress = Progress::new(arguments.json, arguments.quiet);
    let mut trouble = None;
    let result = driver::run(&arguments.file, &options, &mut |event| {
        if trouble.is_none() {
            trouble = progress.tell(event).err();
        }
    });
    progress.bar.finish_and_clear();
    if let Some(error) = trouble {
        return Err(error);
    }
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(failure) => return fail(&failure),
    };
    show(&outcome.sources, &outcome.warnings, Format::Human, &mut io::stderr())?;
    if !arguments.json {
        write!(io::stdout(), "{}", report::table(&outcome.ends))?;
    }
    let ended = |status| outcome.ends.iter().any(|end: &End| end.status == status);
    Ok(match () {
        () if ended(Status::Interrupted) => INTERRUPTED,
        () if ended(Status::Diverged) => DIVERGED,
        () => SUCCESS,
    })
}

/// Turns events into what the reader wants: a bar and lines, plain lines, or JSON.
struct Progress {
    json: bool,
    quiet: bool,
    bar: ProgressBar,
    epochs: usize,
    width: usize,
}

impl Progress {
    fn new(json: bool, quiet: bool) -> Progress {
        let plain = json || quiet || !io::stdout().is_terminal() || !io::stderr().is_terminal() || no_color();
        let bar = ProgressBar::with_draw_target(
            None,
            match plain {
                true => ProgressDrawTarget::hidden(),
                false => ProgressDrawTarget::stderr_with_hz(10),
            },
        );
        let style = ProgressStyle::with_template("{prefix} {bar:30.cyan/blue} {percent:>3}%  {msg}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
        Progress { json, quiet, bar, epochs: 0, width: terminal_width() }
    }

    fn tell(&mut self, event: &Event) -> io::Result<()> {
        if self.json {
            return report::json(event).map_or(Ok(()), |line| writeln!(io::stdout(), "{line}"));
        }
        if self.quiet {
            return Ok(());
        }
        match event {
            Event::Start(start) => {
                self.epochs = start.epochs;
                writeln!(io::stdout(), "{}", report::start_line(start))
            }
            Event::Progress(progress) => {
                self.bar.set_length(progress.total as u64);
                self.bar.set_position(progress.done as u64);
                self.bar.set_prefix(format!("epoch {}/{}", progress.epoch, self.epochs));
                let rate = report::short(progress.samples_per_s.round());
                self.bar.set_message(format!("loss {}  {rate} samples/s", report::short(progress.train_loss)));
                Ok(())
            }
            Event::Epoch(epoch) => {
                let line = report::epoch_line(epoch, self.epochs);
                self.bar.suspend(|| writeln!(io::stdout(), "{line}"))?;
                self.bar.reset();
                Ok(())
            }
            Event::End(end) => {
                let text = report::summary(end, self.epochs, self.width);
                self.bar.suspend(|| writeln!(io::stdout(), "{text}"))
            }
        }
    }
}

fn check(arguments: &CheckArguments) -> io::Result<u8> {
    let set = match overrides(&arguments.set) {
        Ok(set) => set,
        Err(message) => return usage(&message),
    };
    let mut status = SUCCESS;
    let settings = Settings { set, data_dir: arguments.data_dir.clone(), only: None };
    for file in &arguments.files {
        let checked = driver::check_file(file, &settings, arguments.data);
        let (sources, diagnostics) = (&checked.sources, &checked.diagnostics);
        match arguments.format {
            Format::Human => show(sources, diagnostics, Format::Human, &mut io::stderr())?,
            other => show(sources, diagnostics, other, &mut io::stdout())?,
        }
        let errors = diagnostics.iter().filter(|problem| problem.severity == Severity::Error).count();
        if errors > 0 {
            status = FAILURE;
        }
        if matches!(arguments.format, Format::Human) {
            let verdict = match (errors, diagnostics.len() - errors) {
                (0, 0) => "nothing to complain about".to_owned(),
                (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
            };
            writeln!(io::stderr(), "{}: {verdict}", file.display())?;
        }
    }
    Ok(status)
}

fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn explain(code: Option<&str>) -> io::Result<u8> {
    let Some(code) = code else {
        for (code, title) in driver::codes() {
            writeln!(io::stdout(), "{code:<28} {title}")?;
        }
        return Ok(SUCCESS);
    };
    match driver::explain(code) {
        Ok(text) => {
            writeln!(io::stdout(), "{text}")?;
            Ok(SUCCESS)
        }
        Err(near) => {
            let hint = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
            usage(&format!("no diagnostic has the code `{code}`{hint}; `nnc explain` lists them all"))
        }
    }
}

fn fmt(files: &[PathBuf], check: bool) -> io::Result<u8> {
    let mut status = SUCCESS;
    for file in files {
        let piped = file == Path::new("-");
        let formatted = if piped {
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text)?;
            driver::format_bytes("<stdin>", text)
        } else {
            driver::format_file(file)
        };
        let formatted = match formatted {
            Ok(formatted) => formatted,
            Err(failure) => {
                status = fail(&failure)?;
                continue;
            }
        };
        show(&formatted.sources, &formatted.diagnostics, Format::Human, &mut io::stderr())?;
        if !formatted.diagnostics.is_empty() {
            status = FAILURE;
        }
        if check {
            if formatted.changed {
                writeln!(io::stdout(), "{} would change", file.display())?;
                status = FAILURE;
            }
        } else if piped {
            write!(io::stdout(), "{}", formatted.text)?;
        } else if formatted.changed
            && let Err(failure) = driver::replace_file(file, &formatted.text)
        {
            status = fail(&failure)?;
        }
    }
    Ok(status)
}

fn ir(file: &Path, stage: Stage, model: Option<String>, batch: Option<u32>, set: &[String]) -> io::Result<u8> {
    let set = match overrides(set) {
        Ok(set) => set,
        Err(message) => return usage(&message),
    };
    let settings = Settings { set, ..Settings::default() };
    match driver::ir(file, stage, model.as_deref(), batch.map(|n| n as usize), &settings) {
        Ok(text) => {
            write!(io::stdout(), "{text}")?;
            Ok(SUCCESS)
        }
        Err(failure) => fail(&failure),
    }
}

/// `NAME=VALUE` pairs.
fn overrides(set: &[String]) -> Result<Vec<(String, String)>, String> {
    let parse = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("`--set {text}` is not NAME=VALUE")),
    };
    set.iter().map(parse).collect()
}

fn usage(message: &str) -> io::Result<u8> {
    writeln!(io::stderr(), "nnc: {message}")?;
    Ok(USAGE)
}

fn fail(failure: &Failure) -> io::Result<u8> {
    show(&failure.sources, &failure.diagnostics, Format::Human, &mut io::stderr())?;
    Ok(FAILURE)
}

fn show(sources: &Sources, list: &[Diagnostic], format: Format, out: &mut dyn Write) -> io::Result<()> {
    let color = io::stderr().is_terminal() && !no_color();
    let style = render::Style { color, unicode: io::stderr().is_terminal(), width: terminal_width() };
    for diagnostic in list {
        match format {
            Format::Human => writeln!(out, "{}", render::human(diagnostic, sources, &style))?,
            Format::Short => writeln!(out, "{}", render::short(diagnostic, sources))?,
            Format::Json => writeln!(out, "{}", render::json(diagnostic, sources))?,
        }
    }
    Ok(())
}

fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

fn terminal_width() -> usize {
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    let size = console::Term::stderr().size_checked().map(|(_, width)| usize::from(width));
    size.or_else(columns).unwrap_or(100).clamp(40, 200)
}
