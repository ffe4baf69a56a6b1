//! The source lines of a module.
