//! Events as Filebeat ships game logs: JSON of about 790 bytes with a nested host, tags and log, and one line of 39
//! fields separated by `|`. The same seed and partition give the same bytes.

use std::fmt::Write as _;

const EVENTS: [&str; 10] = [
    "MoneyFlow",
    "ItemFlow",
    "PlayerLogin",
    "PlayerLogout",
    "RoundFlow",
    "TaskFlow",
    "SnsFlow",
    "GuildFlow",
    "PlayerExpFlow",
    "GameSvrState",
];
const ENVIRONMENTS: [&str; 8] = ["prod", "prod", "prod", "prod", "prod", "obt", "cbt", "qc"];
const REASONS: [&str; 8] = [
    "BuyShopItem",
    "AuctionBuy",
    "QuestReward",
    "RefineEquip",
    "GuildDonate",
    "MailAttach",
    "PetFeed",
    "Recharge",
];
const NAMES: [&str; 14] = [
    "Poring",
    "ShadowFox",
    "นักรบ",
    "มังกรไฟ",
    "晨曦",
    "ไอ้เสือ",
    "Lunaria",
    "xXKnightXx",
    "Mèo Con",
    "Putri",
    "Cô Bé",
    "아침",
    "Sơn Tùng",
    "O'Neil",
];
const GUILDS: [&str; 8] = [
    "Valhalla",
    "เทพเจ้า",
    "月光",
    "Eclipse",
    "Hội Rồng",
    "",
    "Nusantara",
    "PoringClub",
];
const HEX: &[u8; 16] = b"0123456789abcdef";
/// 2026-03-01T00:00:00Z.
const FIRST_EVENT_MS: i64 = 1_772_323_200_000;
/// Game logs write Bangkok's clock.
const BANGKOK_MS: i64 = 7 * 3_600_000;

/// Makes the events of one partition, one after the other.
#[derive(Debug)]
pub struct FilebeatEvents {
    state: u64,
    sequence: i64,
    log_offset: usize,
    line: String,
    event_ms: i64,
}

impl FilebeatEvents {
    /// Returns the events of a partition.
    #[must_use]
    pub fn new(seed: u64, partition: u32) -> Self {
        let state = seed
            .wrapping_mul(1_000_003)
            .wrapping_add(u64::from(partition))
            ^ 0x5DEE_CE66_D1CE_4E5B;
        Self {
            state,
            sequence: 0,
            log_offset: 0,
            line: String::with_capacity(512),
            event_ms: FIRST_EVENT_MS,
        }
    }

    /// Writes the next event over `event`; returns its time in milliseconds since the epoch.
    pub fn next(&mut self, event: &mut String) -> i64 {
        self.event_ms = FIRST_EVENT_MS + self.sequence * 9 + self.number(0, 900);
        self.sequence += 1;
        self.write_line(None);
        let host = 1_000 + self.number(1, 240);
        self.log_offset += self.line.len() + 1;
        event.clear();
        event.push_str("{\"@timestamp\":\"");
        let shipped = self.event_ms + self.number(5, 1_500);
        push_time(event, shipped, 'T', true);
        event.push_str("Z\",\"@metadata\":{\"beat\":\"filebeat\",\"type\":\"_doc\",\"version\":\"7.17.9\"},\"env\":\"");
        event.push_str(self.pick(&ENVIRONMENTS));
        event.push_str("\",\"uuid\":\"");
        self.push_uuid(event);
        let tag = if self.number(0, 100) == 0 {
            "fix"
        } else {
            "normal"
        };
        let (day, offset) = (self.number(1, 9), self.log_offset);
        put(
            event,
            format_args!(
                "\",\"host\":{{\"name\":\"sea-game-{host}\"}},\"tags\":[\"{tag}\"],\"log\":{{\"offset\":{offset},\"file\":{{\"path\":\"/data/tlog/game_{host}/tlog_2026030{day}.log\"}}}}"
            ),
        );
        put(
            event,
            format_args!(
                ",\"input\":{{\"type\":\"log\"}},\"ecs\":{{\"version\":\"1.12.0\"}},\"agent\":{{\"hostname\":\"sea-game-{host}\",\"type\":\"filebeat\",\"version\":\"7.17.9\"}},\"message\":\""
            ),
        );
        push_escaped(event, &self.line);
        event.push_str("\"}");
        self.event_ms
    }

