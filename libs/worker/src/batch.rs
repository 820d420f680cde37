//! Combines what several tasks say at the same time into one call: while a call is under way, what comes meanwhile waits
//! and goes together with the next. Nothing is delayed on purpose.

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument as _;

use crate::ending::WorkError;

/// Most entries of one call, as the service allows.
const MOST: usize = 500;

type Answer = Result<(), WorkError>;

/// Takes entries and answers each when the call that carried it was answered.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    entries: mpsc::UnboundedSender<(T, oneshot::Sender<Answer>)>,
}

impl<T: Clone + Send + 'static> Batch<T> {
    /// Entries are sent by `send`, one call at a time, by a task that ends when the batch is dropped.
    pub(crate) fn new(send: impl Fn(Vec<T>) -> BoxFuture<'static, Answer> + Send + Sync + 'static) -> Self {
        // Not bounded: every entry has somebody waiting for it, so there are at most as many as tasks of the handler.
        let (entries, mut waiting) = mpsc::unbounded_channel();
        let sending = async move {
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, MOST).await > 0 {
                deliver(std::mem::take(&mut batch), &send).await;
            }
        };
        // Its calls are part of the work's trace, of no item in particular.
        tokio::spawn(sending.in_current_span());
        Self { entries }
    }

    /// Sends an entry; returns when the service has answered.
    pub(crate) async fn send(&self, entry: T) -> Answer {
        let (answer, answered) = oneshot::channel();
        let gone = |_| WorkError::Lost;
        self.entries.send((entry, answer)).map_err(|_| WorkError::Lost)?;
        answered.await.map_err(gone)?
    }
}

async fn deliver<T: Clone>(
    batch: Vec<(T, oneshot::Sender<Answer>)>,
    send: &(impl Fn(Vec<T>) -> BoxFuture<'static, Answer> + Sync),
) {
    let (entries, answers): (Vec<T>, Vec<_>) = batch.into_iter().unzip();
    let together = send(entries.clone()).await;
    match together {
        // One bad entry must not spoil the others: each is told its own fate.
        Err(WorkError::Failed(_)) if entries.len() > 1 => {
            for (entry, answer) in entries.into_iter().zip(answers) {
                // Nobody waits any more when its task was dropped.
                let _ = answer.send(send(vec![entry]).await);
            }
        }
        together => {
            for answer in answers {
                let _ = answer.send(together.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::FutureExt as _;
    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_comes_during_a_call_goes_with_the_next() {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let gate = Arc::new(Semaphore::new(0));
        let batch = Batch::new({
            let (calls, gate) = (Arc::clone(&calls), Arc::clone(&gate));
            move |entries: Vec<u32>| {
                let (calls, gate) = (Arc::clone(&calls), Arc::clone(&gate));
                async move {
                    gate.acquire().await.unwrap().forget();
                    calls.lock().unwrap().push(entries.len());
                    Ok(())
                }
                .boxed()
            }
        });
        let all = join_all((0..100).map(|entry| batch.send(entry)));
        let (answers, ()) = tokio::join!(all, async {
            tokio::task::yield_now().await;
            gate.add_permits(100);
        });
        assert!(answers.iter().all(Result::is_ok));
        let calls = calls.lock().unwrap();
        assert_eq!(calls.iter().sum::<usize>(), 100);
        assert!(calls.len() <= 2, "{calls:?}");
    }

    #[tokio::test]
    async fn a_refused_entry_does_not_spoil_the_others() {
        let batch = Batch::new(|entries: Vec<u32>| {
            async move {
                match entries.contains(&13) {
                    true => Err(WorkError::Failed("13".into())),
                    false => Ok(()),
                }
            }
            .boxed()
        });
        let answers = join_all((10..20).map(|entry| batch.send(entry))).await;
        let refused: Vec<usize> = (0..10).filter(|index| answers[*index].is_err()).collect();
        assert_eq!(refused, [3]);
    }
}
