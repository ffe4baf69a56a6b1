//! A server (`lcd serve`) that does the work: what is put together here is run there, and what
//! comes of it is printed here.
//!
//! - `client`: HTTP, a server's address, patience; `failure`: why it did not do it;
//! - `answers`: what a server says, read; `follow`: waiting for a run;
//! - `runs`: worlds that are run or compared there; `inspect`: modules that are looked into.

use std::cell::OnceCell;

use lcd::Backend;
use lcd::differential::Field;
use lcd::host::HostDescription;
use lcd_server::config::Token;

use super::output::Output;

mod answers;
mod client;
mod failure;
mod follow;
mod inspect;
mod runs;

use answers::{Backends, Index};
use client::{Ask, Client};
use failure::plain;

pub(super) use client::Address;

/// A server. It is not spoken to before there is something to ask.
pub(super) struct Remote<'a> {
    client: Client<'a>,
    output: &'a Output,
    /// That it is one of the version that is spoken here.
    greeted: OnceCell<()>,
}

impl<'a> Remote<'a> {
    pub(super) fn new(address: Address, token: Option<Token>, output: &'a Output) -> Self {
        Self { client: Client::new(address, token, output), output, greeted: OnceCell::new() }
    }

    /// Whoever asks first finds out whether this is a server at all, and of which version.
    fn client(&self) -> anyhow::Result<&Client<'a>> {
        if self.greeted.get().is_some() {
            return Ok(&self.client);
        }
        let index: Index =
            self.client.json(&Ask::get("/api/v1")).map_err(|failure| {
                match failure.is_missing() {
                    true => self.client.strange("it has no /api/v1".into()),
                    false => failure,
                }
            })?;
        let own = env!("CARGO_PKG_VERSION");
        if index.version != own {
            let note =
                format!("the server is lcd {}, and this is lcd {own}", plain(&index.version));
            self.output.note(&note);
        }
        self.greeted.get_or_init(|| ());
        Ok(&self.client)
    }

    /// The backends there, each with the reason if it cannot be used.
    pub(super) fn backends(&self) -> anyhow::Result<Field> {
        let Backends { items } = self.client()?.json(&Ask::get("/api/v1/backends"))?;
        let field = Backend::ALL.into_iter().map(|backend| {
            let name = backend.to_string();
            let usable = match items.iter().find(|item| item.name == name) {
                Some(item) if item.available => Ok(()),
                Some(item) => Err(plain(item.reason.as_deref().unwrap_or("not available there"))),
                None => Err(String::from("the server does not know it")),
            };
            (backend, usable)
        });
        Ok(field.collect())
    }

    /// The machine there.
    pub(super) fn host(&self) -> anyhow::Result<HostDescription> {
        Ok(self.client()?.json(&Ask::get("/api/v1/host"))?)
    }
}
