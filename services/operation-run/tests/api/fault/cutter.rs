//! Stands between the service and PostgreSQL, knows where one statement ends and the next begins, and cuts the connection at
//! the one it is told to: before the server has it, or after the server did it and before anybody hears of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// On which side of the statement the connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server never gets it.
    Before,
    /// The server does it, and its answer is lost.
    After,
}

#[derive(Debug, Default)]
struct Armed {
    /// Statements until the one that is hit, and where; `None`: nothing is.
    next: Option<(usize, Cut)>,
    fired: bool,
}

/// The thing itself.
pub struct Cutter {
    address: SocketAddr,
    armed: Arc<Mutex<Armed>>,
}

impl Cutter {
    /// Before this server.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cutter = Self { address: listener.local_addr().unwrap(), armed: Arc::default() };
        let armed = Arc::clone(&cutter.armed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let armed = Arc::clone(&armed);
                tokio::spawn(async move {
                    // Either end going away ends the connection; that is all there is to know.
                    let _ = serve(client, server, &armed).await;
                });
            }
        });
        cutter
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts at the statement of this number from now on, whoever sends it: the first is 1.
    pub fn arm(&self, statement: usize, cut: Cut) {
        *self.armed.lock().unwrap() = Armed { next: Some((statement, cut)), fired: false };
    }

    /// Lets everything through again; whether it has cut.
    pub fn disarm(&self) -> bool {
        std::mem::take(&mut *self.armed.lock().unwrap()).fired
    }
}

async fn serve(mut client: TcpStream, server: SocketAddr, armed: &Mutex<Armed>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let startup = start_up(&mut client, &mut server).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // The tail looks all the time; it is not what is counted.
    if startup.windows(5).any(|part| part == b" tail") {
        return untouched((from_client, to_server), (from_server, to_client)).await;
    }
    let (mute, muted) = watch::channel(false);
    tokio::select! {
        done = requests(from_client, to_server, armed, &mute) => done,
        done = answers(from_server, to_client, muted) => done,
    }
}

async fn untouched(
    mut there: (OwnedReadHalf, OwnedWriteHalf),
    mut back: (OwnedReadHalf, OwnedWriteHalf),
) -> std::io::Result<()> {
    tokio::select! {
        done = copy(&mut there.0, &mut there.1) => done.map(drop),
        done = copy(&mut back.0, &mut back.1) => done.map(drop),
    }
}

/// The first message has no type; a wish for TLS comes before it and is answered with one byte.
async fn start_up(client: &mut TcpStream, server: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    const TLS: u32 = 80_877_103;
    loop {
        let length = client.read_u32().await?;
        let mut rest = vec![0; length as usize - 4];
        client.read_exact(&mut rest).await?;
        server.write_u32(length).await?;
        server.write_all(&rest).await?;
        if rest.get(..4) != Some(&TLS.to_be_bytes()[..]) {
            return Ok(rest);
        }
        let answer = server.read_u8().await?;
        client.write_u8(answer).await?;
    }
}

async fn frame(from: &mut OwnedReadHalf) -> std::io::Result<(u8, Vec<u8>)> {
    let kind = from.read_u8().await?;
    let length = from.read_u32().await?;
    let mut whole = vec![kind];
    whole.extend(length.to_be_bytes());
    let start = whole.len();
    whole.resize(start + length as usize - 4, 0);
    from.read_exact(&mut whole[start..]).await?;
    Ok((kind, whole))
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    armed: &Mutex<Armed>,
    mute: &watch::Sender<bool>,
) -> std::io::Result<()> {
    loop {
        let (kind, whole) = frame(&mut from).await?;
        // Query and Sync: what was sent up to here is done and answered together.
        if matches!(kind, b'Q' | b'S') {
            match hit(armed) {
                Some(Cut::Before) => return Ok(()),
                Some(Cut::After) => {
                    let _ = mute.send(true);
                }
                None => {}
            }
        }
        to.write_all(&whole).await?;
    }
}

fn hit(armed: &Mutex<Armed>) -> Option<Cut> {
    let mut armed = armed.lock().unwrap();
    let (left, cut) = armed.next.take()?;
    if left > 1 {
        armed.next = Some((left - 1, cut));
        return None;
    }
    armed.fired = true;
    Some(cut)
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, muted: watch::Receiver<bool>) -> std::io::Result<()> {
    loop {
        let (kind, whole) = frame(&mut from).await?;
        match (*muted.borrow(), kind) {
            // Ready for the next one: the server has done this one.
            (true, b'Z') => return Ok(()),
            (true, _) => continue,
            (false, _) => {}
        }
        to.write_all(&whole).await?;
    }
}
