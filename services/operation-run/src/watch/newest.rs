//! What a LATEST watch keeps of what happened.

use std::collections::HashMap;
use std::sync::Arc;

use domain::id::RunId;

use super::feed::Event;

/// Of every run the last event, all in order. An event that is passed over is always followed by a later one of the same
/// run, so a watch that is cut anywhere and resumed misses nothing that was not superseded.
#[derive(Default)]
pub(super) struct Newest {
    events: Vec<Option<Arc<Event>>>,
    of_run: HashMap<RunId, usize>,
}

impl Newest {
    pub(super) fn add(&mut self, events: impl Iterator<Item = Arc<Event>>) {
        for event in events {
            if let Some(superseded) = self.of_run.insert(event.seen.run.id, self.events.len()) {
                self.events[superseded] = None;
            }
            self.events.push(Some(event));
        }
    }

    pub(super) fn in_order(self) -> Vec<Arc<Event>> {
        self.events.into_iter().flatten().collect()
    }
}