    /// Writes the next event over `event` as it is after the sync and the split by name, all of them money flows;
    /// returns its time. The uuid differs from event to event of all partitions.
    pub fn next_moneyflow(&mut self, event: &mut String) -> i64 {
        self.event_ms = FIRST_EVENT_MS + self.sequence * 9 + self.number(0, 900);
        self.sequence += 1;
        self.write_line(Some("MoneyFlow"));
        let host = 1_000 + self.number(1, 240);
        self.log_offset += self.line.len() + 1;
        event.clear();
        event.push_str("{\"env\":\"");
        event.push_str(self.pick(&ENVIRONMENTS));
        let offset = self.log_offset;
        put(
            event,
            format_args!(
                "\",\"hostname\":\"sea-game-{host}\",\"tags\":\"[\\\"normal\\\"]\",\"log_offset\":\"{offset}\",\"uuid\":\""
            ),
        );
        self.push_uuid(event);
        event.push_str("\",\"topic\":\"ro_sea_tlog\",\"eventname\":\"moneyflow\",\"message\":\"");
        push_escaped(event, &self.line);
        event.push_str("\",\"filebeat_ts\":\"");
        let shipped = self.event_ms + BANGKOK_MS + self.number(5, 1_500);
        push_time(event, shipped, ' ', false);
        event.push_str("\"}");
        self.event_ms
    }

    /// One line of the game's log: event name and 38 fields.
    fn write_line(&mut self, name: Option<&str>) {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let server = self.number(1_001, 1_400);
        line.push_str(name.unwrap_or_else(|| self.pick(&EVENTS)));
        put(&mut line, format_args!("|{server}|"));
        push_time(&mut line, self.event_ms + BANGKOK_MS, ' ', false);
        put(
            &mut line,
            format_args!(
                "|wx{}d9f2c1b7e8|{}|{}|",
                server % 7,
                self.number(0, 2),
                self.number(1, 60)
            ),
        );
        self.push_hex(&mut line, 28);
        let (name, suffix) = (self.pick(&NAMES), self.number(1, 9_999));
        put(
            &mut line,
            format_args!(
                "|{}|{name}{suffix}",
                self.number(100_000_000, 1_000_000_000)
            ),
        );
        for high in [22, 2, 120, 70, 200, 50_000, 16] {
            put(&mut line, format_args!("|{}", self.number(0, high)));
        }
        line.push('|');
        let created = self.event_ms - self.number(0, 40_000_000) * 1_000;
        push_time(&mut line, created, ' ', false);
        put(
            &mut line,
            format_args!(
                "|{}|{}|{}",
                self.number(1_000, 900_000),
                self.number(0, 70_000),
                self.pick(&GUILDS)
            ),
        );
        for high in [
            90,
            90,
            i64::from(i32::MAX),
            400,
            900,
            9,
            100_000,
            90_000_000,
            9_000_000,
            2,
        ] {
            put(&mut line, format_args!("|{}", self.number(0, high)));
        }
        put(&mut line, format_args!("|{}{server}", self.event_ms));
        self.push_hex(&mut line, 6);
        put(
            &mut line,
            format_args!("|{}|{}|", self.number(1, 90), self.pick(&REASONS)),
        );
        if self.number(0, 10) == 0 {
            put(
                &mut line,
                format_args!(
                    "GPA.{}-{}",
                    self.number(1_000, 9_999),
                    self.number(1_000, 9_999)
                ),
            );
        }
        put(&mut line, format_args!("|{}|", self.number(1, 9)));
        self.push_hex(&mut line, 16);
        line.push('|');
        self.push_uuid(&mut line);
        put(&mut line, format_args!("|{}|", self.number(0, 6)));
        let logged_in = self.event_ms - self.number(0, 40_000) * 1_000;
        push_time(&mut line, logged_in, ' ', false);
        self.line = line;
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number within `low..high`.
    fn number(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low)
            .expect("the bounds are in order")
            .max(1);
        low + i64::try_from(self.random() % width).expect("it is less than the width")
    }

