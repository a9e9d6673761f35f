//! The network between a program and a server: what passes, what is cut off, lost, delayed or changed, a test says for each request.

use super::http::{Answer, Request};
use std::io::{self, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What becomes of a request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection ends behind so many bytes of the request's body: the server never has it whole.
    CutRequest(usize),
    /// The connection ends behind so many bytes of the answer; with 0 the server has done it, and nobody learns it.
    CutAnswer(usize),
    /// The server is not asked: this status and code are the answer.
    Refuse(&'static str, &'static str),
    /// Both ways wait.
    Delay(Duration),
    /// The body of the answer is cut off and its length says so too: nothing tells that something is missing.
    Shorten(usize),
    /// A listing lacks these entries, and counts the others: nothing tells that they are missing.
    Hide(Vec<usize>),
    /// A listing lacks its last entry, and counts it.
    Miscount,
    /// The request goes without a header.
    Strip(&'static str),
}

type Judge = Box<dyn FnMut(&Request) -> Fault + Send>;

/// A proxy on loopback, which ends with this value.
pub struct Proxy {
    address: String,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Before the server at this address. `judge` is asked for each request, one at a time.
    ///
    /// # Panics
    /// There is no port left.
    #[must_use]
    pub fn before(server: &str, judge: impl FnMut(&Request) -> Fault + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (ended, server) = (Arc::new(AtomicBool::new(false)), server.to_owned());
        let judge: Arc<Mutex<Judge>> = Arc::new(Mutex::new(Box::new(judge)));
        let stop = ended.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (server, judge) = (server.clone(), judge.clone());
                // A connection that fails is what is wanted here.
                thread::spawn(move || drop(serve(&client, &server, &judge)));
            }
        });
        Self { address, ended }
    }
    /// Scheme, host and port.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // So that the listener looks.
        let _ = TcpStream::connect(&self.address);
    }
}

fn serve(client: &TcpStream, server: &str, judge: &Mutex<Judge>) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut writer = client;
    while let Some(mut request) = Request::read(&mut reader)? {
        let fault = judge.lock().expect("no test failed in it")(&request);
        if let Fault::Refuse(status, code) = fault {
            let mut answer = Answer::refusal(status, code);
            if request.method == "HEAD" {
                answer.body.clear();
            }
            writer.write_all(&answer.bytes())?;
            continue;
        }
        if let Fault::Delay(time) = fault {
            thread::sleep(time);
        }
        if let Fault::Strip(name) = fault {
            request.strip(name);
        }
        let upstream = TcpStream::connect(server)?;
        (&upstream).write_all(&request.head)?;
        if let Fault::CutRequest(bytes) = fault {
            let part = request.body.get(..bytes.min(request.body.len().saturating_sub(1))).unwrap_or_default();
            (&upstream).write_all(part)?;
            upstream.shutdown(Shutdown::Both)?;
            return client.shutdown(Shutdown::Both);
        }
        (&upstream).write_all(&request.body)?;
        let answer = changed(Answer::read(&mut BufReader::new(&upstream), &request.method)?, &request, &fault);
        let bytes = answer.bytes();
        if let Fault::CutAnswer(part) = fault {
            writer.write_all(bytes.get(..part.min(bytes.len().saturating_sub(1))).unwrap_or_default())?;
            return client.shutdown(Shutdown::Both);
        }
        writer.write_all(&bytes)?;
        if answer.last {
            return client.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

fn changed(answer: Answer, request: &Request, fault: &Fault) -> Answer {
    if request.method == "HEAD" {
        return answer;
    }
    match fault {
        Fault::Shorten(bytes) => {
            let body = answer.body.get(..*bytes).unwrap_or(&answer.body).to_vec();
            answer.with_body(body)
        }
        Fault::Hide(entries) if request.lists() => without(answer, |_, at| entries.contains(&at), true),
        Fault::Miscount if request.lists() => without(answer, |count, at| at + 1 == count, false),
        _ => answer,
    }
}

/// A listing without some of its entries. `hides`: of their number and the place of one, whether it goes.
fn without(answer: Answer, hides: impl Fn(usize, usize) -> bool, counts: bool) -> Answer {
    const ENTRY: &str = "<Contents>";
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let mut parts = text.split(ENTRY);
    let before = parts.next().unwrap_or_default().to_owned();
    let mut entries: Vec<String> = parts.map(str::to_owned).collect();
    // Behind the last entry stands the rest of the page.
    let (last, end) = entries
        .pop()
        .and_then(|last| last.split_once("</Contents>").map(|(a, b)| (a.to_owned(), b.to_owned())))
        .unwrap_or_default();
    if last.is_empty() {
        return answer;
    }
    entries.push(format!("{last}</Contents>"));
    let count = entries.len();
    let kept: Vec<String> = entries
        .into_iter()
        .enumerate()
        .filter(|(at, _)| !hides(count, *at))
        .map(|(_, entry)| format!("{ENTRY}{entry}"))
        .collect();
    let mut page = format!("{before}{}{end}", kept.concat());
    if counts {
        page = page.replace(&format!("<KeyCount>{count}</KeyCount>"), &format!("<KeyCount>{}</KeyCount>", kept.len()));
    }
    answer.with_body(page.into_bytes())
}
