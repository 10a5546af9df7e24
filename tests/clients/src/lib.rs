//! What the programs are asked for.

/// A repo and the files that are wanted of it.
pub struct Wanted {
    pub id: String,
    pub files: Vec<String>,
}

/// Reads `MODEL FILE… -- DATASET FILE…`.
pub fn arguments() -> (Wanted, Wanted) {
    let mut arguments = std::env::args().skip(1);
    let mut wanted = || {
        let mut words = arguments.by_ref().take_while(|word| word != "--");
        let id = words.next().unwrap_or_default();
        Wanted { id, files: words.collect() }
    };
    (wanted(), wanted())
}
