//! Encrypted connections: whom we trust, and who we are.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};

use crate::error::WireError;

/// Text in PEM form, or where it is.
#[derive(Clone)]
pub enum Pem {
    /// The text itself.
    Text(String),
    /// A file with it.
    File(PathBuf),
}

impl Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

/// How connections are encrypted.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whom we trust to say who a broker is; `None` = whom this system trusts.
    pub authorities: Option<Pem>,
    /// Our certificate with the ones that vouch for it, and its key.
    pub identity: Option<(Pem, Pem)>,
    /// Whether a broker's certificate must name the host that we connect to.
    pub check_host: bool,
}

impl Pem {
    fn read(&self, what: &str) -> Result<Vec<u8>, WireError> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => std::fs::read(path).map_err(|error| {
                WireError::Config(format!("{what} {} cannot be read: {error}", path.display()))
            }),
        }
    }

    fn certificates(&self, what: &str) -> Result<Vec<CertificateDer<'static>>, WireError> {
        let bytes = self.read(what)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match found {
            Ok(list) if !list.is_empty() => Ok(list),
            Ok(_) => Err(WireError::Config(format!(
                "{what} {self:?} holds no certificate"
            ))),
            Err(error) => Err(WireError::Config(format!("{what} {self:?}: {error}"))),
        }
    }
}

impl Tls {
    /// Returns the configuration of connections.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, WireError> {
        let config = |error: TlsError| WireError::Config(format!("encryption: {error}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        match &self.authorities {
            Some(pem) => {
                for certificate in pem.certificates("the trust store")? {
                    roots.add(certificate).map_err(config)?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(WireError::Config(
                        "this system trusts nobody, and no trust store is named".into(),
                    ));
                }
            }
        }
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| WireError::Config(format!("the trust store: {error}")))?;
        let verifier = Arc::new(Verifier {
            chain,
            provider: Arc::clone(&provider),
            check_host: self.check_host,
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(config)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let made = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificates, key)) => {
                let chain = certificates.certificates("the key store")?;
                let bytes = key.read("the key store")?;
                let key = PrivateKeyDer::from_pem_slice(&bytes)
                    .map_err(|error| WireError::Config(format!("the private key: {error}")))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    let way_out = "a key of keytool's for an elliptic curve lacks its public half: take an RSA key, or one that openssl made";
                    WireError::Config(format!("the private key: {error} ({way_out})"))
                })?
            }
        };
        Ok(Arc::new(made))
    }
}

/// The usual check of a broker's certificate, of its name only where that is wanted.
#[derive(Debug)]
struct Verifier {
    chain: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    check_host: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let outcome = self.chain.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match outcome {
            // The name is looked at last, after everything else was found good.
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_host => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let schemes = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let schemes = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
