//! A time as documents of a set have it.

use super::wire;
use anchorlog_format::units::LogTime;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A time, raw as the engine stores it, and in UTC where that is known: older engines wrote local time (trap O20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment(pub LogTime);

impl From<LogTime> for Moment {
    fn from(time: LogTime) -> Self {
        Self(time)
    }
}

#[derive(Serialize, Deserialize)]
struct WrittenMoment {
    #[serde(with = "wire::time")]
    raw: LogTime,
    #[serde(default)]
    utc: Option<String>,
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let utc = (self.0.is_utc() && !self.0.is_none()).then(|| self.0.to_string());
        WrittenMoment { raw: self.0, utc }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WrittenMoment::deserialize(deserializer).map(|written| Self(written.raw))
    }
}

impl Moment {
    /// Whole seconds since 1970 UTC; `None` as [`Moment::milliseconds`].
    #[must_use]
    pub fn seconds(self) -> Option<i64> {
        Some(self.milliseconds()?.div_euclid(1000))
    }
    /// Milliseconds since 1970 UTC; `None` for a time that is unset, local or impossible.
    #[must_use]
    pub fn milliseconds(self) -> Option<i64> {
        let time = self.0;
        let [year, month, day, hour, minute, second, millisecond] = time.order().map(i32::from);
        let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(i8::try_from);
        let year = i16::try_from(1900 + year).ok().filter(|_| time.is_utc())?;
        let civil = DateTime::new(year, month.ok()?, day.ok()?, hour.ok()?, minute.ok()?, second.ok()?, millisecond * 1_000_000);
        Some(TimeZone::UTC.to_timestamp(civil.ok()?).ok()?.as_millisecond())
    }
}
