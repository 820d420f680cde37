//! A migration added later must be embedded too, not only changes of those the macro saw the last time.
fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
