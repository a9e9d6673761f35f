//! The logs of a folder as text: kept because, safe because.

use anchorlog_operations::chain::Chain;

/// Every stream with its logs.
pub fn text(chain: &Chain) -> String {
    let mut text = String::new();
    for stream in &chain.streams {
        text.push_str(&format!("log stream {} ({})\n", stream.name, stream.signature));
        match stream.limit {
            Some(limit) => text.push_str(&format!("  below generation {limit:#x} nothing needs its logs\n")),
            None => text.push_str("  which logs are needed cannot be told\n"),
        }
        for need in &stream.needs {
            let from = need.from.map_or_else(|| "everything".to_owned(), |from| format!("generation {from:#x} and later"));
            text.push_str(&format!("  {} needs {from}\n", need.what));
        }
        for log in &stream.logs {
            let mark = if log.safe { "safe" } else { "kept" };
            text.push_str(&format!("  {mark} {} because {}\n", log.place.display(), log.because.join("; ")));
        }
    }
    if chain.streams.is_empty() {
        text.push_str("no logs\n");
    }
    text
}
