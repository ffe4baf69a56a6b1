//! Why a server did not do what it was asked.

use std::fmt;
use std::time::Duration;

use lcd_server::problem::ProblemDetails;

/// Why there is no answer, or another than the one that was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server says what is wrong.
    Problem {
        /// What it says.
        details: Box<ProblemDetails>,
        /// After how long to try again.
        retry_after: Option<Duration>,
    },
    /// There was no connection, or it broke off.
    Connection {
        /// The server's address.
        server: String,
        /// What happened.
        error: ureq::Error,
    },
    /// The answer is none that a server of this program gives.
    Strange {
        /// The server's address.
        server: String,
        /// What it is.
        what: String,
    },
}

impl Failure {
    /// Whether the server says that there is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Problem { details, .. } if details.status == 404)
    }

    /// Whether it may go better another time, and if the server says so, after how long.
    pub(super) fn is_passing(&self) -> Option<Option<Duration>> {
        match self {
            Self::Problem { details, retry_after: Some(after) }
                if matches!(details.status, 429 | 503) =>
            {
                Some(Some(*after))
            }
            Self::Connection { .. } => Some(None),
            Self::Problem { .. } | Self::Strange { .. } => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem { details, .. } => {
                f.write_str(&plain(&details.detail))?;
                if details.status == 401 {
                    return f.write_str(
                        "\n(--token-file FILE, or LCD_TOKEN_FILE, names a file with the server's token)",
                    );
                }
                match details.advice.as_str() {
                    "" => Ok(()),
                    advice => write!(f, "\n({})", plain(advice)),
                }
            }
            Self::Connection { server, error } => connection(f, server, error),
            Self::Strange { server, what } => write!(
                f,
                "{server} does not answer as an lcd server does: {}\n(is it the address of one, and \
                 of the same version as this lcd, {}?)",
                plain(what),
                env!("CARGO_PKG_VERSION")
            ),
        }
    }
}

fn connection(f: &mut fmt::Formatter<'_>, server: &str, error: &ureq::Error) -> fmt::Result {
    let reason = match error {
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    write!(f, "cannot reach the server at {server}: {reason}")?;
    if let ureq::Error::Io(error) = error
        && error.kind() == std::io::ErrorKind::ConnectionRefused
    {
        let address = server.trim_start_matches("http://");
        write!(
            f,
            "; start one there with `lcd serve --listen {address}`, or leave --server (and \
             LCD_SERVER) out to work here"
        )?;
    }
    Ok(())
}

impl std::error::Error for Failure {}

/// A text from elsewhere, without what a terminal would act on.
pub(super) fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::{Failure, plain};

    #[test]
    fn a_refused_connection_says_what_to_do() {
        let error = ureq::Error::Io(std::io::ErrorKind::ConnectionRefused.into());
        let server = "http://127.0.0.1:7171".to_owned();
        let text = Failure::Connection { server, error }.to_string();
        assert!(text.contains("http://127.0.0.1:7171"), "{text}");
        assert!(text.contains("`lcd serve --listen 127.0.0.1:7171`"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do_by_others() {
        assert_eq!(plain("a\x1b[2Jb\nc\rd"), "a\u{fffd}[2Jb\nc\u{fffd}d");
    }
}
