//! The `lcd` command: results on standard output, progress and errors on standard error.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lcd::Backend;
use lcd::assemble::Modules;

mod bench;
mod call;
mod diff;
mod host;
mod inspect;
mod output;
mod run;
mod serve;
mod turns;
mod worker;

use output::Output;

/// How the command ends. The numbers are documented in `lcd --help` and do not change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    /// Everything is as it should be.
    Success = 0,
    /// It ran, and a thread was killed or ended with something other than 0.
    Failure = 1,
    /// A file, a module or a backend could not be used.
    Setup = 96,
    /// The backends diverge.
    Diverge = 100,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

const EXIT_CODES: &str = "\
Exit codes:
    0  success: run and call ended well, diff found no divergence
    1  run or call ended otherwise: a thread was killed, or its result was not 0; serve had to
       interrupt a run or an answer when it ended
    2  the command line is wrong
   96  a world, a module or a backend could not be used
  100  diff, or run --parallel, found a divergence";

/// Lightweight Capability Domains: run unmodified x86-64 modules in small isolated domains, on
/// hardware or in a simulator, and see whether the two agree.
#[derive(Parser)]
#[command(name = "lcd", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Common {
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// When to use colours. NO_COLOR turns `auto` off.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
    /// Where module names are looked up [default: /lib/modules/$(uname -r)].
    #[arg(long, global = true, value_name = "DIR", env = "LCD_MODULES")]
    modules: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// For scripts.
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Command {
    /// Run one module or world and print its console and how it ended.
    Run(run::Arguments),
    /// Run worlds on every backend and compare; without arguments, all bundled worlds.
    Diff(diff::Arguments),
    /// Call one function of a module in a fresh domain.
    Call(call::Arguments),
    /// Describe a module: sections, relocations, exports, imports, entry points.
    Inspect(inspect::Arguments),
    /// Describe what this machine offers.
    Host,
    /// Measure the backends with the same bytes.
    Bench(bench::Arguments),
    /// Serve all this over HTTP.
    Serve(serve::Arguments),
    /// Do one job of a server, locked in.
    #[command(hide = true)]
    Worker,
}

fn main() -> ExitCode {
    let Cli { common, command } = Cli::parse();
    let output = Output::new(common.format, common.color);
    let modules = match &common.modules {
        Some(directory) => Modules::at(directory),
        None => Ok(Modules::default()),
    };
    let result = modules.map_err(anyhow::Error::from).and_then(|modules| match command {
        Command::Run(arguments) => run::main(&arguments, &modules, &output),
        Command::Diff(arguments) => diff::main(&arguments, &modules, &output),
        Command::Call(arguments) => call::main(&arguments, &modules, &output),
        Command::Inspect(arguments) => inspect::main(&arguments, &modules, &output),
        Command::Host => host::main(&output),
        Command::Bench(arguments) => bench::main(&arguments, &output),
        Command::Serve(arguments) => {
            serve::main(&arguments, common.modules.as_ref(), common.color, &output)
        }
        Command::Worker => worker::main(),
    });
    match result {
        Ok(code) => code.into(),
        // Somebody who reads only the first lines closes the pipe; that is no failure.
        Err(error) if output::is_closed_pipe(&error) => Code::Success.into(),
        Err(error) => {
            eprintln!("{} {}", output.error_label(), output::chain(&error));
            Code::Setup.into()
        }
    }
}

/// The backend to use when none is named: hardware if there is some, else the simulator.
fn default_backend(chosen: Option<Backend>, output: &Output) -> Backend {
    chosen.unwrap_or_else(|| match lcd::available(Backend::Native) {
        Ok(()) => Backend::Native,
        Err(reason) => {
            output.note(&format!("using the simulator: {reason}"));
            Backend::Sim
        }
    })
}

/// Reads a length of time: `10s`, `500ms`, `2m`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 =
        digits.parse().map_err(|_| format!("`{text}` is no time: use 10s or 500ms"))?;
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        unit => return Err(format!("`{unit}` is no unit of time: use ms, s or m")),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|error| format!("`{text}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{Cli, duration};
    use clap::CommandFactory as _;
    use std::time::Duration;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "x", "5h", "-1s", "1e400s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
