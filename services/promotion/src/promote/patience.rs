//! Asking one of our own services that may just be starting again.

use server::client::{RetryPolicy, retry};
use tonic::Status;

/// How often it is asked, within about ten seconds. Giving the run back costs more: it is not taken up again at once, and
/// what was in flight is looked at from the beginning.
const TRIES: u32 = 10;

/// Calls until it is answered; what is called must be safe to repeat.
pub(super) async fn patiently<T, F>(call: impl FnMut() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    retry(RetryPolicy { attempts: TRIES, ..RetryPolicy::default() }, call).await
}
