//! The start of a connection: greeting, `mysql_native_password`, the database asked for.

use std::io;

use sha1::{Digest, Sha1};

use super::packet::{Packets, Reading, Refusal};

/// What Doris says of itself here; the number is the MySQL version it claims to be.
pub(crate) const SERVER_VERSION: &str = "5.7.99";
const PLUGIN: &str = "mysql_native_password";
const SALT_BYTES: usize = 20;

const WITH_DB: u32 = 0x8;
const PROTOCOL_41: u32 = 0x200;
const SECURE: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x0008_0000;
const LENGTH_ENCODED_AUTH: u32 = 0x0020_0000;
/// Long passwords, found rows, long flags, databases, local files never, transactions, several results never.
const ABLE: u32 =
    0x1 | 0x2 | 0x4 | WITH_DB | PROTOCOL_41 | 0x2000 | SECURE | PLUGIN_AUTH | LENGTH_ENCODED_AUTH;

/// Who logged in, to which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) db: Option<String>,
}

/// Greets and checks; `None` when the client went or was refused.
pub(crate) async fn log_in(
    packets: &mut Packets,
    connection: u32,
    (user, password): (&str, &str),
) -> io::Result<Option<Login>> {
    let salt = salt();
    packets.write(&greeting(connection, &salt));
    packets.flush().await?;
    let Some(answer) = packets.read().await? else {
        return Ok(None);
    };
    let Some((login, mut proof, plugin)) = parse(&answer) else {
        packets.refuse(&Refusal::numbered(1043, "08S01", "Bad handshake"));
        packets.flush().await?;
        return Ok(None);
    };
    if plugin.is_some_and(|plugin| plugin != PLUGIN) {
        let mut ask = vec![0xfe];
        ask.extend_from_slice(PLUGIN.as_bytes());
        ask.push(0);
        ask.extend_from_slice(&salt);
        ask.push(0);
        packets.write(&ask);
        packets.flush().await?;
        let Some(answer) = packets.read().await? else {
            return Ok(None);
        };
        proof = answer;
    }
    if login.user != user || !is_proof(&proof, &salt, password) {
        let text = format!(
            "Access denied for user '{}' (using password: {})",
            login.user,
            if proof.is_empty() { "NO" } else { "YES" }
        );
        packets.refuse(&Refusal::numbered(1045, "28000", text));
        packets.flush().await?;
        return Ok(None);
    }
    Ok(Some(login))
}

/// Returns random characters, none of them zero.
fn salt() -> [u8; SALT_BYTES] {
    let text = uuid::Uuid::new_v4().simple().to_string();
    let mut bytes = text.into_bytes();
    bytes.truncate(SALT_BYTES);
    bytes.try_into().expect("32 digits are more than enough")
}

fn greeting(connection: u32, salt: &[u8; SALT_BYTES]) -> Vec<u8> {
    let able = ABLE.to_le_bytes();
    let mut body = vec![10];
    body.extend_from_slice(SERVER_VERSION.as_bytes());
    body.push(0);
    body.extend_from_slice(&connection.to_le_bytes());
    body.extend_from_slice(&salt[..8]);
    body.push(0);
    body.extend_from_slice(&able[..2]);
    body.push(33);
    body.extend_from_slice(&2_u16.to_le_bytes());
    body.extend_from_slice(&able[2..]);
    body.push(u8::try_from(SALT_BYTES + 1).expect("it is 21"));
    body.extend_from_slice(&[0; 10]);
    body.extend_from_slice(&salt[8..]);
    body.push(0);
    body.extend_from_slice(PLUGIN.as_bytes());
    body.push(0);
    body
}

fn parse(answer: &[u8]) -> Option<(Login, Vec<u8>, Option<String>)> {
    let mut reading = Reading(answer);
    let able = u32::try_from(reading.little(4)?).ok()?;
    if able & PROTOCOL_41 == 0 {
        return None;
    }
    // The greatest packet, the character set, and what is reserved.
    reading.take(4 + 1 + 23)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let user = text(reading.zero_ended()?);
    let proof = if able & LENGTH_ENCODED_AUTH != 0 {
        reading.text()?
    } else if able & SECURE != 0 {
        let length = usize::from(reading.byte()?);
        reading.take(length)?
    } else {
        reading.zero_ended()?
    };
    let db = if able & WITH_DB != 0 {
        reading.zero_ended().map(text).filter(|db| !db.is_empty())
    } else {
        None
    };
    let plugin = if able & PLUGIN_AUTH != 0 {
        reading.zero_ended().map(text)
    } else {
        None
    };
    Some((Login { user, db }, proof.to_vec(), plugin))
}

/// SHA1(password) XOR SHA1(salt, SHA1(SHA1(password))); nothing for no password.
fn is_proof(proof: &[u8], salt: &[u8], password: &str) -> bool {
    if password.is_empty() {
        return proof.is_empty();
    }
    let once = Sha1::digest(password.as_bytes());
    let twice = Sha1::digest(once);
    let mut hasher = Sha1::new();
    hasher.update(salt);
    hasher.update(twice);
    let mask = hasher.finalize();
    let expected = once.iter().zip(mask).map(|(a, b)| a ^ b);
    proof.len() == once.len() && proof.iter().copied().eq(expected)
}
