//! One connection: its commands, its current database, its prepared statements.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::{TcpListener, TcpStream};

use super::login::log_in;
use super::mirror::cut;
use super::packet::{Head, Kind as HeadKind, Packets, Reading, Refusal};
use super::statement::{Reply, Speaker, answer};
use super::token::{Kind, Token};
use crate::server::Shared;

static CONNECTIONS: AtomicU32 = AtomicU32::new(1);

/// Takes connections for ever.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Err(error) = Session::run(stream, shared).await {
                tracing::debug!(%error, "a query connection ended early");
            }
        });
    }
}

/// A prepared statement with what was sent ahead for it.
#[derive(Debug)]
struct Prepared {
    tokens: Vec<Token>,
    parameters: usize,
    /// The types of the first execution, for those that follow.
    types: Vec<u16>,
}

struct Session {
    packets: Packets,
    speaker: Speaker,
    prepared: HashMap<u32, Prepared>,
    last_prepared: u32,
}

impl Session {
    async fn run(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut packets = Packets::new(stream);
        let id = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        let who = (shared.user.as_str(), shared.password.as_str());
        let Some(login) = log_in(&mut packets, id, who).await? else {
            return Ok(());
        };
        let mut session = Self {
            packets,
            speaker: Speaker {
                shared: Arc::clone(&shared),
                user: login.user,
                connection: id,
                db: None,
            },
            prepared: HashMap::new(),
            last_prepared: 0,
        };
        match login.db.map_or(Ok(()), |db| session.speaker.choose(&db)) {
            Ok(()) => session.packets.ok(0),
            Err(refusal) => session.packets.refuse(&refusal),
        }
        session.packets.flush().await?;
        loop {
            session.packets.restart();
            let Some(packet) = session.packets.read().await? else {
                return Ok(());
            };
            let Some((command, rest)) = packet.split_first() else {
                continue;
            };
            if *command == 0x01 {
                return Ok(());
            }
            session.command(*command, rest).await?;
            session.packets.flush().await?;
        }
    }

    async fn command(&mut self, command: u8, rest: &[u8]) -> io::Result<()> {
        let text = || String::from_utf8_lossy(rest).into_owned();
        match command {
            // COM_INIT_DB
            0x02 => {
                let chosen = self.speaker.choose(&text());
                self.done(chosen.map(|()| Reply::Done(0)), false);
            }
            // COM_QUERY
            0x03 => {
                let reply = match cut(&text()) {
                    Ok(tokens) => self.ask(tokens).await,
                    Err(refusal) => Err(refusal),
                };
                self.done(reply, false);
            }
            // COM_FIELD_LIST: old clients ask for completions.
            0x04 => self.packets.end_of_rows(),
            // COM_STATISTICS
            0x09 => self.packets.write(b"a stand-in"),
            // COM_PING, COM_RESET_CONNECTION, COM_SET_OPTION
            0x0e | 0x1b | 0x1f => self.packets.ok(0),
            // COM_STMT_PREPARE
            0x16 => self.prepare(&text()),
            // COM_STMT_EXECUTE
            0x17 => {
                let reply = match self.bind(rest) {
                    Ok(tokens) => self.ask(tokens).await,
                    Err(refusal) => Err(refusal),
                };
                self.done(reply, true);
            }
            // COM_STMT_CLOSE has no answer.
            0x19 => {
                if let Some(id) = Reading(rest).little(4) {
                    self.prepared.remove(&u32::try_from(id).unwrap_or(0));
                }
            }
            // COM_STMT_RESET
            0x1a => self.packets.ok(0),
            other => self.packets.refuse(&Refusal::numbered(
                1047,
                "08S01",
                format!("the stand-in does not know the command {other:#x}"),
            )),
        }
        Ok(())
    }

