//! The `lcd` command: results on standard output, progress and errors on standard error.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use lcd::assemble::Modules;
use lcd_server::config::Token;

mod bench;
mod call;
mod diff;
mod host;
mod inspect;
mod output;
mod place;
mod remote;
mod replay;
mod run;
mod serve;
mod site;
mod turns;
mod worker;

use output::Output;
use place::Place;
use remote::{Address, Remote};

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
    0  success: run and call ended well, diff and replay found no divergence
    1  run or call ended otherwise: a thread was killed, or its result was not 0; serve had to
       interrupt a run or an answer when it ended
    2  the command line is wrong
   96  a world, a module, a log, a backend or a server could not be used
  100  diff, replay, or run --parallel, found a divergence";

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
    /// Do the work of run, diff, call, inspect and host on this server, which `lcd serve` started:
    /// http://HOST:PORT.
    #[arg(long, global = true, value_name = "URL", env = "LCD_SERVER")]
    server: Option<Address>,
    /// A file with a token, which callers of `lcd serve` must show, and --server is shown. Needed to
    /// listen elsewhere than on loopback.
    #[arg(long, global = true, value_name = "FILE", env = "LCD_TOKEN_FILE")]
    token_file: Option<PathBuf>,
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
    /// Repeat the run of a log in the simulator, and see whether it comes to the same.
    Replay(replay::Arguments),
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
    /// Write the page into a directory, for a server of static files: the laboratory without an lcd
    /// server.
    Site(site::Arguments),
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
    let modules = modules.map_err(anyhow::Error::from);
    let result = modules.and_then(|modules| obey(&common, &command, &modules, &output));
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

fn obey(
    common: &Common,
    command: &Command,
    modules: &Modules,
    output: &Output,
) -> anyhow::Result<Code> {
    match command {
        Command::Run(arguments) => run::main(arguments, modules, &place(common, output)?, output),
        Command::Diff(arguments) => diff::main(arguments, modules, &place(common, output)?, output),
        Command::Replay(arguments) => {
            only_here(common, "`lcd replay` reads a log that is here, and runs the simulator here");
            replay::main(arguments, modules, output)
        }
        Command::Call(arguments) => call::main(arguments, modules, &place(common, output)?, output),
        Command::Inspect(arguments) => {
            inspect::main(arguments, modules, &place(common, output)?, output)
        }
        Command::Host => host::main(&place(common, output)?, output),
        Command::Bench(arguments) => {
            only_here(common, "`lcd bench` measures the machine it runs on");
            bench::main(arguments, output)
        }
        Command::Serve(arguments) => {
            only_here(common, "`lcd serve` is a server, on the machine it runs on");
            serve::main(arguments, common, output)
        }
        Command::Site(arguments) => {
            only_here(common, "`lcd site` writes files, on the machine it runs on");
            site::main(arguments, output)
        }
        Command::Worker => worker::main(),
    }
}

/// Where the work is done.
fn place<'a>(common: &Common, output: &'a Output) -> anyhow::Result<Place<'a>> {
    let Some(server) = &common.server else { return Ok(Place::Here) };
    let token = common.token_file.as_ref().map(|path| Token::read(path)).transpose()?;
    Ok(Place::Server(Box::new(Remote::new(server.clone(), token, output))))
}

/// Ends the program if a server was named for what is not done on one.
fn only_here(common: &Common, why: &str) {
    if common.server.is_some() {
        let text = format!("{why}: leave --server (and LCD_SERVER) out");
        Cli::command().error(ErrorKind::ArgumentConflict, text).exit();
    }
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
    use std::time::Duration;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
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
