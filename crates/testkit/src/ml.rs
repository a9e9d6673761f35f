//! Log dumps of the reference engine (`ml.txt`), taken apart into files, segments and records. What the lines mean is the reader's business.

/// The dump of one log file.
#[derive(Clone, Debug, Default)]
pub struct MlLog {
    /// Header lines, trimmed.
    pub header: Vec<String>,
    /// Segments, in order.
    pub segments: Vec<MlSegment>,
    /// Records, in order.
    pub records: Vec<MlRecord>,
}

/// The line of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlSegment {
    /// The whole line.
    pub line: String,
    /// How many records were printed before it.
    pub records_before: usize,
}

/// A record as printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlRecord {
    /// Its position, `gggggggg,ssss,bbbb`.
    pub position: String,
    /// Its type, up to nine characters.
    pub token: String,
    /// The rest of its line.
    pub body: String,
    /// Further lines that belong to it, trimmed.
    pub more: Vec<String>,
}

impl MlLog {
    /// The value behind `name:` in the header.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.header.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}

/// Takes a dump of one or many log files apart. Fill of legacy logs (`NOP`) and statistics are left out.
#[must_use]
pub fn parse(text: &str) -> Vec<MlLog> {
    let mut logs: Vec<MlLog> = Vec::new();
    let mut in_header = false;
    let mut in_records = false;
    let mut joins = false;
    for line in text.lines() {
        if line.trim_start().starts_with("Base name:") {
            logs.push(MlLog::default());
            (in_header, in_records, joins) = (true, true, false);
        }
        let Some(log) = logs.last_mut() else { continue };
        if let Some(record) = line.strip_prefix('>').filter(|_| in_records) {
            in_header = false;
            joins = false;
            if let Some(record) = record_of(record) {
                log.records.push(record);
                joins = true;
            }
        } else if line.starts_with("Segment Checksum:") {
            in_header = false;
            log.segments.push(MlSegment { line: line.to_owned(), records_before: log.records.len() });
        } else if line.starts_with("clrTotal") {
            (in_header, in_records, joins) = (false, false, false);
        } else if in_header && !line.trim().is_empty() {
            log.header.push(line.trim().to_owned());
        } else if joins
            && !line.trim().is_empty()
            && let Some(record) = log.records.last_mut()
        {
            record.more.push(line.trim().to_owned());
        }
    }
    logs
}

fn record_of(line: &str) -> Option<MlRecord> {
    let (position, rest) = line.split_at_checked(18)?;
    if position.trim().is_empty() {
        return None;
    }
    let rest = rest.strip_prefix(' ')?;
    let (token, body) = match rest.char_indices().nth(9) {
        Some((at, _)) => rest.split_at(at),
        None => (rest, ""),
    };
    let token = token.trim_end();
    (token != "NOP").then(|| MlRecord {
        position: position.to_owned(),
        token: token.to_owned(),
        body: body.strip_prefix(' ').unwrap_or(body).trim_end().to_owned(),
        more: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_taken_apart_into_header_segments_and_records() {
        let text = "==== edb.log (exit 0)\n\n      Base name: edb\n      lGeneration: 1 (0x1)\n\n\
                    Segment Checksum: 0x6f, LGPOS (00000001,0001,0000), logtimeStart 11/21/2026 12:20:50.711 UTC\n\
                    >00000001,0001,0000 Init      (11/21/2026 12:20:50.711)\n      Env SystemPath:R:\\log\\\n\n\
                    >00000001,0001,0268 ShutDown\n>00000001,0002,0000 NOP\n>                 NOPEnd    (Total NOPs: 6)\n\n\
                    clrTotal    =  124\n>nothing\n";
        let logs = parse(text);
        assert_eq!(logs.len(), 1);
        assert_eq!(logs[0].field("lGeneration"), Some("1 (0x1)"));
        assert_eq!(logs[0].segments.len(), 1);
        let records: Vec<(&str, &str, usize)> =
            logs[0].records.iter().map(|record| (record.token.as_str(), record.body.as_str(), record.more.len())).collect();
        assert_eq!(records, [("Init", "(11/21/2026 12:20:50.711)", 1), ("ShutDown", "", 0)]);
    }
}
