//! What JSON_VALUE costs: 26 paths of one column at once, against one.
//!
//! `cargo bench -p millrace-functions --bench json_value`; prints the median of rounds in µs a row.

use std::hint::black_box;
use std::time::Instant;

use arrow_array::StringViewArray;
use millrace_functions::json::{Path, json_value_many};

const ROWS: usize = 4_096;
const ROUNDS: usize = 21;

const NAMES: [&str; 26] = [
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
    "language",
    "country_code",
    "timezone",
    "ip",
    "ua",
    "idfa",
    "gps_adid",
    "app_version",
    "store",
    "tracker_name",
    "publisher_parameters",
];

fn document(row: usize) -> String {
    format!(
        r#"{{"app_token":"k114x9q2m4c","adid":"0e76865859d1a84e2cfa0a8a{row:08}","activity_kind":"event","event_name":"Level {}","event":"8dbc0b","created_at":"1772323200","installed_at":"1771483628","received_at":"1772323202","network_name":"Apple Search Ads","campaign_name":"RO_PH_AEO_6 (9659673609678083)","adgroup_name":"LAL_1%_AuctionBuy (8289932331316971)","creative_name":"video_358_15s.mp4 (8223719168271829)","os_name":"android","os_version":"13","device_name":"SM-A546E","device_manufacturer":"Samsung","language":"th","country_code":"vn","timezone":"UTC+0700","ip":"52.182.11.37","ua":"Mozilla/5.0 (Linux; Android 13; SM-A546E Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/119.0.6045.151 Mobile Safari/537.36","idfa":null,"idfv":null,"gps_adid":"8edadddbf53539b42724f65e6abe9e32","android_id":null,"mac_md5":null,"oaid":null,"app_name":"com.example.ro.sea","app_version":"1.2.2","store":"google","sdk_version":"android4.33.5@unity4.33.2","tracker":"e7283b","tracker_name":"Apple Search Ads::campaign::adgroup","is_organic":"0","environment":"production","publisher_parameters":"{{\"ta_distinct_id\":\"0826d3cc-5051-4334-a6c0-df31144b23ed\",\"open_id\":\"cc4a70396873604a6f91248c3653\",\"ta_account_id\":\"449043558\",\"channel\":\"4\"}}"}}"#,
        row % 100
    )
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn report(what: &str, mut round: impl FnMut()) {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{what}: {:.3} µs a row, best {:.3}",
        times[ROUNDS / 2] * 1e6 / ROWS as f64,
        times[0] * 1e6 / ROWS as f64
    );
}

fn main() {
    let documents: StringViewArray = (0..ROWS).map(|row| Some(document(row))).collect();
    let paths: Vec<Path> = NAMES
        .iter()
        .map(|name| Path::parse(&format!("$.{name}")))
        .collect();
    report("26 paths at once", || {
        black_box(json_value_many(black_box(&documents), &paths));
    });
    report("1 path", || {
        black_box(json_value_many(black_box(&documents), &paths[..1]));
    });
}
