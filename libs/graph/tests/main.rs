//! Graph's own tests: one binary. `wire` scripts single answers byte by byte; the others speak to the emulator.

mod emulated;
mod wire;
