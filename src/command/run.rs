//! `nnc run`.

use super::arguments::RunArguments;
use super::{DIVERGED, INTERRUPTED, SUCCESS, fail, overrides, show, usage};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nnc::driver::{self, News, RunOptions, Settings};
use nnc::train::event::{End, Event, Status};
use nnc::train::report;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs the `train` declarations of a file.
pub(super) fn run(arguments: RunArguments) -> io::Result<u8> {
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
        settings: Settings { set, data_dir: arguments.data_dir, only: arguments.only, ..Settings::default() },
        epochs: arguments.epochs.map(|epochs| epochs as usize),
        seed: arguments.seed,
        threads: arguments.threads.map(usize::from),
        out: arguments.out,
        resume: arguments.resume,
        backend: arguments.backend,
        isa: arguments.isa,
        interrupted,
    };
    let unheard = Arc::clone(&options.interrupted);
    let mut progress = Progress::new(arguments.json, arguments.quiet);
    let mut trouble = None;
    let result = driver::run(&arguments.file, &options, &mut |news| {
        let mut tell = || match news {
            News::Warnings(sources, warnings) => progress.bar.suspend(|| show::people(sources, warnings)),
            News::Event(event) => progress.tell(event),
        };
        if trouble.is_none()
            && let Err(error) = tell()
        {
            trouble = Some(error);
            // Nobody listens any more: what was learned is saved, as at Ctrl-C.
            unheard.store(true, Ordering::Relaxed);
        }
    });
    progress.bar.finish_and_clear();
    if let Some(error) = trouble {
        return Err(error);
    }
    let ends = match result {
        Ok(ends) => ends,
        Err(failure) => return fail(&failure),
    };
    if !arguments.json {
        write!(io::stdout(), "{}", report::table(&ends))?;
    }
    let ended = |status| ends.iter().any(|end: &End| end.status == status);
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
    /// What the last epoch ended with, for the line of the next.
    last: String,
    width: usize,
}

impl Progress {
    fn new(json: bool, quiet: bool) -> Progress {
        let drawn = io::stdout().is_terminal() && io::stderr().is_terminal() && !show::no_color();
        let plain = json || quiet || !drawn || show::prefers_plain();
        let bar = ProgressBar::with_draw_target(
            None,
            match plain {
                true => ProgressDrawTarget::hidden(),
                false => ProgressDrawTarget::stderr_with_hz(10),
            },
        );
        let style = ProgressStyle::with_template("{prefix} {bar:30.cyan/blue} {percent:>3}%  {msg}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
        Progress { json, quiet, bar, epochs: 0, last: String::new(), width: show::width() }
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
                (self.epochs, self.last) = (start.epochs, String::new());
                writeln!(io::stdout(), "{}", report::start_line(start))
            }
            Event::Progress(progress) => {
                self.bar.set_length(progress.total as u64);
                self.bar.set_position(progress.done as u64);
                self.bar.set_prefix(format!("epoch {}/{}", progress.epoch, self.epochs));
                let rate = report::short(progress.samples_per_s.round());
                let loss = report::short(progress.train_loss);
                self.bar.set_message(format!("loss {loss}{}  {rate} samples/s", self.last));
                Ok(())
            }
            Event::Epoch(epoch) => {
                let line = report::epoch_line(epoch, self.epochs);
                let val = epoch.val_loss.map(|loss| format!("  val {}", report::short(loss))).unwrap_or_default();
                self.last = format!("{val}  lr {}", report::short(epoch.lr));
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
