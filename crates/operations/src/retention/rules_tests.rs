use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
const LATER: &str = "2100-01-01T00:00:00Z";

/// The days of these times that are kept, oldest first.
fn days(rules: &Rules, times: &[&str]) -> Vec<String> {
    let parsed: Vec<Timestamp> = times.iter().map(|day| at(&format!("{day}:00Z"))).collect();
    let kept = rules.kept(&parsed, at(LATER));
    times.iter().zip(kept).filter(|(_, kept)| !kept.is_empty()).map(|(day, _)| (*day).to_owned()).collect()
}

#[test]
fn the_newest_of_each_day_is_kept_and_days_without_a_set_do_not_count() {
    let times = ["2026-03-01T10:00", "2026-03-01T20:00", "2026-03-02T09:00", "2026-03-09T08:00", "2026-03-09T23:59"];
    assert_eq!(days(&Rules { daily: 2, ..Rules::default() }, &times), ["2026-03-02T09:00", "2026-03-09T23:59"]);
    assert_eq!(days(&Rules { last: 2, ..Rules::default() }, &times), ["2026-03-09T08:00", "2026-03-09T23:59"]);
    // Three days are there, and five are wanted: the oldest stays besides.
    let all = ["2026-03-01T10:00", "2026-03-01T20:00", "2026-03-02T09:00", "2026-03-09T23:59"];
    assert_eq!(days(&Rules { daily: 5, ..Rules::default() }, &times), all);
}

#[test]
fn a_week_begins_on_monday_and_may_reach_over_new_year() {
    // 2024-12-30 is the Monday of the first week of 2025.
    let times = ["2024-12-29T12:00", "2024-12-30T12:00", "2025-01-05T12:00", "2025-01-06T12:00"];
    let weekly = Rules { weekly: 3, ..Rules::default() };
    assert_eq!(days(&weekly, &times), ["2024-12-29T12:00", "2025-01-05T12:00", "2025-01-06T12:00"]);
    let yearly = Rules { yearly: 2, ..Rules::default() };
    assert_eq!(days(&yearly, &times), ["2024-12-30T12:00", "2025-01-06T12:00"]);
}

#[test]
fn a_duration_counts_from_the_newest_set_that_is_not_of_the_future() {
    let times = ["2026-01-31T12:00", "2026-02-27T12:00", "2026-03-31T12:00"].map(|day| at(&format!("{day}:00Z")));
    let within = |text: &str, now: &str| {
        let rules = Rules { within: Some(text.parse().unwrap()), ..Rules::default() };
        rules.kept(&times, at(now)).iter().map(|kept| !kept.is_empty()).collect::<Vec<_>>()
    };
    // A month before 31 March is 28 February.
    assert_eq!(within("1m", LATER), [false, false, true]);
    assert_eq!(within("1m1d", LATER), [false, true, true]);
    assert_eq!(within("59d", LATER), [true, true, true]);
    assert_eq!(within("58d23h", LATER), [false, true, true]);
    assert_eq!(within("9999y", LATER), [true; 3]);
    assert_eq!(within("1d", "2026-03-01T00:00:00Z"), [false, true, true], "what is of the future stays, and is no newest one");
}

#[test]
fn durations_are_read_as_restic_writes_them() {
    let period = |years, months, days, hours| Ok(Period { years, months, days, hours });
    assert_eq!("2y5m7d3h".parse(), period(2, 5, 7, 3));
    assert_eq!("36h".parse(), period(0, 0, 0, 36));
    for text in ["", "7", "d", "0d", "1d1d", "1h2d", "1w", "-1d", "1d ", "10000d", "1ä"] {
        assert!(text.parse::<Period>().is_err(), "{text}");
    }
}

/// What the rules say, without any cleverness: interval by interval.
fn naive(rules: &Rules, times: &[Timestamp], now: Timestamp) -> BTreeSet<usize> {
    let mut order: Vec<(Timestamp, usize)> = times.iter().copied().zip(0..).collect();
    order.sort_unstable();
    order.reverse();
    let mut kept: BTreeSet<usize> = order.iter().take(rules.last as usize).map(|(_, at)| *at).collect();
    let text = |time: &Timestamp, format: &str| time.strftime(format).to_string();
    for (count, format) in [(rules.daily, "%Y-%m-%d"), (rules.weekly, "%G-%V"), (rules.monthly, "%Y-%m"), (rules.yearly, "%Y")] {
        let mut seen: Vec<String> = Vec::new();
        for (time, at) in &order {
            let interval = text(time, format);
            if seen.len() < count as usize && !seen.contains(&interval) {
                seen.push(interval);
                kept.insert(*at);
            }
        }
        if seen.len() < count as usize {
            kept.extend(order.last().map(|(_, at)| *at));
        }
    }
    if let Some(period) = rules.within {
        let newest = order.iter().map(|(time, _)| *time).find(|time| *time <= now);
        let hours = i64::from(period.days) * 24 + i64::from(period.hours);
        let young = |time: &Timestamp| newest.is_some_and(|newest| newest.as_second() - time.as_second() <= hours * 3600);
        kept.extend(order.iter().filter(|(time, _)| young(time)).map(|(_, at)| *at));
    }
    kept
}

proptest! {
    /// Times lie in hours over some years, so that many share a day, a week, a month.
    #[test]
    fn rules_keep_what_a_naive_reading_of_them_keeps(
        hours in prop::collection::vec(0_i64..24 * 900, 0..60),
        last in 0_u32..4, daily in 0_u32..6, weekly in 0_u32..6, monthly in 0_u32..6, yearly in 0_u32..4,
        within in prop::option::of((0_u16..90, 0_u16..48)), now in 0_i64..24 * 1000,
    ) {
        let begin = at("2023-11-20T00:00:00Z").as_second();
        let time = |hour: &i64| Timestamp::from_second(begin + hour * 3600).unwrap();
        let times: Vec<Timestamp> = hours.iter().map(time).collect();
        let within = within.map(|(days, hours)| Period { days, hours, ..Period::default() });
        let rules = Rules { last, daily, weekly, monthly, yearly, within };
        let kept = rules.kept(&times, time(&now));
        let ours: BTreeSet<usize> = kept.iter().enumerate().filter(|(_, rules)| !rules.is_empty()).map(|(at, _)| at).collect();
        prop_assert_eq!(ours, naive(&rules, &times, time(&now)));
    }
}
