//! The limit of the store: the `scylla` driver with rows that are in memory already.
//!
//!     store HOST:PORT KEYSPACE.TABLE FILE SETTING WARM
//!
//! SETTING is `singly:1024` (single inserts, so many in flight) or `batches:8:128` (unlogged batches
//! of 8 rows, 128 in flight). Writes the first WARM rows of FILE, which records.ts writes, then
//! measures the others and prints one line of JSON. Acknowledged by LOCAL_QUORUM, as ours.

use std::{env, fs, sync::Arc, time::Instant};

use futures::stream::{self, StreamExt};
use scylla::client::{session::Session, session_builder::SessionBuilder};
use scylla::statement::{batch::Batch, batch::BatchType, prepared::PreparedStatement, Consistency};
use scylla::value::CqlDate;
use serde::Deserialize;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Deserialize)]
struct User {
    id: Uuid,
    first_name: String,
    last_name: String,
    gender: String,
    address: String,
    email: String,
    username: String,
    dob: String,
    registered_date: String,
    phone: String,
    picture: String,
}

type Values = (
    Uuid, String, String, String, String, String, String, CqlDate, CqlDate, String, String, i64,
);

const INSERT: &str = "(id, first_name, last_name, gender, address, email, username, dob, \
    registered_date, phone, picture) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) using timestamp ?";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let given: Vec<String> = env::args().skip(1).collect();
    let [node, table, file, setting, warm] = given.as_slice() else {
        return Err("usage: store HOST:PORT KEYSPACE.TABLE FILE SETTING WARM".into());
    };
    let rows = Arc::new(read_rows(&fs::read(file)?)?);
    let session = Arc::new(SessionBuilder::new().known_node(node).build().await?);
    let mut insert = session.prepare(format!("insert into {table} {INSERT}")).await?;
    insert.set_consistency(Consistency::LocalQuorum);
    insert.set_is_idempotent(true);
    let warm = warm.parse::<usize>()?.min(rows.len());
    write(&session, &insert, &rows, 0..warm, setting).await?;

    let (since, cpu) = (Instant::now(), cpu_seconds());
    write(&session, &insert, &rows, warm..rows.len(), setting).await?;
    println!(
        "{{\"records\":{},\"seconds\":{:.6},\"cpuSeconds\":{:.6},\"peakMb\":{:.1}}}",
        rows.len() - warm,
        since.elapsed().as_secs_f64(),
        cpu_seconds() - cpu,
        peak_mb()
    );
    Ok(())
}

async fn write(
    session: &Arc<Session>,
    insert: &PreparedStatement,
    rows: &Arc<Vec<Values>>,
    range: std::ops::Range<usize>,
    setting: &str,
) -> Result<(), Failure> {
    let parts: Vec<&str> = setting.split(':').collect();
    let (size, in_flight) = match parts.as_slice() {
        ["singly", in_flight] => (1, in_flight.parse()?),
        ["batches", size, in_flight] => (size.parse()?, in_flight.parse()?),
        _ => return Err(format!("{setting}: expected singly:N or batches:N:N").into()),
    };
    let end = range.end;
    let mut done = stream::iter(range.step_by(size))
        .map(|from| {
            let (session, rows, insert) = (session.clone(), rows.clone(), insert.clone());
            tokio::spawn(async move {
                let some = &rows[from..end.min(from + size)];
                if let [row] = some {
                    session.execute_unpaged(&insert, row).await?;
                } else {
                    let mut batch = Batch::new(BatchType::Unlogged);
                    batch.set_consistency(Consistency::LocalQuorum);
                    batch.set_is_idempotent(true);
                    for _ in some {
                        batch.append_statement(insert.clone());
                    }
                    session.batch(&batch, some).await?;
                }
                Ok::<(), Failure>(())
            })
        })
        .buffer_unordered(in_flight);
    while let Some(written) = done.next().await {
        written??;
    }
    Ok(())
}

fn read_rows(file: &[u8]) -> Result<Vec<Values>, Failure> {
    let mut rows = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        part(&mut rest)?;
        let user: User = serde_json::from_slice(part(&mut rest)?)?;
        let mut version = 0;
        for _ in 0..number(&mut rest)? {
            let (name, value) = (part(&mut rest)?, part(&mut rest)?);
            if name == b"version" {
                version = std::str::from_utf8(value)?.parse()?;
            }
        }
        rows.push((
            user.id, user.first_name, user.last_name, user.gender, user.address, user.email,
            user.username, day(&user.dob)?, day(&user.registered_date)?, user.phone, user.picture,
            version,
        ));
    }
    Ok(rows)
}

fn number(rest: &mut &[u8]) -> Result<usize, Failure> {
    let (head, tail) = rest.split_first_chunk::<4>().ok_or("the file is cut short")?;
    *rest = tail;
    Ok(u32::from_le_bytes(*head) as usize)
}

fn part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Failure> {
    let length = number(rest)?;
    let (head, tail) = rest.split_at_checked(length).ok_or("the file is cut short")?;
    *rest = tail;
    Ok(head)
}

/// "1990-01-01" as CQL counts days: 2^31 is 1970-01-01. After Howard Hinnant's days_from_civil.
fn day(text: &str) -> Result<CqlDate, Failure> {
    let parts: Vec<i64> = text.split('-').map(str::parse).collect::<Result<_, _>>()?;
    let [year, month, day] = parts.as_slice() else {
        return Err(format!("{text} is no date").into());
    };
    let year = year - i64::from(*month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Ok(CqlDate(u32::try_from((1 << 31) + era * 146_097 + day_of_era - 719_468)?))
}

fn cpu_seconds() -> f64 {
    let mut used = unsafe { std::mem::zeroed::<libc::rusage>() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut used) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(used.ru_utime) + seconds(used.ru_stime)
}

fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.split_whitespace().next()).and_then(|kb| kb.parse().ok());
    kb.unwrap_or(0.0) / 1024.0
}
