//! The servers: moto, which keeps objects in memory, and s3s-fs, which keeps them as files of a folder. `.ci/object-storage` installs them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// The access key of every server.
pub const KEY: &str = "anchorlog-test";
/// And its secret.
pub const SECRET: &str = "anchorlog-test-secret";
/// Until a server must be there: a machine may have much else to do.
const START: Duration = Duration::from_secs(120);

/// A server on loopback, which ends with this value.
pub struct Server {
    child: Child,
    /// Host and port.
    pub address: String,
    /// Where s3s-fs keeps its objects.
    folder: Option<tempfile::TempDir>,
}

impl Server {
    /// moto; `None` where it is not installed.
    ///
    /// # Panics
    /// It does not start; it is not installed, and `ANCHORLOG_REQUIRE_S3` is set.
    #[must_use]
    pub fn moto() -> Option<Self> {
        let program = installed("moto/bin/moto_server")?;
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", "0"]);
        Some(Self::start(command, None))
    }
    /// s3s-fs; `None` where it is not installed.
    ///
    /// # Panics
    /// As [`Server::moto`].
    #[must_use]
    pub fn s3s_fs() -> Option<Self> {
        let program = installed("bin/s3s-fs")?;
        let folder = tempfile::tempdir().expect("a folder of its own");
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", "0", "--access-key", KEY, "--secret-key", SECRET]).arg(folder.path());
        command.env("RUST_LOG", "info");
        Some(Self::start(command, Some(folder)))
    }
    /// Those that are installed, with their names.
    #[must_use]
    pub fn all() -> Vec<(&'static str, Self)> {
        let servers = [("moto", Self::moto()), ("s3s-fs", Self::s3s_fs())];
        servers.into_iter().filter_map(|(name, server)| Some((name, server?))).collect()
    }

    fn start(mut command: Command, folder: Option<tempfile::TempDir>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server starts");
        let (sender, receiver) = channel();
        let (out, error) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
        let streams: [Box<dyn std::io::Read + Send>; 2] = [Box::new(out), Box::new(error)];
        for stream in streams {
            let sender = sender.clone();
            // Read to its end, so that the server never waits for room.
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if let Some((_, address)) = line.split_once("unning").and_then(|(_, rest)| rest.split_once("http://")) {
                        let end = address.find(|next: char| !next.is_ascii_digit() && !matches!(next, '.' | ':'));
                        let _ = sender.send(address[..end.unwrap_or(address.len())].to_owned());
                    }
                }
            });
        }
        let address = receiver.recv_timeout(START).expect("the server says where it is");
        Self { child, address, folder }
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
    /// Makes a bucket; with object lock where that is asked for, which s3s-fs does not have.
    ///
    /// # Panics
    /// The server refuses.
    pub fn make_bucket(&self, name: &str, object_lock: bool) {
        if let Some(folder) = &self.folder {
            fs::create_dir(folder.path().join(name)).expect("the bucket is new");
            return;
        }
        let lock = if object_lock { "x-amz-bucket-object-lock-enabled: true\r\n" } else { "" };
        let request =
            format!("PUT /{name} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n{lock}Connection: close\r\n\r\n", self.address);
        let mut stream = TcpStream::connect(&self.address).expect("the server is there");
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer)).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    /// The files of a bucket of s3s-fs: an object each, below its name.
    ///
    /// # Panics
    /// This is moto.
    #[must_use]
    pub fn bucket(&self, name: &str) -> PathBuf {
        self.folder.as_ref().expect("moto has no files").path().join(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    let tools = std::env::var_os("ANCHORLOG_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools"));
    let path = tools.join(program);
    let found = path.exists();
    assert!(
        found || std::env::var_os("ANCHORLOG_REQUIRE_S3").is_none(),
        "{program} is not installed: .ci/object-storage does that"
    );
    if !found {
        eprintln!("{program} is not installed: nothing is tested with it");
    }
    found.then_some(path)
}
