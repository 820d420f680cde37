//! Table `operation.run_event`: what watchers follow. Written by the triggers of `operation.run`.
