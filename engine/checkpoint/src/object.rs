//! The edge to real stores: `file://`, `s3://` and S3-compatible endpoints, memory.

use std::future::Future;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use url::Url;

use crate::health::StoreHealth;
use crate::{MemoryStore, PendingPut, PutOutcome, Store, StoreError};

/// How to reach the store.
#[derive(Clone, Default)]
pub struct ObjectStoreOptions {
    /// `s3.endpoint`: another server than Amazon's.
    pub endpoint: Option<String>,
    /// `s3.path.style.access`: bucket in the path instead of the host name.
    pub path_style: bool,
    /// `s3.region`.
    pub region: Option<String>,
    /// `s3.access-key`; without it the environment's credentials.
    pub access_key: Option<String>,
    /// `s3.secret-key`.
    pub secret_key: Option<String>,
    /// How long one operation may take, retries included.
    pub timeout: Option<Duration>,
    /// Where outages of the store are told; clones share it.
    pub health: StoreHealth,
}

impl std::fmt::Debug for ObjectStoreOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectStoreOptions")
            .field("endpoint", &self.endpoint)
            .field("path_style", &self.path_style)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// A checkpoint location that cannot be used.
#[derive(Debug, Error)]
pub enum ObjectStoreError {
    /// Not a URL.
    #[error("'{location}' is not a URL: write file:///path, s3://bucket/path or memory://")]
    Url {
        /// What was written.
        location: String,
    },
    /// A scheme without a store.
    #[error(
        "'{scheme}://' is not supported for checkpoints: use file://, s3://, s3a://, cosn:// with s3.endpoint, or memory://"
    )]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// The store's own objection.
    #[error("cannot open the checkpoint store at '{location}'")]
    Open {
        /// What was written.
        location: String,
        /// The cause.
        #[source]
        source: object_store::Error,
    },
    /// The folder cannot be made.
    #[error("cannot make the folder '{}'", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// The default of [`ObjectStoreOptions::timeout`].
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);
/// How long a single request may take before it is tried again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Waits between attempts at an operation.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Returns a location without what stands before the host, which may be keys.
#[must_use]
pub fn without_keys(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else {
        return location.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => location.to_owned(),
    }
}

/// Returns the store at `location`. Does no I/O but making a local folder.
///
/// # Errors
/// A location or option that cannot be used.
pub fn open_store(
    location: &str,
    options: &ObjectStoreOptions,
    runtime: Handle,
) -> Result<Arc<dyn Store>, ObjectStoreError> {
    let text = if location.starts_with('/') {
        format!("file://{location}")
    } else {
        location.to_owned()
    };
    let shown = without_keys(location);
    let url = Url::parse(&text).map_err(|_| ObjectStoreError::Url {
        location: shown.clone(),
    })?;
    let open = |source| ObjectStoreError::Open {
        location: shown.clone(),
        source,
    };
    let (store, prefix): (Arc<dyn ObjectStore>, Path) = match url.scheme() {
        "memory" => return Ok(Arc::new(MemoryStore::default())),
        "file" => {
            let path = url.to_file_path().map_err(|()| ObjectStoreError::Url {
                location: shown.clone(),
            })?;
            std::fs::create_dir_all(&path).map_err(|source| ObjectStoreError::Folder {
                path: path.clone(),
                source,
            })?;
            (
                Arc::new(
                    LocalFileSystem::new_with_prefix(&path)
                        .map_err(open)?
                        // A folder goes with its last file.
                        .with_automatic_cleanup(true),
                ),
                Path::default(),
            )
        }
        "s3" | "s3a" | "s3n" | "cos" | "cosn" | "oss" => {
            let bucket = url.host_str().unwrap_or_default();
            (
                Arc::new(s3(bucket, options).map_err(open)?),
                Path::from(url.path()),
            )
        }
        scheme => {
            return Err(ObjectStoreError::Scheme {
                scheme: scheme.to_owned(),
            });
        }
    };
    let patience = Patience {
        // A folder answers at once or not at all.
        time: match url.scheme() {
            "file" => Duration::ZERO,
            _ => options.timeout.unwrap_or(TIMEOUT_DEFAULT),
        },
        location: shown.clone(),
        health: options.health.clone(),
    };
    Ok(Arc::new(Remote {
        store,
        prefix,
        location: shown,
        runtime,
        patience,
    }))
}

