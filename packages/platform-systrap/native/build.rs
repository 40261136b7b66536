//! Lets the linker leave Node-API symbols to the Node binary.

fn main() {
    napi_build::setup();
}
