//! `sentinel remote` against an API that behaves as each test wants: that answers, refuses, breaks off, says things
//! twice, or loses what it wanted to say.

mod fake;
mod files;
mod lists;
mod refusals;
mod starting;
mod watching;
