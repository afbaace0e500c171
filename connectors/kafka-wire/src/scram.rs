//! SCRAM (RFC 5802, RFC 7677): shows that we know the password without sending it, and that the broker knows it too.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{hmac, pbkdf2};

/// Iterations below this make a password easy to guess from what is seen on the wire; Kafka allows no fewer either.
const ITERATIONS_MIN: u32 = 4096;
/// Iterations beyond this are an attack on our time.
const ITERATIONS_MAX: u32 = 10_000_000;
/// No channel binding.
const GS2: &str = "n,,";

/// The hash of a mechanism.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// A conversation in which we have said who we are.
pub(crate) struct Scram {
    hash: Hash,
    password: String,
    nonce: String,
    first_bare: String,
}

/// A conversation in which we have shown that we know the password.
#[derive(Debug)]
pub(crate) struct Shown {
    signature: Vec<u8>,
}

/// Returns a nonce that nobody can guess.
pub(crate) fn nonce() -> Result<String, String> {
    let mut bytes = [0; 24];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(BASE64.encode(bytes))
}

impl Scram {
    /// Begins; returns what to send first.
    pub(crate) fn begin(hash: Hash, user: &str, password: &str, nonce: String) -> (Self, String) {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={user},r={nonce}");
        let first = format!("{GS2}{first_bare}");
        let scram = Self {
            hash,
            password: password.to_owned(),
            nonce,
            first_bare,
        };
        (scram, first)
    }

    /// Answers the broker's challenge; returns what to send next.
    pub(crate) fn answer(self, challenge: &str) -> Result<(Shown, String), String> {
        let attribute = |name: &str| {
            challenge
                .split(',')
                .find_map(|part| part.strip_prefix(name))
                .ok_or_else(|| format!("the broker's challenge lacks {name}"))
        };
        let nonce = attribute("r=")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the broker's challenge is not an answer to ours".into());
        }
        let salt = BASE64
            .decode(attribute("s=")?)
            .map_err(|_| "the broker's salt is not base64".to_owned())?;
        let iterations: u32 = attribute("i=")?.parse().unwrap_or(0);
        let iterations = NonZeroU32::new(iterations)
            .filter(|count| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&count.get()))
            .ok_or_else(|| format!("the broker asks for {iterations} iterations"))?;
        let mut salted = vec![0; self.hash.digest().output_len()];
        pbkdf2::derive(
            self.hash.pbkdf2(),
            iterations,
            &salt,
            self.password.as_bytes(),
            &mut salted,
        );
        let sign = |key: &[u8], text: &str| {
            hmac::sign(&hmac::Key::new(self.hash.hmac(), key), text.as_bytes())
        };
        let client_key = sign(&salted, "Client Key");
        let stored = digest::digest(self.hash.digest(), client_key.as_ref());
        let without_proof = format!("c={},r={nonce}", BASE64.encode(GS2));
        let all = format!("{},{challenge},{without_proof}", self.first_bare);
        let signature = sign(stored.as_ref(), &all);
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = sign(&salted, "Server Key");
        let shown = Shown {
            signature: sign(server_key.as_ref(), &all).as_ref().to_vec(),
        };
        Ok((shown, format!("{without_proof},p={}", BASE64.encode(proof))))
    }
}

impl Shown {
    /// Checks the broker's last words.
    pub(crate) fn check(&self, last: &str) -> Result<(), String> {
        if let Some(error) = last.strip_prefix("e=") {
            return Err(format!("the broker says: {error}"));
        }
        let said = last
            .split(',')
            .find_map(|part| part.strip_prefix("v="))
            .and_then(|text| BASE64.decode(text).ok());
        if said.as_deref() == Some(&self.signature) {
            Ok(())
        } else {
            Err("the broker does not know the password itself".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_as_rfc_7677_shows() {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let (scram, first) = Scram::begin(Hash::Sha256, "user", "pencil", nonce);
        assert_eq!(first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (shown, answer) = scram.answer(challenge).unwrap();
        assert_eq!(
            answer,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        shown
            .check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
            .unwrap();
        assert!(
            shown
                .check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=")
                .is_err()
        );
        assert!(shown.check("e=invalid-proof").is_err());
    }

    #[test]
    fn refuses_a_broker_that_cheats() {
        let begin = || Scram::begin(Hash::Sha512, "a=b,c", "p", "abc".into());
        assert_eq!(begin().1, "n,,n=a=3Db=2Cc,r=abc");
        for challenge in [
            "r=abc,s=AAAA,i=4096",
            "r=xyz123,s=AAAA,i=4096",
            "r=abcdef,s=AAAA,i=1",
            "r=abcdef,s=AAAA,i=2000000000",
            "r=abcdef,s=*,i=4096",
            "",
        ] {
            assert!(begin().0.answer(challenge).is_err(), "{challenge}");
        }
        assert!(begin().0.answer("r=abcdef,s=AAAA,i=4096").is_ok());
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }
}
