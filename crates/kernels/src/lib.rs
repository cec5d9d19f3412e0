//! Number crunching with run-time CPU dispatch: every kernel has a portable
//! twin that tests compare it with, and the only `unsafe` of the code base.

pub mod dot;
