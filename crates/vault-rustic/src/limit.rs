//! Limits of a prune, as bytes or as a share of the vault.

use bytesize::ByteSize;
use rustic_core::LimitOption;
use std::str::FromStr;

/// How much of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes.
    Bytes(u64),
    /// Hundredths of the vault, 0 to 99.
    Percent(u8),
    /// As much as there is.
    Unlimited,
}

impl FromStr for Limit {
    type Err = String;
    /// As restic writes it: `5%`, `500M`, `2G`, `unlimited`; K, M, G and T are powers of 1024.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no limit: 5% (below 100), 500M, 2G, or unlimited");
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        if let Some(percent) = text.strip_suffix('%') {
            return percent.parse().ok().filter(|percent| *percent < 100).map(Self::Percent).ok_or_else(wrong);
        }
        let digits = text.trim_end_matches(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't']);
        let shift = match text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase().as_str() {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(wrong()),
        };
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift)).map(Self::Bytes).ok_or_else(wrong)
    }
}

impl From<Limit> for LimitOption {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Bytes(bytes) => Self::Size(ByteSize(bytes)),
            // From 100 on the library divides by zero.
            Limit::Percent(percent) => Self::Percentage(percent.min(99).into()),
            Limit::Unlimited => Self::Unlimited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_restic_writes_them() {
        assert_eq!("5%".parse(), Ok(Limit::Percent(5)));
        assert_eq!("0".parse(), Ok(Limit::Bytes(0)));
        assert_eq!(("3M".parse(), "2g".parse()), (Ok(Limit::Bytes(3 << 20)), Ok(Limit::Bytes(2 << 30))));
        assert_eq!("unlimited".parse(), Ok(Limit::Unlimited));
        for text in ["", "M", "100%", "-1", "5MM", "99999999T", "5 %"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
