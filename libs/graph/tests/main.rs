//! Graph's own tests: one binary. `wire` scripts single answers byte by byte; `emulated` speaks to
//! the emulator; `contracts` reads single documents by the shipped contracts.

mod contracts;
mod emulated;
mod wire;
