//! Tells the outer build where the C headers of the dependency were installed.
use std::{env, fs, path::Path};

fn main() {
    let include = env::var("DEP_WASMTIME_C_API_INCLUDE")
        .expect("wasmtime-c-api-impl did not export its include folder (links = \"wasmtime-c-api\")");
    let out = env::var("FUSEBOX_WASMTIME_INCLUDE_NOTE")
        .unwrap_or_else(|_| format!("{}/include-path.txt", env::var("OUT_DIR").unwrap()));
    fs::write(Path::new(&out), include).expect("cannot write the include note");
    println!("cargo:rerun-if-env-changed=FUSEBOX_WASMTIME_INCLUDE_NOTE");
}
