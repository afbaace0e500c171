//! The edge to real stores: `file://`, `s3://` and S3-compatible endpoints, memory.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
    let url = Url::parse(&text).map_err(|_| ObjectStoreError::Url {
        location: location.to_owned(),
    })?;
    let open = |source| ObjectStoreError::Open {
        location: location.to_owned(),
        source,
    };
    let (store, prefix): (Arc<dyn ObjectStore>, Path) = match url.scheme() {
        "memory" => return Ok(Arc::new(MemoryStore::default())),
        "file" => {
            let path = url.to_file_path().map_err(|()| ObjectStoreError::Url {
                location: location.to_owned(),
            })?;
            std::fs::create_dir_all(&path).map_err(|source| ObjectStoreError::Folder {
                path: path.clone(),
                source,
            })?;
            (
                Arc::new(LocalFileSystem::new_with_prefix(&path).map_err(open)?),
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
    Ok(Arc::new(Remote {
        store,
        prefix,
        location: location.to_owned(),
        runtime,
    }))
}

fn s3(
    bucket: &str,
    options: &ObjectStoreOptions,
) -> object_store::Result<object_store::aws::AmazonS3> {
    let timeout = options.timeout.unwrap_or(TIMEOUT_DEFAULT);
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_region(options.region.as_deref().unwrap_or("us-east-1"))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_virtual_hosted_style_request(!options.path_style)
        .with_retry(RetryConfig {
            retry_timeout: timeout,
            max_retries: usize::MAX,
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

struct Remote {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    location: String,
    runtime: Handle,
}

impl Remote {
    fn path(&self, path: &str) -> Path {
        path.split('/')
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
        let task: JoinHandle<object_store::Result<PutOutcome>> = self.runtime.spawn(async move {
            let options = PutOptions {
                mode: PutMode::Create,
                ..PutOptions::default()
            };
            match store
                .put_opts(&object, PutPayload::from(bytes), options)
                .await
            {
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
        let read = async {
            let found = self.store.get(&object).await?;
            found.bytes().await
        };
        match self.runtime.block_on(read) {
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
        let listed = self.runtime.block_on(
            self.store
                .list(Some(&folder))
                .map_ok(|meta| meta.location)
                .try_collect::<Vec<_>>(),
        );
        let paths = listed.map_err(|error| self.error("list", prefix, error))?;
        Ok(paths
            .iter()
            .map(|path| path.as_ref()[base..].trim_start_matches('/').to_owned())
            .collect())
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let object = self.path(path);
        match self.runtime.block_on(self.store.delete(&object)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error("delete", path, error)),
        }
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}