    /// Answers away from the runtime's threads: a query may take a while.
    async fn ask(&mut self, tokens: Vec<Token>) -> Result<Reply, Refusal> {
        let mut speaker = self.speaker.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let reply = answer(&mut speaker, &tokens);
            (speaker, reply)
        });
        match asked.await {
            Ok((speaker, reply)) => {
                self.speaker = speaker;
                reply
            }
            Err(error) => Err(Refusal::detail(error)),
        }
    }

    fn done(&mut self, reply: Result<Reply, Refusal>, is_binary: bool) {
        match reply {
            Ok(Reply::Done(affected)) => self.packets.ok(affected),
            Ok(Reply::Rows(table)) if is_binary => self.packets.binary_table(&table),
            Ok(Reply::Rows(table)) => self.packets.table(&table),
            Err(refusal) => self.packets.refuse(&refusal),
        }
    }

    fn prepare(&mut self, sql: &str) {
        let tokens = match cut(sql) {
            Ok(tokens) => tokens,
            Err(refusal) => return self.packets.refuse(&refusal),
        };
        let is_placeholder = |token: &&Token| token.kind == Kind::Placeholder;
        let parameters = tokens.iter().filter(is_placeholder).count();
        self.last_prepared += 1;
        let mut body = vec![0];
        body.extend_from_slice(&self.last_prepared.to_le_bytes());
        // What columns come is told when they come.
        body.extend_from_slice(&0_u16.to_le_bytes());
        body.extend_from_slice(&u16::try_from(parameters).unwrap_or(u16::MAX).to_le_bytes());
        body.extend_from_slice(&[0, 0, 0]);
        self.packets.write(&body);
        let head = Head {
            name: "?".into(),
            kind: HeadKind::Text,
        };
        self.packets.heads(&vec![head; parameters]);
        let prepared = Prepared {
            tokens,
            parameters,
            types: Vec::new(),
        };
        self.prepared.insert(self.last_prepared, prepared);
    }

    /// Returns a prepared statement with its values in place.
    fn bind(&mut self, rest: &[u8]) -> Result<Vec<Token>, Refusal> {
        let bad = || Refusal::numbered(1835, "HY000", "Malformed communication packet");
        let mut reading = Reading(rest);
        let id = reading.little(4).and_then(|id| u32::try_from(id).ok());
        let prepared = id
            .and_then(|id| self.prepared.get_mut(&id))
            .ok_or_else(|| {
                Refusal::numbered(1243, "HY000", "Unknown prepared statement handler")
            })?;
        reading.take(5).ok_or_else(bad)?;
        let values = prepared.values(&mut reading).ok_or_else(bad)?;
        let mut values = values.into_iter();
        let tokens = prepared.tokens.iter().map(|token| match token.kind {
            Kind::Placeholder => values.next().unwrap_or_else(|| token.clone()),
            _ => token.clone(),
        });
        Ok(tokens.collect())
    }
}

impl Prepared {
    fn values(&mut self, reading: &mut Reading<'_>) -> Option<Vec<Token>> {
        if self.parameters == 0 {
            return Some(Vec::new());
        }
        let nulls = reading.take(self.parameters.div_ceil(8))?.to_vec();
        if reading.byte()? == 1 {
            self.types = (0..self.parameters)
                .map(|_| reading.little(2).and_then(|ty| u16::try_from(ty).ok()))
                .collect::<Option<_>>()?;
        }
        let mut values = Vec::new();
        for (at, ty) in self.types.iter().enumerate() {
            let (kind, text) = if nulls[at / 8] & (1 << (at % 8)) != 0 {
                (Kind::Word, "NULL".to_owned())
            } else {
                value(*ty, reading)?
            };
            values.push(Token {
                kind,
                text,
                is_apart: true,
            });
        }
        Some(values)
    }
}

fn value(ty: u16, reading: &mut Reading<'_>) -> Option<(Kind, String)> {
    let is_unsigned = ty & 0x8000 != 0;
    let whole = |bytes: usize, reading: &mut Reading<'_>| {
        let raw = reading.little(bytes)?;
        let shift = 64 - 8 * bytes;
        #[expect(clippy::cast_possible_wrap, reason = "the sign is in the highest bit")]
        let signed = ((raw << shift) as i64) >> shift;
        Some(if is_unsigned {
            raw.to_string()
        } else {
            signed.to_string()
        })
    };
    let number = |text: Option<String>| Some((Kind::Number, text?));
    match ty & 0xff {
        1 => number(whole(1, reading)),
        2 | 13 => number(whole(2, reading)),
        3 | 9 => number(whole(4, reading)),
        8 => number(whole(8, reading)),
        4 => {
            let bits = u32::try_from(reading.little(4)?).ok()?;
            number(Some(f32::from_bits(bits).to_string()))
        }
        5 => number(Some(f64::from_bits(reading.little(8)?).to_string())),
        6 => Some((Kind::Word, "NULL".to_owned())),
        7 | 10 | 12 => Some((Kind::Text, moment(reading)?)),
        _ => {
            let text = String::from_utf8_lossy(reading.text()?).into_owned();
            Some((Kind::Text, text))
        }
    }
}

fn moment(reading: &mut Reading<'_>) -> Option<String> {
    let length = reading.byte()?;
    let mut part = |bytes| {
        if length == 0 {
            Some(0)
        } else {
            reading.little(bytes)
        }
    };
    let (year, month, day) = (part(2)?, part(1)?, part(1)?);
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    if length > 4 {
        let (hour, minute, second) = (reading.little(1)?, reading.little(1)?, reading.little(1)?);
        text.push_str(&format!(" {hour:02}:{minute:02}:{second:02}"));
    }
    if length > 7 {
        text.push_str(&format!(".{:06}", reading.little(4)?));
    }
    Some(text)
}
