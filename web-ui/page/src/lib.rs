//! The files that the page consists of.
