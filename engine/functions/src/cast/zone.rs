//! Between instants and wall clocks of a time zone, with one lookup per stretch of equal offset.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The offsets of a zone, remembering the stretch of time that was asked for last.
#[derive(Debug)]
pub(crate) struct ZoneOffsets<'a> {
    tz: &'a TimeZone,
    /// Seconds since the epoch between which `offset` holds.
    start: i64,
    end: i64,
    offset: i64,
}

impl<'a> ZoneOffsets<'a> {
    /// Returns the offsets of `tz`.
    pub(crate) fn new(tz: &'a TimeZone) -> Self {
        Self {
            tz,
            start: 0,
            end: 0,
            offset: 0,
        }
    }

    /// Returns the wall clock's milliseconds at the instant, as if the wall clock were UTC.
    pub(crate) fn local_millis(&mut self, millis: i64) -> i64 {
        millis.wrapping_add(self.offset_at(millis.div_euclid(1000)) * 1000)
    }

    /// Returns the instant of a wall clock. In a gap, the wall clock is moved on by the gap's length; where it
    /// stands twice, the earlier instant is meant.
    pub(crate) fn instant_millis(&mut self, local_millis: i64) -> i64 {
        let local = local_millis.div_euclid(1000);
        // Away from the ends of the remembered stretch its offset is the only one there is.
        let guess = local - self.offset;
        const MARGIN: i64 = 2 * 86_400;
        if guess.saturating_sub(MARGIN) >= self.start && guess.saturating_add(MARGIN) < self.end {
            return local_millis.wrapping_sub(self.offset * 1000);
        }
        let offset = self.offset_of_local(local);
        self.offset_at(local - offset);
        local_millis.wrapping_sub(offset * 1000)
    }

    fn offset_at(&mut self, second: i64) -> i64 {
        if second < self.start || second >= self.end {
            let instant = clamped(second);
            self.offset = i64::from(self.tz.to_offset(instant).seconds());
            // `preceding` leaves out a transition at the very instant, so it is asked a second later.
            self.start = self
                .tz
                .preceding(clamped(second.saturating_add(1)))
                .next()
                .map_or(i64::MIN, |t| t.timestamp().as_second());
            self.end = self
                .tz
                .following(instant)
                .next()
                .map_or(i64::MAX, |t| t.timestamp().as_second());
        }
        self.offset
    }

    fn offset_of_local(&self, local: i64) -> i64 {
        let local = clamped(local);
        let wall_clock = local.to_zoned(TimeZone::UTC).datetime();
        // Only years beyond 9999 have no instant.
        match self.tz.to_ambiguous_timestamp(wall_clock).compatible() {
            Ok(instant) => local.as_second() - instant.as_second(),
            Err(_) => i64::from(self.tz.to_offset(local).seconds()),
        }
    }
}

fn clamped(second: i64) -> Timestamp {
    let low = Timestamp::MIN.as_second();
    let high = Timestamp::MAX.as_second();
    Timestamp::from_second(second.clamp(low, high)).expect("clamped into range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_gaps_and_overlaps_as_java_does() {
        let tz = TimeZone::get("Asia/Shanghai").expect("bundled");
        let mut zone = ZoneOffsets::new(&tz);
        let utc = |text: &str| text.parse::<Timestamp>().expect("valid").as_millisecond();
        // Local mean time before 1901, in seconds.
        assert_eq!(
            zone.instant_millis(utc("1900-01-01T00:00:00Z")),
            utc("1899-12-31T15:54:17Z")
        );
        // 02:00 on 1986-05-04 did not exist.
        assert_eq!(
            zone.instant_millis(utc("1986-05-04T02:30:00Z")),
            utc("1986-05-03T18:30:00Z")
        );
        for instant in [
            "1991-04-14T18:30:00Z",
            "1986-05-03T18:00:00Z",
            "2024-01-01T00:00:00Z",
        ] {
            let local = zone.local_millis(utc(instant));
            assert_eq!(zone.instant_millis(local), utc(instant));
        }
        assert_eq!(
            zone.local_millis(utc("1991-04-14T18:30:00Z")),
            utc("1991-04-15T03:30:00Z")
        );
        assert_eq!(ZoneOffsets::new(&TimeZone::UTC).instant_millis(5), 5);
    }
}
