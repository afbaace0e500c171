//! Game logs and ad callbacks, the same texts in every run.

use std::fmt::Write;

use arrow_array::StringViewArray;
use arrow_buffer::Buffer;

/// Rows of a batch.
pub const ROWS: usize = 8_192;

/// A generator of numbers that are alike in every run.
#[derive(Debug)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick(&mut self, texts: &[&'static str]) -> &'static str {
        texts[(self.next() % texts.len() as u64) as usize]
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|_| char::from(b"0123456789abcdef"[(self.next() % 16) as usize]))
            .collect()
    }

    fn digits(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|_| char::from(b'0' + (self.next() % 9) as u8 + 1))
            .collect()
    }

    fn uuid(&mut self) -> String {
        format!(
            "{}-{}-4{}-a{}-{}",
            self.hex(8),
            self.hex(4),
            self.hex(3),
            self.hex(3),
            self.hex(12)
        )
    }

    fn time(&mut self) -> String {
        format!(
            "2026-{:02}-{:02} {:02}:{:02}:{:02}",
            self.below(12) + 1,
            self.below(28) + 1,
            self.below(24),
            self.below(60),
            self.below(60)
        )
    }
}

const NAMES: &[&str] = &[
    "Poring",
    "ShadowFox",
    "นักรบ",
    "晨曦",
    "Lunaria",
    "Mèo Con",
    "O'Neil",
];
const EVENTS: &[&str] = &[
    "MoneyFlow",
    "ItemFlow",
    "PlayerLogin",
    "RoundFlow",
    "TaskFlow",
];
const COMMANDS: &[&str] = &[
    "BuyShopItem",
    "AuctionBuy",
    "QuestReward",
    "PetFeed",
    "Recharge",
];

/// A line of 39 fields, about 350 bytes.
fn line(numbers: &mut Numbers) -> String {
    let mut line = format!(
        "{}|{}|{}|wx{}d9f2c1b7e8|{}|{}|{}|{}|{}{}",
        numbers.pick(EVENTS),
        1001 + numbers.below(400),
        numbers.time(),
        numbers.below(7),
        numbers.below(2),
        numbers.below(60),
        numbers.hex(28),
        100_000_000 + numbers.below(900_000_000),
        numbers.pick(NAMES),
        numbers.below(9999),
    );
    let field = |line: &mut String, value: &dyn std::fmt::Display| {
        write!(line, "|{value}").expect("a text takes everything");
    };
    for bound in [22, 2, 120, 70, 200, 50_000, 16] {
        field(&mut line, &numbers.below(bound));
    }
    field(&mut line, &numbers.time());
    field(&mut line, &numbers.below(900_000));
    field(&mut line, &numbers.below(70_000));
    field(
        &mut line,
        &numbers.pick(&["Valhalla", "月光", "Eclipse", "", "Nusantara"]),
    );
    for bound in [
        90,
        90,
        1 << 31,
        400,
        900,
        9,
        100_000,
        90_000_000,
        9_000_000,
        2,
    ] {
        field(&mut line, &numbers.below(bound));
    }
    field(
        &mut line,
        &format!("{}{}", numbers.digits(17), numbers.hex(6)),
    );
    field(&mut line, &numbers.below(90));
    field(&mut line, &numbers.pick(COMMANDS));
    field(
        &mut line,
        &if numbers.below(10) == 0 {
            "GPA.1234-5678-9012-34567"
        } else {
            ""
        },
    );
    field(&mut line, &numbers.below(9));
    field(&mut line, &numbers.hex(16));
    field(&mut line, &numbers.uuid());
    field(&mut line, &numbers.below(6));
    field(&mut line, &numbers.time());
    line
}

/// An event as a log shipper writes it, about 790 bytes, with nested objects.
fn filebeat(numbers: &mut Numbers) -> String {
    let host = 1001 + numbers.below(240);
    format!(
        concat!(
            r#"{{"@timestamp":"{time}.123Z","@metadata":{{"beat":"filebeat","type":"_doc","version":"7.17.9"}},"env":"{env}","#,
            r#""uuid":"{uuid}","host":{{"name":"sea-game-{host}"}},"tags":["normal"],"log":{{"offset":{offset},"#,
            r#""file":{{"path":"/data/tlog/game_{host}/tlog_20260305.log"}}}},"input":{{"type":"log"}},"#,
            r#""ecs":{{"version":"1.12.0"}},"agent":{{"hostname":"sea-game-{host}","type":"filebeat","version":"7.17.9"}},"#,
            r#""message":"{line}"}}"#
        ),
        time = numbers.time().replace(' ', "T"),
        env = numbers.pick(&["prod", "prod", "obt", "qc"]),
        uuid = numbers.uuid(),
        host = host,
        offset = numbers.below(1 << 32),
        line = line(numbers),
    )
}