fn s3(
    bucket: &str,
    options: &ObjectStoreOptions,
) -> object_store::Result<object_store::aws::AmazonS3> {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_region(options.region.as_deref().unwrap_or("us-east-1"))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_virtual_hosted_style_request(!options.path_style)
        // What fails is tried again here, where it can be told.
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        })
        .with_client_options(
            ClientOptions::new()
                .with_timeout(REQUEST_TIMEOUT)
                .with_allow_http(true),
        );
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(key) = &options.access_key {
        builder = builder.with_access_key_id(key);
    }
    if let Some(key) = &options.secret_key {
        builder = builder.with_secret_access_key(key);
    }
    builder.build()
}

/// How long an operation is tried again, and who is told.
#[derive(Clone)]
struct Patience {
    time: Duration,
    location: String,
    health: StoreHealth,
}

impl Patience {
    /// Calls until the store answers, or for as long as it is worth.
    async fn call<T, F>(&self, mut call: impl FnMut() -> F) -> object_store::Result<T>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let begin = Instant::now();
        let mut pause = BACKOFF_MIN;
        loop {
            let error = match call().await {
                Ok(done) => {
                    self.health.answered(&self.location);
                    return Ok(done);
                }
                Err(error) if is_answer(&error) => {
                    self.health.answered(&self.location);
                    return Err(error);
                }
                Err(error) => error,
            };
            self.health.failed(&self.location, &cause_of(&error));
            if begin.elapsed() + pause > self.time {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }
}

/// Tells whether an error is what the store has to say, so that asking again gives the same.
fn is_answer(error: &object_store::Error) -> bool {
    use object_store::Error;
    matches!(
        error,
        Error::NotFound { .. }
            | Error::AlreadyExists { .. }
            | Error::Precondition { .. }
            | Error::NotModified { .. }
    ) || refusal(error).is_some()
}

/// Returns what to do about an error that no other attempt gets past; `None` for any other.
fn refusal(error: &object_store::Error) -> Option<&'static str> {
    use object_store::Error;
    const RIGHTS: &str = "check 's3.access-key' and 's3.secret-key' (or the environment's credentials), the clock of this machine, and the rights to read, write, list and delete below this address";
    let text = error.to_string();
    match error {
        Error::NotFound { .. } if text.contains("NoSuchBucket") => {
            Some("make the bucket, or write another one in 'state.checkpoints.dir'")
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Some(RIGHTS),
        Error::NotSupported { .. } | Error::NotImplemented { .. } => {
            Some("keep checkpoints in a store that can do this")
        }
        Error::InvalidPath { .. } => Some("use a shorter 'pipeline.name' of plain characters"),
        _ if is_io(error, |kind| kind == std::io::ErrorKind::PermissionDenied) => {
            Some("give this process the right to read and write the folder")
        }
        _ if is_io(error, |kind| kind == std::io::ErrorKind::InvalidFilename)
            || text.contains("KeyTooLong") =>
        {
            Some("use a shorter 'pipeline.name' and shorter names of tables")
        }
        // Other 4xx, but for those that pass: too slow, too many.
        Error::Generic { .. } => {
            let status = text.split_once("non-2xx status code: ")?.1;
            (status.starts_with('4') && !status.starts_with("408") && !status.starts_with("429"))
                .then_some("check 'state.checkpoints.dir', 's3.endpoint', 's3.region' and 's3.path.style.access'")
        }
        _ => None,
    }
}

fn is_io(error: &object_store::Error, is_it: fn(std::io::ErrorKind) -> bool) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && is_it(io.kind())
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns the innermost cause: what is wrong with the network, or what the server said.
fn cause_of(error: &object_store::Error) -> String {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

impl StoreError {
    /// Returns what to do about a failure that stays however often it is tried: no rights, no bucket, a name that is too
    /// long. `None` for one that may pass.
    #[must_use]
    pub fn permanent(&self) -> Option<&'static str> {
        self.source
            .downcast_ref::<object_store::Error>()
            .and_then(refusal)
    }
}

/// The object that shows whether conditions are honoured.
const PROBE: &str = ".millrace-conditional-put";

/// A store that cannot keep checkpoints.
#[derive(Debug, Error)]
pub enum ConditionsError {
    /// It did not answer, or said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It takes a conditional put for a plain one.
    #[error(
        "the checkpoint store {location} ignores conditions: an object that was there was written over by a put with 'If-None-Match: *'"
    )]
    Ignored {
        /// The store.
        location: String,
    },
}

