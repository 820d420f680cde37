//! Lists, page by page.

use crate::failure::Failure;

/// No service gives more in one page.
const LARGEST: usize = 1000;

/// What lists of lesser things give in one page.
pub(crate) const SMALL: i32 = 200;

/// The first `limit` elements; `next` gets the size and the token of a page, and gives it with the token of the next one.
pub(crate) async fn collect<T>(
    limit: usize,
    mut next: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Failure>,
) -> Result<Vec<T>, Failure> {
    let mut all = Vec::new();
    let mut token = String::new();
    while all.len() < limit {
        let size = (limit - all.len()).min(LARGEST);
        let (page, after) = next(i32::try_from(size).unwrap_or(i32::MAX), token).await?;
        all.extend(page);
        if after.is_empty() {
            break;
        }
        token = after;
    }
    all.truncate(limit);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_are_read_to_the_end_or_to_the_limit() {
        // Three pages of two, whatever size is asked for.
        let pages = async |limit: usize| {
            let mut asked = Vec::new();
            let all = collect(limit, async |size, token| {
                asked.push((size, token.clone()));
                let page: usize = token.parse().unwrap_or(0);
                let after = if page < 2 { (page + 1).to_string() } else { String::new() };
                Ok((vec![page * 2, page * 2 + 1], after))
            });
            (all.await.unwrap(), asked)
        };
        assert_eq!(pages(usize::MAX).await.0, [0, 1, 2, 3, 4, 5]);
        let (three, asked) = pages(3).await;
        assert_eq!(three, [0, 1, 2]);
        assert_eq!(asked, [(3, String::new()), (1, "1".to_owned())]);
        assert_eq!(pages(0).await, (vec![], vec![]));
    }
}
