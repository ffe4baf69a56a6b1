//! Where results go, and how they look.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::{Color, Format};

/// Colours by what they mean.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    Good,
    Bad,
    Warn,
    Dim,
    Bold,
}

pub(super) struct Output {
    format: Format,
    stdout_colors: bool,
    stderr_colors: bool,
}

impl Output {
    pub(super) fn new(format: Format, color: Color) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colors = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color,
        };
        Self {
            format,
            stdout_colors: colors(io::stdout().is_terminal()),
            stderr_colors: colors(io::stderr().is_terminal()),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints the result.
    pub(super) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.print(&serde_json::to_string_pretty(value)?)
    }

    /// Prints a line, or several, of the result.
    pub(super) fn print(&self, text: &str) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")?;
        stdout.flush()?;
        Ok(())
    }

    /// Tells people something that is not the result.
    pub(super) fn note(&self, text: &str) {
        eprintln!("{}", paint(self.stderr_colors, Tone::Dim, text));
    }

    pub(super) fn error_label(&self) -> String {
        paint(self.stderr_colors, Tone::Bad, "error:")
    }

    /// Text of the result in a colour.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.stdout_colors, tone, text)
    }
}

fn paint(enabled: bool, tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "1;31",
        Tone::Warn => "33",
        Tone::Dim => "2",
        Tone::Bold => "1",
    };
    if enabled { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Whether an error only means that the reader of standard output is gone.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// An error and its causes, without those whose text the error above them includes.
pub(super) fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// A table with a line under its heads and nothing else drawn.
pub(super) fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(heads.to_vec());
    for row in rows {
        table.add_row(row);
    }
    let text = table.to_string();
    text.lines().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// Shows on a terminal's standard error that something takes its time, until it is dropped.
pub(super) struct Spinner(indicatif::ProgressBar);

impl Spinner {
    pub(super) fn new(text: &str) -> Self {
        let spinner = indicatif::ProgressBar::new_spinner();
        let style = indicatif::ProgressStyle::with_template("{spinner} {msg} {elapsed}");
        if let Ok(style) = style {
            spinner.set_style(style);
        }
        spinner.set_message(text.to_owned());
        spinner.enable_steady_tick(std::time::Duration::from_millis(200));
        Self(spinner)
    }

    /// Says what it is that takes its time.
    pub(super) fn say(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
