//! What goes wrong around a server, and what it makes of it.

mod clients;
mod crashes;
mod damage;
mod full_disk;
mod generator;
mod malformed;
mod raw;
mod workers;
