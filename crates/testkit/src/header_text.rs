//! The text of Microsoft's header dumps (`mh*.txt` of the data sets), cut into one list of lines for each database.

/// The header text of one database.
#[derive(Clone, Debug)]
pub struct HeaderText {
    /// File name of the database, without a folder.
    pub file: String,
    /// Its lines, trimmed, without empty ones.
    pub lines: Vec<String>,
}

impl HeaderText {
    /// The value behind `label:`, of the first line that has it.
    #[must_use]
    pub fn value(&self, label: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(label)?.strip_prefix(':').map(str::trim))
    }
}

/// Cuts a text that holds the dumps of one or more databases, each led by its own `Database:` line.
#[must_use]
pub fn header_texts(text: &str) -> Vec<HeaderText> {
    let mut texts: Vec<HeaderText> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("====")) {
        if let Some(path) = line.strip_prefix("Database:") {
            let file = path.trim().rsplit(['\\', '/']).next().unwrap_or_default().to_owned();
            texts.push(HeaderText { file, lines: Vec::new() });
        } else if let Some(current) = texts.last_mut() {
            current.lines.push(line.to_owned());
        }
    }
    texts
}
