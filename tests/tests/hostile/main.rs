//! Hostile guests, modules and worlds: whatever they do, they end with a reason or are refused
//! with an error, and harm only themselves.

mod checked;
mod guests;
mod hypercalls;
mod modules;
mod worlds;