    fn pick(&mut self, list: &[&'static str]) -> &'static str {
        let length = u64::try_from(list.len()).expect("lists are short");
        list[usize::try_from(self.random() % length).expect("it is an index")]
    }

    fn push_hex(&mut self, text: &mut String, digits: usize) {
        let mut bits = 0;
        for at in 0..digits {
            if at % 16 == 0 {
                bits = self.random();
            }
            text.push(char::from(HEX[(bits & 15) as usize]));
            bits >>= 4;
        }
    }

    fn push_uuid(&mut self, text: &mut String) {
        for (at, digits) in [8, 4, 3, 3, 12].into_iter().enumerate() {
            text.push_str(["", "-", "-4", "-a", "-"][at]);
            self.push_hex(text, digits);
        }
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("memory takes everything");
}

/// Appends `2026-03-01 00:00:00`, with `.000` if wanted.
fn push_time(text: &mut String, ms: i64, between: char, millis: bool) {
    let at = jiff::Timestamp::from_millisecond(ms).expect("events are of our time");
    let at = jiff::tz::Offset::UTC.to_datetime(at);
    put(
        text,
        format_args!(
            "{:04}-{:02}-{:02}{between}{:02}:{:02}:{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        ),
    );
    if millis {
        put(text, format_args!(".{:03}", at.millisecond()));
    }
}

fn push_escaped(text: &mut String, line: &str) {
    for c in line.chars() {
        if c == '"' || c == '\\' {
            text.push('\\');
        }
        text.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_json_of_the_right_shape_and_come_out_the_same() {
        let (mut first, mut again) = (FilebeatEvents::new(7, 2), FilebeatEvents::new(7, 2));
        let (mut event, mut same) = (String::new(), String::new());
        let mut bytes = 0;
        for _ in 0..1_000 {
            let at = first.next(&mut event);
            assert_eq!(again.next(&mut same), at);
            assert_eq!(event, same);
            let json: serde_json::Value = serde_json::from_str(&event).unwrap();
            assert!(
                json["host"]["name"]
                    .as_str()
                    .unwrap()
                    .starts_with("sea-game-1")
            );
            assert_eq!(json["message"].as_str().unwrap().split('|').count(), 39);
            assert_eq!(json["@timestamp"].as_str().unwrap().len(), 24);
            bytes += event.len();
        }
        assert!(
            (740..840).contains(&(bytes / 1_000)),
            "{} bytes an event",
            bytes / 1_000
        );
        FilebeatEvents::new(8, 2).next(&mut same);
        FilebeatEvents::new(7, 2).next(&mut event);
        assert_ne!(event, same);
    }

    #[test]
    fn money_flows_have_39_fields_and_a_uuid_each() {
        let mut uuids = std::collections::HashSet::new();
        let mut event = String::new();
        for partition in 0..3 {
            let mut events = FilebeatEvents::new(7, partition);
            for _ in 0..500 {
                events.next_moneyflow(&mut event);
                let json: serde_json::Value = serde_json::from_str(&event).unwrap();
                let message = json["message"].as_str().unwrap();
                assert!(message.starts_with("MoneyFlow|"), "{message}");
                assert_eq!(message.split('|').count(), 39);
                uuids.insert(json["uuid"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(uuids.len(), 1500);
    }
}
