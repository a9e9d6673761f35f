//! The time of this machine, and random numbers.

use anchorlog_format::units::LogTime;
use anchorlog_replay::ambient::Ambient;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Real time, real chance.
pub fn ambient() -> Ambient {
    Ambient { clock: Arc::new(|| log_time(jiff::Timestamp::now())), random: Arc::new(random) }
}

/// A time as logs hold it.
pub fn log_time(time: jiff::Timestamp) -> LogTime {
    let utc = time.to_zoned(jiff::tz::TimeZone::UTC);
    let small = |value: i8| u8::try_from(value).unwrap_or(0);
    LogTime::utc(
        u16::try_from(utc.year()).unwrap_or(1900),
        small(utc.month()),
        small(utc.day()),
        small(utc.hour()),
        small(utc.minute()),
        small(utc.second()),
        u16::try_from(utc.millisecond()).unwrap_or(0),
    )
}

/// The name of this machine.
pub fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Signatures only have to differ: the standard library keys its hashers from the system's random source.
fn random() -> u32 {
    let number = RandomState::new().hash_one(std::process::id());
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}
