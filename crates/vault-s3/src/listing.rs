//! Pages of a listing: what can be told of one that is not whole.

use crate::failure::element;

/// Why a page is not to be believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a page of the listing is not whole: {0}")]
pub(crate) struct NotWhole(String);

/// That a page is as it says: so many keys, and a token where more are to follow.
pub(crate) fn check(page: &[u8]) -> Result<(), NotWhole> {
    let not_whole = |why: String| Err(NotWhole(why));
    let Ok(page) = std::str::from_utf8(page) else { return not_whole("it is no text".into()) };
    if !page.trim_end().ends_with("</ListBucketResult>") {
        return not_whole("it has no end".into());
    }
    if element(page, "IsTruncated") == Some("true") && element(page, "NextContinuationToken").is_none_or(str::is_empty) {
        return not_whole("more is to follow, and it does not say from where".into());
    }
    let (keys, prefixes) = (page.matches("<Contents>").count(), page.matches("<CommonPrefixes>").count());
    match element(page, "KeyCount").map(str::parse::<usize>) {
        Some(Ok(count)) if keys + prefixes != count => not_whole(format!("it has {keys} keys and says {count}")),
        Some(Err(_)) => not_whole("its number of keys is none".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "<Contents><Key>v/keys/1</Key><Size>4</Size></Contents>";

    fn page(inner: &str) -> Result<(), NotWhole> {
        check(format!("<?xml version=\"1.0\"?>\n<ListBucketResult>{inner}</ListBucketResult>\n").as_bytes())
    }

    #[test]
    fn a_page_is_whole_that_has_what_it_says() {
        assert_eq!(page(""), Ok(()));
        assert_eq!(page(&format!("<KeyCount>1</KeyCount>{ONE}")), Ok(()));
        assert_eq!(
            page(&format!(
                "<KeyCount>1</KeyCount><IsTruncated>true</IsTruncated>{ONE}<NextContinuationToken>x</NextContinuationToken>"
            )),
            Ok(())
        );
        assert_eq!(page(ONE), Ok(()), "not every server counts");
    }

    #[test]
    fn a_page_that_lacks_something_is_an_error() {
        assert!(page(&format!("<KeyCount>2</KeyCount>{ONE}")).is_err());
        assert!(page(&format!("<KeyCount>x</KeyCount>{ONE}")).is_err());
        assert!(page(&format!("<KeyCount>1</KeyCount><IsTruncated>true</IsTruncated>{ONE}")).is_err());
        assert!(page("<IsTruncated>true</IsTruncated><NextContinuationToken></NextContinuationToken>").is_err());
        assert!(check(b"<ListBucketResult><KeyCount>1</KeyCount>").is_err());
        assert!(check(b"\xFF</ListBucketResult>").is_err());
    }
}
