//! Which of some sets rules keep: no vault, no manifest, only times. The terms, and what they mean, are those of `restic forget`.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// What is to be kept of each group. All times are UTC; `u32::MAX` keeps them all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// So many of the newest.
    pub last: u32,
    /// The newest of each of the last days on which one was made, so many.
    pub daily: u32,
    /// The same of weeks, which begin on Monday.
    pub weekly: u32,
    /// The same of months.
    pub monthly: u32,
    /// The same of years.
    pub yearly: u32,
    /// All that were made so long before the newest, or later.
    pub within: Option<Period>,
}

/// A length of time in years, months, days and hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Years, up to 9999.
    pub years: u16,
    /// Months, up to 9999.
    pub months: u16,
    /// Days, up to 9999.
    pub days: u16,
    /// Hours, up to 9999.
    pub hours: u16,
}

/// Why a rule keeps a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// One of the newest.
    Last,
    /// The newest of its day.
    Daily,
    /// The newest of its week.
    Weekly,
    /// The newest of its month.
    Monthly,
    /// The newest of its year.
    Yearly,
    /// Young enough.
    Within,
    /// The oldest of all, where a rule for days, weeks, months or years wants more than there are: the history is as long as it can be.
    Oldest,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Last => "one of the last",
            Self::Daily => "the last of its day",
            Self::Weekly => "the last of its week",
            Self::Monthly => "the last of its month",
            Self::Yearly => "the last of its year",
            Self::Within => "young enough",
            Self::Oldest => "the oldest, as fewer are there than a rule wants",
        })
    }
}

/// A calendar day, week, month or year as a number.
type Interval = fn(&Zoned) -> i32;

impl Rules {
    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
    /// For each of these times, which rules keep it; in the order of the times. `now`: a set of the future is no newest one.
    #[must_use]
    pub fn kept(&self, times: &[Timestamp], now: Timestamp) -> Vec<Vec<Rule>> {
        let mut newest_first: Vec<usize> = (0..times.len()).collect();
        // Of equal times the later in the list is the newer.
        newest_first.sort_by_key(|at| std::cmp::Reverse((times.get(*at), *at)));
        let since =
            times.iter().filter(|time| **time <= now).max().zip(self.within).map(|(newest, period)| period.before(*newest));
        let mut intervals: [(Rule, u32, Interval, Option<i32>); 4] = [
            (Rule::Daily, self.daily, |at| i32::from(at.year()) * 1000 + i32::from(at.day_of_year()), None),
            (
                Rule::Weekly,
                self.weekly,
                |at| i32::from(at.date().iso_week_date().year()) * 100 + i32::from(at.date().iso_week_date().week()),
                None,
            ),
            (Rule::Monthly, self.monthly, |at| i32::from(at.year()) * 100 + i32::from(at.month()), None),
            (Rule::Yearly, self.yearly, |at| at.year().into(), None),
        ];
        let mut kept = vec![Vec::new(); times.len()];
        for (number, at) in newest_first.iter().copied().enumerate() {
            let (Some(time), Some(reasons)) = (times.get(at), kept.get_mut(at)) else { continue };
            if number < usize::try_from(self.last).unwrap_or(usize::MAX) {
                reasons.push(Rule::Last);
            }
            let zoned = time.to_zoned(TimeZone::UTC);
            let is_oldest = number + 1 == times.len();
            for (rule, left, interval, last) in &mut intervals {
                let mine = interval(&zoned);
                if *left == 0 || (*last == Some(mine) && !is_oldest) {
                    continue;
                }
                reasons.push(if *last == Some(mine) { Rule::Oldest } else { *rule });
                *last = Some(mine);
                *left = left.saturating_sub(u32::from(*left != u32::MAX));
            }
            if since.is_some_and(|since| *time >= since) {
                reasons.push(Rule::Within);
            }
            reasons.sort_unstable();
            reasons.dedup();
        }
        kept
    }
}

impl Period {
    /// The time so long before another; where a month has no such day, its last.
    fn before(self, time: Timestamp) -> Timestamp {
        let Self { years, months, days, hours } = self;
        let span = Span::new().try_years(years).and_then(|span| span.try_months(months));
        let span = span.and_then(|span| span.try_days(days)).and_then(|span| span.try_hours(hours));
        let before = span.and_then(|span| time.to_zoned(TimeZone::UTC).checked_sub(span));
        // Before all time is everything.
        before.map_or(Timestamp::MIN, |before| before.timestamp())
    }
}

impl FromStr for Period {
    type Err = String;
    /// As restic writes it: `1y6m`, `7d12h`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no duration of years, months, days and hours: 1y6m, 30d, 36h");
        let mut period = Self::default();
        let mut rest = text;
        let mut units = ['y', 'm', 'd', 'h'].into_iter().peekable();
        while !rest.is_empty() {
            let digits = rest.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, behind) = rest.split_at(digits);
            let number: u16 = number.parse().ok().filter(|number| *number <= 9999).ok_or_else(wrong)?;
            let unit = behind.chars().next().ok_or_else(wrong)?;
            // Each unit once, the greater ones first.
            units.find(|next| *next == unit).ok_or_else(wrong)?;
            *match unit {
                'y' => &mut period.years,
                'm' => &mut period.months,
                'd' => &mut period.days,
                _ => &mut period.hours,
            } = number;
            rest = behind.get(1..).unwrap_or_default();
        }
        (period != Self::default()).then_some(period).ok_or_else(wrong)
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
