//! A stand-in in a process of its own, for clients that are not written in Rust.
//!
//! ```text
//! cargo run -p millrace-dev-doris --example stand_in -- HTTP_PORT BE_PORT FOLDER PASSWORD
//! curl -X POST localhost:8030/_standin/tables -d '{"db":"db1","table":"t","keys":"DUP_KEYS","columns":[…]}'
//! ```

use std::error::Error;

use millrace_dev_doris::{DorisStandIn, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [http_port, be_port, folder, password] = arguments.as_slice() else {
        return Err("arguments: HTTP_PORT BE_PORT FOLDER PASSWORD".into());
    };
    let doris = DorisStandIn::start(Options {
        http_port: http_port.parse()?,
        be_port: be_port.parse()?,
        password: password.clone(),
        ..Options::in_folder(folder)
    })?;
    eprintln!(
        "fenodes = {}, benodes = {}",
        doris.fe_address(),
        doris.be_address()
    );
    loop {
        std::thread::park();
    }
}