/// An ad callback with more than forty keys, about 1.6 KB.
fn callback(numbers: &mut Numbers) -> String {
    let mut text = String::from("{");
    let entry = |text: &mut String, key: &str, value: Option<String>| {
        if text.len() > 1 {
            text.push(',');
        }
        match value {
            Some(value) => write!(text, "\"{key}\":\"{value}\""),
            None => write!(text, "\"{key}\":null"),
        }
        .expect("a text takes everything");
    };
    let name = |prefix: &str, numbers: &mut Numbers| {
        Some(format!(
            "{prefix}_{} ({})",
            numbers.below(400),
            numbers.digits(16)
        ))
    };
    for key in CALLBACK_KEYS {
        let value = match *key {
            "campaign_name" => name("RO_TH_AEO", numbers),
            "adgroup_name" => name("LAL_1%_PetFeed", numbers),
            "creative_name" => name("video_15s.mp4", numbers),
            "adid" | "gps_adid" => Some(numbers.hex(32)),
            "created_at" | "installed_at" | "received_at" => {
                Some(format!("17723{}", numbers.digits(5)))
            }
            "network_name" => Some(
                numbers
                    .pick(&["Unattributed", "Organic", "Apple Search Ads"])
                    .to_owned(),
            ),
            "activity_kind" => Some(numbers.pick(&["event", "install", "session"]).to_owned()),
            "ip" => Some(format!(
                "52.{}.11.{}",
                numbers.below(255),
                numbers.below(255)
            )),
            "ua" => Some(format!(
                "Mozilla/5.0 (Linux; Android 13; SM-A546E Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/119.0.6045.{} Mobile Safari/537.36",
                numbers.below(250)
            )),
            "idfa" | "idfv" | "android_id" | "mac_md5" | "oaid" => None,
            "publisher_parameters" => Some(format!(
                r#"{{\"ta_distinct_id\":\"{}\",\"open_id\":\"{}\",\"ta_account_id\":\"{}\",\"channel\":\"4\"}}"#,
                numbers.uuid(),
                numbers.hex(28),
                numbers.digits(9)
            )),
            _ => Some(format!("{}{}", numbers.pick(COMMANDS), numbers.below(100))),
        };
        entry(&mut text, key, value);
    }
    text.push('}');
    text
}

/// The keys of [`callbacks`], in order.
pub const CALLBACK_KEYS: &[&str] = &[
    "app_token",
    "adid",
    "activity_kind",
    "event_name",
    "event",
    "created_at",
    "installed_at",
    "received_at",
    "network_name",
    "campaign_name",
    "adgroup_name",
    "creative_name",
    "os_name",
    "os_version",
    "device_name",
    "device_manufacturer",
    "language",
    "country_code",
    "timezone",
    "ip",
    "ua",
    "idfa",
    "idfv",
    "gps_adid",
    "android_id",
    "mac_md5",
    "oaid",
    "app_name",
    "app_version",
    "store",
    "sdk_version",
    "tracker",
    "tracker_name",
    "is_organic",
    "environment",
    "publisher_parameters",
];

/// Returns a column of [`ROWS`] texts.
fn column(seed: u64, text: impl Fn(&mut Numbers) -> String) -> StringViewArray {
    let mut numbers = Numbers(seed);
    (0..ROWS).map(|_| Some(text(&mut numbers))).collect()
}

/// Returns lines of 39 fields between `|`.
#[must_use]
pub fn lines() -> StringViewArray {
    column(1, line)
}

/// Returns ad callbacks as JSON texts.
#[must_use]
pub fn callbacks() -> StringViewArray {
    column(2, callback)
}

/// Returns the events of a log shipper in one buffer, and where each lies in it.
#[must_use]
pub fn events() -> (Buffer, Vec<Option<std::ops::Range<u32>>>) {
    let mut numbers = Numbers(3);
    let mut bytes = Vec::new();
    let ranges = (0..ROWS)
        .map(|_| {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(filebeat(&mut numbers).as_bytes());
            Some(start..bytes.len() as u32)
        })
        .collect();
    (Buffer::from_vec(bytes), ranges)
}

/// Returns times such as `2026-03-01 07:00:00`.
#[must_use]
pub fn times() -> StringViewArray {
    column(4, Numbers::time)
}

/// Returns names of campaigns with a number in brackets.
#[must_use]
pub fn campaigns() -> StringViewArray {
    column(5, |numbers| {
        format!("RO_TH_AEO_{} ({})", numbers.below(60), numbers.digits(16))
    })
}

/// Returns whole numbers as text.
#[must_use]
pub fn numerals() -> StringViewArray {
    column(6, |numbers| numbers.below(1_000_000_000).to_string())
}
