//! MD5, SHA1, SHA224, SHA256, SHA384, SHA512 and SHA2.
//!
//! # Flink
//! The digest of the UTF-8 bytes, or of the bytes, in lower-case hexadecimal digits. SHA2 with a length that is
//! none of 224, 256, 384 and 512 fails; a constant length fails even for a NULL. 1 from a column is SHA-1.

use std::sync::Arc;

use arrow_array::ArrayRef;
use md5::{Digest, Md5};
use millrace_connector::TypeKind;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::kernel::{BatchKernel, ByteStrings, Ints};
use super::signature::{Param, check, nullable_if_any};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

macro_rules! digest_function {
    ($constant:ident, $name:literal, $hasher:ty, $length:literal, $example:literal) => {
        #[doc = concat!("`", $name, "`.")]
        pub(crate) static $constant: FunctionDef = FunctionDef {
            name: $name,
            aliases: &[],
            category: Category::Hash,
            signatures: &[
                concat!($name, "(string STRING) → CHAR(", $length, ")"),
                concat!($name, "(binary BYTES) → CHAR(", $length, ")"),
            ],
            doc: concat!(
                "Returns the ",
                $name,
                " digest of the text's UTF-8 bytes, or of the bytes, in hexadecimal digits.\nNULL gives NULL."
            ),
            examples: &[(concat!($name, "('a')"), $example)],
            volatility: Volatility::Deterministic,
            bind: |args, _| bind($name, args, $length, push_digest::<$hasher>),
        };
    };
}

digest_function!(MD5, "MD5", Md5, 32, "0cc175b9c0f1b6a831c399e269772661");
digest_function!(
    SHA1,
    "SHA1",
    Sha1,
    40,
    "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"
);
digest_function!(
    SHA224,
    "SHA224",
    Sha224,
    56,
    "abd37534c7d9a2efb9465de931cd7055ffdb8879563ae98078d6d6d5"
);
digest_function!(
    SHA256,
    "SHA256",
    Sha256,
    64,
    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
);
digest_function!(
    SHA384,
    "SHA384",
    Sha384,
    96,
    "54a59b9f22b0b80880d8427e548b7c23abd873486e1f035dce9cd697e85175033caa88e6d57bc35efae0b5afd3145f31"
);
digest_function!(
    SHA512,
    "SHA512",
    Sha512,
    128,
    "1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f5302860c652bf08d560252aa5e74210546f369fbbbce8c12cfc7957b2652fe9a75"
);

/// `SHA2`.
pub(crate) static SHA2: FunctionDef = FunctionDef {
    name: "SHA2",
    aliases: &[],
    category: Category::Hash,
    signatures: &[
        "SHA2(string STRING, bits INT) → VARCHAR(128)",
        "SHA2(binary BYTES, bits INT) → VARCHAR(128)",
    ],
    doc: "Returns the SHA-2 digest of 224, 256, 384 or 512 bits in hexadecimal digits.\n\
          Another length fails the row.\nNULL gives NULL.",
    examples: &[(
        "SHA2('hello', 224)",
        "ea09ae9cc6768c50fcee903ed054556e5bfc8347907f12598aa24193",
    )],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_sha2(args),
};

type PushDigest = fn(&[u8], &mut String);

fn bind(
    name: &'static str,
    args: &[Arg],
    length: u32,
    push: PushDigest,
) -> Result<Bound, CallError> {
    Ok(Bound {
        arg_types: check(name, args, &[Param::TextOrBinary], 0)?,
        return_type: nullable_if_any(args, TypeKind::Char(length)),
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            let values = ByteStrings::new(&args[0]);
            let mut out = TextBuilder::new(rows);
            let mut buffer = String::new();
            for row in 0..rows {
                match values.get(row) {
                    Some(bytes) => {
                        buffer.clear();
                        push(bytes, &mut buffer);
                        out.push(&buffer);
                    }
                    None => out.push_null(),
                }
            }
            out.finish()
        }),
    })
}

fn bind_sha2(args: &[Arg]) -> Result<Bound, CallError> {
    let arg_types = check("SHA2", args, &[Param::TextOrBinary, Param::Int], 0)?;
    // Flink meets a wrong length when it folds the call; with a column, when the row comes.
    if let (Some(_), Some(bits)) = (&args[0].literal, &args[1].literal) {
        let bits = Column::Constant(Arc::clone(&bits.value));
        if let Some(bits) = Ints::new(&bits).get(0).filter(|bits| !is_length(*bits)) {
            return Err(CallError::Argument {
                index: 1,
                message: format!("Unsupported algorithm: SHA-{bits}"),
            });
        }
    }
    Ok(Bound {
        arg_types,
        return_type: nullable_if_any(args, TypeKind::Varchar(128)),
        kernel: BatchKernel::fallible("SHA2", sha2),
    })
}

fn is_length(bits: i32) -> bool {
    matches!(bits, 224 | 256 | 384 | 512)
}

fn push_digest<D: Digest>(bytes: &[u8], buffer: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in D::digest(bytes).iter() {
        buffer.push(char::from(DIGITS[usize::from(byte >> 4)]));
        buffer.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn sha2(args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let values = ByteStrings::new(&args[0]);
    let lengths = Ints::new(&args[1]);
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let Some(bits) = lengths.get(row) else {
            out.push_null();
            continue;
        };
        let push: PushDigest = match bits {
            224 => push_digest::<Sha224>,
            256 => push_digest::<Sha256>,
            384 => push_digest::<Sha384>,
            512 => push_digest::<Sha512>,
            // Java knows a digest of the name that a length from a column makes.
            1 if !args[1].is_constant() => push_digest::<Sha1>,
            _ if values.get(row).is_none() && !args[1].is_constant() => {
                out.push_null();
                continue;
            }
            _ => {
                return Err(RowError::new(
                    row,
                    format!("Unsupported algorithm: SHA-{bits}"),
                ));
            }
        };
        match values.get(row) {
            Some(bytes) => {
                buffer.clear();
                push(bytes, &mut buffer);
                out.push(&buffer);
            }
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}
