//! Fields of dates and times by the letters of patterns.

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    YearOfEra,
    Year,
    Quarter,
    Month,
    DayOfYear,
    DayOfMonth,
    WeekdayInMonth,
    /// From Monday, 1, to Sunday, 7.
    DayOfWeek,
    AmPm,
    HourOfDay,
    ClockHourOfDay,
    HourOfAmPm,
    ClockHourOfAmPm,
    Minute,
    Second,
    Nano,
    MilliOfDay,
    NanoOfDay,
    ModifiedJulianDay,
    /// The year a week that begins on Sunday belongs to.
    WeekYear,
    WeekOfYear,
    WeekOfMonth,
    /// From Sunday, 1, to Saturday, 7.
    LocalDayOfWeek,
    Offset,
}

/// How many fields there are.
pub(super) const FIELDS: usize = Field::Offset as usize + 1;

impl Field {
    /// Returns the field of a letter that stands for one.
    pub(super) fn of_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'G' => Self::Era,
            b'y' => Self::YearOfEra,
            b'u' => Self::Year,
            b'Q' | b'q' => Self::Quarter,
            b'M' | b'L' => Self::Month,
            b'D' => Self::DayOfYear,
            b'd' => Self::DayOfMonth,
            b'F' => Self::WeekdayInMonth,
            b'E' | b'c' | b'e' => Self::DayOfWeek,
            b'a' => Self::AmPm,
            b'H' => Self::HourOfDay,
            b'k' => Self::ClockHourOfDay,
            b'K' => Self::HourOfAmPm,
            b'h' => Self::ClockHourOfAmPm,
            b'm' => Self::Minute,
            b's' => Self::Second,
            b'S' | b'n' => Self::Nano,
            b'A' => Self::MilliOfDay,
            b'N' => Self::NanoOfDay,
            b'g' => Self::ModifiedJulianDay,
            _ => return None,
        })
    }
}