/// Checks by two puts to one object that an object store honours the condition that checkpoints rest on: without it two
/// copies of a pipeline both take themselves for the only one. Folders and memory need no check.
///
/// # Errors
/// It does not, or it does not answer.
pub fn check_conditions(store: &dyn Store) -> Result<(), ConditionsError> {
    let location = store.location();
    let is_remote = location.contains("://") && !location.starts_with("file://");
    if !is_remote {
        return Ok(());
    }
    let put = || store.put_if_absent(PROBE, b"millrace\n".to_vec()).wait();
    put()?;
    match put()? {
        PutOutcome::Exists => Ok(()),
        PutOutcome::Created => Err(ConditionsError::Ignored { location }),
    }
}

struct Remote {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    location: String,
    runtime: Handle,
    patience: Patience,
}

impl Remote {
    fn path(&self, path: &str) -> Path {
        path.split('/')
            .filter(|part| !part.is_empty())
            .fold(self.prefix.clone(), |base, part| base.join(part))
    }

    fn error(&self, action: &'static str, path: &str, source: object_store::Error) -> StoreError {
        StoreError {
            action,
            path: path.to_owned(),
            location: self.location.clone(),
            source: Box::new(source),
        }
    }
}

impl Store for Remote {
    fn put_if_absent(&self, path: &str, bytes: Vec<u8>) -> PendingPut {
        let store = Arc::clone(&self.store);
        let object = self.path(path);
        let (location, path) = (self.location.clone(), path.to_owned());
        let patience = self.patience.clone();
        let payload = PutPayload::from(bytes);
        let task: JoinHandle<object_store::Result<PutOutcome>> = self.runtime.spawn(async move {
            let put = || {
                let options = PutOptions {
                    mode: PutMode::Create,
                    ..PutOptions::default()
                };
                store.put_opts(&object, payload.clone(), options)
            };
            match patience.call(put).await {
                Ok(_) => Ok(PutOutcome::Created),
                Err(
                    object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ) => Ok(PutOutcome::Exists),
                Err(error) => Err(error),
            }
        });
        let runtime = self.runtime.clone();
        PendingPut::new(move || {
            let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError {
                action: "create",
                path,
                location,
                source,
            };
            match runtime.block_on(task) {
                Ok(Ok(outcome)) => Ok(outcome),
                Ok(Err(error)) => Err(failed(Box::new(error))),
                Err(error) => Err(failed(Box::new(error))),
            }
        })
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let object = self.path(path);
        let read = || async {
            let found = self.store.get(&object).await?;
            found.bytes().await
        };
        match self.runtime.block_on(self.patience.call(read)) {
            Err(error) if refusal(&error).is_some() => Err(self.error("read", path, error)),
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error("read", path, error)),
        }
    }

    fn get_range(&self, path: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, StoreError> {
        if range.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let object = self.path(path);
        match self
            .runtime
            .block_on(self.store.get_range(&object, range.clone()))
        {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            // Stores disagree about ranges that begin behind the end; so the size is asked for.
            Err(error) => match self.runtime.block_on(self.store.head(&object)) {
                Ok(meta) if meta.size <= range.start => Ok(Some(Vec::new())),
                _ => Err(self.error("read", path, error)),
            },
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let folder = self.path(prefix);
        let base = self.prefix.as_ref().len();
        let list = || {
            self.store
                .list(Some(&folder))
                .map_ok(|meta| meta.location)
                .try_collect::<Vec<_>>()
        };
        let listed = self.runtime.block_on(self.patience.call(list));
        let paths = listed.map_err(|error| self.error("list", prefix, error))?;
        Ok(paths
            .iter()
            .map(|path| path.as_ref()[base..].trim_start_matches('/').to_owned())
            .collect())
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let object = self.path(path);
        let delete = || self.store.delete(&object);
        match self.runtime.block_on(self.patience.call(delete)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error("delete", path, error)),
        }
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store elsewhere that honours conditions, or not.
    struct Elsewhere {
        files: MemoryStore,
        honours: bool,
    }

    impl Store for Elsewhere {
        fn put_if_absent(&self, path: &str, bytes: Vec<u8>) -> PendingPut {
            if !self.honours {
                self.files.delete(path).unwrap();
            }
            self.files.put_if_absent(path, bytes)
        }

        fn get(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
            self.files.get(path)
        }

        fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
            self.files.list(prefix)
        }

        fn delete(&self, path: &str) -> Result<(), StoreError> {
            self.files.delete(path)
        }

        fn location(&self) -> String {
            "s3://bucket/checkpoints".into()
        }
    }

    #[test]
    fn a_store_that_ignores_conditions_is_found_out_by_two_puts() {
        let store = |honours| Elsewhere {
            files: MemoryStore::default(),
            honours,
        };
        let good = store(true);
        // The object of an earlier start is there.
        for _ in 0..3 {
            check_conditions(&good).unwrap();
        }
        let error = check_conditions(&store(false)).unwrap_err();
        assert!(matches!(error, ConditionsError::Ignored { .. }), "{error}");
    }

    #[test]
    fn keys_in_an_address_are_not_shown() {
        for (location, shown) in [
            ("s3://ak:SECRET@bucket/x", "s3://***@bucket/x"),
            ("s3://ak:a@b@bucket", "s3://***@bucket"),
            ("s3://bucket/x@y", "s3://bucket/x@y"),
            ("/a@b", "/a@b"),
        ] {
            assert_eq!(without_keys(location), shown);
        }
    }

    fn folder(location: &std::path::Path) -> (tokio::runtime::Runtime, Arc<dyn Store>) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = ObjectStoreOptions::default();
        let location = location.to_string_lossy();
        let store = open_store(&location, &options, runtime.handle().clone()).unwrap();
        (runtime, store)
    }

    #[test]
    fn a_folder_goes_with_its_last_file_and_all_is_listed() {
        let place = std::env::temp_dir().join(format!("millrace-store-{}", std::process::id()));
        let (_runtime, store) = folder(&place);
        let manifest = "p/d/slot-0/chk-1/manifest.json";
        store.put_if_absent(manifest, vec![1]).wait().unwrap();
        assert_eq!(store.list("").unwrap(), [manifest]);
        store.delete(manifest).unwrap();
        assert!(!place.join("p/d/slot-0/chk-1").exists());
        std::fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_name_that_is_too_long_stays_so() {
        let place = std::env::temp_dir().join(format!("millrace-long-{}", std::process::id()));
        let (_runtime, store) = folder(&place);
        let name = "n".repeat(300);
        let error = store.put_if_absent(&format!("{name}/x"), vec![1]).wait();
        let error = error.unwrap_err();
        assert!(error.permanent().is_some(), "{error:?}");
        std::fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn an_outage_is_told_until_it_is_over() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = ObjectStoreOptions {
            // Nobody listens there.
            endpoint: Some("http://127.0.0.1:1".into()),
            access_key: Some("a".into()),
            secret_key: Some("b".into()),
            path_style: true,
            timeout: Some(Duration::from_millis(150)),
            ..ObjectStoreOptions::default()
        };
        let store = open_store("s3://x:KEY@bucket/p", &options, runtime.handle().clone()).unwrap();
        let error = store.get("a").unwrap_err();
        assert_eq!(error.permanent(), None);
        assert_eq!(error.location, "s3://***@bucket/p");
        let outage = options.health.outage().expect("it was noticed");
        assert!(outage.cause.contains("refused"), "{outage:?}");
        options.health.answered("s3://bucket");
        assert!(options.health.outage().is_none());
    }
}
