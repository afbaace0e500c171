//! Units of time.

/// A unit as EXTRACT, FLOOR, CEIL, TIMESTAMPADD and TIMESTAMPDIFF name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

/// Every unit with its name in SQL.
const NAMES: [(Unit, &str); 19] = [
    (Unit::Millennium, "MILLENNIUM"),
    (Unit::Century, "CENTURY"),
    (Unit::Decade, "DECADE"),
    (Unit::Year, "YEAR"),
    (Unit::IsoYear, "ISOYEAR"),
    (Unit::Quarter, "QUARTER"),
    (Unit::Month, "MONTH"),
    (Unit::Week, "WEEK"),
    (Unit::Day, "DAY"),
    (Unit::DayOfWeek, "DOW"),
    (Unit::IsoDayOfWeek, "ISODOW"),
    (Unit::DayOfYear, "DOY"),
    (Unit::Hour, "HOUR"),
    (Unit::Minute, "MINUTE"),
    (Unit::Second, "SECOND"),
    (Unit::Millisecond, "MILLISECOND"),
    (Unit::Microsecond, "MICROSECOND"),
    (Unit::Nanosecond, "NANOSECOND"),
    (Unit::Epoch, "EPOCH"),
];

impl Unit {
    /// Returns the unit of that name, in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let found = NAMES
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.map(|(unit, _)| *unit)
    }

    /// Returns its name in SQL.
    pub(crate) fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(unit, _)| *unit == self);
        found.map_or("", |(_, name)| name)
    }
}
